"""Prediction files in the official WIDER FACE layout, in and out.

``<set>/<event>/<image>.txt``: the name of the image, the number of
detections, then one line ``x y w h score`` each. A set is a folder or a zip,
either with the events at its top or inside one more folder. NumPy only.

Text is parsed by NumPy, many files at once. Whatever that does not take is
read again line by line, slowly, to say which line is wrong.
"""
import os
import re
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from tinyfaces.utils.file_names import check_file_name
from tinyfaces.utils.files import atomic_write, remove_leftovers_of
from tinyfaces.utils.folders import atomic_folder
from .wider_set import keys_of_set, opened_set

# Bytes of text parsed at once.
_CHUNK = 2**22
# A row has five numbers of 25 characters; a file that is padded with more
# than this would be read slowly, and take much memory, for nothing.
_MAX_LINE = 2**12
_MAX_DIGITS = 9
_NUMBER = re.compile(rb'[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?')


class _File(NamedTuple):
    """One prediction file, its first two lines taken off."""

    key: str
    where: str
    count: int
    body: bytes


def read_wider_predictions(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read a prediction set.

    Args:
        path: Folder or zip. Files that are not ``.txt``, hidden files and
            ``__MACOSX`` are left out.

    Returns:
        dict[str, np.ndarray]: ``<event>/<stem>`` -> (n, 5) float64 of x, y,
        w, h in pixels and score, in the order of the file. The first line of
        a file is not read, as in the official toolbox: its path says which
        image it is for.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        ValueError: The layout is another one, a name leads out of the set
            or is there twice; or a line is malformed, its size negative or a
            value not finite, or the number of lines not the one stated: the
            message names file and line.
    """
    path = Path(path)
    predictions: dict[str, np.ndarray] = {}
    chunk: list[_File] = []
    size = 0
    with opened_set(path) as (names, read):
        keys = keys_of_set(path, names)
        for name, key in tqdm(
                keys.items(), 'reading', delay=2, leave=False, disable=None):
            text = read(name)
            chunk.append(_split(key, f'{path}/{name}', text))
            size += len(text)
            if size > _CHUNK:
                predictions.update(_parse(chunk))
                chunk, size = [], 0
    predictions.update(_parse(chunk))
    return predictions


def write_wider_predictions(
    predictions: Mapping[str, np.ndarray],
    path: str | os.PathLike,
    outdated: Sequence[str | os.PathLike] = ()) -> None:
    """Write a prediction set, as a whole or not at all.

    Numbers are written with the digits that give the same float64 back. What
    killed runs have left of the same set is removed first, so no other
    process may be writing it.

    Args:
        predictions: Image key -> (n, 5) of x, y, w, h in pixels and score.
            Images without detections get a file that says 0.
        path: A name that ends in ``.zip``, as the test server takes it, or a
            folder. Both are replaced when they exist.
        outdated: Files that must not stand beside the new set, such as the
            scores of the old one: removed when all is written, right before
            the set takes its place.

    Raises:
        FileExistsError: ``path`` is a folder that holds anything else than
            prediction files: it would be lost.
        ValueError: A key is not ``<event>/<stem>``, or could lead out of the
            set, see :func:`~tinyfaces.utils.file_names.check_file_name`.
            Nothing is written then.
    """
    path = Path(path)
    for key in predictions:
        check_file_name(key, f'{path}', parts=2)
    bar = tqdm(
        predictions.items(), 'writing', delay=2, leave=False, disable=None)
    if path.suffix == '.zip':
        remove_leftovers_of(path)
        with atomic_write(path, outdated) as temporary, zipfile.ZipFile(
                temporary, 'w', zipfile.ZIP_DEFLATED) as archive:
            for key, found in bar:
                # Without the time, so that equal sets are equal files.
                info = zipfile.ZipInfo(f'{key}.txt')
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = 0o644 << 16
                archive.writestr(info, _text(key, found))
        return
    # A link to a folder stays, and the folder gets the files.
    path = Path(os.path.realpath(path))
    check_replaceable(path)
    with atomic_folder(path) as fresh:
        for key, found in bar:
            target = fresh / f'{key}.txt'
            target.parent.mkdir(exist_ok=True)
            target.write_text(_text(key, found), encoding='utf-8')
        for file in outdated:
            Path(file).unlink(missing_ok=True)


def _split(key: str, where: str, text: bytes) -> _File:
    """Take the first two lines off a file."""
    first = text.find(b'\n')
    if first < 0:
        raise ValueError(f'{where}, line 2: expected the number of '
                         'detections, found the end of the file')
    second = text.find(b'\n', first + 1)
    if second < 0:
        second = len(text)
    count = text[first + 1:second].strip()
    # int() itself refuses thousands of digits, without saying where.
    if not count.isdigit() or len(count) > _MAX_DIGITS:
        raise ValueError(f'{where}, line 2: expected the number of '
                         f'detections, found {_show(count)}')
    body = text[second + 1:]
    if len(body) > _MAX_LINE * (int(count) + 1):
        raise ValueError(f'{where}, line 2: says {int(count)} detections, '
                         f'{len(body):,} characters follow; write one line '
                         '"x y w h score" per detection')
    return _File(key, where, int(count), body)


def _parse(files: Sequence[_File]) -> dict[str, np.ndarray]:
    """Parse the bodies of several files."""
    rows = _parse_fast(files)
    if rows is None:
        return {file.key: _parse_slow(file) for file in files}
    ends = np.cumsum([file.count for file in files])
    return {
        file.key: rows[end - file.count:end]
        for file, end in zip(files, ends)
    }


def _parse_fast(files: Sequence[_File]) -> np.ndarray | None:
    """(n, 5) float64 of all files together, None unless all is right."""
    text = b'\n'.join([file.body for file in files] + [b''])
    letters = np.frombuffer(text, np.uint8)
    # A word starts at a letter that follows a blank (or nothing).
    is_word = letters > ord(' ')
    starts = is_word.copy()
    starts[1:] &= ~is_word[:-1]
    breaks = np.flatnonzero(letters == ord('\n'))
    words = np.diff(np.cumsum(starts, dtype=np.int32)[breaks], prepend=0)
    lines_before = np.cumsum(words == 5)
    # Each body ends at the line break that was put behind it.
    ends = np.cumsum([len(file.body) + 1 for file in files]) - 1
    counts = np.diff(lines_before[np.searchsorted(breaks, ends)], prepend=0)
    if not np.array_equal(counts, [file.count for file in files]):
        return None
    try:
        with warnings.catch_warnings():
            # NumPy warns, or raises, where the text is not a number.
            warnings.simplefilter('error', DeprecationWarning)
            values = np.fromstring(text, sep=' ')
    except (DeprecationWarning, ValueError):
        return None
    # A line of more or fewer words leaves more or fewer numbers than the
    # lines of five do; so does "1.5.2", one word yet two numbers to NumPy.
    if values.size != counts.sum() * 5 or not np.isfinite(values).all():
        return None
    rows = values.reshape(-1, 5)
    return None if (rows[:, 2:4] < 0).any() else rows


def _parse_slow(file: _File) -> np.ndarray:
    """(n, 5) float64 of one file, or the error that names the line."""
    rows = []
    for number, line in enumerate(file.body.split(b'\n'), 3):
        words = line.split()
        if not words:
            continue
        where = f'{file.where}, line {number}'
        if len(words) != 5:
            raise ValueError(f'{where}: expected "x y w h score", found '
                             f'{_show(line)}')
        for word in words:
            if not _NUMBER.fullmatch(word):
                raise ValueError(f'{where}: expected five numbers, found '
                                 f'{_show(word)}')
        row = [float(word) for word in words]
        if not np.isfinite(row).all():
            raise ValueError(f'{where}: a number is too large for float64')
        if min(row[2:4]) < 0:
            raise ValueError(f'{where}: negative width or height: '
                             f'{_show(line)}')
        rows.append(row)
    if len(rows) != file.count:
        raise ValueError(f'{file.where}, line 2: says {file.count} '
                         f'detections, {len(rows)} lines follow')
    return np.array(rows, np.float64).reshape(-1, 5)


def _show(text: bytes) -> str:
    """A piece of a file for an error message."""
    return repr(text[:60].decode('utf-8', 'replace').strip())


def _text(key: str, found: np.ndarray) -> str:
    """The content of one prediction file."""
    rows = np.asarray(found, np.float64).reshape(-1, 5).tolist()
    lines = ['%r %r %r %r %r' % tuple(row) for row in rows]
    return '\n'.join([key.split('/')[-1], str(len(lines)), *lines, ''])


def check_replaceable(path: Path) -> None:
    """Refuse to replace a folder that is more than a prediction set.

    Args:
        path: Folder to be written by :func:`write_wider_predictions`.

    Raises:
        FileExistsError: It is a file, or holds anything else than
            prediction files.
    """
    if path.exists() and not path.is_dir():
        raise FileExistsError(f'{path} is a file; give the name of a folder, '
                              'or one that ends in .zip')
    for root, folders, files in os.walk(path):
        links = [name for name in folders if Path(root, name).is_symlink()]
        for name in (*files, *links):
            item = PurePosixPath(Path(root, name).relative_to(path))
            if item.suffix != '.txt' or len(item.parts) != 2:
                raise FileExistsError(
                    f'{path} holds {item}, which is no prediction file; give '
                    'an empty folder or another name')
