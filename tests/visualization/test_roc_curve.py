import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from tinyfaces.evaluation.functional import FDDBResult
from tinyfaces.visualization import plot_roc_curves

# Of 10 faces; rates .4, .7, .9 at 0, 50 and 3,000 false positives.
LONG = FDDBResult(
    np.array([.1, .5, .9]), np.array([9, 7, 4]), np.array([7.5, 5, 3.25]),
    np.array([3000, 50, 0]), 10, 1234, 3009)
SHORT = FDDBResult(
    np.array([.1, .9]), np.array([6, 5]), np.array([4., 3.]),
    np.array([20, 0]), 10, 1234, 26)
PUBLISHED = {
    'HR': (np.array([[.95, 1500, -1], [.925, 40, 2]]), None),
    'frcn': (np.array([[.8, 30, -1]]), np.array([[.6, 30]]))
}


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are saved."""
    figures, save = [], Figure.savefig
    monkeypatch.setattr(
        Figure, 'savefig', lambda self, *args, **kwargs:
        (figures.append(self), save(self, *args, **kwargs)))
    return figures


def labels(axis):
    return [text.get_text() for text in axis.get_legend().texts]


def test_curves_legends_and_titles(tmp_path, drawn):
    plot_roc_curves({'long': LONG, 'short': SHORT}, tmp_path / 'r.png')
    figure, = drawn
    disc, cont = figure.axes
    assert labels(disc) == [
        'long: 0.700 at 1,000, ends with 0.900 at 3,000',
        'short: ends with 0.600 at 20'
    ]
    assert labels(cont) == [
        'long: 0.500 at 1,000, ends with 0.750 at 3,000',
        'short: ends with 0.400 at 20'
    ]
    line = disc.lines[0]
    assert line.get_xdata().tolist() == [0, 50, 3000]
    assert line.get_ydata().tolist() == [.4, .7, .9]
    # The short curve ends in a dot.
    assert [line.get_marker() for line in disc.lines] == ['None', 'None', 'o']
    assert disc.lines[2].get_xydata().tolist() == [[20, .6]]
    assert disc.get_xlim() == cont.get_xlim() == (0, 2000)
    assert figure.get_suptitle() == ('FDDB protocol, 1,234 pictures, 10 faces')
    with Image.open(tmp_path / 'r.png') as image:
        assert min(image.size) > 300


def test_published_curves_are_grey_and_below(tmp_path, drawn):
    plot_roc_curves({'ours': SHORT}, tmp_path / 'r.png', PUBLISHED)
    disc, cont = drawn[0].axes
    assert [label.split(':')[0]
            for label in labels(disc)] == ['ours', 'HR', 'frcn']
    assert [label.split(':')[0] for label in labels(cont)] == ['ours', 'frcn']
    lines = {line.get_label().split(':')[0]: line for line in disc.lines}
    for name in ('HR', 'frcn'):
        assert float(lines[name].get_color()) == .45
        assert lines[name].get_zorder() < lines['ours'].get_zorder()
    styles = {lines[name].get_linestyle() for name in ('HR', 'frcn')}
    assert styles == {'--'} and lines['ours'].get_linestyle() == '-'
    # Nothing reaches 2,000 false positives: HR ends at 1,500.
    assert disc.get_xlim() == cont.get_xlim() == (0, 1500)


def test_names_are_no_formulas_and_stand_in_the_legend(tmp_path, drawn):
    plot_roc_curves({'a$x_{$b': SHORT}, tmp_path / 'r.png',
                    {'_a': PUBLISHED['frcn']})
    for axis in drawn[0].axes:
        assert [label.split(':')[0]
                for label in labels(axis)] == [r'a\$x_{\$b', '\u200b_a']


def test_published_curves_alone_and_the_range(tmp_path, drawn):
    plot_roc_curves({}, tmp_path / 'r.png', PUBLISHED, max_fp=100)
    assert drawn[0].get_suptitle() == 'FDDB protocol'
    assert drawn[0].axes[0].get_xlim() == (0, 100)


def test_rows_in_any_order_and_falling_rates(tmp_path, drawn):
    rows = np.array([[.5, 0], [.7, 10], [.6, 10], [.65, 20]])
    plot_roc_curves({}, tmp_path / 'r.png', {'x': (rows[::-1], None)})
    line = drawn[0].axes[0].lines[0]
    assert line.get_xdata().tolist() == [0, 10, 10, 20]
    assert line.get_ydata().tolist() == [.5, .6, .7, .7]


@pytest.mark.parametrize('lowest, bottom', [(.04, 0), (.35, .2), (.97, .8)])
def test_vertical_axis_shows_where_curves_differ(tmp_path, drawn, lowest,
                                                 bottom):
    rows = np.array([[.99, 2000], [lowest, 20], [0, 0]])
    plot_roc_curves({}, tmp_path / 'r.png', {'x': (rows, rows[:, :2])})
    assert drawn[0].axes[0].get_ylim() == pytest.approx((bottom, 1.005))


def test_nothing_to_draw(tmp_path):
    with pytest.raises(ValueError, match='no results to draw'):
        plot_roc_curves({}, tmp_path / 'r.png')
    with pytest.raises(ValueError, match='max_fp must be above 0'):
        plot_roc_curves({'a': LONG}, tmp_path / 'r.png', max_fp=0)
    with pytest.raises(ValueError, match='HR is the name of a detector'):
        plot_roc_curves({'HR': LONG}, tmp_path / 'r.png', PUBLISHED)
    assert not list(tmp_path.iterdir())
