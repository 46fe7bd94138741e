import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from tinyfaces.evaluation.functional import WiderGroundTruth, evaluate_wider
from tinyfaces.visualization import plot_pr_curves
from tinyfaces.visualization.pr_curve import truncate_ap


def score(flip=1, images=('a/1', 'a/2'), **kwargs):
    """Result of a set with one right and one wrong detection per image."""
    truth = WiderGroundTruth(
        ('a/1', 'a/2'), np.array([[0, 0, 9, 9]] * 2,
                                 float), np.array([0, 1, 2]),
        dict(easy=np.ones(2, bool), hard=np.array([True, False])), 2)
    found = {
        key: np.array([[0, 0, 9, 9, .8 * flip], [50, 50, 9, 9, .3]])
        for key in images
    }
    return evaluate_wider(found, truth.subset(images), **kwargs)


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are saved."""
    figures, save = [], Figure.savefig
    monkeypatch.setattr(
        Figure, 'savefig', lambda self, *args, **kwargs:
        (figures.append(self), save(self, *args, **kwargs)))
    return figures


@pytest.mark.parametrize('ap, text', [(.9629, '0.962'), (.9999, '0.999'),
                                      (1., '1.000'), (.907, '0.907'),
                                      (.29, '0.290'), (0., '0.000'),
                                      (float('nan'), 'no faces')])
def test_legend_cuts_ap_as_the_official_plots_do(ap, text):
    assert truncate_ap(ap) == text


def test_panels_lines_and_titles(tmp_path, drawn):
    good, bad = score(), score(flip=.1)
    plot_pr_curves({'good': good, 'bad': bad}, tmp_path / 'pr.png')
    figure, = drawn
    assert [a.get_title()
            for a in figure.axes] == ['Easy (2 faces)', 'Hard (1 faces)']
    labels = [t.get_text() for t in figure.axes[0].get_legend().texts]
    assert labels == ['good: 1.000', 'bad: 0.500']
    line = figure.axes[0].lines[0]
    np.testing.assert_array_equal(line.get_xdata()[[0, -1]], [1, 1])
    assert line.get_ydata()[-1] == .5
    assert 'all 2 images\ntrue IoU ≥ 0.5' in figure.get_suptitle()
    with Image.open(tmp_path / 'pr.png') as image:
        assert min(image.size) > 300


def test_names_are_no_formulas_and_stand_in_the_legend(tmp_path, drawn):
    result = score()
    plot_pr_curves({'a$x_{$b': result, '_a': result}, tmp_path / 'pr.png')
    labels = [t.get_text() for t in drawn[0].axes[0].get_legend().texts]
    assert labels == [r'a\$x_{\$b: 1.000', '\u200b_a: 1.000']


def test_subset_and_arithmetic_stand_in_the_title(tmp_path, drawn):
    plot_pr_curves({'a': score(images=['a/1'], matlab_int32=True)},
                   tmp_path / 'pr.png')
    assert 'subset: 1 of 2 images\nMATLAB int32' in drawn[0].get_suptitle()


def test_results_that_cannot_stand_together(tmp_path):
    with pytest.raises(ValueError, match='another protocol'):
        plot_pr_curves({
            'a': score(),
            'b': score(images=['a/1'])
        }, tmp_path / 'pr.png')
    with pytest.raises(ValueError, match='not evaluated at IoU 0.7'):
        plot_pr_curves({'a': score()}, tmp_path / 'pr.png', iou_thr=.7)
    with pytest.raises(ValueError, match='no results'):
        plot_pr_curves({}, tmp_path / 'pr.png')
    assert not (tmp_path / 'pr.png').exists()
