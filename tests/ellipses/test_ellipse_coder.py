import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyfaces.ellipses import (MAX_COT, MIN_ANGLE, count_clamped,
                                decode_ellipses, encode_ellipses)

BOX = [[10., 20., 50., 100.]]  # centre 30, 60; w 40, h 80


def matrix(ellipse):
    """The ellipse as a symmetric matrix: equal for equal ellipses."""
    a, b, angle = ellipse[:3]
    turn = np.array([[math.cos(angle), -math.sin(angle)],
                     [math.sin(angle), math.cos(angle)]])
    return turn @ np.diag([a**2, b**2]) @ turn.T


def assert_same(one, other, rtol=1e-6):
    np.testing.assert_allclose(one[3:], other[3:], rtol=rtol, atol=1e-6)
    scale = np.abs(matrix(other)).max()
    np.testing.assert_allclose(
        matrix(one) / scale, matrix(other) / scale, atol=rtol)


def test_hand_computed():
    # Eq. 2-6: (34-30)/40, (52-60)/80, log(60/40), log(10/20), cot(60 deg).
    ellipse = [[60., 10., math.radians(60), 34., 52.]]
    np.testing.assert_allclose(
        encode_ellipses(BOX, ellipse),
        [[.1, -.1, math.log(1.5),
          math.log(.5), 1 / math.sqrt(3)]])
    np.testing.assert_allclose(
        decode_ellipses(BOX, encode_ellipses(BOX, ellipse)), ellipse)


def test_zero_targets_are_the_ellipse_inscribed_in_the_box():
    np.testing.assert_allclose(
        decode_ellipses(BOX, np.zeros((1, 5))),
        [[40, 20, math.pi / 2, 30, 60]])


def test_upright_has_no_jump():
    # FDDB writes almost upright faces as almost pi/2 or almost -pi/2.
    angles = np.pi / 2 + np.array([-.01, 0, .01, .01 - np.pi, -.01 - np.pi])
    ellipses = [[30., 20., angle, 30., 60.] for angle in angles]
    cot = encode_ellipses(BOX * 5, ellipses)[:, 4]
    expected = math.tan(.01)
    np.testing.assert_allclose(
        cot, [expected, 0, -expected, -expected, expected], atol=1e-12)


@pytest.mark.parametrize(
    'angle, expected',
    [
        (0., MAX_COT),
        (1e-300, MAX_COT),
        # Less than rounding: -1e-300 mod pi is pi, not 0 less than it.
        (-1e-300, MAX_COT),
        (-.01, -MAX_COT),
        (math.pi, MAX_COT),
        (math.radians(14.9), MAX_COT),
        (math.radians(16), 1 / math.tan(math.radians(16))),
        (math.radians(-16), -1 / math.tan(math.radians(16))),
    ])
def test_cot_is_bounded_near_horizontal(angle, expected):
    ellipse = [[30., 20., angle, 30., 60.]]
    targets = encode_ellipses(BOX, ellipse)
    np.testing.assert_allclose(targets[0, 4], expected)
    # Nothing but the angle moves, and by no more than it was moved.
    decoded = decode_ellipses(BOX, targets)[0]
    np.testing.assert_allclose(decoded[[0, 1, 3, 4]], [30, 20, 30, 60])
    moved = abs((decoded[2] - angle + math.pi / 2) % math.pi - math.pi / 2)
    assert moved <= MIN_ANGLE + 1e-12


def test_bound_is_cot_of_15_degrees():
    np.testing.assert_allclose(MAX_COT, 2 + math.sqrt(3))
    angles = np.radians([0, 14, 16, 90, 164, 166, -14, -16, 180, 194])
    ellipses = [[30., 20., angle, 0, 0] for angle in angles]
    assert count_clamped(ellipses) == 6
    assert count_clamped(np.zeros((0, 5))) == 0


