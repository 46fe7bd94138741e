import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from tinyfaces.evaluation.functional import (VOCFaceDetections,
                                             VOCFaceGroundTruth, evaluate_mafa,
                                             evaluate_voc_face)
from tinyfaces.visualization import plot_voc_face_curves


def truth(*subsets):
    return VOCFaceGroundTruth.from_images(
        ['a', 'b'], [np.array([[0., 0, 99, 99]])] * 2,
        {name: [np.ones(1, bool)] * 2
         for name in subsets})


FOUND = VOCFaceDetections.from_dict({
    'a': [[0, 0, 99, 99, .9]],
    'b': [[300, 0, 399, 99, .8]]
})


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are saved."""
    figures, save = [], Figure.savefig
    monkeypatch.setattr(
        Figure, 'savefig', lambda self, *args, **kwargs:
        (figures.append(self), save(self, *args, **kwargs)))
    return figures


def test_one_panel_per_subset(tmp_path, drawn):
    result = evaluate_mafa(FOUND, truth('whole', 'masked', 'unignored'))
    plot_voc_face_curves({'mine': result, 'x': result}, tmp_path / 'pr.png')
    figure, = drawn
    assert [axis.get_title() for axis in figure.axes] == [
        'Whole (2 faces)', 'Masked (2 faces)', 'Unignored (2 faces)'
    ]
    labels = [t.get_text() for t in figure.axes[0].get_legend().texts]
    assert labels == ['mine: 50.00 %', 'x: 50.00 %']
    line = figure.axes[0].lines[0]
    np.testing.assert_array_equal(line.get_xdata(), [.5, .5])
    np.testing.assert_array_equal(line.get_ydata(), [1, .5])
    assert 'rules partly inferred' in figure.get_suptitle()
    with Image.open(tmp_path / 'pr.png') as image:
        assert min(image.size) > 300


def test_names_are_no_formulas_and_stand_in_the_legend(tmp_path, drawn):
    result = evaluate_voc_face(FOUND, truth('all'))
    plot_voc_face_curves({
        'a$x_{$b': result,
        '_a': result
    }, tmp_path / 'pr.png')
    labels = [t.get_text() for t in drawn[0].axes[0].get_legend().texts]
    assert labels == [r'a\$x_{\$b: 50.00 %', '\u200b_a: 50.00 %']


def test_no_faces(tmp_path, drawn):
    gt = VOCFaceGroundTruth.from_images(['a', 'b'], [np.zeros((0, 4))] * 2,
                                        dict(all=[np.zeros(0, bool)] * 2))
    plot_voc_face_curves({'x': evaluate_voc_face(FOUND, gt)},
                         tmp_path / 'pr.png')
    text, = drawn[0].axes[0].get_legend().texts
    assert text.get_text() == 'x: no faces'


def test_results_that_cannot_stand_together(tmp_path):
    gt = truth('all')
    with pytest.raises(ValueError, match='another protocol'):
        plot_voc_face_curves(
            {
                'a': evaluate_voc_face(FOUND, gt),
                'b': evaluate_voc_face(FOUND, gt, passes=1)
            }, tmp_path / 'pr.png')
    with pytest.raises(ValueError, match='no results'):
        plot_voc_face_curves({}, tmp_path / 'pr.png')
    assert not (tmp_path / 'pr.png').exists()
