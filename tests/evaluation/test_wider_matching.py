import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wider_transcription import overlap

from tinyfaces.evaluation.functional.wider_matching import (best_boxes,
                                                            int32_iou_matrix,
                                                            iou_matrix,
                                                            to_int32)

BOXES = st.lists(
    st.tuples(*[st.integers(-40, 40)] * 2, *[st.integers(-3, 40)] * 2),
    min_size=1,
    max_size=6)
FOUND = st.lists(
    st.tuples(*[st.floats(-50, 50, width=32)] * 2,
              *[st.floats(0, 50, width=32)] * 2),
    min_size=1,
    max_size=6)


def test_one_pixel_is_added_to_every_side():
    # 10 x 10 pixels against 10 x 5 of them.
    iou = iou_matrix(np.array([[0., 0, 9, 9]]), np.array([[0., 0, 9, 4]]))
    assert iou == pytest.approx(0.5, abs=0)
    # Boxes that touch share one column of pixels.
    iou = iou_matrix(np.array([[0., 0, 9, 9]]), np.array([[9., 0, 9, 9]]))
    assert iou == pytest.approx(10 / 190, abs=0)


def test_degenerate_boxes_overlap_nothing():
    boxes = np.array([[5., 5, -3, 10], [5, 5, 10, -1], [5, 5, -11, -11]])
    found = np.array([[0., 0, 21, 0], [0, 0, 20, 20]])
    assert (iou_matrix(found, boxes) == 0).all()
    assert (int32_iou_matrix(found, boxes) == 0).all()


@pytest.mark.parametrize('value, expected', [(0.5, 1), (-0.5, -1), (1.5, 2),
                                             (2.5, 3), (-2.5, -3),
                                             (0.49999999999999994, 0),
                                             (-0.4, 0),
                                             (2147483646.5, 2147483647),
                                             (3e9, 2147483647),
                                             (-3e9, -2147483648),
                                             (math.inf, 2147483647)])
def test_to_int32_rounds_half_away_and_saturates(value, expected):
    assert to_int32(np.array([value]))[0] == expected


def test_int32_takes_the_first_box_above_half_and_true_iou_the_best():
    boxes = np.array([[0., 0, 9, 5], [0, 0, 9, 9]])
    found = np.array([[0., 0, 9, 9]])
    assert best_boxes(found, boxes, matlab_int32=True)[0].tolist() == [0]
    index, value = best_boxes(found, boxes)
    assert (index.tolist(), value.tolist()) == ([1], [1])


def test_int32_exact_half_counts_and_ties_go_to_the_first():
    boxes = np.array([[0., 0, 9, 4], [0., 0, 9, 4]])
    found = np.array([[0., 0, 9, 9]])
    index, value = best_boxes(found, boxes, matlab_int32=True)
    assert (index.tolist(), value.tolist()) == ([0], [1])
    assert best_boxes(found, boxes)[0].tolist() == [0]


def test_int32_rounding_can_give_more_than_one():
    # Corners 10.4 and 11.5 become 10 and 12: 3 x 3 pixels of intersection,
    # while the detection's own area stays 2.1 x 2.1, so union = 4.
    iou = int32_iou_matrix(
        np.array([[10.4, 10.4, 1.1, 1.1]]), np.array([[10., 10, 2, 2]]))
    assert iou.tolist() == [[2]]


def test_long_lists_are_cut_into_parts(monkeypatch):
    rng = np.random.default_rng(0)
    boxes, found = rng.uniform(0, 50, (7, 4)), rng.uniform(0, 50, (90, 4))
    whole = best_boxes(found, boxes)
    monkeypatch.setattr(
        'tinyfaces.evaluation.functional.wider_matching._MATRIX', 20)
    for one, other in zip(whole, best_boxes(found, boxes)):
        np.testing.assert_array_equal(one, other)


@settings(max_examples=150, deadline=None)
@given(BOXES, FOUND, st.booleans())
def test_equal_to_the_transcription(boxes, found, matlab_int32):
    function = int32_iou_matrix if matlab_int32 else iou_matrix
    matrix = function(np.array(found), np.array(boxes, float))
    expected = [[overlap(b, d, matlab_int32) for b in boxes] for d in found]
    np.testing.assert_array_equal(matrix, np.array(expected, float))


@pytest.mark.parametrize('size', [4e4, 3e9])
def test_int32_overflow_saturates_as_the_transcription(size):
    found, boxes = [[0.4, 0, size, size]], [[0, 0, 50000, 50000]]
    matrix = int32_iou_matrix(np.array(found), np.array(boxes, float))
    assert matrix[0, 0] == overlap(boxes[0], found[0], True)
