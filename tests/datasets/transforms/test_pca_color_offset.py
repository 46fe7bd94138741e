"""``PCAColorOffset``: what it adds, and how much of it."""
import numpy as np
import pytest
from mmcv.transforms.utils import cache_random_params

from tinyfaces.datasets.transforms import PCAColorOffset
from tinyfaces.datasets.transforms.pca_color_offset import (EIGENVALUES,
                                                            EIGENVECTORS)


def offsets(count, **arguments):
    """Colours that it adds, (count, 3) in the picture's order."""
    np.random.seed(0)
    transform = PCAColorOffset(**arguments)
    black = np.zeros((1, 1, 3), np.uint8)
    return np.array(
        [transform(dict(img=black))['img'][0, 0] for _ in range(count)])


def test_one_colour_for_all_pixels():
    np.random.seed(0)
    image = np.arange(60, dtype=np.uint8).reshape(4, 5, 3) * 4
    out = PCAColorOffset()(dict(img=image))['img']
    assert out.dtype == np.float32
    added = out - image
    assert np.abs(added).max() > .1
    np.testing.assert_allclose(
        added, np.broadcast_to(added[0, 0], (4, 5, 3)), atol=1e-4)
    assert image.max() == 59 * 4  # As it was


def test_it_does_not_clip():
    colours = offsets(50)
    assert colours.min() < 0
    np.random.seed(0)
    white = np.full((1, 1, 3), 255, np.uint8)
    out = PCAColorOffset()(dict(img=white))['img']
    np.testing.assert_allclose(out[0, 0], 255 + colours[0], rtol=1e-6)


@pytest.mark.parametrize('order', ['bgr', 'rgb'])
def test_covariance(order):
    """std^2 times that of the colours themselves."""
    vectors = np.array(EIGENVECTORS)
    if order == 'bgr':
        vectors = vectors[:, ::-1]
    expected = vectors.T @ np.diag(EIGENVALUES) @ vectors * .2**2
    found = np.cov(offsets(4000, std=.2, channel_order=order).T)
    np.testing.assert_allclose(found, expected, rtol=.1)


def test_eigenvectors():
    """Grey varies most; the rows are orthogonal as far as their digits go."""
    vectors = np.array(EIGENVECTORS)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(3), atol=2e-4)
    assert vectors[2].min() > .5


def test_axes_by_hand():
    """With one variance alone, all colours lie on that axis: .6 of red, the
    last channel, and .8 of blue.
    """
    colours = offsets(
        200,
        std=1,
        eigenvalues=(0, 4, 0),
        eigenvectors=((0, 1, 0), (.6, 0, .8), (.8, 0, -.6)))
    assert (colours[:, 1] == 0).all()
    np.testing.assert_allclose(
        colours[:, 0] * .6, colours[:, 2] * .8, rtol=1e-5)
    # 5 standard deviations of the estimate, 2 / sqrt(2 * 200) each
    assert abs(np.sqrt((colours**2).sum(axis=1).mean()) - 2) < .5


def test_channel_order():
    np.testing.assert_array_equal(
        offsets(3, channel_order='rgb')[:, ::-1], offsets(3))


def test_no_offset():
    assert not offsets(3, std=0).any()


def test_randomness_can_be_cached():
    np.random.seed(0)
    transform = PCAColorOffset()
    image = np.zeros((2, 2, 3), np.uint8)
    with cache_random_params(transform):
        first, second = (transform(dict(img=image))['img'] for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize('arguments, message', [
    (dict(std=-1), 'std must be'),
    (dict(eigenvalues=(1, 2)), 'eigenvalues must be'),
    (dict(eigenvalues=(1, 2, -3)), 'eigenvalues must be'),
    (dict(eigenvectors=np.ones((3, 3))), 'eigenvectors must be'),
    (dict(eigenvectors=np.eye(2)), 'eigenvectors must be'),
    (dict(channel_order='gray'), 'channel_order must be'),
])
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        PCAColorOffset(**arguments)


def test_bad_pictures():
    for shape in ((4, 4), (4, 4, 1)):
        with pytest.raises(ValueError, match='three channels'):
            PCAColorOffset()(dict(img=np.zeros(shape)))
