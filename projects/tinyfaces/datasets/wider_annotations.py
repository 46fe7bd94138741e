"""The annotation files of WIDER FACE as NumPy arrays.

Needs nothing but NumPy. Format: ``wider_face_split/readme.txt`` of the
official download.
"""
import os
from itertools import chain
from typing import NamedTuple

import numpy as np

from ..utils.file_names import fault_of_name

#: The columns after ``x y w h``, in the file's order, with the largest value
#: each may take (``readme.txt`` names the values; all start at 0).
ATTRIBUTES = dict(
    blur=2, expression=1, illumination=1, invalid=1, occlusion=2, pose=1)
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png')

_COLUMNS = 4 + len(ATTRIBUTES)
_ROW = '10 numbers "x y w h ' + ' '.join(ATTRIBUTES) + '"'
_NAME = 'a picture "<event>/<name>.jpg"'
_MAX_ATTRIBUTES = np.array(list(ATTRIBUTES.values()))


class WiderEntry(NamedTuple):
    """What an annotation file says about one picture.

    Attributes:
        file_name: ``'<event>/<name>.jpg'``, as written in the file.
        boxes: float64 (n, 4), ``x y w h`` in pixels, as annotated: widths
            and heights of zero and below occur in the official files.
        attributes: int64 (n, 6), columns in the order of ``ATTRIBUTES``.
    """
    file_name: str
    boxes: np.ndarray
    attributes: np.ndarray

    @property
    def key(self) -> str:
        """``'<event>/<stem>'``, the name evaluators and metrics use."""
        return os.path.splitext(self.file_name)[0]


def parse_wider_annotations(path: str | os.PathLike) -> list[WiderEntry]:
    """Read ``wider_face_{train,val}_bbx_gt.txt`` or a list of pictures.

    Each entry is a picture's name, its number of faces n, and n lines
    ``x y w h blur expression illumination invalid occlusion pose``.
    Pictures without faces come in three spellings, all accepted: n = 0; n = 0
    and one line of zeros all the same; n = 1 and one line of zeros. The last
    one gives the box ``0 0 0 0``, because the evaluation files count it: 4 of
    the 39,708 boxes of the val set are of this kind.
    ``wider_face_test_filelist.txt`` holds names only, which is recognised by
    its second line, and gives entries with no boxes.

    Blank lines between entries, CRLF line ends and a byte-order mark are
    accepted.

    Args:
        path: The annotation file.

    Returns:
        list[WiderEntry]: One per picture, in the file's order. Boxes of all
        entries are views of one array.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is not what its place asks for (the message gives
            file, line number, what was expected and what to do), a picture
            is listed twice, or the file is empty.
    """
    path = os.fspath(path)
    try:
        with open(path, encoding='utf-8-sig') as file:
            lines = [line.strip() for line in file]
    except UnicodeDecodeError as error:
        raise ValueError(f'{path}: not a UTF-8 text file ({error}). Use the '
                         'annotation file of the official download.') from None
    filled = [number for number, line in enumerate(lines) if line]
    if not filled:
        raise ValueError(f'{path}: the file is empty. Expected {_NAME} on '
                         'line 1; download the annotations again.')
    if all(_is_name(lines[number]) for number in filled[:2]):
        names, counts, starts = _scan_names(path, lines, filled)
    else:
        names, counts, starts = _scan_entries(path, lines)
    _check_unique(path, lines, names)
    table = _parse_rows(path, lines, counts, starts)
    attributes = table[:, 4:].astype(np.int64)
    boxes = np.ascontiguousarray(table[:, :4])
    ends = np.cumsum(counts).tolist()
    return [
        WiderEntry(name, boxes[end - count:end], attributes[end - count:end])
        for name, count, end in zip(names, counts, ends)
    ]


def _is_name(line: str) -> bool:
    """Whether a stripped line can be ``<event>/<name>.jpg``."""
    event, _, name = line.partition('/')
    return bool(event) and '/' not in name and (
        os.path.splitext(name)[1].lower()
        in IMAGE_SUFFIXES) and fault_of_name(line) is None


def _scan_names(path: str, lines: list[str],
                filled: list[int]) -> tuple[list[str], list[int], list[int]]:
    """Check a list of pictures; same result as ``_scan_entries``."""
    for number in filled:
        if not _is_name(lines[number]):
            raise _error(
                path, lines, number, _NAME,
                'Lines 1 and 2 are names, so the file is read as a list of '
                'pictures. If it should hold boxes, a line with the number '
                'of faces must follow each name.')
    names = [lines[number] for number in filled]
    return names, [0] * len(names), [0] * len(names)


