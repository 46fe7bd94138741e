import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyfaces.apis.tiling import (Tile, clear_of_cuts, cut_margin,
                                   plan_levels, tile_grid)

sides = st.one_of(st.integers(1, 300), st.integers(1, 20000))


@st.composite
def tilings(draw):
    tile = draw(st.integers(32, 2048))
    # Grids of more than some thousand tiles would only take time.
    overlap = draw(st.integers(16, max(16, tile // 2)))
    return tile, overlap


def test_grid_by_hand():
    # 100 wide, tiles of 40 that share 10: 3 tiles, 30 apart.
    assert tile_grid(100, 40, 40, 10) == [
        Tile(0, 0, 40, 40),
        Tile(30, 0, 70, 40),
        Tile(60, 0, 100, 40)
    ]
    # One pixel more: 4 tiles, spread evenly over the 61 pixels of room.
    assert [t.left for t in tile_grid(101, 9, 40, 10)] == [0, 20, 40, 61]
    assert tile_grid(3, 80, 40, 0) == [Tile(0, 0, 3, 40), Tile(0, 40, 3, 80)]


def test_levels_by_hand():
    assert [(lv.width, lv.height, len(lv.tiles), lv.min_side)
            for lv in plan_levels(1536, 1000, 1536, 256)] == [(1536, 1000, 1,
                                                               0)]
    # One smaller copy is enough for 12,000 x 9,000: 1536 / 12000 > 1 / 8.
    assert [(lv.width, lv.height, len(lv.tiles), lv.min_side)
            for lv in plan_levels(12000, 9000, 1536, 256)
            ] == [(12000, 9000, 10 * 7, 0), (1536, 1152, 1, 128)]
    assert [(lv.width, lv.height, lv.min_side)
            for lv in plan_levels(40000, 1, 1536, 256)] == [(40000, 1, 0),
                                                            (5000, 1, 128),
                                                            (1536, 1, 1024)]


@given(sides, sides, tilings())
@settings(max_examples=60, deadline=None)
def test_grid_covers_the_picture(width, height, tiling):
    tile_size, overlap = tiling
    # Both axes are cut alike, so a thin picture shows the same cheaply.
    height = min(height, 300)
    tiles = tile_grid(width, height, tile_size, overlap)
    seen = np.zeros((height, width), bool)
    for tile in tiles:
        assert 0 <= tile.left < tile.right <= width
        assert 0 <= tile.top < tile.bottom <= height
        assert tile.right - tile.left == min(tile_size, width)
        assert tile.bottom - tile.top == min(tile_size, height)
        seen[tile.top:tile.bottom, tile.left:tile.right] = True
    assert seen.all()
    lefts = sorted({tile.left for tile in tiles})
    for left, following in zip(lefts, lefts[1:]):
        assert left + tile_size - following >= overlap
    # No more tiles than needed: one fewer would not reach.
    n = len(lefts) - 1
    assert n == 0 or n * tile_size - (n - 1) * overlap < width


@given(st.data(), st.integers(1, 4000), st.integers(1, 4000), tilings())
@settings(max_examples=150, deadline=None)
def test_every_face_lies_whole_in_a_tile(data, width, height, tiling):
    tile_size, overlap = tiling
    margin = cut_margin(overlap)
    largest = overlap - 2 * margin
    w = data.draw(st.integers(1, min(width, largest)))
    h = data.draw(st.integers(1, min(height, largest)))
    x = data.draw(st.integers(0, width - w))
    y = data.draw(st.integers(0, height - h))
    box = np.array([[x, y, x + w, y + h]], float)
    whole = [
        tile for tile in tile_grid(width, height, tile_size, overlap)
        if tile.left <= x and x + w <= tile.right and tile.top <= y and y +
        h <= tile.bottom and clear_of_cuts(box, tile, width, height, margin)[0]
    ]
    assert whole


@given(st.data(), st.integers(1, 10000), st.integers(1, 10000), tilings())
@settings(max_examples=150, deadline=None)
def test_every_face_is_for_some_level(data, width, height, tiling):
    tile_size, overlap = tiling
    w = data.draw(st.floats(.5, width))
    h = data.draw(st.floats(.5, height))
    side = max(w, h)
    levels = plan_levels(width, height, tile_size, overlap)
    assert (levels[0].width, levels[0].height) == (width, height)
    assert len(levels[-1].tiles) == 1
    largest = overlap - 2 * cut_margin(overlap)
    # The last level has no cuts, the others see faces up to `largest`.
    scales = [max(lv.width, lv.height) / max(width, height) for lv in levels]
    good = [
        side * scale for lv, scale in zip(levels, scales)
        if side >= lv.min_side and (lv is levels[-1] or side *
                                    scale <= largest)
    ]
    assert good
    # And it is not lost in scaling: an overlap of 16 finds 14 pixels whole,
    # half as many on the next level; one of 64 or more leaves at least 28.
    # Sizes of levels are rounded to whole pixels, by half a pixel at most.
    rounding = 1 - .5 / tile_size
    assert max(good) >= min(side, 7 if overlap < 64 else 28) * rounding - 1e-9


def test_clear_of_cuts_by_hand():
    tile = Tile(0, 50, 100, 150)
    boxes = np.array([
        [0, 60, 90, 140],  # at the picture's left side: no cut
        [20, 52, 40, 80],  # 2 pixels below the upper cut
        [20, 53, 40, 80],
        [20, 60, 98, 80],  # 2 pixels from the right cut
        [20, 60, 97, 80],
        [20, 60, 40, 150],  # at the lower side of the picture
    ])
    assert clear_of_cuts(boxes, tile, 300, 150,
                         3).tolist() == [True, False, True, False, True, True]
    assert not clear_of_cuts(boxes, tile, 300, 151, 3)[-1]
    assert clear_of_cuts(np.zeros((0, 4)), tile, 300, 150, 3).shape == (0, )


@pytest.mark.parametrize('tile, overlap', [(100, 15), (100, 100), (16, 16)])
def test_overlap_out_of_range(tile, overlap):
    with pytest.raises(ValueError, match='overlap must be at least 16'):
        plan_levels(10, 10, tile, overlap)
