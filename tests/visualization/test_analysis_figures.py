import io
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from tinyfaces.evaluation.analysis import AnalysisOptions, analyze, finite
from tinyfaces.visualization.analysis import (draw_pictures, is_picture_name,
                                              pictures)
from tinyfaces.visualization.analysis.characteristic_plots import (
    plot_normalized_ap, plot_sensitivity)
from tinyfaces.visualization.analysis.false_positive_plots import (
    plot_error_modes, plot_false_positives_by_height)
from tinyfaces.visualization.analysis.localisation_plots import \
    plot_localisation
from tinyfaces.visualization.analysis.montage import plot_top_false_positives
from tinyfaces.visualization.analysis.pictures import PLOTS, top_note
from tinyfaces.visualization.analysis.score_plots import plot_score_by_scale
from tinyfaces.visualization.analysis.size_plots import (plot_recall_by_height,
                                                         plot_target_sizes)
from tinyfaces.visualization.analysis.style import class_names, render

sys.path.insert(0, str(Path(__file__).parents[1] / 'evaluation'))
from analysis_sets import make_truth, small_set  # noqa: E402

ABOUT = 'setting some, 3 faces; all 2 images'


@pytest.fixture(scope='module')
def detectors():
    """Analyses of one setting, of the small set and of an empty one."""
    truth, found = small_set()
    blur = dict(blur=np.array([0, 1, 1, 0]))
    return {
        name:
        finite(
            analyze(predictions, truth, AnalysisOptions(6, blur))[0]['some'])
        for name, predictions in (('one', found), ('two', {}))
    }


def panels(figure):
    return [axis for axis in figure.axes if axis.get_title()]


def test_error_modes(detectors):
    figure = plot_error_modes(detectors, ABOUT)
    assert figure.get_suptitle().endswith(ABOUT)
    assert [axis.get_title() for axis in figure.axes
            ] == ['one: 3 false positives', 'two: 0 false positives']
    texts = [t.get_text() for t in figure.axes[0].get_legend().texts]
    assert texts == ['background', 'duplicate', 'localisation error']
    # The stacked shares end at 100 % everywhere.
    top = figure.axes[0].collections[-1].get_paths()[0].vertices
    assert top[:, 1].max() == pytest.approx(100)
    assert '%' in figure.axes[0].get_ylabel()


def test_false_positives_by_height(detectors):
    figure = plot_false_positives_by_height(detectors, ABOUT)
    axis = figure.axes[0]
    assert axis.get_title() == 'one: the 3 highest-scoring'
    heights = [bar.get_height() for bar in axis.patches]
    # Three detections of 9 pixels, one of each kind; ten classes.
    assert sum(heights) == 3 and [heights[0], heights[10], heights[20]
                                  ] == [1, 1, 1]


def test_localisation(detectors):
    figure = plot_localisation(detectors, ABOUT)
    first, second, _ = figure.axes
    values = first.lines[0].get_ydata()
    assert values.tolist() == detectors['one']['localisation']['ap']
    labels = [t.get_text() for t in second.get_legend().texts]
    assert [text[:9] for text in labels
            ] == ['IoU ≥ 0.5', 'IoU ≥ 0.6', 'IoU ≥ 0.7', 'IoU ≥ 0.8']
    assert second.get_xlabel() == 'recall'


def test_sizes(detectors):
    figure = plot_target_sizes(detectors, ABOUT)
    axis, count = figure.axes
    drawn = axis.lines[0].get_ydata()
    expected = detectors['one']['target_sizes']['ap']
    np.testing.assert_array_equal(drawn, np.array(expected, float))
    assert [bar.get_height() for bar in count.patches
            ] == detectors['one']['target_sizes']['num_faces']
    figure = plot_recall_by_height(detectors, ABOUT)
    text = figure.axes[0].get_legend().texts[-1].get_text()
    assert text == 'all detections (66.7 %)'
    assert figure.axes[0].get_xticklabels()[0].get_text() == '<10\n3'


