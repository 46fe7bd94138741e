"""Boxes and ellipses under changes of coordinates."""
import numpy as np

# In pixels. FDDB's rectangles include their borders: a side of 0 is one pixel.
_LEAST_SIDE = 1.


def rectangles_to_boxes(rows: np.ndarray) -> np.ndarray:
    """FDDB rectangles (n, >= 4), x y w h, as float64 boxes (n, 4), xyxy."""
    rows = np.asarray(rows, dtype=np.float64)
    return np.hstack((rows[:, :2], rows[:, :2] + rows[:, 2:4]))


def widen_boxes(boxes: np.ndarray) -> np.ndarray:
    """Give sides shorter than a pixel one pixel, around the same centre.

    A detector that rounds or clips may report a box without a width or
    height, of which no ellipse can be made.

    Args:
        boxes: Shape (n, 4), xyxy in pixels.

    Returns:
        np.ndarray: float64 of shape (n, 4).
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    sides = boxes[:, 2:] - boxes[:, :2]
    more = np.maximum(_LEAST_SIDE - sides, 0) / 2
    return boxes + np.hstack((-more, more))


def scale_ellipses(ellipses: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Stretch the plane that ellipses lie in.

    Exact also where the factors differ, which turns the axes: the image of
    an ellipse has the singular values of its matrix as half-axes.

    Args:
        ellipses: Shape (n, 5), FDDB's rows.
        scale: The factors of x and of y, above 0.

    Returns:
        np.ndarray: float64 of shape (n, 5), ra >= rb, theta in (-pi/2, pi/2].
    """
    ellipses = np.asarray(ellipses, dtype=np.float64).reshape(-1, 5)
    scale = np.asarray(scale, dtype=np.float64)
    cos, sin = np.cos(ellipses[:, 2]), np.sin(ellipses[:, 2])
    turned = np.stack((cos, -sin, sin, cos), axis=1).reshape(-1, 2, 2)
    matrix = scale[:, None] * turned * ellipses[:, None, :2]
    direction, axes, _ = np.linalg.svd(matrix)
    x, y = direction[:, 0, 0], direction[:, 1, 0]
    # Of the two directions of an axis, the one in (-pi/2, pi/2].
    angle = np.arctan2(y, x)
    angle = np.where(angle <= -np.pi / 2, angle + np.pi, angle)
    angle = np.where(angle > np.pi / 2, angle - np.pi, angle)
    return np.column_stack((axes, angle, ellipses[:, 3:] * scale))
