"""The attributes of the official annotation file, put to the faces scored."""
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyfaces.datasets.wider_annotations import ATTRIBUTES, WiderEntry
from ..functional.wider_gt import WiderGroundTruth

#: Attribute -> names of its values 0, 1, 2 (``readme.txt`` of the download).
VALUE_NAMES = dict(
    blur=('clear', 'normal', 'heavy'),
    expression=('typical', 'exaggerated'),
    illumination=('normal', 'extreme'),
    occlusion=('none', 'partial', 'heavy'),
    pose=('typical', 'atypical'))


@dataclass(frozen=True)
class FaceAttributes:
    """Attributes of the faces of a ground truth.

    Attributes:
        values: Attribute -> (G,) int64, -1 where the face was not found in
            the annotation file.
        num_unmatched: Faces not found there.
        warning: What to tell the user about them; empty when there are none.
    """

    values: dict[str, np.ndarray]
    num_unmatched: int
    warning: str


def match_attributes(truth: WiderGroundTruth,
                     entries: Sequence[WiderEntry]) -> FaceAttributes:
    """Find every face in the annotation file, by image and by equal box.

    Boxes that an image has several times are taken in the order of the file.

    Args:
        truth: The ground truth to score.
        entries: From ``parse_wider_annotations``.

    Returns:
        FaceAttributes: In the order of ``truth.boxes``.

    Raises:
        ValueError: No face is found at all.
    """
    listed: dict[tuple, list] = defaultdict(list)
    for entry in entries:
        for box, row in zip(entry.boxes.tolist(), entry.attributes):
            listed[(entry.key, *box)].append(row)
    table = np.full((len(truth.boxes), len(ATTRIBUTES)), -1, np.int64)
    boxes, offsets, missing = truth.boxes.tolist(), truth.offsets.tolist(), []
    for at, key in enumerate(truth.keys):
        for face in range(offsets[at], offsets[at + 1]):
            rows = listed.get((key, *boxes[face]))
            if rows:
                table[face] = rows.pop(0)
            else:
                missing.append((key, boxes[face]))
    if len(missing) == len(boxes):
        raise ValueError(
            'none of the faces of the ground truth is in the annotation file '
            '(same image, same box); give the wider_face_val_bbx_gt.txt that '
            'belongs to it')
    warning = ''
    if missing:
        key, box = missing[0]
        warning = (
            f'{len(missing):,} of {len(boxes):,} faces are not in the '
            f'annotation file and have no attributes; the first is {key}, '
            f'box x y w h {" ".join(f"{value:g}" for value in box)}')
    values = {
        name: table[:, column]
        for column, name in enumerate(ATTRIBUTES) if name in VALUE_NAMES
    }
    return FaceAttributes(values, len(missing), warning)
