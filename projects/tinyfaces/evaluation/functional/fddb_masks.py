"""How much FDDB's shapes overlap, counted in pixels as the benchmark does.

Faces and detections are drawn filled, cut off at the borders of the picture,
and compared pixel by pixel. What OpenCV draws is part of the protocol (whole
degrees, truncated half-axes, polygons instead of smooth ellipses), so OpenCV
draws here too. It does so in the smallest window that holds the shape: moved
by whole pixels, a shape stays the same. A rectangle need not be drawn.
"""
import math
import struct
from typing import NamedTuple

import cv2
import numpy as np

# Pixels between the exact extent of an ellipse and its window: those that
# OpenCV draws by rounding outwards, and one more.
_MARGIN = 3
_FLOAT32 = struct.Struct('f')


class Shape(NamedTuple):
    """The visible pixels of one face or detection.

    Attributes:
        x1: Left column of the window in the picture.
        y1: Top row of the window.
        x2: Column right of the window; x2 <= x1 where nothing is visible.
        y2: Row below the window.
        area: Number of pixels.
        mask: uint8 (y2 - y1, x2 - x1), 1 in the shape; None for a rectangle,
            which fills its window.
    """
    x1: int
    y1: int
    x2: int
    y2: int
    area: int
    mask: np.ndarray | None


def draw_ellipse(ellipse: np.ndarray, size: tuple[int, int]) -> Shape:
    """The visible pixels of an ellipse.

    The centre is rounded from float32, half to even; half-axes are truncated;
    ``cv2.ellipse`` rounds the angle to whole degrees.

    Args:
        ellipse: (5,) half-axes a and b, angle of a in radians, cx, cy.
        size: Width and height of the picture.

    Returns:
        Shape: With a mask.
    """
    a, b, angle, cx, cy = ellipse
    axes = int(a), int(b)
    x, y = _pixel(cx), _pixel(cy)
    # As the official program does, whose stored angle runs the other way.
    degrees = 180 - (math.pi - angle) * 180 / math.pi
    cos, sin = math.cos(angle), math.sin(angle)
    # Rounding to whole degrees moves the far end by up to 0.9 % of the axis.
    spare = _MARGIN + int(max(axes) * 0.01)
    half_width = math.ceil(math.hypot(axes[0] * cos, axes[1] * sin)) + spare
    half_height = math.ceil(math.hypot(axes[0] * sin, axes[1] * cos)) + spare
    x1, y1 = max(x - half_width, 0), max(y - half_height, 0)
    x2 = min(x + half_width + 1, size[0])
    y2 = min(y + half_height + 1, size[1])
    if x2 <= x1 or y2 <= y1:
        return Shape(x1, y1, x2, y2, 0, None)
    mask = np.zeros((y2 - y1, x2 - x1), np.uint8)
    cv2.ellipse(mask, (x - x1, y - y1), axes, degrees, 0, 360, 1, cv2.FILLED)
    return Shape(x1, y1, x2, y2, cv2.countNonZero(mask), mask)


def draw_rectangle(box: np.ndarray, size: tuple[int, int]) -> Shape:
    """The visible pixels of a rectangle, its last column and row included.

    Args:
        box: (4,) x, y, width and height; the corners x, y and x + w, y + h
            are rounded as centres of ellipses are, and belong to it.
        size: Width and height of the picture.

    Returns:
        Shape: Without a mask.
    """
    x, y, w, h = box
    x1, y1 = max(_pixel(x), 0), max(_pixel(y), 0)
    x2, y2 = min(_pixel(x + w) + 1, size[0]), min(_pixel(y + h) + 1, size[1])
    return Shape(x1, y1, x2, y2, max(x2 - x1, 0) * max(y2 - y1, 0), None)


def _pixel(value: float) -> int:
    """Round as OpenCV's cvRound does after conversion to float32."""
    # Python rounds half to even too; struct is faster than a NumPy scalar.
    return round(_FLOAT32.unpack(_FLOAT32.pack(value))[0])


def shape_iou(one: Shape, other: Shape) -> float:
    """Pixels in both over pixels in either; 0 where there is none at all."""
    x1, y1 = max(one.x1, other.x1), max(one.y1, other.y1)
    x2, y2 = min(one.x2, other.x2), min(one.y2, other.y2)
    if x2 <= x1 or y2 <= y1:
        return 0.
    parts = [
        shape.mask[y1 - shape.y1:y2 - shape.y1, x1 - shape.x1:x2 - shape.x1]
        for shape in (one, other) if shape.mask is not None
    ]
    if not parts:
        inter = (x2 - x1) * (y2 - y1)
    elif len(parts) == 1:
        inter = cv2.countNonZero(parts[0])
    else:
        inter = cv2.countNonZero(cv2.bitwise_and(*parts))
    union = one.area + other.area - inter
    return inter / union if union else 0.


def overlap_matrix(detections: np.ndarray, faces: np.ndarray,
                   size: tuple[int, int]) -> np.ndarray:
    """IoU of every detection in a picture with every face.

    Args:
        detections: (n, 5) x y w h score, or (n, 6) ellipses and score.
        faces: (m, 5) ellipses.
        size: Width and height of the picture.

    Returns:
        np.ndarray: float64 (n, m).
    """
    drawn = [draw_ellipse(face, size) for face in faces.tolist()]
    draw = draw_rectangle if detections.shape[1] == 5 else draw_ellipse
    overlaps = np.zeros((len(detections), len(drawn)))
    for row, found in enumerate(detections[:, :-1].tolist()):
        shape = draw(found, size)
        for column, face in enumerate(drawn):
            overlaps[row, column] = shape_iou(shape, face)
    return overlaps
