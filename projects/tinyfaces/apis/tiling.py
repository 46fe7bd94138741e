"""Cutting a large picture so that every face lies whole in some tile.

A picture larger than a tile is looked at in several levels: in tiles at its
own resolution, then scaled down, until the last level fits into one tile.
Neighbouring tiles share ``overlap`` pixels. A box near a cut is left to the
neighbour, which sees the face whole; a face too large for that is found on
the next level, where it is smaller. So for a face whose longer side is ``s``
pixels, some tile shows it whole and clear of every cut, whatever ``s`` is.
"""
from typing import NamedTuple

import numpy as np


class Tile(NamedTuple):
    """A rectangle in the pixels of one level; right, bottom excluded."""

    left: int
    top: int
    right: int
    bottom: int


class Level(NamedTuple):
    """One scaled copy of the picture and its tiles.

    Attributes:
        width: Width of the scaled copy in pixels.
        height: Height of the scaled copy in pixels.
        tiles: Its tiles, row by row.
        min_side: Boxes whose longer side, in pixels of the original picture,
            is smaller are left to the level before.
    """

    width: int
    height: int
    tiles: list[Tile]
    min_side: float


def check_tiling(tile_size: int, overlap: int) -> None:
    """Raise ValueError unless ``16 <= overlap < tile_size``."""
    if not 16 <= overlap < tile_size:
        raise ValueError(
            f'tile overlap is {overlap} and tile size is {tile_size} pixels; '
            'the overlap must be at least 16 and less than the tile size')


def cut_margin(overlap: int) -> int:
    """Pixels from a cut within which a box counts as cut."""
    return overlap // 16


def plan_levels(width: int, height: int, tile_size: int,
                overlap: int) -> list[Level]:
    """Plan the tiles of a picture.

    A level is at most ``overlap / 32`` times smaller than the one before
    (and may always be 2 times smaller), so that a face just too large for
    the overlap is still about 32 pixels there.

    Args:
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        tile_size: Largest width and height of a tile in pixels.
        overlap: Pixels shared by neighbouring tiles.

    Returns:
        list[Level]: The first level has the picture's own resolution, the
        last consists of a single tile.

    Raises:
        ValueError: ``overlap`` does not fit ``tile_size``.
    """
    check_tiling(tile_size, overlap)
    smallest = tile_size / max(width, height)
    step = max(2, overlap / 32)
    scale, min_side = 1., 0.
    levels = []
    while True:
        size = [max(1, round(length * scale)) for length in (width, height)]
        levels.append(
            Level(*size, tile_grid(*size, tile_size, overlap), min_side))
        if scale <= smallest:
            return levels
        # Half the overlap: sizes near the limit are looked at on both.
        min_side = overlap / 2 / scale
        scale = max(smallest, scale / step)


def tile_grid(width: int, height: int, tile_size: int,
              overlap: int) -> list[Tile]:
    """Tiles of equal size, evenly spread, that cover a picture.

    Args:
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        tile_size: Largest width and height of a tile in pixels.
        overlap: Neighbouring tiles share at least so many pixels.

    Returns:
        list[Tile]: Row by row; a single one for a picture that fits.
    """
    return [
        Tile(left, top, min(left + tile_size, width),
             min(top + tile_size, height))
        for top in _starts(height, tile_size, overlap)
        for left in _starts(width, tile_size, overlap)
    ]


def _starts(length: int, tile_size: int, overlap: int) -> list[int]:
    """First pixels of the tiles along one side."""
    room = length - tile_size
    if room <= 0:
        return [0]
    gaps = -(-room // (tile_size - overlap))
    return [i * room // gaps for i in range(gaps + 1)]


def clear_of_cuts(boxes: np.ndarray, tile: Tile, width: int, height: int,
                  margin: int) -> np.ndarray:
    """Tell the boxes of whole faces from those that a cut may go through.

    The sides of a tile that are also sides of the picture are no cuts.

    Args:
        boxes: Shape (n, 4), xyxy in pixels of the level.
        tile: The tile that they were found in.
        width: Width of the level in pixels.
        height: Height of the level in pixels.
        margin: Boxes must be so many pixels away from a cut.

    Returns:
        np.ndarray: bool of shape (n,), True for boxes to keep.
    """
    return (((tile.left == 0) | (boxes[:, 0] >= tile.left + margin))
            & ((tile.top == 0) | (boxes[:, 1] >= tile.top + margin))
            & ((tile.right == width) | (boxes[:, 2] <= tile.right - margin))
            & ((tile.bottom == height) |
               (boxes[:, 3] <= tile.bottom - margin)))
