import numpy as np
import pytest
from PIL import Image

from tinyfaces.visualization.draw import draw_detections, ellipse_outlines

GREY = np.full((200, 300, 3), 90, np.uint8)


def changed(drawn, image=GREY):
    return (np.asarray(drawn) != image).any(axis=2)


def test_no_faces():
    drawn = draw_detections(GREY, np.zeros((0, 4)), np.zeros(0))
    assert isinstance(drawn, Image.Image) and drawn.mode == 'RGB'
    assert not changed(drawn).any()


def test_small_box_is_framed_from_outside_without_label():
    image = GREY.copy()
    mask = changed(draw_detections(image, [[50, 60, 58, 70]], [.9]))
    expected = np.zeros((200, 300), bool)
    expected[59:71, 49:59] = True
    expected[60:70, 50:58] = False
    np.testing.assert_array_equal(mask, expected)
    np.testing.assert_array_equal(image, GREY)


def test_large_box_has_a_label_above_or_inside():
    above = changed(draw_detections(GREY, [[50, 60, 150, 160]], [.9]))
    assert above[45:58, 50:70].any() and not above[70:150, 60:140].any()
    inside = changed(draw_detections(GREY, [[50, 0, 150, 100]], [.9]))
    assert inside[2:12, 52:70].any() and not inside[40:99, 52:140].any()


def test_colour_tells_the_score():
    colours = [
        np.asarray(draw_detections(GREY, [[50, 60, 58, 70]], [score]))[65, 49]
        for score in (0., .25, 1.)
    ]
    # A quarter: half-way from orange (255, 140, 0) to yellow (255, 235, 60).
    assert [colour.tolist() for colour in colours] == [[255, 140, 0],
                                                       [255, 188, 30],
                                                       [0, 229, 255]]


def test_better_box_is_on_top():
    box = [50, 60, 58, 70]
    drawn = np.asarray(draw_detections(GREY, [box, box], [1., 0.]))
    assert drawn[65, 49].tolist() == [0, 229, 255]


def test_size_limit():
    drawn = draw_detections(GREY, [[100, 100, 116, 120]], [.9], max_side=150)
    assert drawn.size == (150, 100)
    mask = changed(drawn, GREY[:100, :150])
    rows, columns = np.nonzero(mask)
    assert (columns.min(), rows.min()) == (49, 49)
    assert (columns.max(), rows.max()) == (58, 60)
    assert draw_detections(GREY, [], [], max_side=300).size == (300, 200)


@pytest.mark.parametrize('size', [(1, 1), (1, 5000), (5000, 1)])
def test_odd_sizes(size):
    image = np.zeros((*size, 3), np.uint8)
    drawn = draw_detections(image, [[0, 0, size[1], size[0]]], [.5], 100)
    assert max(drawn.size) <= 100 and min(drawn.size) == 1


def test_wrong_input():
    with pytest.raises(ValueError, match='1 boxes but 2 scores'):
        draw_detections(GREY, [[0, 0, 1, 1]], [.5, .6])
    with pytest.raises(ValueError, match='max_side is 0'):
        draw_detections(GREY, [], [], max_side=0)


def test_ellipses_are_drawn_instead_of_boxes():
    # Half-axes 20 along x and 8; the box would begin at 130, 92.
    mask = changed(
        draw_detections(
            GREY, [[130, 92, 170, 108]], [.9],
            ellipses=[[20, 8, 0., 150, 100]]))
    rows, columns = np.nonzero(mask)
    assert (columns.min(), columns.max()) == (130, 170)
    assert (rows.min(), rows.max()) == (92, 108)
    assert mask[100, 130] and mask[92, 150] and not mask[92, 130]
    assert not mask[100, 140:160].any()
    # A quarter turn exchanges the axes.
    turned = changed(
        draw_detections(
            GREY, [[130, 92, 170, 108]], [.9],
            ellipses=[[20, 8, np.pi / 2, 150, 100]]))
    rows, columns = np.nonzero(turned)
    assert (columns.min(), columns.max()) == (142, 158)
    assert (rows.min(), rows.max()) == (80, 120)


def test_ellipses_are_scaled_with_the_picture():
    mask = changed(
        draw_detections(
            GREY, [[130, 92, 170, 108]], [.9],
            max_side=150,
            ellipses=[[20, 8, 0., 150, 100]]), GREY[::2, ::2])
    assert mask[50, 65] and mask[50, 85] and not mask[50, 70:80].any()


def test_outlines_lean_as_in_fddb():
    # The major axis points right and down: y grows downwards.
    outline = ellipse_outlines([[10, 5, np.pi / 4, 0, 0]], points=4)[0]
    expected = np.array([[10, 10], [-5, 5], [-10, -10], [5, -5]]) / 2**.5
    np.testing.assert_allclose(outline, expected)
    assert ellipse_outlines(np.zeros((0, 5))).shape == (0, 72, 2)


def test_ellipses_must_fit_the_boxes():
    with pytest.raises(ValueError, match='1 boxes but 0 ellipses'):
        draw_detections(GREY, [[1, 1, 9, 9]], [.9], ellipses=np.zeros((0, 5)))
