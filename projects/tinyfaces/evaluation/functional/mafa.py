"""AP on the subsets of MAFA (Ge et al., CVPR 2017), by inferred rules.

No official program for the subset APs that papers report (RefineFace, section
4.5, Table 10: whole, masked, unignored) was found, and the data was not at
hand. What the papers say is: a face that is severely blurred, deformed or
smaller than 32 pixels is ignored; the others are masked or unmasked; the
subsets are "the whole", masked faces, and masked with unmasked faces. The
rest is inference, see :data:`INFERRED_RULES`, which every report repeats.
NumPy and SciPy only.
"""
import os

import numpy as np

from tinyfaces.datasets.mafa_annotations import (INVALID, MASKED, UNMASKED,
                                                 parse_mafa_annotations)
from .voc_face import common_warnings, image_index, images_without
from .voc_face_gt import VOCFaceGroundTruth
from .voc_face_io import VOCFaceDetections
from .voc_face_matching import best_box, curve_of, pair_up, right_and_wrong
from .voc_face_result import VOCFaceResult

#: Subset -> the face types it counts; all others are neither right nor wrong.
MAFA_SUBSETS = dict(
    whole=(MASKED, UNMASKED, INVALID),
    masked=(MASKED, ),
    unignored=(MASKED, UNMASKED))

INFERRED_RULES = (
    'the ignored faces of the papers are those of type 3 (invalid); the '
    'papers\' "smaller than 32 pixels" is taken to be in that type already, '
    'no size is looked at',
    'whole counts the types masked, unmasked and invalid; masked counts the '
    'first, unignored the first two',
    'a detection on a face that a subset does not count is neither right nor '
    'wrong',
    'AP as the VOC devkit has it: best box only, the first on ties, sides one '
    'pixel longer than their difference, duplicates wrong, area under the '
    'envelope',
    'boxes without width or height are counted in no subset; boxes outside '
    'their picture are counted as annotated',
)


def load_mafa_gt(path: str | os.PathLike) -> VOCFaceGroundTruth:
    """Read the annotations of MAFA.

    Args:
        path: ``LabelTestAll.mat``, or ``LabelTrainAll.mat``, whose faces all
            count as masked.

    Returns:
        VOCFaceGroundTruth: With the subsets of ``MAFA_SUBSETS``, x2 = x + w.

    Raises:
        FileNotFoundError, ValueError: As
            :func:`~tinyfaces.datasets.parse_mafa_annotations` does.
    """
    entries = parse_mafa_annotations(path)
    return VOCFaceGroundTruth.from_images(
        [entry.key for entry in entries], [
            np.hstack(
                [entry.boxes[:, :2], entry.boxes[:, :2] + entry.boxes[:, 2:]])
            for entry in entries
        ], {
            subset: [
                np.isin(entry.attributes['face_type'], types)
                & ~entry.degenerate for entry in entries
            ]
            for subset, types in MAFA_SUBSETS.items()
        })


def evaluate_mafa(detections: VOCFaceDetections,
                  truth: VOCFaceGroundTruth,
                  iou_thr: float = 0.5) -> VOCFaceResult:
    """Score one set of detections by the rules of :data:`INFERRED_RULES`.

    Detections are taken in descending order of score over the whole set,
    equal ones in the order given.

    Args:
        detections: Their images must be in ``truth``.
        truth: From :func:`load_mafa_gt`.
        iou_thr: IoU in (0, 1] from which on a detection matches.

    Returns:
        VOCFaceResult: With the subsets of ``truth``, and ``inferred``.

    Raises:
        ValueError: ``iou_thr`` is out of range, or a detection is for an
            image that is not in the ground truth.
    """
    if not 0 < iou_thr <= 1:
        raise ValueError(f'the IoU threshold must be in (0, 1], got {iou_thr}')
    image = image_index(detections, truth)
    order = np.argsort(-detections.scores, kind='stable')
    best = best_box(
        detections.boxes[order],
        truth.boxes,
        pair_up(image[order], truth),
        touching=True,
        last=False)
    hit = best.overlap >= iou_thr
    curves = {
        subset: curve_of(*right_and_wrong(best, hit, counted),
                         int(counted.sum()))
        for subset, counted in truth.counted.items()
    }
    warnings = list(common_warnings(detections, truth))
    degenerate = (truth.boxes[:, 2:] <= truth.boxes[:, :2]).any(axis=1)
    if degenerate.any():
        warnings.append(f'{degenerate.sum():,} annotated box(es) without '
                        'width or height are counted in no subset')
    return VOCFaceResult(
        curves,
        protocol=f'MAFA, rules partly inferred, {truth.describe()}, IoU >= '
        f'{iou_thr:g}, VOC AP',
        is_subset=truth.is_subset,
        num_images=len(truth.keys),
        num_detections=len(order),
        num_scored=len(order),
        num_left_out=detections.num_left_out,
        missing=images_without(detections, truth),
        inferred=INFERRED_RULES,
        warnings=tuple(warnings),
        details=dict(num_annotated=len(truth.boxes)))
