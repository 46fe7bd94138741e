"""AP at one target size: the measure behind HR's Figs. 4, 5, 7 and 8.

HR asks how well faces of one size are found, "ignoring objects with more than
0.5 Jaccard distance" to it (Fig. 8). The distance of two shapes is 1 - IoU of
the boxes put on a common centre (Eq. 1). Everything else is the benchmark's
protocol: a detection on an ignored face is neither right nor wrong, and a
detection on the background is a false positive whatever its size.
"""
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..functional.wider import evaluate_wider
from ..functional.wider_gt import WiderGroundTruth

#: Heights and widths in pixels: 8 steps a decade around HR's 25 x 20 and
#: 250 x 200, in their ratio.
TARGET_SIZES = tuple((round(25 * 10**(step / 8)), round(20 * 10**(step / 8)))
                     for step in range(-4, 12))
_LEAST_IOU = 0.5


def shape_iou(boxes: np.ndarray, height: float, width: float) -> np.ndarray:
    """IoU of boxes with one shape, on a common centre.

    Args:
        boxes: (n, 4) x y w h in pixels.
        height: Of the shape, in pixels.
        width: Of the shape, in pixels.

    Returns:
        np.ndarray: (n,) float64; 0 for boxes without an area.
    """
    wide = np.maximum(boxes[:, 2], 0)
    high = np.maximum(boxes[:, 3], 0)
    inter = np.minimum(wide, width) * np.minimum(high, height)
    return inter / (wide * high + width * height - inter)


def target_size_ap(
        predictions: Mapping[str, np.ndarray],
        truth: WiderGroundTruth,
        setting: str,
        sizes: Sequence[tuple[float, float]] = TARGET_SIZES) -> dict:
    """AP of the faces near each size.

    Args:
        predictions: As for :func:`~..functional.evaluate_wider`.
        truth: Loaded with ``setting``.
        setting: Of the faces it counts, those with a distance of at most 0.5
            count here.
        sizes: Height and width of each target, in pixels, all above 0.

    Returns:
        dict: Lists with one value a size: ``height``, ``width``,
        ``num_faces`` and ``ap`` (NaN where there is no such face).

    Raises:
        ValueError: A size is not above 0, or as ``evaluate_wider``.
    """
    check_target_sizes(sizes)
    keep = {
        f'{number}':
        truth.keep[setting] &
        (shape_iou(truth.boxes, high, wide) >= _LEAST_IOU)
        for number, (high, wide) in enumerate(sizes)
    }
    result = evaluate_wider(predictions, replace(truth, keep=keep))
    return dict(
        height=[float(high) for high, _ in sizes],
        width=[float(wide) for _, wide in sizes],
        num_faces=[int(kept.sum()) for kept in keep.values()],
        ap=[result.ap(number) for number in keep])


def size_name(height: float, width: float) -> str:
    """A size as text, such as ``25x20``; to six digits."""
    return f'{height:g}x{width:g}'


def check_target_sizes(sizes: Sequence[tuple[float, float]]) -> None:
    """Raise ValueError unless these are heights and widths above 0."""
    try:
        good = len(sizes) > 0 and all(
            min(high, wide) > 0 for high, wide in sizes)
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError('target sizes must be heights and widths above 0, '
                         f'such as [(25, 20)], got {sizes!r}')
