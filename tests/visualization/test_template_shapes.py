"""The picture of templates."""
import numpy as np
import pytest
from PIL import Image

from tinyfaces.templates import Template, load_templates
from tinyfaces.visualization import plot_template_shapes

A, B = (0, 114, 178), (213, 94, 0)


def pixels(path):
    """Size of the picture, and how often it has which colour."""
    with Image.open(path) as picture:
        colours = picture.convert('RGB').getcolors(1 << 24)
        return picture.size, {colour: number for number, colour in colours}


def test_published(tmp_path):
    path = tmp_path / 'new' / 'out.png'
    plot_template_shapes(load_templates(), 'the published ones', path)
    size, counts = pixels(path)
    assert size[0] > 2 * size[1]  # Faces and three scales
    assert counts[A] > 300 and counts[B] > 300


def test_roles_have_their_colours(tmp_path):
    path = tmp_path / 'out.png'
    plot_template_shapes([Template(9, 12, 1, 'A')], '_$x_{$', path)
    narrow, counts = pixels(path)
    assert counts[A] > 100 and B not in counts
    templates = [Template(18, 24, 2, 'B'), Template(5, 6, .5)]
    plot_template_shapes(templates, '', path)
    wide, counts = pixels(path)
    assert counts[B] > 100 and A not in counts
    assert wide[0] > narrow[0]


def test_boxes(tmp_path):
    """Shades of grey, dark where there are many boxes."""
    plain, boxes, weighted = (tmp_path / f'{n}.png' for n in range(3))
    templates = [Template(20, 20, 1, 'A')]
    shapes = np.array([[.5, .5], [10, 10], [10, 11], [40, 50], [300, 400.]])
    plot_template_shapes(templates, '', plain, np.empty((0, 2)))
    plot_template_shapes(templates, '', boxes, shapes)
    plot_template_shapes(templates, '', weighted, shapes,
                         np.array([1, 1, 9, 9, 99]))
    assert boxes.read_bytes() != weighted.read_bytes()
    # Boxes and the colour bar, which is only drawn with boxes
    white = [pixels(path)[1][255, 255, 255] for path in (plain, boxes)]
    assert white[1] < white[0] - 2000


def test_nothing_to_draw(tmp_path):
    with pytest.raises(ValueError, match='no templates'):
        plot_template_shapes([], '', tmp_path / 'out.png')
    assert list(tmp_path.iterdir()) == []
