"""Shapes and overlaps in pixels, against whole pictures drawn by OpenCV."""
import math

import fddb_transcription
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinyfaces.evaluation.functional.fddb_masks import (draw_ellipse,
                                                        draw_rectangle,
                                                        overlap_matrix,
                                                        shape_iou)

SIZE = (60, 40)


def whole(shape, size):
    """The shape in a mask of the size of the picture."""
    mask = np.zeros((size[1], size[0]), bool)
    if shape.x2 > shape.x1 and shape.y2 > shape.y1:
        window = mask[shape.y1:shape.y2, shape.x1:shape.x2]
        window[:] = True if shape.mask is None else shape.mask > 0
    return mask


@pytest.mark.parametrize(
    'box, window',
    [
        ((10, 20, 3, 1), (10, 20, 14, 22)),
        # A size of 0 is one pixel.
        ((10, 20, 0, 0), (10, 20, 11, 21)),
        # Halves go to the even pixel.
        ((.5, 1.5, 2, 1), (0, 2, 3, 3)),
        # Single precision turns this into 1.5.
        ((1.49999999, 0, 1, 1), (2, 0, 3, 2)),
        # Cut off at the borders.
        ((-5, -3, 7, 4), (0, 0, 3, 2)),
        ((55, 35, 20, 20), (55, 35, 60, 40)),
    ])
def test_rectangles_by_hand(box, window):
    shape = draw_rectangle(box, SIZE)
    assert shape[:4] == window
    x1, y1, x2, y2 = window
    assert shape.area == (x2 - x1) * (y2 - y1)


@pytest.mark.parametrize('box', [(70, 5, 9, 9), (-20, 5, 9, 9), (5, 41, 9, 9)])
def test_rectangle_out_of_sight(box):
    shape = draw_rectangle(box, SIZE)
    assert shape.area == 0
    assert shape_iou(shape, draw_rectangle((0, 0, 60, 60), SIZE)) == 0
    assert shape_iou(shape, shape) == 0


def test_ellipse_by_hand():
    flat = draw_ellipse((20.9, 10.9, 0, 30.5, 19.5), (100, 100))
    rows, columns = np.nonzero(whole(flat, (100, 100)))
    # Half-axes 20 and 10, centre 30 (half to even) and 20.
    assert (columns.min(), columns.max()) == (10, 50)
    assert (rows.min(), rows.max()) == (10, 30)
    assert flat.area == len(rows)
    assert flat.area == pytest.approx(math.pi * 20.5 * 10.5, rel=.02)
    # The angle is that of the first half-axis, clockwise in the picture.
    upright = draw_ellipse((20, 10, math.pi / 2, 30, 40), (100, 100))
    rows, columns = np.nonzero(whole(upright, (100, 100)))
    assert (columns.min(), columns.max()) == (20, 40)
    assert (rows.min(), rows.max()) == (20, 60)
    slanted = whole(
        draw_ellipse((30, 5, math.pi / 4, 50, 50), (100, 100)), (100, 100))
    assert slanted[68, 68] and not slanted[68, 32]


def test_ellipse_of_one_pixel_and_one_out_of_sight():
    assert draw_ellipse((.9, .9, 0, 7, 8), SIZE).area == 1
    assert draw_ellipse((9, 5, 0, 100, 8), SIZE).area == 0


def test_ellipse_against_rectangle_by_hand():
    face = draw_ellipse((20, 10, 0, 50, 50), (100, 100))
    # The smallest rectangle around it has 41 x 21 pixels.
    around = draw_rectangle((30, 40, 40, 20), (100, 100))
    assert shape_iou(face, around) == face.area / 861
    assert shape_iou(around, face) == face.area / 861
    assert .75 < face.area / 861 < .85
    # Only the visible halves count.
    face = draw_ellipse((20, 10, 0, 0, 50), (100, 100))
    around = draw_rectangle((-20, 40, 40, 20), (100, 100))
    assert shape_iou(face, around) == face.area / (21 * 21)


NEAR = st.floats(-30, 90)
LENGTH = st.floats(0, 45)
ELLIPSE = st.tuples(LENGTH, LENGTH, st.floats(-4, 4), NEAR, NEAR)
BOX = st.tuples(NEAR, NEAR, LENGTH, LENGTH)


@settings(max_examples=150, deadline=None)
@given(ELLIPSE)
# Crossing two borders; thin and slanted; a whole degree and a half.
@example((44.5, 20.2, .7, 1.5, 38.5))
@example((45., 1., .7853981, 30., 20.))
@example((30., 12., math.radians(30.5), 30., 20.))
def test_windows_do_not_change_ellipses(ellipse):
    shape = draw_ellipse(ellipse, SIZE)
    expected = fddb_transcription.ellipse_mask(ellipse, SIZE)
    np.testing.assert_array_equal(whole(shape, SIZE), expected)
    assert shape.area == expected.sum()


@settings(max_examples=100, deadline=None)
@given(BOX)
def test_rectangles_are_those_of_opencv(box):
    shape = draw_rectangle(box, SIZE)
    expected = fddb_transcription.rectangle_mask(box, SIZE)
    np.testing.assert_array_equal(whole(shape, SIZE), expected)
    assert shape.area == expected.sum()


def test_large_ellipses_in_large_pictures():
    rng = np.random.default_rng(0)
    size = (450, 397)
    for _ in range(60):
        ellipse = [
            *rng.uniform(1, 300, 2),
            rng.uniform(-3.2, 3.2), *rng.uniform(-100, 550, 2)
        ]
        np.testing.assert_array_equal(
            whole(draw_ellipse(ellipse, size), size),
            fddb_transcription.ellipse_mask(ellipse, size))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(ELLIPSE, min_size=1, max_size=3),
    st.one_of(
        st.lists(ELLIPSE, min_size=1, max_size=3),
        st.lists(BOX, min_size=1, max_size=3)))
def test_overlaps_are_those_of_whole_masks(faces, shapes):
    detections = np.array([[*shape, .5] for shape in shapes])
    found = overlap_matrix(detections, np.array(faces), SIZE)
    expected = fddb_transcription.overlaps(detections, faces, SIZE)
    np.testing.assert_array_equal(found, expected)
