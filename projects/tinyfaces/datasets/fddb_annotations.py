"""The folds and ellipses of FDDB as NumPy arrays.

Needs nothing but NumPy. Format: the technical report of the benchmark (Jain
and Learned-Miller, UM-CS-2010-009) and the files of its download: ten lists
``FDDB-fold-XX.txt`` of names and ten files ``FDDB-fold-XX-ellipseList.txt``.
"""
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..utils.file_names import fault_of_name
from .fddb_blocks import FARTHEST, error_at, read_blocks, read_lines

NUM_FOLDS = 10
_FORMAT = 'major_radius minor_radius angle cx cy 1'


class FDDBEntry(NamedTuple):
    """What the annotations say about one picture.

    Attributes:
        name: As in the fold list, without extension, e.g.
            ``2002/08/11/big/img_591``.
        ellipses: float64 (n, 5): half the major axis, half the minor axis
            (pixels), angle of the major axis (radians), centre x, centre y.
    """
    name: str
    ellipses: np.ndarray


def parse_fddb_annotations(path: str | os.PathLike) -> list[FDDBEntry]:
    """Read one ``*ellipseList*.txt``: a fold's, or that of all folds.

    Each entry is a picture's name, its number of faces n and n lines
    ``major_radius minor_radius angle cx cy 1``. CRLF line ends are accepted.

    Args:
        path: The annotation file.

    Returns:
        list[FDDBEntry]: In the file's order.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is malformed, a radius is not positive, a number
            is beyond 1,000,000, or a picture is listed twice: the message
            names file and line.
    """
    entries = []
    for block in read_blocks(path, [_FORMAT], 'faces'):
        good = (block.rows[:, :2] > 0).all(axis=1)
        good &= (np.abs(block.rows) <= FARTHEST).all(axis=1)
        bad = np.flatnonzero(~good)
        if bad.size:
            raise error_at(path, block.line + 2 + bad[0],
                           f'radii above 0 and numbers up to {FARTHEST:,.0f}',
                           ' '.join(f'{v:g}' for v in block.rows[bad[0]]),
                           'correct the line or download the file again')
        entries.append(FDDBEntry(block.name, block.rows[:, :5]))
    return entries


def read_fold_list(path: str | os.PathLike) -> list[str]:
    """Read ``FDDB-fold-XX.txt``: one name per line.

    Args:
        path: The list.

    Returns:
        list[str]: The names in the order of the file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is no name, a name could lead out of the folder
            of pictures, see :func:`~tinyfaces.utils.file_names.fault_of_name`,
            or is listed twice: the message names file and line.
    """
    first: dict[str, int] = {}
    for number, line in enumerate(read_lines(path), 1):
        if not line:
            continue
        if len(line.split()) > 1:
            raise error_at(path, number, "one picture's name", line,
                           'give the fold list of the official download')
        fault = fault_of_name(line)
        if fault:
            raise error_at(path, number, "one picture's name", line,
                           f'it {fault}: rename the picture')
        if line in first:
            raise error_at(
                path, number, 'a picture not listed before', line,
                f'line {first[line]} lists it too: remove one of them')
        first[line] = number
    return list(first)


def load_fddb(
        folds_dir: str | os.PathLike,
        folds: Sequence[int] | None = None,
        ann_file: str | os.PathLike | None = None
) -> dict[int, list[FDDBEntry]]:
    """Read the folds.

    Args:
        folds_dir: ``FDDB-folds`` of the official download.
        folds: Which of 1 to 10; None for all ten.
        ann_file: Annotations of all folds in one file, to be used instead of
            the ones in ``folds_dir``, e.g. the corrected ones
            (``FDDB_annotation_ellipseList_new.txt``); may lie anywhere. The
            fold lists say which of its pictures belong to which fold.

    Returns:
        dict[int, list[FDDBEntry]]: Fold -> entries in the order of its list.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A fold is not in 1 to 10 or named twice; a file is
            malformed; the lists and the annotations do not agree; or a
            picture is in two folds.
    """
    names = load_fold_lists(folds_dir, check_folds(folds))
    if ann_file is not None:
        return _split(ann_file, names)
    entries = {}
    for fold in names:
        path = Path(folds_dir, f'FDDB-fold-{fold:02d}-ellipseList.txt')
        entries[fold] = parse_fddb_annotations(_require(path))
        _check_agreement(path, [e.name for e in entries[fold]], names[fold])
    return entries


