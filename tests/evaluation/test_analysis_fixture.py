"""Known answers on a published detector's full val detections."""
import numpy as np
import pytest
from analysis_sets import check_curve, scores_of

from tinyfaces.datasets.wider_annotations import parse_wider_annotations
from tinyfaces.evaluation.analysis import (N_PER_IMAGE, AnalysisOptions, Kind,
                                           analyze, label_detections,
                                           match_attributes, match_detections)
from tinyfaces.evaluation.analysis.normalized_ap import Ranking
from tinyfaces.evaluation.functional import (evaluate_wider, load_wider_gt,
                                             read_wider_predictions)

pytestmark = pytest.mark.real_data


@pytest.fixture(scope='module')
def truth(real_data):
    return load_wider_gt(real_data / 'wider_face/ground_truth')


@pytest.fixture(scope='module')
def predictions(real_data):
    return read_wider_predictions(
        real_data / 'predictions/retinaface_mnet025_wider_val.zip')


@pytest.fixture(scope='module')
def results(truth, predictions):
    return analyze(predictions, truth,
                   AnalysisOptions(N_PER_IMAGE * len(truth.keys)))[0]


def test_matching_equals_the_evaluator(truth, predictions):
    matched = match_detections(predictions, truth)
    assert len(matched.scores) == 297333
    result = evaluate_wider(predictions, truth, fp_recalls=(.1, .5))
    for setting, keep in truth.keep.items():
        labels = label_detections(matched, keep)
        curve = result.curves[setting, .5]
        check_curve(matched, labels, curve, scores_of(predictions))
        scores = np.sort(matched.scores[labels.kind == Kind.TRUE])[::-1]
        for recall, count in curve.fp_at_recall.items():
            cut = scores[int(np.ceil(recall * keep.sum() - 1e-9)) - 1]
            false = labels.is_false & (matched.scores >= cut)
            assert false.sum() == count


def test_known_ap(results):
    table = np.array([[
        results[s]['localisation']['ap'][at]
        for s in ('easy', 'medium', 'hard')
    ] for at in (0, 2, 4, 6)])
    np.testing.assert_allclose(
        table[0], [.9069584244, .8815790551, .7382863255], atol=1e-10)
    np.testing.assert_allclose(
        table[1:],
        [[.8642, .8309, .6314], [.7535, .7151, .4723], [.4303, .4083, .2268]],
        atol=5.1e-5)


def test_numbers_hang_together(results, truth):
    for setting, part in results.items():
        counts, modes = part['counts'], part['error_modes']
        false = sum(counts[kind] for kind in modes['counts'])
        assert false == modes['total'] == modes['top'][-1]
        assert counts['num_detections'] == 297333 == (
            false + counts['true'] + counts['ignored'])
        end = part['by_height']['points'][-1]
        assert end['total_recall'] == pytest.approx(counts['true'] /
                                                    truth.num_faces(setting))
        assert sum(part['by_height']['num_faces']) == truth.num_faces(setting)
        # Faces without an area are in no class.
        height = part['characteristics']['groups']['height']['values']
        assert sum(row['num_faces'] for row in height) == pytest.approx(
            truth.num_faces(setting), abs=15)


def test_plain_ap_of_the_ranking_is_close_to_the_protocol_s(
        truth, predictions):
    matched = match_detections(predictions, truth)
    keep = truth.keep['hard']
    ranking = Ranking(matched, label_detections(matched, keep))
    assert ranking.ap(keep, keep.sum()).value == pytest.approx(
        .7382863255, abs=1e-3)


def test_every_face_has_attributes(truth, real_data):
    found = match_attributes(
        truth,
        parse_wider_annotations(
            real_data /
            'wider_face/wider_face_split/wider_face_val_bbx_gt.txt'))
    assert (found.num_unmatched, found.warning) == (0, '')
    assert all(len(values) == 39708 for values in found.values.values())
