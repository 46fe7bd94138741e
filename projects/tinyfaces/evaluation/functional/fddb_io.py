"""FDDB ROC curves and picture sizes as text files."""
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from tinyfaces.datasets.fddb_blocks import error_at, finite_number, read_lines
from tinyfaces.utils.files import atomic_write
from .fddb_result import KINDS, FDDBResult

#: The discrete and the continuous curve of somebody else, as :func:`read_roc`
#: gives them; None for one that is not known.
ROCPair = tuple[np.ndarray | None, np.ndarray | None]

# JPEG, FDDB's format, knows no larger picture.
_LARGEST_SIDE = 65_535
_ROC_NAME = re.compile(r'(.*?)[-_ ]?(disc|cont)roc\.txt', re.IGNORECASE)


def write_roc(result: FDDBResult, prefix: str | os.PathLike) -> list[Path]:
    """Write both curves in the form of the official program.

    Args:
        result: The curves.
        prefix: ``<prefix>DiscROC.txt`` gets rows ``rate false_positives
            threshold`` and ``<prefix>ContROC.txt`` rows ``rate
            false_positives``, six significant digits each.

    Returns:
        list[Path]: The two files.
    """
    columns = (result.tpr('disc'), result.false_positives, result.thresholds)
    texts = {
        'Disc': ['%g %d %g\n' % row for row in zip(*columns)],
        'Cont': [
            '%g %d\n' % row
            for row in zip(result.tpr('cont'), result.false_positives)
        ]
    }
    paths = []
    for kind, rows in texts.items():
        path = Path(f'{os.fspath(prefix)}{kind}ROC.txt')
        with atomic_write(path) as temporary:
            temporary.write_text(''.join(rows), encoding='utf-8')
        paths.append(path)
    return paths


def read_roc(path: str | os.PathLike) -> np.ndarray:
    """Read a ``*DiscROC.txt`` or ``*ContROC.txt``.

    Args:
        path: The file.

    Returns:
        np.ndarray: float64 (T, 2) of true positive rate and false positives,
        or (T, 3) with the threshold, in the order of the file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line has another number of columns, or something else
            than finite numbers.
    """
    rows = []
    for number, line in enumerate(read_lines(path), 1):
        words = line.split()
        if not words:
            continue
        row = [finite_number(word) for word in words]
        if len(row) not in (
                2,
                3) or None in row or len(row) != len(rows[0] if rows else row):
            raise error_at(path, number,
                           'a rate, false positives and maybe a threshold',
                           line, 'give a ROC file of the official program')
        rows.append(row)
    return np.array(rows)


def read_published_rocs(
        paths: Iterable[str | os.PathLike]) -> dict[str, ROCPair]:
    """Read ROC files by the names of their detectors.

    Args:
        paths: Files ``<name>DiscROC.txt`` and ``<name>ContROC.txt`` (a ``-``
            or ``_`` before ``Disc`` is left out of the name), and folders
            whose files of such names are all read.

    Returns:
        dict[str, ROCPair]: Name -> both curves.

    Raises:
        FileNotFoundError: A path does not exist.
        ValueError: A file has another name, a folder none of such names; two
            are of the same name; or a line is malformed.
    """
    pairs: dict[str, ROCPair] = {}
    for path in map(Path, paths):
        files = [path]
        if path.is_dir():
            files = sorted(file for file in path.iterdir()
                           if _ROC_NAME.fullmatch(file.name))
            if not files:
                raise ValueError(f'{path}: holds no *DiscROC.txt or '
                                 '*ContROC.txt; give the folder that does')
        for file in files:
            match = _ROC_NAME.fullmatch(file.name)
            if not match:
                raise ValueError(f'{file}: name it <detector>DiscROC.txt or '
                                 '<detector>ContROC.txt')
            name = match[1] or file.parent.name
            pair = list(pairs.get(name, (None, None)))
            kind = KINDS.index(match[2].lower())
            if pair[kind] is not None:
                raise ValueError(f'{file}: a second {match[2]} curve of '
                                 f'{name}; rename one of the files')
            pair[kind] = read_roc(file)
            pairs[name] = pair[0], pair[1]
    return pairs


def read_image_sizes_file(
        path: str | os.PathLike) -> dict[str, tuple[int, int]]:
    """Read picture sizes, one line ``name width height`` each.

    Args:
        path: The file.

    Returns:
        dict[str, tuple[int, int]]: Name -> width and height in pixels.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is malformed, a side is not in 1 to 65,535
            pixels, or a picture is listed twice.
    """
    sizes: dict[str, tuple[int, int]] = {}
    for number, line in enumerate(read_lines(path), 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 3 or not all(_is_side(word) for word in words[1:]):
            raise error_at(
                path, number, '"name width height" in pixels, 1 to '
                f'{_LARGEST_SIDE:,}', line, 'correct the line')
        if words[0] in sizes:
            raise error_at(path, number, 'a picture not listed before', line,
                           'remove one of its lines')
        sizes[words[0]] = int(words[1]), int(words[2])
    return sizes


def _is_side(word: str) -> bool:
    """Whether a word is a number of pixels that a picture can have."""
    return word.isascii() and word.isdecimal() and \
        len(word) <= len(str(_LARGEST_SIDE)) and \
        0 < int(word) <= _LARGEST_SIDE


def write_image_sizes_file(sizes: Mapping[str, tuple[int, int]],
                           path: str | os.PathLike) -> None:
    """Write what :func:`read_image_sizes_file` reads.

    Args:
        sizes: Name -> width and height in pixels.
        path: The file to write.
    """
    lines = [
        f'{name} {width} {height}' for name, (width, height) in sizes.items()
    ]
    with atomic_write(path) as temporary:
        temporary.write_text('\n'.join([*lines, '']), encoding='utf-8')