def load_fold_lists(
        folds_dir: str | os.PathLike,
        folds: Sequence[int] | None = None) -> dict[int, list[str]]:
    """Read the lists of several folds.

    Args:
        folds_dir: ``FDDB-folds`` of the official download.
        folds: Which of 1 to 10; None for those whose lists are there.

    Returns:
        dict[int, list[str]]: Fold -> names in the order of its list.

    Raises:
        FileNotFoundError: A list is missing, or all are.
        ValueError: A list is malformed, or a picture is in two.
    """
    paths = {
        fold: Path(folds_dir, f'FDDB-fold-{fold:02d}.txt')
        for fold in folds or range(1, NUM_FOLDS + 1)
    }
    if folds is None:
        present = {k: path for k, path in paths.items() if path.is_file()}
        paths = present or paths
    names = {k: read_fold_list(_require(path)) for k, path in paths.items()}
    seen: dict[str, int] = {}
    for fold, fold_names in names.items():
        for name in fold_names:
            if name in seen:
                raise ValueError(
                    f'{paths[fold]}: {name} is in {paths[seen[name]].name} '
                    'too; download the fold lists again')
            seen[name] = fold
    return names


def check_folds(folds: Sequence[int] | None) -> tuple[int, ...]:
    """The folds asked for, all ten for None.

    Raises:
        ValueError: A number is not in 1 to 10, or there twice, or there is
            none.
    """
    if folds is None:
        return tuple(range(1, NUM_FOLDS + 1))
    folds = tuple(folds)
    if not folds or len(set(folds)) < len(folds) or not all(
            fold in range(1, NUM_FOLDS + 1) for fold in folds):
        raise ValueError(f'folds must be different numbers from 1 to '
                         f'{NUM_FOLDS}, got {list(folds)}')
    return folds


def ellipses_by_name(
        folds: Mapping[int, Sequence[FDDBEntry]]) -> dict[str, np.ndarray]:
    """The annotations of all folds, as the evaluation takes them.

    Args:
        folds: From :func:`load_fddb`.

    Returns:
        dict[str, np.ndarray]: Picture -> ellipses, fold after fold.
    """
    return {
        entry.name: entry.ellipses
        for entries in folds.values()
        for entry in entries
    }


def ellipses_to_boxes(ellipses: np.ndarray) -> np.ndarray:
    """The smallest upright boxes around ellipses.

    With half-axes a and b and the angle t of the first one, the ellipse
    reaches sqrt(a^2 cos^2 t + b^2 sin^2 t) to the left and right of its
    centre and sqrt(a^2 sin^2 t + b^2 cos^2 t) up and down.

    Args:
        ellipses: (n, 5) as in :class:`FDDBEntry`.

    Returns:
        np.ndarray: float64 (n, 4), x1 y1 x2 y2 in pixels; not clipped, so
        it may reach beyond the picture as the ellipse does.
    """
    ellipses = np.asarray(ellipses, np.float64).reshape(-1, 5)
    major, minor, angle, x, y = ellipses.T
    cos, sin = np.cos(angle), np.sin(angle)
    half_width = np.hypot(major * cos, minor * sin)
    half_height = np.hypot(major * sin, minor * cos)
    return np.stack(
        [x - half_width, y - half_height, x + half_width, y + half_height], 1)


def _require(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} is missing; give the folder FDDB-folds of the official '
            'download')
    return path


def _check_agreement(path: Path, found: list[str], names: list[str]) -> None:
    """Raise ValueError unless names and their order are the same."""
    if found == names:
        return
    number = next(
        (at
         for at, (one, other) in enumerate(zip(found, names)) if one != other),
        min(len(found), len(names)))
    one, other = (
        part[number] if number < len(part) else 'missing'
        for part in (found, names))
    raise ValueError(
        f'{path}: picture {number + 1} is {one}, but {other} in the list of '
        'the fold; names and order must agree: download both files again')


def _split(ann_file: str | os.PathLike,
           names: dict[int, list[str]]) -> dict[int, list[FDDBEntry]]:
    """The entries of one annotation file by the fold lists."""
    by_name = {e.name: e for e in parse_fddb_annotations(ann_file)}
    for fold, fold_names in names.items():
        missing = [name for name in fold_names if name not in by_name]
        if missing:
            raise ValueError(
                f'{ann_file}: {len(missing):,} of the {len(fold_names):,} '
                f'pictures of fold {fold} are missing, the first is '
                f'{missing[0]}; give annotations of all folds')
    return {
        fold: [by_name[name] for name in fold_names]
        for fold, fold_names in names.items()
    }
