"""FDDB detections as text files, in the form of the official program.

The name of the picture, the number of detections, then one line each:
``x y w h score`` (rectangles) or ``ra rb theta cx cy score`` (ellipses). A set
is one file, or one file per fold.
"""
import glob
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tinyfaces.datasets.fddb_blocks import (FARTHEST, Block, error_at,
                                            read_blocks)
from tinyfaces.utils.file_names import check_file_name
from tinyfaces.utils.files import atomic_write
from .fddb_output import check_fddb_complete

_FORMATS = ('x y w h score', 'ra rb theta cx cy score')
# The columns that must not be negative, by the number of columns.
_LENGTHS = {5: slice(2, 4), 6: slice(0, 2)}
_FOLD = re.compile(r'fold[-_]?(\d{1,2})(?!\d)', re.IGNORECASE)


def read_fddb_detections(path: str | os.PathLike,
                         lists: Mapping[int, Sequence[str]] | None = None,
                         folds: Sequence[int] | None = None,
                         any_order: bool = False) -> dict[str, np.ndarray]:
    """Read a detection set.

    Args:
        path: A text file; a folder with files named by their fold, e.g.
            ``fold-01-out.txt`` or ``FDDB-det-fold-01.txt``; or a pattern such
            as ``out/*fold-*.txt`` that gives such files.
        lists: Fold -> names in the order of its list. When given, the file
            of a fold must hold pictures of that fold in this order, and a
            single file those of all folds, one fold after another.
        folds: Read only these folds; of a single file too, for which
            ``lists`` must be given. None for all.
        any_order: Do not check the order. Scores do not depend on it, but the
            official program refuses another one.

    Returns:
        dict[str, np.ndarray]: Name of the picture -> float64 (n, 5) x y w h
        score, or (n, 6) ra rb theta cx cy score; in the order of the files.

    Raises:
        FileNotFoundError: ``path`` does not exist, or gives no file that is
            named by a fold.
        ValueError: Two files are named by the same fold, or one by a fold
            without a list; a line is malformed; sizes are negative or
            numbers beyond 1,000,000 pixels; pictures are listed twice,
            unknown or in another order; or rectangles and ellipses are mixed.
            The message names file and line.
    """
    if folds is not None and lists is None:
        raise ValueError('to select folds, give the fold lists too')
    detections: dict[str, np.ndarray] = {}
    source: dict[str, Path] = {}
    first = None
    for fold, file in detection_files(path).items():
        if lists is not None and fold is not None and fold not in lists:
            raise ValueError(
                f'{file} is of fold {fold}, but the fold lists are those of '
                f'{sorted(lists)}; move it away')
        if fold is not None and folds is not None and fold not in folds:
            continue
        blocks = read_blocks(file, _FORMATS, 'detections')
        _check_lengths(file, blocks)
        if lists is not None:
            _check_names(file, fold, blocks, lists, any_order)
        for block in blocks:
            if block.name in detections:
                raise error_at(
                    file, block.line, 'a picture of no other file', block.name,
                    f'{source[block.name].name} has it too: remove one of them'
                )
            width = block.rows.shape[1]
            if len(block.rows) and width != (first or (width, ))[0]:
                raise error_at(file, block.line + 2,
                               f'{first[0]} columns as in '
                               f'{first[1].name}', f'{width} columns',
                               'write rectangles only or ellipses only')
            if len(block.rows):
                first = first or (width, file)
            detections[block.name], source[block.name] = block.rows, file
    if folds is None:
        return detections
    wanted = {name for fold in folds for name in lists[fold]}
    return {k: rows for k, rows in detections.items() if k in wanted}


def detection_files(path: str | os.PathLike) -> dict[int | None, Path]:
    """The files of a detection set.

    Args:
        path: As in :func:`read_fddb_detections`.

    Returns:
        dict[int | None, Path]: Fold -> file, ascending; or None -> the file
        that is the whole set.

    Raises:
        FileNotFoundError: There is none.
        ValueError: Two files are named by the same fold, or the test that
            wrote them was stopped while it did.
    """
    path = Path(path)
    if path.is_file():
        check_fddb_complete(path.parent)
        return {None: path}
    found = path.iterdir() if path.is_dir() else map(
        Path, glob.glob(os.fspath(path)))
    files: dict[int, Path] = {}
    for file in sorted(found):
        fold = fold_number(file)
        # What a killed writer left has a hidden name.
        if fold is None or file.suffix != '.txt' or file.name[0] == '.':
            continue
        if fold in files:
            raise ValueError(
                f'{path}: both {files[fold].name} and {file.name} are of fold '
                f'{fold}; move one away, or give a quoted pattern such as '
                f"'{path / 'fold-*-out.txt'}'")
        files[fold] = file
    if not files:
        raise FileNotFoundError(
            f'{path}: no such file, nor a folder or pattern of files named '
            'by their fold, e.g. fold-01-out.txt')
    for folder in {file.parent for file in files.values()}:
        check_fddb_complete(folder)
    return dict(sorted(files.items()))


def fold_number(path: str | os.PathLike) -> int | None:
    """The fold that a file is named by: 3 for ``FDDB-det-fold-03.txt``."""
    match = _FOLD.search(Path(path).name)
    return int(match[1]) if match else None


