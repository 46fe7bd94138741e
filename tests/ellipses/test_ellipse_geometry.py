import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyfaces.ellipses import (box_features, join_features, match_detections,
                                rectangles_to_boxes, scale_ellipses,
                                widen_boxes)


def points_on(ellipse, number=16):
    a, b, angle, x, y = ellipse
    turn = np.linspace(0, 2 * math.pi, number)
    along, across = a * np.cos(turn), b * np.sin(turn)
    return np.stack([
        x + along * math.cos(angle) - across * math.sin(angle),
        y + along * math.sin(angle) + across * math.cos(angle)
    ], 1)


@settings(max_examples=80, deadline=None)
@given(
    st.tuples(
        st.floats(.5, 90), st.floats(.5, 90), st.floats(-4, 4),
        st.floats(-99, 99), st.floats(-99, 99)),
    st.tuples(st.floats(.2, 5), st.floats(.2, 5)))
def test_scaled_points_lie_on_the_scaled_ellipse(ellipse, scale):
    scaled = scale_ellipses([ellipse], scale)[0]
    a, b, angle = scaled[:3]
    assert a >= b and -math.pi / 2 < angle <= math.pi / 2
    offset = points_on(ellipse) * scale - scaled[3:]
    along = offset @ [math.cos(angle), math.sin(angle)]
    across = offset @ [-math.sin(angle), math.cos(angle)]
    np.testing.assert_allclose((along / a)**2 + (across / b)**2, 1, atol=1e-6)


def test_scaling_by_hand():
    # Upright; rounding decides between pi/2 and -pi/2, which are the same.
    upright = scale_ellipses([[30, 20, -math.pi / 2, 5, 6]], (2, 2))[0]
    np.testing.assert_allclose(abs(upright), [60, 40, math.pi / 2, 10, 12])
    # A circle becomes as wide as it was not.
    np.testing.assert_allclose(
        scale_ellipses([[10, 10, 1., 5, 6]], (3, 1)), [[30, 10, 0, 15, 6]],
        atol=1e-9)
    assert scale_ellipses(np.zeros((0, 5)), (2, 3)).shape == (0, 5)


def test_thin_boxes_are_widened_about_their_centre():
    np.testing.assert_allclose(
        widen_boxes([[4, 5, 4, 9], [1, 2, 3, 4], [0, 0, .5, 0]]),
        [[3.5, 5, 4.5, 9], [1, 2, 3, 4], [-.25, -.5, .75, .5]])


def test_rectangles():
    np.testing.assert_array_equal(
        rectangles_to_boxes([[1, 2, 30, 40, .5]]), [[1, 2, 31, 42]])


def test_box_features_by_hand():
    np.testing.assert_allclose(
        box_features([[0, 0, 20, 40], [7, 8, 8, 9]], (200, 400)),
        [[math.log(2), math.log(.1)], [0, math.log(1 / math.sqrt(80000))]])


def test_box_features_do_not_depend_on_resolution_or_mirroring():
    box = np.array([[13., 5, 60, 77]])
    expected = box_features(box, (450, 300))
    np.testing.assert_allclose(
        box_features(box * 3.7, (450 * 3.7, 300 * 3.7)), expected)
    mirrored = [[450 - 60, 5, 450 - 13, 77]]
    np.testing.assert_allclose(box_features(mirrored, (450, 300)), expected)


def test_feature_errors():
    with pytest.raises(ValueError, match='box 1 .*above 0'):
        box_features([[0, 0, 2, 2], [0, 0, 0, 4]], (9, 9))
    with pytest.raises(ValueError, match='0 x 9 pixels'):
        box_features([[0, 0, 2, 2]], (0, 9))
    with pytest.raises(ValueError, match=r'1 boxes .* \(2, 3\)'):
        join_features([[0, 0, 2, 2]], (9, 9), np.zeros((2, 3)))


def test_own_features_stand_before_those_of_the_box():
    joined = join_features([[0, 0, 2, 2]], (4, 4), [[5, 6, 7]])
    np.testing.assert_allclose(joined, [[5, 6, 7, 0, math.log(.5)]])


UPRIGHT = [10., 5., math.pi / 2, 30., 30.]  # reaches from 25, 20 to 35, 40


def test_matching_by_hand():
    # IoU with the ellipse's box: 1; .6 (a duplicate); none.
    boxes = [[25, 20, 35, 32], [25, 20, 35, 40], [90, 90, 99, 99]]
    faces = [[3., 2., 0., 200., 200.], UPRIGHT]
    np.testing.assert_array_equal(match_detections(boxes, faces), [[1, 1]])


def test_matching_wants_more_than_the_threshold():
    half = [[25, 20, 35, 30]]
    assert len(match_detections(half, [UPRIGHT])) == 0
    assert len(match_detections(half, [UPRIGHT], iou_thr=.49)) == 1


def test_matching_is_one_to_one_and_best_in_sum():
    # Box 0 overlaps both faces; giving it the better one would lose box 1.
    faces = [[10., 5., math.pi / 2, 30., 30.], [10., 5., math.pi / 2, 32., 30]]
    boxes = [[26, 20, 36, 40], [27, 20, 37, 40]]
    np.testing.assert_array_equal(
        match_detections(boxes, faces), [[0, 0], [1, 1]])


def test_no_pairs_below_the_threshold_in_the_sum():
    # As a sum of all overlaps, two weak pairs (.4 + .4) would beat one (.6).
    faces = [[10., 5., math.pi / 2, 30., 30.]]
    assert match_detections(np.zeros((0, 4)), faces).shape == (0, 2)
    assert match_detections([[25, 20, 35, 40]], np.zeros(
        (0, 5))).shape == (0, 2)
    assert match_detections([[5, 5, 5, 5]], faces).shape == (0, 2)
