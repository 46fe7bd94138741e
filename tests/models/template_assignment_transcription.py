"""The assignment of templates, of every window and every face."""
from collections.abc import Callable

import numpy as np


def cell_windows(windows, stride, shape):
    """Windows (N, 4) of the first cell at all cells, (N, H, W, 4)."""
    height, width = shape
    y, x = np.mgrid[:height, :width] * stride
    return windows[:, None, None] + np.stack([x, y, x, y], axis=-1)


def shared_area(windows, box):
    """Area that windows (..., 4) have in common with a box."""
    left_top = np.maximum(windows[..., :2], box[:2])
    right_bottom = np.minimum(windows[..., 2:], box[2:])
    return np.maximum(right_bottom - left_top, 0).prod(axis=-1)


def box_area(box):
    return np.maximum(box[2:] - box[:2], 0).prod()


def assignment(windows: np.ndarray,
               faces: np.ndarray,
               ignored: np.ndarray,
               area: tuple,
               noise: Callable[[int, int], np.ndarray],
               positive: float = .7,
               negative: float = .3,
               min_face: float = .3,
               in_ignored: float = .5,
               negative_border: bool = False):
    """Section 4.1, "Details", and appendix B, "Border cases".

    Args:
        windows: (N, H, W, 4).
        faces: (G, 4).
        ignored: (I, 4).
        area: x1, y1, x2, y2.
        noise: What is added to the IoU of a template and a face, (H, W).

    Returns:
        tuple: Labels and faces, both (N, H, W).
    """
    labels = np.full(windows.shape[:3], -1)
    chosen = np.full(windows.shape[:3], -1)
    # Of each face: highest IoU with noise, highest IoU, where the former is.
    best_order, best_iou = np.zeros((2, len(faces)))
    place = np.zeros((len(faces), 3), dtype=int)
    for n, of_template in enumerate(windows):
        sizes = of_template[..., 2:] - of_template[..., :2]
        areas = sizes.prod(axis=-1)
        order = np.zeros((len(faces), *areas.shape))
        highest = np.zeros(areas.shape)
        for g, face in enumerate(faces):
            common = shared_area(of_template, face)
            iou = common / (areas + box_area(face) - common)
            order[g] = iou + noise(n, g)
            highest = np.maximum(highest, iou)
            best_iou[g] = max(best_iou[g], iou.max())
            if order[g].max() > best_order[g]:
                best_order[g] = order[g].max()
                place[g] = n, *np.unravel_index(order[g].argmax(), iou.shape)
        labels[n, highest >= negative] = 0
        labels[n, highest >= positive] = 1
        if len(faces):
            chosen[n] = order.argmax(axis=0)
    for g in np.flatnonzero(best_iou > min_face):
        labels[tuple(place[g])] = 1

    x1, y1, x2, y2 = np.moveaxis(windows, -1, 0)
    outside = (x1 < area[0]) | (y1 < area[1]) | (x2 > area[2]) | (y2 > area[3])
    labels[outside & (labels >= 0) if negative_border else outside] = 0
    for box in ignored:
        part = shared_area(windows, box) / ((x2 - x1) * (y2 - y1))
        labels[(part > in_ignored) & (labels < 0)] = 0
    return labels, np.where(labels > 0, chosen, -1)
