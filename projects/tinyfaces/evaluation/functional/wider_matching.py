"""Which ground-truth box each WIDER FACE detection is compared with.

Protocol of the official toolbox: every side is one pixel longer than x2 - x1,
and a detection is compared with its best box only, counted or not.
"""
import numpy as np

_INT32 = np.iinfo(np.int32)
# Largest IoU matrix computed at once: 256 KiB, so that it stays in the cache.
_MATRIX = 2**15


def iou_matrix(detections: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """IoU with the benchmark's one pixel added to every side.

    Args:
        detections: (n, 4) float64, x y w h.
        boxes: (g, 4) float64, x y w h; w, h <= 0 overlap nothing.

    Returns:
        np.ndarray: (n, g) float64.
    """
    dx1, dy1, dx2, dy2 = _corners(detections[:, :, None])
    gx1, gy1, gx2, gy2 = _corners(boxes)
    inter = np.minimum(dx2, gx2)
    inter -= np.maximum(dx1, gx1)
    inter += 1
    np.maximum(inter, 0, out=inter)
    height = np.minimum(dy2, gy2)
    height -= np.maximum(dy1, gy1)
    height += 1
    np.maximum(height, 0, out=height)
    inter *= height
    union = np.add(
        (dx2 - dx1 + 1) * (dy2 - dy1 + 1), (gx2 - gx1 + 1) * (gy2 - gy1 + 1),
        out=height)
    union -= inter
    # Below 1 only where a degenerate box overlaps nothing: 0 / .5 = 0.
    np.maximum(union, 0.5, out=union)
    inter /= union
    return inter


def int32_iou_matrix(detections: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """What ``boxoverlap.m`` computes when the boxes are MATLAB int32.

    An operation between int32 and double gives int32: rounded half away from
    zero and saturated. So corners of detections that are longer than a box
    are rounded, the union too, and IoU itself becomes 0 or 1 (above 1 where
    rounding makes a small intersection larger than the union).

    Args:
        detections: (n, 4) float64, x y w h.
        boxes: (g, 4), x y w h, rounded to int32 first.

    Returns:
        np.ndarray: (n, g) float64 of whole numbers.
    """
    dx1, dy1, dx2, dy2 = _corners(detections[:, :, None])
    gx, gy, gw, gh = to_int32(boxes).T
    gx2, gy2 = _saturate(gx + gw), _saturate(gy + gh)
    # max and min give int32; rounding keeps the order, so it may come first.
    width = np.minimum(to_int32(dx2), gx2) - np.maximum(to_int32(dx1), gx)
    width = _saturate(_saturate(width) + 1)
    height = np.minimum(to_int32(dy2), gy2) - np.maximum(to_int32(dy1), gy)
    height = _saturate(_saturate(height) + 1)
    empty = (width <= 0) | (height <= 0)
    inter = _saturate(width * height)
    # The area of the detection is double times double: not rounded.
    det_area = (dx2 - dx1 + 1) * (dy2 - dy1 + 1)
    box_area = _saturate(
        _saturate(_saturate(gx2 - gx) + 1) *
        _saturate(_saturate(gy2 - gy) + 1))
    union = _saturate(to_int32(det_area + box_area) - inter)
    # Division by zero saturates. Only empty intersections give 0 / 0.
    inter[empty], union[empty] = 0, 1
    with np.errstate(divide='ignore'):
        return to_int32(inter / union)


def to_int32(values: np.ndarray) -> np.ndarray:
    """MATLAB's int32(): half away from zero, saturating; kept as float64."""
    whole = np.trunc(values)
    with np.errstate(invalid='ignore'):
        rest = np.abs(values - whole)
    whole += np.where(rest >= 0.5, np.sign(values), 0)
    return _saturate(whole)


def _saturate(whole: np.ndarray) -> np.ndarray:
    """Clip whole numbers to int32, in place."""
    return np.clip(whole, _INT32.min, _INT32.max, out=whole)


def best_boxes(detections: np.ndarray,
               boxes: np.ndarray,
               matlab_int32: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Index and IoU of each detection's best box, the first one on ties.

    Args:
        detections: (n, 4) float64, x y w h.
        boxes: (g, 4) float64, x y w h, g >= 1.
        matlab_int32: Use :func:`int32_iou_matrix`.

    Returns:
        tuple[np.ndarray, np.ndarray]: (n,) int64 and (n,) float64.
    """
    overlaps = int32_iou_matrix if matlab_int32 else iou_matrix
    step = max(_MATRIX // len(boxes), 1)
    index = np.empty(len(detections), np.int64)
    value = np.empty(len(detections), np.float64)
    for start in range(0, len(detections), step):
        part = slice(start, start + step)
        matrix = overlaps(detections[part], boxes)
        index[part] = best = matrix.argmax(axis=1)
        value[part] = matrix[np.arange(len(best)), best]
    return index, value


def _corners(boxes: np.ndarray) -> tuple[np.ndarray, ...]:
    """x1, y1, x2, y2 of x y w h along axis 1."""
    x, y = boxes[:, 0], boxes[:, 1]
    return x, y, x + boxes[:, 2], y + boxes[:, 3]
