"""Sets of WIDER FACE predictions as files: a folder or an archive.

Archives come from elsewhere, so nothing that they say of themselves is
believed, and no more of one is read than can be a set of predictions.
"""
import os
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tinyfaces.utils.file_names import check_file_name

#: Bytes of the largest file that is read: over a million detections.
MAX_FILE = 2**26
#: Bytes of all files of an archive together, unpacked. A set of the test
#: split, with 750 detections in each picture, has less than 2**30.
MAX_TOTAL = 2**34
# Bytes unpacked at a time: bzip2 and LZMA give all that these can hold.
_BITE = 2**14


@contextmanager
def opened_set(
        path: Path) -> Iterator[tuple[list[str], Callable[[str], bytes]]]:
    """Open a set for reading.

    Args:
        path: Folder or zip.

    Yields:
        tuple[list[str], Callable[[str], bytes]]: The names of all files, and
        what reads the file of a name. It raises ValueError, with the file,
        if that is damaged or larger than ``MAX_FILE``.

    Raises:
        FileNotFoundError: There is no such folder or file.
        ValueError: It is no zip, is damaged, or holds more than
            ``MAX_TOTAL``.
    """
    if path.is_dir():
        # A path string is several times as fast to open as a Path.
        folder = str(path)
        yield ([
            os.path.relpath(os.path.join(root, file),
                            folder).replace(os.sep, '/')
            for root, _, files in os.walk(folder) for file in files
        ], lambda name: _read_file(folder, name))
    elif path.is_file():
        try:
            archive = zipfile.ZipFile(path)
        # The latter are what broken directories of archives lead to; bytes
        # that are no Unicode are a ValueError.
        except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError,
                struct.error) as error:
            raise ValueError(f'{path}: neither a folder nor a readable zip '
                             f'({error})') from error
        with archive:
            total = sum(info.file_size for info in archive.infolist())
            if total > MAX_TOTAL:
                raise ValueError(
                    f'{path}: {total / 2**30:,.1f} GiB when unpacked, where '
                    f'at most {MAX_TOTAL / 2**30:g} are read; write the '
                    'predictions without other files')
            yield archive.namelist(), lambda name: _read_entry(archive, name)
    else:
        raise FileNotFoundError(
            f'{path}: no such folder or zip of predictions')


def keys_of_set(path: Path, names: Sequence[str]) -> dict[str, str]:
    """The images that the files of a set are for.

    Args:
        path: The set, for messages.
        names: Names of its files. Those that are not ``.txt``, hidden files
            and ``__MACOSX`` are left out.

    Returns:
        dict[str, str]: Name of a file -> ``<event>/<stem>``.

    Raises:
        ValueError: The layout is another one, or a name leads out of the set
            or is there twice.
    """
    files = {}
    for name in names:
        parts = name.split('/')
        if name.endswith('.txt'):
            check_file_name(name, f'{path}', hidden=True)
            if name in files:
                raise ValueError(f'{path}: holds {name} twice; write the '
                                 'archive again')
        if name.endswith('.txt') and '__MACOSX' not in parts and not any(
                part.startswith('.') for part in parts):
            files[name] = parts
    depths = {len(parts) for parts in files.values()}
    tops = {parts[0] for parts in files.values()}
    if depths != {2} and not (depths == {3} and len(tops) == 1):
        odd = next((name for name, parts in files.items() if len(parts) != 2),
                   'no .txt file at all')
        raise ValueError(
            f'{path}: expected <event>/<image>.txt, with at most one folder '
            f'around all events; found {odd}')
    return {
        name: f'{parts[-2]}/{parts[-1][:-len(".txt")]}'
        for name, parts in files.items()
    }


def _read_file(folder: str, name: str) -> bytes:
    """The content of a file of a folder."""
    path = os.path.join(folder, name)
    with open(path, 'rb') as file:
        _check_size(path, os.fstat(file.fileno()).st_size)
        return file.read()


def _read_entry(archive: zipfile.ZipFile, name: str) -> bytes:
    """The content of a file of an archive."""
    where = f'{archive.filename}/{name}'
    info = archive.getinfo(name)
    _check_size(where, info.file_size)
    try:
        with archive.open(info) as entry:
            return b''.join(iter(lambda: entry.read(_BITE), b''))
    # Whatever it is that unpacking stumbles over, it is in this file: each
    # kind of compression has errors of its own, encrypted files another.
    except Exception as error:
        raise ValueError(f'{where}: damaged ({error})') from error


def _check_size(where: str, size: int) -> None:
    """Refuse a file that cannot be the detections of one picture."""
    if size > MAX_FILE:
        raise ValueError(
            f'{where}: {size / 2**20:,.1f} MiB, where at most '
            f'{MAX_FILE / 2**20:g} are read for one image; write fewer '
            'detections')
