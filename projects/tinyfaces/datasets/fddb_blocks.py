"""The text layout that FDDB's annotations and detections share.

An entry is a picture's name, its number of rows n, and n rows of numbers.
Needs nothing but NumPy. Rows are converted by NumPy all at once; only when
that fails are they read again one by one, to say which line is wrong.
"""
import math
import os
import re
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

#: Half-axes, sizes and coordinates up to this many pixels can be drawn:
#: OpenCV does it with 32-bit whole numbers.
FARTHEST = 1e6
# What Python's float() reads beyond this, such as 1_0 or other scripts'
# digits, neither NumPy nor the official program does.
_NUMBER = re.compile(r'[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?',
                     re.ASCII | re.IGNORECASE)


class Block(NamedTuple):
    """One entry of a file.

    Attributes:
        name: The picture's name, e.g. ``2002/08/11/big/img_591``.
        line: Line number of the name, from 1.
        rows: float64 (n, number of columns).
    """
    name: str
    line: int
    rows: np.ndarray


def read_lines(path: str | os.PathLike) -> list[str]:
    """The lines of a text file, without blanks around them.

    CRLF line ends and a byte-order mark are accepted.

    Args:
        path: The file.

    Returns:
        list[str]: One per line, blank ones included.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not text, or nothing is in it.
    """
    try:
        with open(path, encoding='utf-8-sig') as file:
            lines = [line.strip() for line in file]
    except UnicodeDecodeError as error:
        raise ValueError(f'{path}: not a UTF-8 text file ({error}); give the '
                         'text file itself') from None
    if not any(lines):
        raise ValueError(f'{path}: the file is empty; write or download it '
                         'again')
    return lines


def read_blocks(path: str | os.PathLike, formats: Sequence[str],
                noun: str) -> list[Block]:
    """Read a file of blocks.

    Blank lines between blocks are accepted, and a count written as ``3.0``,
    which the official program reads as 3.

    Args:
        path: The file.
        formats: What a row may be, columns by name, e.g. ``['x y w h']``;
            each with another number of columns. All rows of the file must be
            of the same one.
        noun: What a row stands for, in the plural, for messages.

    Returns:
        list[Block]: In the file's order. Rows of all blocks are views of one
        array.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is not what its place asks for, a row holds NaN or
            an infinite number, or a picture is listed twice: the message
            names file and line and says what to do.
    """
    path = os.fspath(path)
    lines = read_lines(path)
    names, counts, starts = _scan(path, lines, noun)
    _check_unique(path, names, starts)
    rows = list(
        chain.from_iterable(lines[at:at + n] for at, n in zip(starts, counts)))
    widths = {len(text.split()): text for text in formats}
    table = _to_table(rows, min(widths))
    if table is None or table.shape[1] not in widths or not np.isfinite(
            table).all():
        _check_rows(path, lines, names, counts, starts, widths, noun)
    ends = np.cumsum(counts).tolist()
    return [
        Block(name, start - 1, table[end - count:end])
        for name, count, start, end in zip(names, counts, starts, ends)
    ]


def _scan(path: str, lines: list[str],
          noun: str) -> tuple[list[str], list[int], list[int]]:
    """Names, numbers of rows and the index of each first row."""
    names: list[str] = []
    counts: list[int] = []
    starts: list[int] = []
    at, total = 0, len(lines)
    while at < total:
        name = lines[at]
        if not name:
            at += 1
            continue
        if len(name.split()) > 1 or finite_number(name) is not None:
            remedy = 'write the name without extension, as in the fold list'
            if names:
                remedy = (f'line {starts[-1]} announces {counts[-1]} {noun} '
                          f'of {names[-1]}: correct that number or the lines '
                          'after it')
            raise error_at(path, at + 1, "a picture's name", name, remedy)
        count = finite_number(lines[at + 1]) if at + 1 < total else None
        if count is None or count < 0 or count != int(count):
            raise error_at(path, at + 2, f'the number of {noun} of {name}',
                           lines[at + 1] if at + 1 < total else None,
                           'add that line (0 if there are none)')
        names.append(name)
        counts.append(int(count))
        starts.append(at + 2)
        at += 2 + counts[-1]
        if at > total:
            raise error_at(
                path, total + 1,
                f'{lines[starts[-1] - 1][:20]} {noun} of {name} (announced by '
                f'line {starts[-1]}), but only {total - starts[-1]} lines '
                'follow', None,
                'the file is cut off: write or download it again')
    return names, counts, starts


def finite_number(text: str) -> float | None:
    """The finite number that a text is, or None.

    Only ASCII digits, a point, an exponent and signs are a number, as for
    NumPy and the official program.
    """
    value = float(text) if _NUMBER.fullmatch(text) else math.inf
    return value if math.isfinite(value) else None


def _check_unique(path: str, names: list[str], starts: list[int]) -> None:
    """Raise ValueError when a picture is listed twice."""
    if len(set(names)) == len(names):
        return
    first: dict[str, int] = {}
    for name, start in zip(names, starts):
        if name in first:
            raise error_at(
                path, start - 1, 'a picture not listed before', name,
                f'line {first[name]} lists it too: remove one of them')
        first[name] = start - 1


def _to_table(rows: list[str], width: int) -> np.ndarray | None:
    """Rows as float64 (n, columns); None if NumPy does not take them."""
    if not rows:
        return np.empty((0, width))
    if not all(rows):
        return None  # loadtxt would skip the blank line
    try:
        return np.loadtxt(rows, comments=None, ndmin=2)
    except ValueError:
        return None


def _check_rows(path: str, lines: list[str], names: list[str],
                counts: list[int], starts: list[int], widths: dict[int, str],
                noun: str) -> None:
    """Raise ValueError at the first bad row, of which there is one."""
    expected = ' or '.join(f'"{text}"' for text in widths.values())
    first = None
    for name, count, start in zip(names, counts, starts):
        for at in range(start, start + count):
            line = lines[at]
            place = (f'{at - start + 1} of the {count} {noun} of {name} that '
                     f'line {start} announces')
            words = line.split()
            values = [finite_number(word) for word in words]
            if len(words) not in widths or None in values:
                raise error_at(
                    path, at + 1, f'finite numbers {expected}, {place}', line,
                    f'correct the line, or the number on line {start}')
            first = first or (at + 1, len(words))
            if len(words) != first[1]:
                raise error_at(path, at + 1,
                               f'{first[1]} columns as on line {first[0]}',
                               line, 'write all rows in the same format')
    raise ValueError(f'{path}: NumPy cannot read the numbers of the {noun}; '
                     'write or download the file again')


def error_at(path: str | os.PathLike, line: int, expected: str,
             found: str | None, remedy: str) -> ValueError:
    """The error for one line of a file.

    Args:
        path: The file.
        line: Its line, from 1; may be just past the end.
        expected: What should have been there.
        found: What is there; None for the end of the file.
        remedy: What to do about it.

    Returns:
        ValueError: To be raised.
    """
    text = 'the end of the file' if found is None else repr(found[:80])
    return ValueError(f'{path}, line {line}: expected {expected}; found '
                      f'{text}. Remedy: {remedy}.')
