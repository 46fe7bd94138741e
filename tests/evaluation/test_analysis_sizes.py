import math

import numpy as np
import pytest
from analysis_sets import make_truth, small_set
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyfaces.evaluation.analysis import (TARGET_SIZES, label_detections,
                                           match_detections)
from tinyfaces.evaluation.analysis.by_height import (by_height,
                                                     format_recall_by_height,
                                                     score_at_false_positives)
from tinyfaces.evaluation.analysis.target_sizes import (shape_iou,
                                                        target_size_ap)
from tinyfaces.evaluation.functional import evaluate_wider

SIDE = st.floats(1, 100)


def test_default_target_sizes_hold_those_of_the_paper():
    assert (25, 20) in TARGET_SIZES and (250, 200) in TARGET_SIZES
    assert list(TARGET_SIZES) == sorted(TARGET_SIZES)


@pytest.mark.parametrize('box, iou', [((7, 7, 20, 25), 1),
                                      ((0, 0, 20, 50), .5),
                                      ((0, 0, 40, 50), .25),
                                      ((0, 0, 40, 12.5), 250 / 750),
                                      ((0, 0, 0, 25), 0), ((0, 0, -3, 25), 0)])
def test_shape_iou_by_hand(box, iou):
    assert shape_iou(np.array([box], float), 25, 20) == pytest.approx(iou)


@settings(max_examples=100, deadline=None)
@given(SIDE, SIDE, SIDE, SIDE)
def test_shape_iou_is_that_of_boxes_on_a_common_centre(w, h, width, height):

    def length(one, other):
        return min(one / 2, other / 2) - max(-one / 2, -other / 2)

    inter = length(w, width) * length(h, height)
    expected = inter / (w * h + width * height - inter)
    value, = shape_iou(np.array([[3, 4, w, h]]), height, width)
    assert value == pytest.approx(expected)


def test_all_faces_at_the_target_size_give_plain_ap():
    truth, found = small_set()
    part = target_size_ap(found, truth, 'all', [(9, 9), (12, 9)])
    plain = evaluate_wider(found, truth, ['all']).ap('all')
    assert 0 < plain < 1
    assert part['ap'] == [plain, plain]
    assert part['num_faces'] == [4, 4]


def test_faces_of_other_sizes_are_ignored():
    truth = make_truth({'a/1': [[0, 0, 10, 10], [100, 0, 100, 100]]})
    found = {
        'a/1':
        np.array([[100, 0, 100, 100, .9], [300, 300, 50, 50, .7],
                  [0, 0, 10, 10, .5], [900, 0, 9, 9, .1]])
    }
    part = target_size_ap(found, truth, 'all', [(10, 10), (99, 99), (40, 40)])
    # Small: ignored, false, true -> precision 1 / 2. Large: true first.
    assert part['ap'][:2] == [.5, 1]
    assert part['num_faces'] == [1, 1, 0] and math.isnan(part['ap'][2])
    assert (part['height'], part['width']) == ([10, 99, 40], [10, 99, 40])


@pytest.mark.parametrize('sizes', [[], [(10, 0)]])
def test_bad_target_sizes(sizes):
    truth, found = small_set()
    with pytest.raises(ValueError, match='above 0'):
        target_size_ap(found, truth, 'all', sizes)


def heights_set():
    """Three faces of 5, 40 and 400 pixels; false positives of 12 and 60."""
    truth = make_truth(
        {'a/1': [[0, 0, 5, 5], [100, 0, 40, 40], [300, 0, 400, 400]]})
    found = {
        'a/1':
        np.array([[300, 0, 400, 400, .9], [900, 0, 12, 12, .8],
                  [100, 0, 40, 40, .7], [900, 90, 60, 60, .6],
                  [900, 190, 60, 60, .6]])
    }
    matched = match_detections(found, truth)
    return matched, label_detections(matched, truth.keep['all']), truth


def test_score_at_false_positives_takes_ties_together():
    matched, labels, _ = heights_set()
    scores = [score_at_false_positives(matched, labels, n) for n in range(4)]
    assert scores == [.9, .7, .7, .6]
    truth = make_truth({'a/1': [[0, 0, 9, 9]]})
    matched = match_detections({'a/1': np.array([[50, 0, 9, 9, .5]])}, truth)
    labels = label_detections(matched, truth.keep['all'])
    assert score_at_false_positives(matched, labels, 0) == math.inf


def test_recall_and_false_positives_by_height(monkeypatch):
    monkeypatch.setattr('tinyfaces.evaluation.analysis.by_height.FP_COUNTS',
                        (0, 2, 3, 50))
    matched, labels, truth = heights_set()
    part = by_height(matched, labels, truth.boxes, truth.keep['all'], [.75])
    assert part['height_edges'] == [0, 10, 15, 20, 30, 50, 80, 120, 200, 300]
    assert part['num_faces'] == [1, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    points = {point['name']: point for point in part['points']}
    # Of three false positives all are the end; 50 are not reached.
    assert list(points) == [
        '0 false positives', '2 false positives', 'score >= 0.75',
        'all detections'
    ]
    recalls = {
        name: [point['recall'][at] for at in (0, 4, 9)]
        for name, point in points.items()
    }
    assert recalls['0 false positives'] == [0, 0, 1]
    assert recalls['2 false positives'] == [0, 1, 1]
    assert recalls['score >= 0.75'] == [0, 0, 1]
    end = points['all detections']
    assert end['score'] is None and end['total_recall'] == pytest.approx(2 / 3)
    assert math.isnan(end['recall'][1])
    assert end['false_positives']['background'] == [
        0, 1, 0, 0, 0, 2, 0, 0, 0, 0
    ]
    assert points['2 false positives']['total_false_positives'] == 1
    assert sum(
        points['2 false positives']['false_positives']['background']) == 1


def test_recall_by_height_as_text():
    truth = make_truth({'a/1': [[0, 0, 5, 5], [100, 0, 40, 400]]},
                       all=[True] * 2,
                       easy=[False, True])
    found = {'a/1': np.array([[0, 0, 5, 5, .2], [100, 0, 40, 399, .9]])}
    lines = format_recall_by_height(found, truth, ['easy', 'all'],
                                    [.5]).splitlines()
    assert lines[0] == 'recall at IoU 0.5 by height of the face in pixels'
    assert lines[1].split() == [
        'easy', '0-10', '10-15', '15-20', '20-30', '30-50', '50-80', '80-120',
        '120-200', '200-300', '>=300', 'all'
    ]
    rows = [line.rsplit(maxsplit=11) for line in lines[2:]]
    assert rows == [
        ['faces', *'0' * 9, '1', '1'],
        ['score >= 0.5', *'-' * 9, '1.0000', '1.0000'],
        ['all detections', *'-' * 9, '1.0000', '1.0000'],
        ['all', *lines[1].split()[1:]],
        ['faces', '1', *'0' * 8, '1', '2'],
        ['score >= 0.5', '0.0000', *'-' * 8, '1.0000', '0.5000'],
        ['all detections', '1.0000', *'-' * 8, '1.0000', '1.0000'],
    ]
    assert len({len(line) for line in lines[1:]}) == 1


def test_annotated_heights_below_zero_are_in_the_first_class():
    truth = make_truth({'a/1': [[0, 0, 9, -2]]})
    matched = match_detections({}, truth)
    labels = label_detections(matched, truth.keep['all'])
    part = by_height(matched, labels, truth.boxes, truth.keep['all'])
    assert part['num_faces'][0] == 1
    assert part['points'][0]['recall'][0] == 0
