"""The picture of AP over target size."""
import math

import numpy as np
import pytest
from PIL import Image

from tinyfaces.visualization import plot_template_scales, template_scales

SIZES = [(200., 160.), (25., 20.), (80., 64.)]
STUDY = dict(
    sizes=SIZES,
    num_faces=[3, 9, 5],
    ap={
        1.: [.1, .2, .7],
        2.: [math.nan, .6, .5]
    },
    best=[1., 2., 1.],
    about='of $ them')


@pytest.fixture
def figure(monkeypatch, tmp_path):
    """What is drawn, before it becomes a file."""
    drawn = []
    monkeypatch.setattr(template_scales, 'render',
                        lambda figure: drawn.append(figure) or b'')
    plot_template_scales(**STUDY, path=tmp_path / 'out.png')
    return drawn[0]


def test_targets_in_the_order_of_their_heights(figure):
    axis, count = figure.axes
    assert [text.get_text() for text in axis.get_xticklabels()
            ] == ['25x20', '80x64', '200x160']
    one, ring_one, two, ring_two, low, high = axis.lines
    assert one.get_label() == 'σ = 1' and two.get_label() == 'σ = 2'
    assert one.get_ydata().tolist() == [.2, .7, .1]
    np.testing.assert_array_equal(two.get_ydata(), [.6, .5, np.nan])
    assert ring_one.get_xydata().tolist() == [[1, .7], [2, .1]]
    assert ring_two.get_xydata().tolist() == [[0, .6]]
    # 40 pixels lie between the first two, 140 between the last two.
    assert low.get_xdata()[0] == .5 and high.get_xdata()[0] == 1.5
    assert count.lines[0].get_ydata().tolist() == [9, 5, 3]


def test_file(tmp_path):
    plot_template_scales(**STUDY, path=tmp_path / 'out.png')
    with Image.open(tmp_path / 'out.png') as picture:
        assert picture.width > 700
