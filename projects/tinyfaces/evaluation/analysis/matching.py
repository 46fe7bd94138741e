"""Every detection of a set compared with its best face, once for all figures.

The rules are those of the WIDER FACE protocol (``functional/wider.py``): one
best box per detection, counted or not, the first one on ties; detections in
descending order of score; sides one pixel longer than x2 - x1. On top of it,
false positives are told apart as Hoiem et al. do (ECCV 2012, section 3).
"""
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
from tqdm import tqdm

from ..functional.wider_gt import WiderGroundTruth
from ..functional.wider_matching import best_boxes

#: IoU from which a detection finds a face.
FOUND_IOU = 0.5
#: IoU from which a false positive is blamed on its location.
NEAR_IOU = 0.1


class Kind(IntEnum):
    """What a detection is in one setting.

    ``BACKGROUND``, ``LOCALISATION`` and ``DUPLICATE`` are the false positives.
    The papers count a duplicate as an error of localisation.
    """

    IGNORED = 0
    TRUE = 1
    BACKGROUND = 2
    LOCALISATION = 3
    DUPLICATE = 4


#: The kinds of false positives, by the names used in the results.
FALSE_KINDS = {
    'background': Kind.BACKGROUND,
    'localisation': Kind.LOCALISATION,
    'duplicate': Kind.DUPLICATE,
}


@dataclass(frozen=True)
class MatchedDetections:
    """Detections of all images, image after image, scores descending.

    As in the protocol, images without any annotated box are left out.

    Attributes:
        image: (N,) int64, index into the keys of the ground truth.
        boxes: (N, 4) float64, x y w h in pixels.
        scores: (N,) float64.
        best: (N,) int64, index into the boxes of the ground truth.
        overlap: (N,) float64, IoU with that box.
    """

    image: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    best: np.ndarray
    overlap: np.ndarray

    @cached_property
    def order(self) -> np.ndarray:
        """(N,) int64: the ranking of the set; equal scores stay in place."""
        return np.argsort(-self.scores, kind='stable')

    @cached_property
    def tie_end(self) -> np.ndarray:
        """(N,) int64: last rank with the same score as each rank."""
        ranked = self.scores[self.order]
        return np.searchsorted(-ranked, -ranked, side='right') - 1


@dataclass(frozen=True)
class Labels:
    """What the detections are in one setting.

    Attributes:
        kind: (N,) int8, a :class:`Kind` per detection.
        found_by: (G,) int64, the detection that finds each counted face; -1
            for missed faces and for faces that do not count.
    """

    kind: np.ndarray
    found_by: np.ndarray

    @cached_property
    def is_false(self) -> np.ndarray:
        """(N,) bool: false positives of every kind."""
        return self.kind >= Kind.BACKGROUND


def match_detections(predictions: Mapping[str, np.ndarray],
                     truth: WiderGroundTruth) -> MatchedDetections:
    """Compare every detection with its best box.

    Args:
        predictions: Image key -> (n, 5) of x, y, w, h and score, in any
            order; images that are not in ``truth`` are left out.
        truth: The annotated boxes.

    Returns:
        MatchedDetections: Of the images that have boxes and detections.

    Raises:
        ValueError: An array has another shape than (n, 5), or holds a NaN or
            an infinite value.
    """
    images, found, best, overlap = [], [np.zeros((0, 5))], [], []
    for at, key in enumerate(
            tqdm(truth.keys, 'matching', delay=2, leave=False, disable=None)):
        start, end = truth.offsets[at:at + 2]
        if key not in predictions or not len(predictions[key]) or start == end:
            continue
        array = np.asarray(predictions[key], np.float64)
        if array.ndim != 2 or array.shape[1] != 5:
            raise ValueError(f'predictions of {key}: expected an array (n, 5) '
                             f'of x y w h score, got {array.shape}')
        if not np.isfinite(array).all():
            raise ValueError(f'predictions of {key}: NaN or infinite value')
        array = array[np.argsort(-array[:, 4], kind='stable')]
        index, value = best_boxes(array[:, :4], truth.boxes[start:end])
        images.append(np.full(len(array), at))
        found.append(array)
        best.append(index + start)
        overlap.append(value)
    rows = np.concatenate(found)
    return MatchedDetections(
        np.concatenate([np.zeros(0, np.int64), *images]), rows[:, :4], rows[:,
                                                                            4],
        np.concatenate([np.zeros(0, np.int64), *best]),
        np.concatenate([np.zeros(0), *overlap]))


def label_detections(matched: MatchedDetections, keep: np.ndarray) -> Labels:
    """Say what each detection is when the faces ``keep`` count.

    At IoU >= 0.5 with a face that does not count a detection is ignored; with
    one that counts it is true the first time and a duplicate afterwards. At
    IoU in [0.1, 0.5) with any annotated face, counted or not, it is an error
    of localisation, below that background.

    Args:
        matched: From :func:`match_detections`.
        keep: (G,) bool, the faces that count.

    Returns:
        Labels: In the order of ``matched``.
    """
    overlap, best = matched.overlap, matched.best
    kind = np.where(overlap < NEAR_IOU, Kind.BACKGROUND,
                    Kind.LOCALISATION).astype(np.int8)
    hits = np.flatnonzero(overlap >= FOUND_IOU)
    kind[hits] = np.where(keep[best[hits]], Kind.DUPLICATE, Kind.IGNORED)
    hits = hits[keep[best[hits]]]
    found_by = np.full(len(keep), -1, np.int64)
    # With repeated indices the last value stays: the first hit of the face.
    found_by[best[hits[::-1]]] = hits[::-1]
    kind[found_by[found_by >= 0]] = Kind.TRUE
    return Labels(kind, found_by)
