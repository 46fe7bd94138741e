"""Convolutions on the part of a map that matters."""
from collections.abc import Callable

import numpy as np
from torch import Tensor

Rectangle = tuple[int, int, int, int]


def on_cells(tower: Callable[[Tensor], Tensor], x: Tensor, wanted: Tensor,
             reach: int, channels: int, fill: float) -> Tensor:
    """The output of a tower of convolutions at some cells.

    The cells are covered by rectangles, each computed with ``reach`` cells
    around it, and so with the values that the whole map would give it.

    Args:
        tower: Convolutions of stride 1 that keep height and width by zero
            padding; no layer may look at the map as a whole.
        x: Shape (N, c, H, W).
        wanted: Cells of interest in any of the N, shape (H, W), bool.
        reach: How far the tower looks, in cells.
        channels: Of the tower's output.
        fill: Value of the cells that are not computed.

    Returns:
        Tensor: Shape (N, channels, H, W).
    """
    out = x.new_full((len(x), channels, *x.shape[-2:]), fill)
    for top, left, bottom, right in cover(wanted.cpu().numpy(), reach):
        y, x0 = max(top - reach, 0), max(left - reach, 0)
        part = tower(x[:, :, y:bottom + reach, x0:right + reach])
        out[:, :, top:bottom, left:right] = part[:, :, top - y:bottom - y,
                                                 left - x0:right - x0]
    return out


def cover(wanted: np.ndarray, reach: int) -> list[Rectangle]:
    """Disjoint rectangles that hold all wanted cells, cheap to compute.

    Halves the bounding rectangle, along the longer side, as long as that
    saves a tenth of the area that ``reach`` more cells on each side make.

    Args:
        wanted: Shape (H, W), bool.
        reach: Cells that each rectangle needs around it.

    Returns:
        list: (top, left, bottom, right) of each, the last two exclusive;
        empty if nothing is wanted.
    """
    return _cover(wanted, 0, 0, *wanted.shape, reach)[0]


def _cover(wanted: np.ndarray, top: int, left: int, bottom: int, right: int,
           reach: int) -> tuple[list[Rectangle], int]:
    """Rectangles for a part of the map, and the area with their margins."""
    part = wanted[top:bottom, left:right]
    rows, columns = (np.flatnonzero(part.any(axis=i)) for i in (1, 0))
    if not len(rows):
        return [], 0
    top, bottom = top + rows[0], top + rows[-1] + 1
    left, right = left + columns[0], left + columns[-1] + 1
    height, width = bottom - top, right - left
    area = ((min(bottom + reach, wanted.shape[0]) - max(top - reach, 0)) *
            (min(right + reach, wanted.shape[1]) - max(left - reach, 0)))
    whole = [(int(top), int(left), int(bottom), int(right))]
    if max(height, width) <= max(2 * reach, 1):
        return whole, area
    if height > width:
        middle = top + height // 2
        halves = ((top, left, middle, right), (middle, left, bottom, right))
    else:
        middle = left + width // 2
        halves = ((top, left, bottom, middle), (top, middle, bottom, right))
    covers = [_cover(wanted, *half, reach) for half in halves]
    split = covers[0][1] + covers[1][1]
    if split > 0.9 * area:
        return whole, area
    return covers[0][0] + covers[1][0], split
