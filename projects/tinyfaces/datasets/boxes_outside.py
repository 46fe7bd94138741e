"""Boxes that lie outside of their picture."""
import numpy as np


def reach_into(boxes: np.ndarray,
               size: tuple[int, int] | np.ndarray | None) -> np.ndarray:
    """Which boxes share an area with their picture.

    Clipped to the picture the others have no area, of which box coders take
    the logarithm.

    Args:
        boxes: (n, 4), xyxy in pixels.
        size: Width and height of the picture, or (n, 2) of the picture of
            each box; None if not known.

    Returns:
        np.ndarray: bool (n, ); all True without a size.
    """
    if size is None:
        return np.ones(len(boxes), bool)
    low = np.maximum(boxes[:, :2], 0)
    high = np.minimum(boxes[:, 2:], size)
    return (high > low).all(axis=1)
