"""Bounding ellipses as offsets from a detected box (Eq. 2-6 of HR).

An ellipse is FDDB's row (ra, rb, theta, cx, cy): half-axes and centre in
pixels, theta the angle in radians from the x axis (to the right) towards the
y axis (downwards) to the axis of ra. Turning an ellipse by pi changes
nothing.
"""
import math

import numpy as np

MIN_ANGLE = math.radians(15)
"""Axes closer to horizontal are encoded as if they were this far from it."""
MAX_COT = 1 / math.tan(MIN_ANGLE)
"""The largest target of Eq. 6, about 3.73."""


def encode_ellipses(boxes: np.ndarray, ellipses: np.ndarray) -> np.ndarray:
    """Give the regression targets of ellipses, as seen from boxes.

    ``(cx - xc) / w``, ``(cy - yc) / h``, ``log(ra / (h / 2))``,
    ``log(rb / (w / 2))`` and ``cot(theta)``: "Finding Tiny Faces", Appendix
    B, Eq. 2-6. The first half-axis is measured by the height of the box, as
    the major axis of an upright face is the vertical one.

    The cotangent is the same for theta and theta + pi and nearly linear
    around an upright face (0 at pi/2), but has a pole for a face that lies
    on its side (theta = 0), where it also jumps from -inf to +inf: one such
    face would outweigh thousands in a least-squares fit. Angles within
    :data:`MIN_ANGLE` of horizontal are therefore moved there, and the target
    is at most :data:`MAX_COT`; :func:`count_clamped` tells for how many.
    Half-axes and centre are not affected. A circle has no direction; its
    target is whatever angle the annotation has, which decodes to the same
    circle.

    Args:
        boxes: Shape (n, 4), xyxy in pixels.
        ellipses: Shape (n, 5), in the same pixels.

    Returns:
        np.ndarray: float64 of shape (n, 5).

    Raises:
        ValueError: A box has no width or height, a half-axis is not
            positive, or a number is not finite.
    """
    centre, size = _centre_and_size(boxes)
    ellipses = np.asarray(ellipses, dtype=np.float64).reshape(-1, 5)
    if len(ellipses) != len(centre):
        raise ValueError(f'{len(centre)} boxes but {len(ellipses)} ellipses')
    bad = ~np.isfinite(ellipses).all(axis=1) | (ellipses[:, :2]
                                                <= 0).any(axis=1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f'ellipse {row} is {ellipses[row].tolist()}: half-axes must be '
            'positive and all numbers finite; leave it out')
    offset = (ellipses[:, 3:] - centre) / size
    # Height first: the first axis of an upright face is the vertical one.
    ratio = np.log(ellipses[:, :2] / (size[:, ::-1] / 2))
    angle = _from_horizontal(ellipses[:, 2])
    angle = np.clip(angle, MIN_ANGLE, np.pi - MIN_ANGLE)
    return np.column_stack((offset, ratio, np.cos(angle) / np.sin(angle)))


def decode_ellipses(boxes: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Give the ellipses that targets describe: the inverse of encoding.

    Args:
        boxes: Shape (n, 4), xyxy in pixels.
        targets: Shape (n, 5), as :func:`encode_ellipses` gives them.

    Returns:
        np.ndarray: float64 of shape (n, 5) in FDDB's convention: ra >= rb
        (where the second axis comes out longer the two are exchanged, and
        the angle turned by pi/2), theta in (-pi/2, pi/2].

    Raises:
        ValueError: A box has no width or height, or a number is not finite.
    """
    centre, size = _centre_and_size(boxes)
    targets = np.asarray(targets, dtype=np.float64).reshape(-1, 5)
    if len(targets) != len(centre):
        raise ValueError(f'{len(centre)} boxes but {len(targets)} targets')
    if not np.isfinite(targets).all():
        raise ValueError('a target is not a finite number')
    axes = np.exp(targets[:, 2:4]) * size[:, ::-1] / 2
    # The inverse of cot with values in (0, pi).
    angle = np.arctan2(1, targets[:, 4])
    exchange = axes[:, 1] > axes[:, 0]
    axes[exchange] = axes[exchange, ::-1]
    angle = _from_horizontal(angle + exchange * (np.pi / 2))
    angle = np.where(angle > np.pi / 2, angle - np.pi, angle)
    return np.column_stack((axes, angle, centre + targets[:, :2] * size))


def count_clamped(ellipses: np.ndarray) -> int:
    """Number of ellipses whose angle :func:`encode_ellipses` moves.

    Args:
        ellipses: Shape (n, 5).
    """
    angle = _from_horizontal(np.asarray(ellipses).reshape(-1, 5)[:, 2])
    return int(
        np.sum((angle < MIN_ANGLE) | (angle > np.pi - MIN_ANGLE), dtype=int))


def _from_horizontal(angle: np.ndarray) -> np.ndarray:
    """The same directions as angles in [0, pi)."""
    angle = np.mod(angle, np.pi)
    # The remainder of a tiny negative number is rounded to pi itself.
    return np.where(angle >= np.pi, 0., angle)


def _centre_and_size(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres (n, 2) and (width, height) (n, 2) of boxes that have both."""
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    size = boxes[:, 2:] - boxes[:, :2]
    bad = ~np.isfinite(boxes).all(axis=1) | ~(size > 0).all(axis=1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f'box {row} is {boxes[row].tolist()} (x1, y1, x2, y2): an ellipse '
            'needs a width and a height above 0; leave it out')
    return (boxes[:, :2] + boxes[:, 2:]) / 2, size
