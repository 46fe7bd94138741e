"""Greedy matching of detections to boxes over a whole set of images.

All pairs of a detection and a box in the same image are compared in a few
large steps: there is no loop over images or detections.
"""
from dataclasses import dataclass

import numpy as np

from .voc_face_gt import VOCFaceGroundTruth
from .voc_face_result import VOCFaceCurve
from .wider import average_precision

# Pairs compared at once: a few MiB, whatever the size of the set.
_CHUNK = 2**16


@dataclass(frozen=True)
class Pairs:
    """Every detection with every box of its image.

    Attributes:
        detection: (P,) int64, ascending.
        box: (P,) int64, ascending within a detection.
        num_detections: Also of those without any box.
    """

    detection: np.ndarray
    box: np.ndarray
    num_detections: int


@dataclass(frozen=True)
class Best:
    """The box that each detection is compared with.

    Attributes:
        box: (N,) int64, -1 where the image has no box.
        overlap: (N,) float64, the IoU with it.
    """

    box: np.ndarray
    overlap: np.ndarray


def pair_up(image: np.ndarray, truth: VOCFaceGroundTruth) -> Pairs:
    """Pair detections with the boxes of their images.

    Args:
        image: (N,) int64, the image of each detection as an index into
            ``truth.keys``.
        truth: Boxes, image after image.
    """
    counts = np.bincount(truth.image, minlength=len(truth.keys))
    starts = np.cumsum(counts) - counts
    sizes = counts[image]
    detection = np.repeat(np.arange(len(image)), sizes)
    # Number of each pair within its detection.
    inner = np.arange(len(detection)) - np.repeat(
        np.cumsum(sizes) - sizes, sizes)
    return Pairs(detection, starts[image][detection] + inner, len(image))


def overlaps(one: np.ndarray, other: np.ndarray, touching: bool) -> np.ndarray:
    """IoU row by row, with one pixel added to every side.

    Args:
        one: (P, 4) float64, x1 y1 x2 y2.
        other: (P, 4) float64, x1 y1 x2 y2.
        touching: Whether boxes overlap whose added pixels alone do, as in the
            VOC devkit. False is the face-eval toolbox: without the pixel
            they must have an area in common.

    Returns:
        np.ndarray: (P,) float64.
    """
    least = -1 if touching else 0
    common = (
        np.minimum(one[:, 2:], other[:, 2:]) -
        np.maximum(one[:, :2], other[:, :2]))
    inter = (common + 1).prod(axis=1) * (common > least).all(axis=1)
    areas = ((one[:, 2:] - one[:, :2] + 1).prod(axis=1) +
             (other[:, 2:] - other[:, :2] + 1).prod(axis=1))
    union = areas - inter
    # Degenerate annotations may have no area at all.
    return np.divide(inter, union, out=np.zeros_like(union), where=union > 0)


def best_box(boxes: np.ndarray, truth_boxes: np.ndarray, pairs: Pairs,
             touching: bool, last: bool) -> Best:
    """Each detection's best box, counted or not.

    Args:
        boxes: (N, 4) float64, detections x1 y1 x2 y2.
        truth_boxes: (G, 4) float64, x1 y1 x2 y2.
        pairs: From :func:`pair_up`.
        touching: See :func:`overlaps`.
        last: Among boxes of equal overlap take the last one, else the first.
    """
    overlap = np.empty(len(pairs.box))
    for start in range(0, len(overlap), _CHUNK):
        part = slice(start, start + _CHUNK)
        overlap[part] = overlaps(boxes[pairs.detection[part]],
                                 truth_boxes[pairs.box[part]], touching)
    best = np.zeros(pairs.num_detections)
    np.maximum.at(best, pairs.detection, overlap)
    winners = np.flatnonzero(overlap == best[pairs.detection])
    if not last:
        winners = winners[::-1]
    box = np.full(pairs.num_detections, -1, np.int64)
    # Of several values for one place the last one stays.
    box[pairs.detection[winners]] = pairs.box[winners]
    return Best(box, best)


def right_and_wrong(best: Best, hit: np.ndarray,
                    counted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which detections are true and which are false positives.

    A detection that hits a counted box first is right; one that hits it
    later, or hits nothing, is wrong; one that hits any other box is neither.

    Args:
        best: Detections in descending order of score.
        hit: (N,) bool, whether the overlap with the best box suffices.
        counted: (G,) bool.

    Returns:
        tuple[np.ndarray, np.ndarray]: Two (N,) bool.
    """
    on_counted = np.zeros(len(hit), bool)
    on_counted[hit] = counted[best.box[hit]]
    candidates = np.flatnonzero(on_counted)
    _, first = np.unique(best.box[candidates], return_index=True)
    right = np.zeros(len(hit), bool)
    right[candidates[first]] = True
    return right, (on_counted & ~right) | ~hit


def curve_of(right: np.ndarray, wrong: np.ndarray,
             num_faces: int) -> VOCFaceCurve:
    """Precision and recall after each detection, and the area below.

    Args:
        right: (N,) bool, in descending order of score.
        wrong: (N,) bool.
        num_faces: Faces to find.
    """
    found = np.cumsum(right)
    with np.errstate(divide='ignore', invalid='ignore'):
        precision = found / (found + np.cumsum(wrong))
        recall = found / np.float64(num_faces)
    ap = average_precision(recall, precision) if num_faces else np.nan
    return VOCFaceCurve(precision, recall, float(ap), num_faces)