def _scan_entries(path: str,
                  lines: list[str]) -> tuple[list[str], list[int], list[int]]:
    """Find names, numbers of faces and the index of each first box line."""
    names: list[str] = []
    counts: list[int] = []
    starts: list[int] = []
    number, total = 0, len(lines)
    while number < total:
        line = lines[number]
        if not line:
            number += 1
            continue
        if not _is_name(line):
            remedy = 'Download the annotations again.'
            if names:
                _check_rows(path, lines, starts[-1], counts[-1])
                remedy = (
                    f'Line {starts[-1]} announces {counts[-1]} faces of '
                    f'{names[-1]}: correct that number or the lines after it.')
            raise _error(path, lines, number, _NAME, remedy)
        number += 1
        count = lines[number] if number < total else ''
        # int() itself refuses thousands of digits, without saying where.
        if not (count.isascii() and count.isdigit() and len(count) < 10):
            raise _error(path, lines, number, f'the number of faces of {line}',
                         'Add that line (0 if there are none).')
        number += 1
        names.append(line)
        counts.append(int(count))
        starts.append(number)
        number += counts[-1]
        if number > total:
            _check_rows(path, lines, starts[-1], total - starts[-1])
            raise _error(
                path, lines, total,
                f'{counts[-1]} faces of {line} (announced by line '
                f'{starts[-1]}), but only {total - starts[-1]} lines follow',
                'The file is cut off: download it again.')
        if not counts[-1] and number < total and _is_zeros(lines[number]):
            number += 1
    return names, counts, starts


def _is_zeros(line: str) -> bool:
    """Whether this is the line of zeros that stands for "no face"."""
    return line.split() == ['0'] * _COLUMNS


def _parse_rows(path: str, lines: list[str], counts: list[int],
                starts: list[int]) -> np.ndarray:
    """Convert all box lines at once: float64 (N, 10)."""
    rows = list(
        chain.from_iterable(lines[at:at + n] for at, n in zip(starts, counts)))
    table = _to_table(rows)
    if table is not None and _valid_rows(table).all():
        return table
    # Something is wrong: look for the first bad line, slowly.
    for start, count in zip(starts, counts):
        _check_rows(path, lines, start, count)
    raise AssertionError(f'{path}: no single line explains the failure')


def _to_table(rows: list[str]) -> np.ndarray | None:
    """Box lines as float64 (n, 10); None if any has other contents."""
    if not rows:
        return np.empty((0, _COLUMNS))
    if not all(rows):
        return None  # loadtxt would skip the blank line
    try:
        table = np.loadtxt(rows, comments=None, ndmin=2)
    except ValueError:
        return None
    return table if table.shape[1] == _COLUMNS else None


def _valid_rows(table: np.ndarray) -> np.ndarray:
    """Which rows of (N, 10) are finite with attributes in their range."""
    values = table[:, 4:]
    return np.isfinite(table).all(1) & ((values >= 0) &
                                        (values <= _MAX_ATTRIBUTES)
                                        & (values == np.floor(values))).all(1)


def _check_rows(path: str, lines: list[str], start: int, count: int) -> None:
    """Raise ValueError at the first of these lines that is not a box line."""
    for number in range(start, start + count):
        place = (f'face {number - start + 1} of {lines[start - 2]} (line '
                 f'{start} announces {lines[start - 1]})')
        row = _to_table([lines[number]])
        if row is None:
            raise _error(path, lines, number, f'{_ROW}, {place}',
                         f'Correct the line, or the number on line {start}.')
        if not _valid_rows(row).all():
            ranges = ', '.join(f'{k} 0-{v}' for k, v in ATTRIBUTES.items())
            raise _error(
                path, lines, number,
                f'finite numbers and whole attributes ({ranges}), {place}',
                'Correct the line; a tool that wrote other columns must write '
                'zeros for attributes it does not know.')


def _check_unique(path: str, lines: list[str], names: list[str]) -> None:
    """Raise ValueError when a picture is listed twice."""
    if len(set(names)) == len(names):
        return
    first: dict[str, int] = {}
    for number, line in enumerate(lines):
        if _is_name(line) and first.setdefault(line, number) != number:
            raise _error(
                path, lines, number, 'a picture not listed before',
                f'Line {first[line] + 1} lists it too: remove one of them.')


def _error(path: str, lines: list[str], number: int, expected: str,
           remedy: str) -> ValueError:
    """The error for line ``number`` (0-based; may be just past the end)."""
    found = repr(lines[number][:80]) if number < len(lines) else 'end of file'
    return ValueError(f'{path}, line {number + 1}: expected {expected}; '
                      f'found {found}. {remedy}')
