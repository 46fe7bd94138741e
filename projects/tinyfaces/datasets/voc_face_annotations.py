"""The annotation files of AFW and PASCAL Face as NumPy arrays.

Both benchmarks are scored by the face-eval toolbox (Mathias et al., "Face
detection without bells and whistles", ECCV 2014), which corrected their
annotations and marks faces to ignore. NumPy and SciPy only.
"""
import os
from typing import NamedTuple

import numpy as np

from .mat_files import (file_name_of, load_variable, picture_key,
                        require_fields, require_unique, rows_of)


class VOCFaceEntry(NamedTuple):
    """What an annotation file says about one picture.

    Attributes:
        file_name: ``'<name>.jpg'``, as written in the file.
        boxes: float64 (n, 4), x1, y1, x2, y2 in pixels, as annotated.
        ignore: bool (n,), True for a face that is marked to be ignored.
    """
    file_name: str
    boxes: np.ndarray
    ignore: np.ndarray

    @property
    def key(self) -> str:
        """The name up to its first dot, which detection files use."""
        return picture_key(self.file_name)


def parse_voc_face_annotations(path: str | os.PathLike) -> list[VOCFaceEntry]:
    """Read the annotations of AFW or PASCAL Face.

    Four files are known, in two layouts:

    ========================================== ========== ====== =======
    file                                       pictures   faces  ignored
    ========================================== ========== ====== =======
    new_annotations_AFW.mat                    205        545    71
    anno2.mat (AFW, original)                  205        468    0
    Annotations_Face_PASCALLayout_large_fixed  851        1,635  55
    Annotations_Face_PASCALLayout_large        851        1,335  0
    ========================================== ========== ====== =======

    - ``Annotations``: structs with ``imgname`` and ``objects``, rows of
      ``x1 y1 x2 y2``, which the corrected files continue with ``0 ignore``.
    - ``anno``: a cell array, one row per picture: name, and a cell with one
      2 x 2 array ``[x1 y1; x2 y2]`` per face.

    Args:
        path: The ``.mat`` file.

    Returns:
        list[VOCFaceEntry]: In the order of the file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file has another layout, a box is empty or not
            finite, a flag is neither 0 nor 1, or the name of a picture is
            listed twice or unfit for a file. The message names file, picture
            and face.
    """
    name, table = load_variable(path, ('Annotations', 'anno'))
    if name == 'anno':
        entries = _parse_cells(path, table)
    else:
        require_fields(path, name, table, ('imgname', 'objects'))
        entries = [
            _parse_struct(row, f'{path}, picture {number}')
            for number, row in enumerate(table.ravel(), 1)
        ]
    if not any(len(entry.boxes) for entry in entries):
        raise ValueError(f'{path}: no face in {len(entries)} pictures. Fetch '
                         'the file again.')
    require_unique(path, (entry.key for entry in entries))
    return entries


def _parse_struct(row: np.void, where: str) -> VOCFaceEntry:
    """One element of ``Annotations``."""
    file_name = file_name_of(row['imgname'], where)
    where = f'{where} ({file_name})'
    rows = rows_of(row['objects'], (6, 4), where)
    ignore = np.zeros(len(rows), bool)
    if rows.shape[1] == 6:
        if not np.isin(rows[:, 5], (0, 1)).all():
            raise ValueError(f'{where}: the sixth column must be 0 or 1 '
                             f'(ignore), found {rows[:, 5].tolist()}. Fetch '
                             'the file again.')
        ignore = rows[:, 5] == 1
    return VOCFaceEntry(file_name, _checked(rows[:, :4], where), ignore)


def _parse_cells(path: str | os.PathLike,
                 table: np.ndarray) -> list[VOCFaceEntry]:
    """The rows of ``anno``."""
    if table.dtype != object or table.ndim != 2 or table.shape[1] < 2:
        raise ValueError(f'{path}: expected anno to be a cell array with name '
                         f'and boxes in each row, found {table.dtype} of '
                         f'shape {table.shape}. Fetch the file again.')
    entries = []
    for number, row in enumerate(table, 1):
        file_name = file_name_of(row[0], f'{path}, picture {number}')
        where = f'{path}, picture {number} ({file_name})'
        cells = np.atleast_1d(row[1]).ravel()
        for face, cell in enumerate(cells, 1):
            if np.shape(cell) != (2, 2):
                raise ValueError(f'{where}, face {face}: expected 2 x 2 '
                                 f'numbers, found shape {np.shape(cell)}. '
                                 'Fetch the file again.')
        boxes = np.array([np.ravel(cell) for cell in cells]).reshape(-1, 4)
        boxes = _checked(rows_of(boxes, (4, ), where), where)
        entries.append(
            VOCFaceEntry(file_name, boxes, np.zeros(len(boxes), bool)))
    return entries


def _checked(boxes: np.ndarray, where: str) -> np.ndarray:
    """The boxes, or ValueError when one has no area."""
    bad = np.flatnonzero((boxes[:, 2:] <= boxes[:, :2]).any(axis=1))
    if len(bad):
        raise ValueError(f'{where}, face {bad[0] + 1}: expected x1 < x2 and '
                         f'y1 < y2, found {boxes[bad[0]].tolist()}. Correct '
                         'the box.')
    return boxes
