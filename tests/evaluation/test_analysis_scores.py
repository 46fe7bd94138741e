import math

import numpy as np
import pytest
from analysis_sets import make_truth
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyfaces.evaluation.analysis import (NotProbabilities, label_detections,
                                           match_detections)
from tinyfaces.evaluation.analysis.score_by_scale import (CLIP, score_by_scale,
                                                          separation,
                                                          to_logits)

SCORES = st.lists(st.integers(0, 5), max_size=8)


def test_logits_by_hand_and_clipping():
    logits, clipped = to_logits(np.array([.5, .75, 0, 1, 1 - 2.**-24]))
    assert clipped == 2
    limit = math.log((1 - CLIP) / CLIP)
    assert logits.tolist() == pytest.approx(
        [0, math.log(3), -limit, limit, limit])
    assert limit == pytest.approx(16.6355, abs=1e-4)


@pytest.mark.parametrize('scores', [[-.1, .5], [.5, 1.1]])
def test_scores_that_are_no_probabilities(scores):
    with pytest.raises(NotProbabilities, match='no probabilities'):
        to_logits(np.array(scores))


@settings(max_examples=100, deadline=None)
@given(SCORES, SCORES)
def test_separation_counts_pairs(positives, negatives):
    value = separation(np.array(positives), np.array(negatives))
    if not positives or not negatives:
        assert math.isnan(value)
        return
    pairs = [(p > n) + (p == n) / 2 for p in positives for n in negatives]
    assert value == pytest.approx(np.mean(pairs))


def labelled():
    """A true positive of 10 x 10 pixels; false ones of 10 x 10 and 64 x 4."""
    truth = make_truth({'a/1': [[0, 0, 10, 10], [500, 0, 10, 10]]},
                       all=[True, False])
    found = {
        'a/1':
        np.array([[0, 0, 10, 10, .75], [300, 0, 10, 10, .5],
                  [300, 90, 64, 4, .25], [500, 0, 10, 10, .9]])
    }
    matched = match_detections(found, truth)
    return matched, label_detections(matched, truth.keep['all'])


def test_classes_of_scale_by_hand():
    part = score_by_scale(*labelled())
    eight, sixteen = (part['scale_edges'].index(edge) for edge in (8, 16))
    for group, at, logit in (('positives', eight, math.log(3)),
                             ('negatives', eight, 0), ('negatives', sixteen,
                                                       -math.log(3))):
        assert part[group]['count'][at] == 1
        assert part[group]['score_quantiles'][at] == pytest.approx([logit] * 5)
    # The ignored detection is in neither.
    assert sum(part['positives']['count']) == 1
    assert sum(part['negatives']['count']) == 2
    assert part['positives']['score_quantiles'][0] is None
    assert part['separation'][eight] == 1
    assert math.isnan(part['separation'][sixteen])
    assert part['positives']['sample'] == [[10, 1.099]]
    assert part['clipped'] == 0


def test_scores_that_are_logits_stay():
    matched, labels = labelled()
    part = score_by_scale(matched, labels, is_logit=True)
    assert part['positives']['sample'] == [[10, .75]]


def test_sample_is_limited_and_repeatable():
    rng = np.random.default_rng(0)
    truth = make_truth({'a/1': [[0, 0, 10, 10]]})
    rows = np.c_[500 + rng.uniform(0, 99, (5000, 2)),
                 rng.uniform(5, 99, (5000, 2)),
                 rng.uniform(0, 1, 5000)]
    matched = match_detections({'a/1': rows}, truth)
    labels = label_detections(matched, truth.keep['all'])
    one, two = (score_by_scale(matched, labels) for _ in range(2))
    assert len(one['negatives']['sample']) == 3000
    assert one['negatives'] == two['negatives']
    assert sum(one['negatives']['count']) == 5000
