"""Convolutions on the part of a map that matters."""
from collections.abc import Callable

import numpy as np
from torch import Tensor

Rectangle = tuple[int, int, int, int]

# What a rectangle costs by itself, in cells of a tower of one channel; with c
# channels a cell costs c^2 as much. On a CPU a convolution prepares for each
# new size of its input: as long as 14,000 cells of 64 channels take.
START = 2**26


def on_cells(tower: Callable[[Tensor], Tensor], x: Tensor, wanted: Tensor,
             reach: int, channels: int, fill: float) -> Tensor:
    """The output of a tower of convolutions at some cells.

    The cells are covered by rectangles, each computed with ``reach`` cells
    around it, and so with the values that the whole map would give it. Where
    these would take longer than the whole map, it is computed as a whole.

    Args:
        tower: Convolutions of stride 1 that keep height and width by zero
            padding; no layer may look at the map as a whole.
        x: Shape (N, c, H, W).
        wanted: Cells of interest in any of the N, shape (H, W), bool.
        reach: How far the tower looks, in cells.
        channels: Of the tower's output.
        fill: Value of the cells that are not computed, if any.

    Returns:
        Tensor: Shape (N, channels, H, W).
    """
    out = x.new_full((len(x), channels, *x.shape[-2:]), fill)
    rectangles, cost = cover(wanted.cpu().numpy(), reach,
                             START // x.shape[1]**2)
    if cost >= wanted.numel():
        return tower(x)
    for top, left, bottom, right in rectangles:
        y, x0 = max(top - reach, 0), max(left - reach, 0)
        part = tower(x[:, :, y:bottom + reach, x0:right + reach])
        out[:, :, top:bottom, left:right] = part[:, :, top - y:bottom - y,
                                                 left - x0:right - x0]
    return out


def cover(wanted: np.ndarray,
          reach: int,
          start: int = 0) -> tuple[list[Rectangle], int]:
    """Disjoint rectangles that hold all wanted cells, cheap to compute.

    Halves the bounding rectangle, along the longer side, as long as that
    saves a tenth of the cost: the area that ``reach`` more cells on each side
    make, and ``start`` for each rectangle.

    Args:
        wanted: Shape (H, W), bool.
        reach: Cells that each rectangle needs around it.
        start: What a rectangle costs by itself, in cells.

    Returns:
        tuple: (top, left, bottom, right) of each, the last two exclusive,
        none if nothing is wanted; and what they cost, in cells.
    """
    return _cover(wanted, 0, 0, *wanted.shape, reach, start)


def _cover(wanted: np.ndarray, top: int, left: int, bottom: int, right: int,
           reach: int, start: int) -> tuple[list[Rectangle], int]:
    """:func:`cover` of a part of the map."""
    part = wanted[top:bottom, left:right]
    rows, columns = (np.flatnonzero(part.any(axis=i)) for i in (1, 0))
    if not len(rows):
        return [], 0
    top, bottom = top + rows[0], top + rows[-1] + 1
    left, right = left + columns[0], left + columns[-1] + 1
    height, width = bottom - top, right - left
    cost = start + (
        (min(bottom + reach, wanted.shape[0]) - max(top - reach, 0)) *
        (min(right + reach, wanted.shape[1]) - max(left - reach, 0)))
    whole = [(int(top), int(left), int(bottom), int(right))]
    # Below that, what halving saves is not worth the search for it.
    if max(height, width) <= max(2 * reach, 1) or cost <= 3 * start:
        return whole, cost
    if height > width:
        middle = top + height // 2
        halves = ((top, left, middle, right), (middle, left, bottom, right))
    else:
        middle = left + width // 2
        halves = ((top, left, bottom, middle), (top, middle, bottom, right))
    covers = [_cover(wanted, *half, reach, start) for half in halves]
    split = covers[0][1] + covers[1][1]
    if split > 0.9 * cost:
        return whole, cost
    return covers[0][0] + covers[1][0], split