def test_scores(detectors):
    figure = plot_score_by_scale(detectors, ABOUT)
    first, second, _ = figure.axes
    assert 'chance' in first.get_ylabel()
    texts = [t.get_text() for t in second.get_legend().texts]
    assert 'true positives: 2 of 2' in texts
    assert 'false positives: 3 of 3' in texts


def test_no_class_is_below_the_panel_of_the_separation(detectors):
    values = [None, .7, .2, .9]
    low = dict(detectors['one'])
    low['score_by_scale'] = dict(
        low['score_by_scale'], separation=values + [None] * 8)
    figure = plot_score_by_scale(dict(two=detectors['two'], low=low), ABOUT)
    assert figure.axes[0].get_ylim()[0] == pytest.approx(.18)
    figure = plot_score_by_scale({'two': detectors['two']}, ABOUT)
    assert figure.axes[0].get_ylim()[0] == .45


@pytest.mark.parametrize('plot', PLOTS.values(), ids=PLOTS)
def test_names_are_no_formulas_and_stand_in_the_legend(detectors, plot):
    one = detectors['one']
    figure = plot({'a$x_{$b': one, '_a': one}, ABOUT)
    assert render(figure)
    shown = [
        text.get_text() for text in figure.findobj(Text)
        if text.get_text().startswith(('a', '\u200b'))
    ]
    assert any(text.startswith(r'a\$x_{\$b') for text in shown)
    assert any(text.startswith('\u200b_a') for text in shown)


def test_normalized_ap(detectors):
    figure = plot_normalized_ap(detectors, ABOUT)
    assert 'N = 6 ' in figure.get_suptitle()
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == [
        'area (pixels²)', 'height (pixels)', 'aspect ratio, width / height',
        'blur'
    ]
    labels = [t.get_text() for t in figure.axes[3].get_xticklabels()]
    assert labels == ['clear\n1', 'normal\n2', 'heavy\n0']
    heights = [bar.get_height() for bar in figure.axes[3].patches[:2]]
    assert heights == pytest.approx([1, 3 / 8])
    figure = plot_sensitivity(detectors, ABOUT)
    axis, = figure.axes
    assert [t.get_text() for t in axis.get_xticklabels()
            ] == ['area', 'height', 'aspect', 'blur']
    ends = [
        line.get_ydata() for line in axis.lines
        if len(np.unique(line.get_xdata())) == 1
    ]
    assert [3 / 8, 1] in [pytest.approx(end) for end in ends]


def test_single_detector_writes_values_on_the_bars(detectors):
    figure = plot_normalized_ap({'one': detectors['one']}, ABOUT)
    assert '1.000' in [t.get_text() for t in figure.axes[3].texts]


def test_class_names():
    assert class_names([0, 8, 12]) == ['<8', '8–12', '≥12']


@pytest.fixture
def photo(tmp_path):
    """A grey picture with a white square of 10 x 10 pixels at 50, 50."""
    pixels = np.full((120, 160, 3), 90, np.uint8)
    pixels[50:60, 50:60] = 255
    Image.fromarray(pixels).save(tmp_path / 'a.png')
    return tmp_path / 'a.png'


ROW = dict(
    rank=1,
    image='a/1',
    box=[50, 50, 10, 10],
    score=.8,
    kind='background',
    overlap=0.,
    percent_below=50.,
    face=[100, 0, 9, 9],
    face_counts=True)


def test_montage(photo):
    rows = [ROW, dict(ROW, rank=7, box=[150, 110, 9, 9])]
    figure = plot_top_false_positives(rows, {'a/1': str(photo)},
                                      {'a/1': np.array([[100., 0, 9, 9]])},
                                      'title')
    first, second = figure.axes
    assert first.get_title().startswith('1. background, ov 0.000\n1−r 50.00 %')
    assert '10x10 pixels' in first.get_xlabel()
    tile = first.images[0].get_array()
    # A crop of 96 pixels in 240: the white square lies in its middle.
    assert tile.shape == (240, 240, 3)
    assert tile[120, 120].min() > 240 and abs(int(tile[90, 90, 0]) - 90) < 5
    found = first.patches[-1]
    assert found.get_xy() == pytest.approx((107.5, 107.5), abs=1.5)
    assert found.get_width() == pytest.approx(25)
    # Beyond the picture the crop is black.
    assert second.images[0].get_array()[-1, -1].max() == 0
    with Image.open(io.BytesIO(render(figure, 'jpg'))) as image:
        assert image.format == 'JPEG'


