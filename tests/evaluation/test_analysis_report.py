import json
import math

import numpy as np
import pytest
from analysis_sets import make_truth, small_set

from tinyfaces.evaluation.analysis import (DOCUMENTATION, AnalysisOptions,
                                           NotProbabilities, analyze, finite)
from tinyfaces.evaluation.functional import evaluate_wider


def test_every_part_is_there_documented_and_json():
    truth, found = small_set()
    results, warnings = analyze(
        found, truth,
        AnalysisOptions(5, score_thrs=[.5], has_picture='a/2'.__eq__))
    assert list(results) == ['all', 'some'] and warnings == []
    for part in results.values():
        assert set(part) <= set(DOCUMENTATION)
    json.dumps(finite(results), allow_nan=False)
    part = results['some']
    assert part['counts'] == dict(
        num_detections=6,
        ignored=1,
        true=2,
        background=1,
        localisation=1,
        duplicate=1)
    assert part['top_false_positives']['drawn'] == []
    assert part['top_false_positives']['without_picture'] == 3


def test_localisation_is_the_evaluator_s():
    truth, found = small_set()
    results, _ = analyze(found, truth, AnalysisOptions(5))
    ious = np.arange(50, 100, 5) / 100
    expected = evaluate_wider(
        found, truth, iou_thrs=ious, fp_recalls=(.1, .3, .5, .8, .9, .95))
    for setting, part in results.items():
        part = part['localisation']
        assert part['iou'] == ious.tolist()
        assert part['ap'] == [expected.ap(setting, iou) for iou in ious]
        assert part['mean_ap'] == expected.mean_ap(setting)
        counts = expected.curves[setting, .5].fp_at_recall
        assert part['recall_levels'] == list(counts)
        assert part['false_positives'] == list(counts.values())
        assert list(part['curves']) == ['0.5', '0.6', '0.7', '0.8']
        curve = part['curves']['0.5']
        assert curve['recall'][-1] == pytest.approx(
            expected.curves[setting, .5].recall[-1], abs=1e-6)
        assert np.isfinite(curve['precision']).all()


def test_missing_and_unknown_images_are_reported():
    truth = make_truth({'a/1': [[0, 0, 9, 9]], 'a/2': [[0, 0, 9, 9]]})
    found = {
        'a/1': np.array([[0, 0, 9, 9, .5], [0, 0, 9, 9, .4]]),
        'b/1': np.zeros((0, 5)),
    }
    _, warnings = analyze(found, truth, AnalysisOptions(5))
    assert any('1 of 2 images have no predictions' in w for w in warnings)
    assert any('1 image(s) with predictions' in w for w in warnings)


def test_logits_need_to_be_named():
    truth = make_truth({'a/1': [[0, 0, 9, 9]]})
    found = {'a/1': np.array([[0, 0, 9, 9, 5.], [50, 0, 9, 9, -3.]])}
    with pytest.raises(NotProbabilities):
        analyze(found, truth, AnalysisOptions(5))
    results, _ = analyze(found, truth, AnalysisOptions(5, is_logit=True))
    assert results['all']['score_by_scale']['positives']['sample'] == [[9, 5]]


def test_finite_replaces_nan_everywhere():
    content = dict(
        a=[1, math.nan, (math.inf, 'x')], b=dict(c=-math.inf, d=None))
    assert finite(content) == dict(
        a=[1, None, [None, 'x']], b=dict(c=None, d=None))