def test_circle_stays_a_circle_at_any_angle():
    for angle in (0., .1, 1.2, math.pi / 2):
        circle = [[25., 25., angle, 30., 60.]]
        decoded = decode_ellipses(BOX, encode_ellipses(BOX, circle))[0]
        np.testing.assert_allclose(decoded[[0, 1, 3, 4]], [25, 25, 30, 60])


boxes = st.tuples(
    st.floats(-500, 500), st.floats(-500, 500), st.floats(2, 400),
    st.floats(2, 400)).map(lambda b: [[b[0], b[1], b[0] + b[2], b[1] + b[3]]])
radii = st.tuples(st.floats(.5, 300), st.floats(.5, 300))


@settings(max_examples=100, deadline=None)
@given(boxes, radii, st.floats(MIN_ANGLE + 1e-6, math.pi - MIN_ANGLE - 1e-6),
       st.tuples(st.floats(-900, 900), st.floats(-900, 900)),
       st.integers(-2, 2))
def test_round_trip(box, radius, angle, centre, turns):
    a, b = sorted(radius, reverse=True)
    ellipse = np.array([a, b, angle + turns * math.pi, *centre])
    decoded = decode_ellipses(box, encode_ellipses(box, ellipse[None]))[0]
    assert_same(decoded, ellipse)
    assert decoded[0] >= decoded[1]
    assert -math.pi / 2 < decoded[2] <= math.pi / 2


@settings(max_examples=100, deadline=None)
@given(boxes, st.lists(st.floats(-2, 2), min_size=5, max_size=5))
def test_decoded_ellipses_keep_fddbs_convention(box, targets):
    decoded = decode_ellipses(box, [targets])[0]
    assert decoded[0] >= decoded[1] > 0
    assert -math.pi / 2 < decoded[2] <= math.pi / 2
    # The same before the axes are exchanged: Eq. 2-6 solved by hand.
    x1, y1, x2, y2 = box[0]
    w, h = x2 - x1, y2 - y1
    raw = [
        math.exp(targets[2]) * h / 2,
        math.exp(targets[3]) * w / 2, math.pi / 2 - math.atan(targets[4]),
        (x1 + x2) / 2 + targets[0] * w, (y1 + y2) / 2 + targets[1] * h
    ]
    assert_same(decoded, np.array(raw))


def test_minor_axis_first_is_the_same_ellipse():
    # One annotation of FDDB has ra < rb.
    ellipse = np.array([19., 20., 1.5, 30., 60.])
    decoded = decode_ellipses(BOX, encode_ellipses(BOX, ellipse[None]))[0]
    assert_same(decoded, ellipse)
    assert decoded[0] == pytest.approx(20)


@pytest.mark.parametrize(
    'box',
    [[10, 20, 10, 30], [10, 20, 30, 20], [30, 20, 10, 40], [0, 0, np.nan, 5]])
def test_degenerate_boxes_are_named(box):
    for call in (encode_ellipses, decode_ellipses):
        with pytest.raises(ValueError, match='box 1 .*width and a height'):
            call([*BOX, box], np.ones((2, 5)))


@pytest.mark.parametrize(
    'ellipse', [[0, 1, 1, 1, 1], [1, -1, 1, 1, 1], [1, 1, np.inf, 1, 1]])
def test_bad_ellipses_are_named(ellipse):
    with pytest.raises(ValueError, match='ellipse 0 .*positive'):
        encode_ellipses(BOX, [ellipse])


def test_numbers_must_agree():
    with pytest.raises(ValueError, match='1 boxes but 2 ellipses'):
        encode_ellipses(BOX, np.ones((2, 5)))
    with pytest.raises(ValueError, match='1 boxes but 2 targets'):
        decode_ellipses(BOX, np.ones((2, 5)))
    with pytest.raises(ValueError, match='not a finite'):
        decode_ellipses(BOX, [[0, 0, 0, 0, np.nan]])


def test_none():
    empty = np.zeros((0, 4)), np.zeros((0, 5))
    assert encode_ellipses(*empty).shape == (0, 5)
    assert decode_ellipses(*empty).shape == (0, 5)