def check_fddb_detections(detections: Mapping[str, np.ndarray]) -> None:
    """Look for what :func:`read_fddb_detections` would refuse.

    Args:
        detections: Name of the picture -> (n, 5) x y w h score, or (n, 6) ra
            rb theta cx cy score.

    Raises:
        ValueError: An array has another shape, NaN or infinite values,
            negative sizes or numbers beyond 1,000,000 pixels; names the
            picture.
    """
    for name, found in detections.items():
        found = np.asarray(found, np.float64)
        if not found.size:
            continue
        if found.ndim != 2 or found.shape[1] not in _LENGTHS:
            raise ValueError(f'detections of {name}: expected (n, 5) x y w h '
                             'score or (n, 6) ra rb theta cx cy score, got '
                             f'{found.shape}')
        if not np.isfinite(found).all():
            raise ValueError(f'detections of {name}: NaN or infinite value')
        if (found[:, _LENGTHS[found.shape[1]]] < 0).any():
            raise ValueError(
                f'detections of {name}: negative size or half-axis')
        if (np.abs(found[:, :-1]) > FARTHEST).any():
            raise ValueError(f'detections of {name}: a number beyond '
                             f'{FARTHEST:,.0f} pixels')


def write_fddb_detections(detections: Mapping[str, np.ndarray],
                          path: str | os.PathLike) -> None:
    """Write one detection file, as a whole or not at all.

    Numbers are written with the digits that give the same float64 back.

    Args:
        detections: Name of the picture -> (n, 5) or (n, 6), in the order of
            the file, which must be that of the fold lists.
        path: The file to write.

    Raises:
        ValueError: See :func:`check_fddb_detections`; or a name has a blank,
            or a fault of :func:`~tinyfaces.utils.file_names.fault_of_name`.
    """
    check_fddb_detections(detections)
    lines = []
    for name, found in detections.items():
        check_file_name(name, f'{path}')
        if len(name.split()) != 1:
            raise ValueError(f'{path}: the name {name!r} has a blank, which '
                             'the format cannot hold')
        lines += [name, str(len(found))]
        lines += [
            ' '.join(map(repr, row))
            for row in np.asarray(found, np.float64).tolist()
        ]
    with atomic_write(path) as temporary:
        temporary.write_text('\n'.join([*lines, '']), encoding='utf-8')


def write_fddb_folds(detections: Mapping[str, np.ndarray],
                     folds: Mapping[int, Sequence[str]],
                     folder: str | os.PathLike) -> list[Path]:
    """Write ``fold-XX-out.txt`` as the official program wants them.

    Files of such names of other folds, which an earlier run left in the
    folder, are removed.

    Args:
        detections: Name of the picture -> (n, 5) or (n, 6).
        folds: Fold -> names in the order of its list.
        folder: Where to; made when missing.

    Returns:
        list[Path]: The files.

    Raises:
        ValueError: A picture of the folds has no entry, or see
            :func:`check_fddb_detections`; nothing is written.
    """
    for fold, names in folds.items():
        missing = [name for name in names if name not in detections]
        if missing:
            raise ValueError(
                f'no detections for {len(missing):,} of {len(names):,} '
                f'pictures of fold {fold}, the first is {missing[0]}; give an '
                'empty array where nothing is found')
        check_fddb_detections({name: detections[name] for name in names})
    paths = {fold: Path(folder, f'fold-{fold:02d}-out.txt') for fold in folds}
    # Those of an earlier run would be read as part of this set.
    for path in Path(folder).glob('fold-[0-9][0-9]-out.txt'):
        if path not in paths.values():
            path.unlink()
    for fold, names in folds.items():
        path = paths[fold]
        write_fddb_detections({name: detections[name] for name in names}, path)
    return list(paths.values())


def _check_lengths(file: Path, blocks: Sequence[Block]) -> None:
    """Raise ValueError at the first size below 0, or number too large."""
    rows = np.concatenate([block.rows for block in blocks])
    lengths = _LENGTHS[rows.shape[1]]
    if not (rows[:, lengths] < 0).any() and not (np.abs(rows[:, :-1])
                                                 > FARTHEST).any():
        return
    for block in blocks:
        for at, row in enumerate(block.rows):
            if (np.abs(row[:-1]) > FARTHEST).any():
                raise error_at(file, block.line + 2 + at,
                               f'numbers up to {FARTHEST:,.0f} pixels',
                               ' '.join(f'{v:g}' for v in row),
                               'correct the line or write the file again')
            if (row[lengths] < 0).any():
                raise error_at(
                    file, block.line + 2 + at, 'a size of 0 or more',
                    ' '.join(f'{v:g}' for v in row),
                    'write x y w h score, not corners, or half-axes first')


def _check_names(file: Path, fold: int | None, blocks: Sequence[Block],
                 lists: Mapping[int, Sequence[str]], any_order: bool) -> None:
    """Raise ValueError at the first unknown or misplaced picture."""
    names = lists[fold] if fold is not None else [
        name for part in sorted(lists) for name in lists[part]
    ]
    place = {name: at for at, name in enumerate(names)}
    listed = f'the list of fold {fold}' if fold else 'the fold lists'
    last = -1
    for block in blocks:
        at = place.get(block.name)
        if at is None:
            raise error_at(file, block.line, f'a picture of {listed}',
                           block.name,
                           'write names as they are there, without extension')
        if at < last and not any_order:
            raise error_at(
                file, block.line, f'pictures in the order of {listed}, where '
                f'this one comes before {names[last]}', block.name,
                'sort the file, or allow any order')
        last = at