def test_crop_of_a_large_box_ends_near_the_picture(photo):
    rows = [
        dict(ROW, box=[55 - 5e5, 55 - 5e5, 1e6, 1e6]),
        dict(ROW, box=[1e30, 0, 1e30, 9])
    ]
    figure = plot_top_false_positives(rows, {'a/1': str(photo)},
                                      {'a/1': np.zeros((0, 4))}, 'title')
    first, second = (axis.images[0].get_array() for axis in figure.axes)
    # 320 pixels in 240, from (-105, -105) on: the picture's corner is at 79.
    assert first[76, 76].max() == 0
    assert abs(int(first[82, 82, 0]) - 90) < 5
    assert first[120, 120].min() > 200
    assert second.max() == 0
    assert render(figure, 'jpg')


def test_keys_and_titles_are_no_formulas(photo):
    row = dict(ROW, image='a/$x_{$')
    faces = {row['image']: np.zeros((0, 4))}
    figure = plot_top_false_positives([row], {row['image']: str(photo)}, faces,
                                      '$x_{$: the first')
    assert render(figure, 'jpg')
    assert figure.axes[0].get_xlabel().startswith(r'\$x_{\$')
    assert figure.get_suptitle() == r'\$x_{\$: the first'


def test_broken_picture_is_found_before_anything_is_drawn(
        tmp_path, monkeypatch):
    (tmp_path / 'a.jpg').write_bytes(b'no picture')
    drawn = []
    monkeypatch.setattr(pictures, 'PLOTS', dict(localisation=drawn.append))
    content = dict(
        images='', settings=dict(some=dict(num_faces=3, detectors={})))
    with pytest.raises(ValueError, match='a.jpg: not a readable picture'):
        draw_pictures(content, {'a/1': tmp_path / 'a.jpg'}, {})
    assert not drawn


def test_broken_picture(tmp_path):
    (tmp_path / 'a.jpg').write_bytes(b'no picture')
    with pytest.raises(ValueError, match='a.jpg: not a readable picture'):
        plot_top_false_positives([ROW], {'a/1': str(tmp_path / 'a.jpg')},
                                 {'a/1': np.zeros((0, 4))}, 'title')


@pytest.mark.parametrize(
    'drawn, missing, text',
    [(3, 0, 'the 3 highest-scoring false positives'),
     (3, 2, r'at hand (2 of the top 4 of all images have no picture here)'),
     (0, 4, 'none drawn')])
def test_top_note(drawn, missing, text):
    part = dict(drawn=[{}] * drawn, ranked=[{}] * 4, without_picture=missing)
    assert text in top_note(part)


def test_draw_pictures_draws_every_topic(detectors, photo):
    truth = make_truth({'a/1': [[100, 0, 9, 9]]})
    analyses = dict(
        detectors['one'],
        top_false_positives=dict(drawn=[ROW], ranked=[ROW], without_picture=0))
    content = dict(
        images='all 2 images',
        settings=dict(hard=dict(num_faces=3, detectors=dict(one=analyses))))
    found = draw_pictures(content, {'a/1': str(photo)}, {'a/1': truth.boxes})
    assert [p.topic for p in found] == [*PLOTS, 'top_false_positives']
    assert len({p.file_name for p in found}) == len(found)
    for picture in found:
        assert is_picture_name(picture.file_name)
        with Image.open(io.BytesIO(picture.data)) as image:
            assert min(image.size) > 300
            assert image.format == ('JPEG' if picture.file_name.endswith('jpg')
                                    else 'PNG')
