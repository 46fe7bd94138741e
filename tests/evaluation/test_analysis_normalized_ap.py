import math

import numpy as np
import pytest
from analysis_sets import make_truth, small_set
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyfaces.evaluation.analysis import label_detections, match_detections
from tinyfaces.evaluation.analysis.characteristics import (characteristics,
                                                           percentile_classes,
                                                           size_groups)
from tinyfaces.evaluation.analysis.normalized_ap import Ranking
from tinyfaces.evaluation.functional import average_precision

ROWS = st.lists(
    st.tuples(
        st.sampled_from(['found', 'second', 'false']), st.integers(0, 4)),
    min_size=1,
    max_size=12)


def ranking_of(truth, found, setting='all'):
    matched = match_detections(found, truth)
    labels = label_detections(matched, truth.keep[setting])
    return Ranking(matched, labels), matched, labels


def test_by_hand():
    # Ranks: true, false, true, false, false; the fourth is ignored.
    truth, found = small_set()
    ranking, *_ = ranking_of(truth, found, 'some')
    keep = truth.keep['some']
    constant = 6
    # Recall 1/3 with 0 false positives, 2/3 with 1; one of three is missed.
    envelope = [1, (2 / 3 * 6) / (2 / 3 * 6 + 1), 0]
    result = ranking.ap(keep, constant)
    assert result.value == pytest.approx(np.mean(envelope))
    assert result.stderr == pytest.approx(
        np.std(envelope, ddof=1) / math.sqrt(3))
    assert result.num_faces == 3


def test_other_groups_are_ignored_and_false_positives_are_shared():
    truth, found = small_set()
    ranking, *_ = ranking_of(truth, found, 'some')
    second = np.array([False, False, True, False])
    # Found after one false positive; the first true positive is ignored.
    assert ranking.ap(second, 1).value == pytest.approx(1 / 2)
    assert ranking.ap(second, 10).value == pytest.approx(10 / 11)
    missed = np.array([False, True, False, False])
    result = ranking.ap(missed, 1)
    assert result.value == 0 and math.isnan(result.stderr)
    nobody = ranking.ap(np.zeros(4, bool), 1)
    assert math.isnan(nobody.value) and nobody.num_faces == 0


def test_n_must_be_positive():
    truth, found = small_set()
    with pytest.raises(ValueError, match='N must be above 0'):
        ranking_of(truth, found)[0].ap(truth.keep['all'], 0)


@settings(max_examples=150, deadline=None)
@given(ROWS, st.floats(.5, 50))
def test_equal_to_a_plain_curve_with_ties(rows, constant):
    faces = [[100 * at, 0, 9, 9] for at in range(12)]
    found = []
    for at, (kind, score) in enumerate(rows):
        x, y = (100 * at, 0) if kind != 'false' else (0, 900)
        found.append([x, y, 9, 9, score / 4])
    group = np.zeros(12, bool)
    group[[at for at, (kind, _) in enumerate(rows) if kind == 'found']] = True
    group[11] = True
    truth = make_truth({'a/1': faces})
    ranking, *_ = ranking_of(truth, {'a/1': np.array(found)})
    # One point of the curve per distinct score.
    recall, plain, normal = [], [], []
    count = group.sum()
    for cut in sorted({score for _, score in rows}, reverse=True):
        right = sum(group[at] for at, (kind, score) in enumerate(rows)
                    if score >= cut and kind != 'false')
        false = sum(kind == 'false' for kind, score in rows if score >= cut)
        recall.append(right / count)
        with np.errstate(invalid='ignore'):
            plain.append(np.divide(right, right + false))
            scaled = right / count * constant
            normal.append(np.divide(scaled, scaled + false))
    recall = np.array(recall)
    assert ranking.ap(group, constant).value == pytest.approx(
        average_precision(recall, np.array(normal)))
    # With N = number of faces it is AP.
    assert ranking.ap(group, count).value == pytest.approx(
        average_precision(recall, np.array(plain)))


def test_percentile_classes_are_10_20_40_20_10():
    values = np.arange(20.)
    valid = np.ones(20, bool)
    classes, limits = percentile_classes(values, valid)
    assert np.bincount(classes).tolist() == [2, 4, 8, 4, 2]
    assert limits == (1, 5, 13, 17)
    # Equal values share a class; faces that do not count have none.
    classes, _ = percentile_classes(np.zeros(20), valid)
    assert set(classes) == {0}
    classes, limits = percentile_classes(values, values < 0)
    assert set(classes) == {-1} and limits == ()


def test_size_groups_leave_out_boxes_without_area():
    boxes = np.array(
        [[0, 0, 5, 10], [0, 0, 0, 10], [0, 0, 5, -1], [0, 0, 9, 9]], float)
    groups = size_groups(boxes, np.array([True, True, True, False]))
    for group in groups.values():
        assert group['classes'].tolist()[1:] == [-1, -1, -1]
    assert groups['aspect']['limits'][0] == .5
    assert groups['area']['limits'][0] == 50


def test_characteristics_of_attributes():
    truth, found = small_set()
    _, matched, labels = ranking_of(truth, found, 'some')
    attributes = dict(
        blur=np.array([0, 1, 1, 0]), pose=np.array([-1, 0, 0, 0]))
    part = characteristics(matched, labels, truth.boxes, truth.keep['some'], 6,
                           attributes)
    assert list(part['groups']) == ['area', 'height', 'aspect', 'blur', 'pose']
    blur = part['groups']['blur']
    clear, normal, heavy = blur['values']
    assert (clear['name'], clear['num_faces'], clear['ap_n']) == ('clear', 1,
                                                                  1)
    # Half of two faces, after one false positive.
    assert normal['ap_n'] == pytest.approx((3 / 4) / 2)
    assert normal['ap'] == pytest.approx((1 / 2) / 2)
    assert heavy['num_faces'] == 0 and math.isnan(heavy['ap_n'])
    assert blur['sensitivity'] == pytest.approx(1 - 3 / 8)
    assert blur['impact'] == pytest.approx(1 - part['overall'])
    assert 'limits' not in blur and len(part['groups']['area']['limits']) == 4
    assert part['n'] == 6
    # The face with an unknown pose is in no value of it.
    assert [v['num_faces'] for v in part['groups']['pose']['values']] == [2, 0]
