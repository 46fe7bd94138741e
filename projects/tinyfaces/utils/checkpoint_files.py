"""Reading and writing checkpoints: no code is run, no half file is left."""
import errno
import io
import logging
import os
import pickle
import pickletools
import re
import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import torch
from mmengine.logging import print_log

from .checkpoint_globals import allowed_names, load_as_data
from .checkpoint_stand_ins import RefusedContent
from .files import atomic_write

TRUST = 'TINYFACES_TRUST_CHECKPOINTS'
# What torch.load raises for files that are cut off, or of other formats.
_DAMAGE = (RuntimeError, ValueError, EOFError, LookupError, AttributeError,
           TypeError, AssertionError, ImportError, pickle.UnpicklingError,
           zipfile.BadZipFile, OverflowError)
# What it says of this computer, or of ``map_location``, not of the file.
_NOT_THE_FILE = re.compile(
    r'\bCUDA\b|\bdevice\b|\bdata location\b|not enough memory|'
    r"can't allocate memory")


class CheckpointError(ValueError):
    """A checkpoint is damaged, or refers to what could run code."""


def read_checkpoint(source: str | os.PathLike | BinaryIO,
                    map_location: Any = None,
                    name: str | None = None) -> dict:
    """Load a checkpoint without running anything that it says.

    Besides tensors, numbers, text and their containers, it may hold NumPy
    arrays and what MMEngine's own training state consists of. Everything else
    in a pickle is refused, since loading it could run any command; for files
    whose origin one trusts, the environment variable
    ``TINYFACES_TRUST_CHECKPOINTS=1`` lifts this. ``meta['config']``, which
    MMDetection 2 wrote and MMEngine runs as Python code on a resume, is left
    out without it.

    Args:
        source: File, or an open one.
        map_location: As of ``torch.load``.
        name (str, optional): What messages call it; ``source`` by default.

    Returns:
        dict: The checkpoint.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: It is refused, empty, cut off, or something else
            than a checkpoint.
        MemoryError, RuntimeError: What memory and devices of this computer
            complain of, as ``torch.load`` raises it.
    """
    path = None
    if isinstance(source, (str, os.PathLike)):
        path = Path(source).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f'{path} can not be found.')
        name = name or str(path)
    name = name or 'checkpoint'
    with nullcontext(source) if path is None else open(path, 'rb') as file:
        file.seek(0)
        if not file.read(1):
            raise CheckpointError(
                f'{name} is empty (0 bytes), not a checkpoint: whatever wrote '
                'it was interrupted, or its disk was full; take another one')
        file.seek(0)
        try:
            # PyTorch reads faster by itself than through Python.
            checkpoint = load_as_data(path or file, map_location)
        except _DAMAGE as error:
            if _is_of_this_computer(error):
                raise
            checkpoint = _after_failure(file, map_location, name, error)
        except OSError as error:
            if error.errno != errno.EINVAL:  # a position before the beginning
                raise
            checkpoint = _after_failure(file, map_location, name, error)
    if not isinstance(checkpoint, dict):
        raise CheckpointError(
            f'{name} is not a checkpoint: it holds a '
            f'{type(checkpoint).__name__}, not a dictionary of weights')
    if os.environ.get(TRUST) != '1':
        _leave_out_code(checkpoint, name)
    return checkpoint


def write_checkpoint(content: Any, path: str | os.PathLike) -> None:
    """``torch.save`` as a whole or not at all.

    Raises:
        OSError: As :func:`~tinyfaces.utils.files.atomic_write`.
    """
    # torch.save hides in a RuntimeError of its own what a disk complains of.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with atomic_write(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def _leave_out_code(checkpoint: dict, name: str) -> None:
    """Remove the text that MMEngine runs when it resumes."""
    meta = checkpoint.get('meta')
    if isinstance(meta, dict) and 'config' in meta:
        del meta['config']
        print_log(
            f'{name}: meta["config"] is left out, since resuming would run it '
            'as Python code',
            logger='current')


def _is_of_this_computer(error: BaseException) -> bool:
    """Whether an error says nothing of the file."""
    return isinstance(error, torch.cuda.OutOfMemoryError) or (isinstance(
        error, RuntimeError) and bool(_NOT_THE_FILE.search(str(error))))


def _after_failure(source: BinaryIO, map_location: Any, name: str,
                   error: BaseException) -> Any:
    """Load what is trusted all the same, or say what is wrong."""
    unknown = [one for one in _globals(source) if one not in allowed_names()]
    if isinstance(error, RefusedContent):
        unknown.append(error.wanted)
    if not unknown:
        raise CheckpointError(
            f'{name} cannot be read as a checkpoint{_cut_off(source)}. Take '
            'another one, or download or copy it again. PyTorch says: '
            f'{str(error) or type(error).__name__}') from error
    wanted = ', '.join(unknown[:5]) + (', ...' if len(unknown) > 5 else '')
    if os.environ.get(TRUST) != '1':
        raise CheckpointError(
            f'{name} is refused: loading it would call or make objects of '
            f'{wanted}, by which a file can crash the program or run any '
            'command on this computer. '
            'Weights need nothing of the kind: take a checkpoint from '
            'elsewhere, or one whose "state_dict" alone was saved. Only if '
            'you trust everybody who could have changed this file, set the '
            f'environment variable {TRUST}=1.') from error
    print_log(
        f'{name} refers to {wanted} and is loaded all the same, since {TRUST} '
        'is 1',
        logger='current',
        level=logging.WARNING)
    source.seek(0)
    return torch.load(source, map_location, weights_only=False)


def _cut_off(source: BinaryIO) -> str:
    """The reason, if it is the beginning of a file that torch.save wrote."""
    source.seek(0)
    archive = source.read(4) == b'PK\x03\x04'
    if archive and not zipfile.is_zipfile(source):
        return (': its end is missing, as of a download or a copy that was '
                'interrupted')
    return ''


def _globals(source: BinaryIO) -> list[str]:
    """Full names of the globals in a file's pickles, as far as they go."""
    source.seek(0)
    pickles: list[BinaryIO] = [source]
    if zipfile.is_zipfile(source):
        try:
            with zipfile.ZipFile(source) as archive:
                pickles = [
                    io.BytesIO(archive.read(one))
                    for one in archive.namelist() if one.endswith('.pkl')
                ]
        except (zipfile.BadZipFile, EOFError, OSError):
            return []
    found: dict[str, None] = {}
    for one in pickles:
        one.seek(0)
        try:
            # The format before PyTorch 1.6 is a row of them.
            while True:
                _add_globals(one, found)
        except Exception:  # the end, or noise: pickletools raises anything
            continue
    return list(found)


def _add_globals(file: BinaryIO, found: dict[str, None]) -> None:
    """Add the names in the next pickle of a file."""
    texts: list[str] = []
    for code, argument, _ in pickletools.genops(file):
        if code.name in ('GLOBAL', 'INST'):
            module, name = argument.split(' ', 1)
        elif code.name == 'STACK_GLOBAL' and len(texts) > 1:
            module, name = texts[-2:]
        else:
            if isinstance(argument, str):
                texts.append(argument)
            continue
        if module == '__builtin__':
            module = 'builtins'
        found[f'{module}.{name}'] = None
