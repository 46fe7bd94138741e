"""Which detections of a picture are hard negatives."""
from dataclasses import dataclass

import numpy as np

from ...datasets.hard_negative_file import HardNegatives


@dataclass(frozen=True)
class HarvestOptions:
    """What is harvested.

    Attributes:
        score_thr: Only detections with a score above this one. The paper
            names none.
        iou_thr: Only detections whose IoU with every face is below this one
            (.5 in section 3.2 of the paper).
        max_per_img: At most this many per picture, those of highest scores.

    Raises:
        ValueError: One is out of range.
    """
    score_thr: float = .5
    iou_thr: float = .5
    max_per_img: int = 100

    def __post_init__(self) -> None:
        if not 0 <= self.score_thr < 1:
            raise ValueError('score_thr must be at least 0 and below 1, not '
                             f'{self.score_thr}')
        if not 0 < self.iou_thr <= 1:
            raise ValueError('iou_thr must be above 0 and at most 1, not '
                             f'{self.iou_thr}')
        if self.max_per_img < 1:
            raise ValueError('max_per_img must be at least 1, not '
                             f'{self.max_per_img}')


# Of a detection, from which on an ignored face explains it.
_IGNORED_IOF = .5


def select_hard_negatives(boxes: np.ndarray, scores: np.ndarray,
                          faces: np.ndarray, ignored: np.ndarray,
                          size: tuple[int, int],
                          options: HarvestOptions) -> HardNegatives:
    """Find the false positives of one picture.

    "Bootstrapping Face Detection with Hard Negative Examples", section 3.2: a
    detection is a hard negative "if its maximum IoU with any groundtruth face
    annotation is less than 0.5". Detections and faces are clipped to the
    picture first, as in training; a face that reaches over the border then
    overlaps the detections in the picture only more. Detections without area
    are left out, and so are those of which half or more lies in one ignored
    face, because nobody knows what it is.

    Args:
        boxes: Detections, (n, 4), xyxy in pixels of the picture as loaded.
        scores: Their scores, (n, ).
        faces: Faces to be found, (m, 4).
        ignored: Ignored faces, (k, 4).
        size: Width and height of the picture.
        options: Thresholds.

    Returns:
        HardNegatives: Highest scores first; of equal scores the smallest
        coordinates.
    """
    width, height = size
    boxes = _clipped(boxes.astype(np.float32), size)
    scores = scores.astype(np.float32)
    kept = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    kept &= scores.astype(np.float64) > options.score_thr
    boxes, scores = boxes[kept], scores[kept]
    shared, areas, face_areas = _intersections(boxes, _clipped(faces, size))
    # Without division: no face's area has to be above 0.
    kept = (shared
            < options.iou_thr * (areas + face_areas - shared)).all(axis=1)
    shared, areas, _ = _intersections(boxes, _clipped(ignored, size))
    kept &= (shared < _IGNORED_IOF * areas).all(axis=1)
    boxes, scores = boxes[kept], scores[kept]
    order = np.lexsort((*boxes.T[::-1], -scores))[:options.max_per_img]
    return HardNegatives(boxes[order], scores[order], width, height)


def _clipped(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Boxes (n, 4) cut off at the borders of a picture."""
    return np.clip(boxes, 0, np.array(size * 2, boxes.dtype))


def _intersections(
        boxes: np.ndarray,
        others: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shared areas (n, m), areas (n, 1) and areas of the others (m, )."""
    a, b = boxes.astype(np.float64), others.astype(np.float64)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = (a[:, 2:] - a[:, :2]).prod(axis=1)
    return shared, areas[:, None], (b[:, 2:] - b[:, :2]).prod(axis=1)
