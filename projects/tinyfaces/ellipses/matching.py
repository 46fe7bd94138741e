"""Which detection shows which annotated ellipse."""
import numpy as np
from scipy.optimize import linear_sum_assignment

from ..datasets.fddb_annotations import ellipses_to_boxes


def match_detections(boxes: np.ndarray,
                     ellipses: np.ndarray,
                     iou_thr: float = 0.5) -> np.ndarray:
    """Pair detections with annotated ellipses, one to one.

    The overlap of a detection and an ellipse is the IoU of the box with the
    tight box around the ellipse. The assignment with the largest sum of
    overlaps above the threshold is taken.

    Args:
        boxes: Shape (n, 4), xyxy in pixels.
        ellipses: Shape (m, 5), FDDB's rows.
        iou_thr: A pair needs an overlap above this.

    Returns:
        np.ndarray: int of shape (p, 2): index of the box, of the ellipse;
        ascending in the box.
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    around = ellipses_to_boxes(
        np.asarray(ellipses, dtype=np.float64).reshape(-1, 5))
    low = np.maximum(boxes[:, None, :2], around[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], around[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    union = _area(boxes)[:, None] + _area(around)[None] - shared
    overlap = np.divide(
        shared, union, out=np.zeros_like(shared), where=union > 0)
    # Pairs that do not count must not take part in the sum.
    overlap[overlap <= iou_thr] = 0
    box, ellipse = linear_sum_assignment(overlap, maximize=True)
    kept = overlap[box, ellipse] > 0
    return np.column_stack((box[kept], ellipse[kept]))


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)
