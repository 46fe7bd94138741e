import numpy as np
import pytest
from analysis_sets import make_truth, small_set

from tinyfaces.evaluation.analysis import label_detections, match_detections
from tinyfaces.evaluation.analysis.error_modes import error_modes
from tinyfaces.evaluation.analysis.top_false_positives import \
    top_false_positives


def labelled(truth, found, setting):
    matched = match_detections(found, truth)
    return matched, label_detections(matched, truth.keep[setting])


def test_error_modes_by_hand():
    # By score: .8 background, .6 duplicate, .5 localisation.
    modes = error_modes(*labelled(*small_set(), 'some'))
    assert modes['total'] == 3 and modes['top'] == [1, 2, 3]
    assert modes['counts'] == {
        'background': [1, 1, 1],
        'duplicate': [0, 1, 1],
        'localisation': [0, 0, 1],
    }
    assert modes['table_top'] == []


def test_error_modes_double_from_25_and_add_up():
    rng = np.random.default_rng(0)
    truth = make_truth({'a/1': [[0, 0, 99, 99]]})
    rows = np.c_[rng.uniform(0, 150, (130, 2)),
                 rng.uniform(20, 99, (130, 2)),
                 rng.permutation(130)]
    modes = error_modes(*labelled(truth, {'a/1': rows}, 'all'))
    assert modes['table_top'] == [25, 50, 100]
    assert set(modes['table_top']) < set(modes['top'])
    assert modes['top'][-1] == modes['total']
    assert np.sum(
        list(modes['counts'].values()), axis=0).tolist() == modes['top']


def test_no_false_positive_at_all():
    truth = make_truth({'a/1': [[0, 0, 9, 9]]})
    parts = labelled(truth, {'a/1': np.array([[0, 0, 9, 9, 1.]])}, 'all')
    modes = error_modes(*parts)
    assert (modes['total'], modes['top'], modes['table_top']) == (0, [], [])
    assert top_false_positives(*parts, truth, truth.keep['all']) == []


def test_top_false_positives_by_hand():
    truth, found = small_set()
    parts = labelled(truth, found, 'some')
    rows = top_false_positives(*parts, truth, truth.keep['some'])
    assert [row['kind']
            for row in rows] == ['background', 'duplicate', 'localisation']
    first, second, third = rows
    assert first['rank'] == 1 and first['image'] == 'a/1'
    assert first['box'] == [50, 50, 9, 9] and first['score'] == .8
    # Four of the six scores are lower.
    assert first['percent_below'] == pytest.approx(100 * 4 / 6)
    # The overlap is 0: both faces are as far away, the first one wins.
    assert first['overlap'] == 0 and first['face'] == [0, 0, 9, 9]
    assert second['overlap'] == pytest.approx(.9)
    assert third['face'] == [100, 0, 9, 9] and third['face_counts']
    # 10 x 10 pixels shifted by 5.
    assert third['overlap'] == pytest.approx(50 / 150)


def test_nearest_face_is_by_centre():
    truth = make_truth({'a/1': [[0, 0, 9, 9], [200, 0, 9, 9]]},
                       all=[True, False])
    parts = labelled(truth, {'a/1': np.array([[150, 0, 9, 9, .5]])}, 'all')
    row, = top_false_positives(*parts, truth, truth.keep['all'])
    assert row['face'] == [200, 0, 9, 9] and not row['face_counts']


def test_chosen_images_keep_their_rank():
    truth = make_truth({'a/1': [[0, 0, 9, 9]], 'a/2': [[0, 0, 9, 9]]})
    found = {
        'a/1': np.array([[50, 0, 9, 9, .9], [50, 0, 9, 9, .3]]),
        'a/2': np.array([[50, 0, 9, 9, .8]] * 3),
    }
    parts = labelled(truth, found, 'all')
    rows = top_false_positives(*parts, truth, truth.keep['all'], 2,
                               lambda key: key == 'a/2')
    assert [row['rank'] for row in rows] == [2, 3]
