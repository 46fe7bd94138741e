import numpy as np
import pytest
from PIL import Image

from tinyfaces.visualization.ellipse_fit import FittedPicture, plot_ellipse_fit


def picture(ellipses):
    return FittedPicture(
        np.full((60, 80, 3), 40, np.uint8), np.zeros((0, 5)), np.zeros((0, 4)),
        np.asarray(ellipses).reshape(-1, 5), 'a')


def test_ellipses_lean_as_in_fddb(tmp_path):
    # From left above to right below; drawn in sky blue.
    plot_ellipse_fit([picture([[25, 3, np.pi / 4, 40, 30]])],
                     tmp_path / 'p.png')
    image = np.asarray(Image.open(tmp_path /
                                  'p.png').convert('RGB')).astype(int)
    panel = image[:-60]
    blue = np.abs(panel - [86, 180, 233]).sum(2) < 60
    rows, columns = np.nonzero(blue)
    assert len(rows) > 50
    assert np.corrcoef(rows, columns)[0, 1] > .9


def test_more_pictures_than_a_row(tmp_path):
    plot_ellipse_fit([picture([])] * 5, tmp_path / 'five.png')
    plot_ellipse_fit([picture([])] * 4, tmp_path / 'four.png')
    five, four = (
        Image.open(tmp_path / f'{name}.png').size for name in ('five', 'four'))
    assert five[0] == four[0] and five[1] > 1.5 * four[1]


def test_titles_are_no_formulas(tmp_path):
    odd = picture([])._replace(title='$x_{$')
    plot_ellipse_fit([odd], tmp_path / 'p.png')
    assert (tmp_path / 'p.png').exists()


def test_no_pictures(tmp_path):
    with pytest.raises(ValueError, match='no pictures'):
        plot_ellipse_fit([], tmp_path / 'p.png')
    assert not list(tmp_path.iterdir())
