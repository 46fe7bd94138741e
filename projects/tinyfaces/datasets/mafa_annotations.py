"""The annotation files of MAFA (masked faces) as NumPy arrays.

The layout is that of the read-me files of the download, as public readers of
it repeat them; the data itself was not at hand. NumPy and SciPy only.
"""
import os
from typing import NamedTuple

import numpy as np

from .mat_files import (file_name_of, load_variable, picture_key,
                        require_fields, require_unique, rows_of)

MASKED, UNMASKED, INVALID = FACE_TYPES = (1, 2, 3)

#: Columns of the attributes in ``LabelTestAll.mat`` and ``LabelTrainAll.mat``.
#: ``face_type``: 1 masked, 2 unmasked, 3 invalid. ``occ_type`` of the
#: occluder: 1 simple, 2 complex, 3 human body. ``occ_degree``: number of
#: occluded parts. ``orientation``: 1 left, 2 left frontal, 3 frontal, 4 right
#: frontal, 5 right. ``gender``, ``race``: codes not explained. ``occluder``
#: and ``glasses``: four numbers relative to the face's corner, all -1 for
#: none. ``eyes``: x1, y1, x2, y2. Single columns are codes or counts, whole
#: numbers; slices are coordinates and may have any value.
TEST_COLUMNS = dict(
    face_type=4,
    occluder=slice(5, 9),
    occ_type=9,
    occ_degree=10,
    gender=11,
    race=12,
    orientation=13,
    glasses=slice(14, 18))
TRAIN_COLUMNS = dict(
    eyes=slice(4, 8),
    occluder=slice(8, 12),
    occ_type=12,
    occ_degree=13,
    gender=14,
    race=15,
    orientation=16,
    glasses=slice(17, 21))
# Variable -> field of the picture's name, columns of a row, their meaning.
_LAYOUTS = {
    'LabelTest': ('name', 18, TEST_COLUMNS),
    'label_train': ('imgName', 21, TRAIN_COLUMNS),
}


class MAFAEntry(NamedTuple):
    """What an annotation file says about one picture.

    Attributes:
        file_name: Name of the picture, as written in the file.
        boxes: float64 (n, 4), x y w h in pixels, as annotated: users report
            boxes outside their picture, and sizes need not be positive.
        attributes: Name -> values as annotated, see ``TEST_COLUMNS``: int64
            (n,), or float64 (n, 4) for ``occluder``, ``glasses`` and
            ``eyes``. -1 where the annotators gave no value. ``face_type`` is
            always there.
    """
    file_name: str
    boxes: np.ndarray
    attributes: dict[str, np.ndarray]

    @property
    def key(self) -> str:
        """The name up to its first dot, which detection files use."""
        return picture_key(self.file_name)

    @property
    def degenerate(self) -> np.ndarray:
        """bool (n,), True for a width or height of zero or below."""
        return (self.boxes[:, 2:] <= 0).any(axis=1)


def parse_mafa_annotations(path: str | os.PathLike) -> list[MAFAEntry]:
    """Read ``LabelTestAll.mat`` or ``LabelTrainAll.mat``.

    - ``LabelTest``, 1 x 4,935 structs ``name``, ``label``; rows of 18.
    - ``label_train``, 1 x 25,876 structs ``orgImgName``, ``imgName``,
      ``label``; rows of 21, without a face type. All train faces count as
      masked (inference: 35,806 masked faces in all, 6,354 of them in test).

    The read-me files call the occluder ``x y w h``; in the few public rows
    it fits the face only as two corners. It is kept as annotated.

    Args:
        path: The ``.mat`` file.

    Returns:
        list[MAFAEntry]: In the order of the file. A picture without rows has
        no face.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file has another layout, a number is not finite, a
            code (face type, occlusion, orientation, gender, race) is not
            whole, a face type is none of 1, 2, 3, or the name of a picture
            is listed twice or unfit for a file. The message names file,
            picture and face.
    """
    name, table = load_variable(path, tuple(_LAYOUTS))
    field, width, columns = _LAYOUTS[name]
    require_fields(path, name, table, (field, 'label'))
    entries = []
    for number, row in enumerate(table.ravel(), 1):
        file_name = file_name_of(row[field], f'{path}, picture {number}')
        where = f'{path}, picture {number} ({file_name})'
        entries.append(
            _entry(file_name, rows_of(row['label'], (width, ), where), columns,
                   where))
    if not any(len(entry.boxes) for entry in entries):
        raise ValueError(f'{path}: no face in {len(entries)} pictures. Fetch '
                         'the file again.')
    require_unique(path, (entry.key for entry in entries))
    return entries


def _entry(file_name: str, rows: np.ndarray, columns: dict[str, int | slice],
           where: str) -> MAFAEntry:
    """Split the rows of one picture into boxes and attributes."""
    attributes = {}
    for name, column in columns.items():
        values = rows[:, column]
        # Nobody needs the coordinates to be whole.
        if values.ndim == 1:
            bad = np.flatnonzero(values != np.floor(values))
            if len(bad):
                raise ValueError(
                    f'{where}, face {bad[0] + 1}: expected a whole number for '
                    f'{name} (column {column + 1}), found {values[bad[0]]}. '
                    'Fetch the file again.')
            values = values.astype(np.int64)
        attributes[name] = values
    types = attributes.setdefault('face_type',
                                  np.full(len(rows), MASKED, np.int64))
    bad = np.flatnonzero(~np.isin(types, FACE_TYPES))
    if len(bad):
        raise ValueError(f'{where}, face {bad[0] + 1}: the face type (fifth '
                         'column) must be 1 masked, 2 unmasked or 3 invalid, '
                         f'found {types[bad[0]]}. Correct the row.')
    return MAFAEntry(file_name, rows[:, :4], attributes)
