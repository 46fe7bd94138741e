"""A network's maps of a large picture, tile by tile."""
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Span(NamedTuple):
    """What a tile covers on one axis, in pixels; stops are exclusive.

    Attributes:
        start: First pixel that the network sees.
        stop: Behind the last one.
        first: First pixel whose cells are kept; what comes before is halo,
            as is what comes after the first pixel of the next tile.
    """

    start: int
    stop: int
    first: int


def tile_spans(length: int, tile: int, halo: int, step: int) -> list[Span]:
    """Tiles of about equal size, whose kept parts do not overlap.

    Edges of the picture have no halo: there the network pads a tile as it
    pads the whole picture.

    Args:
        length: Of the picture, in pixels.
        tile: Of a tile with its halos, at most, in pixels.
        halo: Pixels that a tile sees beyond what is kept of it.
        step: Tiles, and their kept parts, start at multiples of this.

    Returns:
        list[Span]: In order. A single one if the picture is no longer than a
        tile.

    Raises:
        ValueError: ``tile`` is too small for its halos.
    """
    if length <= tile:
        return [Span(0, length, 0)]
    halo, tile = -(-halo // step) * step, tile // step * step
    if tile < 2 * halo + step:
        raise ValueError(
            f'tiles of {tile} pixels have no room for two halos of {halo} and '
            f'{step} pixels between them: give at least {2 * halo + step}')
    # All but the first and the last tile have two halos.
    count = -(-(length - 2 * halo) // (tile - 2 * halo))
    even = -(-(length + 2 * halo * (count - 1)) // (count * step)) * step
    spans = [Span(0, even, 0)]
    while spans[-1].stop < length:
        first = spans[-1].stop - halo
        start = first - halo
        spans.append(Span(start, min(start + even, length), first))
    return spans


def tiled_forward(network: Callable[[Tensor], Sequence[Tensor]],
                  inputs: Tensor, tile: int, halo: int, step: int,
                  stride: int) -> tuple[Tensor, ...]:
    """The maps that a network makes of pictures, one tile at a time.

    They are those of the whole pictures if the halo is at least as long as
    the network looks from a cell of its maps, and it looks at nothing as a
    whole.

    Args:
        network: Gives maps of shape (B, c, H, W), for some number c, of
            pictures (B, 3, h, w) of any size.
        inputs: Pictures, (B, 3, h, w).
        tile: See :func:`tile_spans`.
        halo: See there.
        step: A multiple of all strides in the network.
        stride: Pixels per cell of the maps.

    Returns:
        tuple[Tensor, ...]: The maps, stitched.

    Raises:
        ValueError: ``tile`` is too small.
    """
    rows = tile_spans(inputs.shape[-2], tile, halo, step)
    columns = tile_spans(inputs.shape[-1], tile, halo, step)
    stitched = []
    for row, rows_kept in zip(rows, _kept(rows, stride)):
        pieces = []
        for column, columns_kept in zip(columns, _kept(columns, stride)):
            maps = network(inputs[..., row.start:row.stop,
                                  column.start:column.stop])
            # Copies, so that none keeps the halos in memory.
            pieces.append(
                [each[..., rows_kept, columns_kept].clone() for each in maps])
        stitched.append([torch.cat(each, dim=-1) for each in zip(*pieces)])
    return tuple(torch.cat(each, dim=-2) for each in zip(*stitched))


def _kept(spans: Sequence[Span], stride: int) -> list[slice]:
    """Cells that are kept of each tile, as counted in it."""
    stops = [span.first for span in spans[1:]]
    kept = []
    for span, stop in zip(spans, (*stops, None)):
        stop = None if stop is None else (stop - span.start) // stride
        kept.append(slice((span.first - span.start) // stride, stop))
    return kept
