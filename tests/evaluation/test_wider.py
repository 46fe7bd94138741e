import math

import numpy as np
import pytest
import wider_transcription
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyfaces.evaluation.functional import (COCO_IOU_THRS, WiderGroundTruth,
                                             average_precision, evaluate_wider,
                                             evaluate_wider_groups)


def truth_of(images):
    """Ground truth with one setting ``hard`` from key -> (boxes, keep)."""
    sizes = [len(boxes) for boxes, _ in images.values()]
    boxes = [b for boxes, _ in images.values() for b in boxes]
    keep = [k for _, flags in images.values() for k in flags]
    return WiderGroundTruth(
        tuple(images),
        np.array(boxes, float).reshape(-1, 4),
        np.concatenate([[0], np.cumsum(sizes)]).astype(int),
        dict(hard=np.array(keep, bool)), len(images))


def arrays(predictions):
    return {
        key: np.array(rows, float).reshape(-1, 5)
        for key, rows in predictions.items()
    }


def ap(predictions, images, **kwargs):
    return evaluate_wider(arrays(predictions), truth_of(images),
                          **kwargs).ap('hard', *kwargs.get('iou_thrs', ()))


FACE, FAR = [10, 10, 20, 20], [200, 200, 20, 20]


def test_hand_computed_curve():
    # Scores 1, .5, 0 normalise to themselves: right, wrong, right.
    images = {'a/1': ([FACE, FAR], [True, True])}
    found = {'a/1': [[*FACE, 1.], [500, 500, 9, 9, .5], [*FAR, 0.]]}
    result = evaluate_wider(arrays(found), truth_of(images))
    curve = result.curves['hard', 0.5]
    assert curve.recall[[0, 498, 499, 998, 999]].tolist() == [.5] * 4 + [1]
    assert curve.precision[[0, 498, 499, 998]].tolist() == [1, 1, .5, .5]
    assert curve.precision[999] == pytest.approx(2 / 3, abs=0)
    # Half the recall at precision 1, the other half at 2/3.
    assert curve.ap == pytest.approx(.5 + .5 * 2 / 3, abs=1e-15)
    assert (curve.num_faces, result.num_detections) == (2, 3)


def test_detection_on_an_ignored_face_is_neither_right_nor_wrong():
    images = {'a/1': ([FACE, FAR], [True, False])}
    right = [*FACE, 0.]
    assert ap({'a/1': [[*FAR, 1.], [*FAR, .9], right]}, images) == 1
    assert ap({'a/1': [[500, 500, 9, 9, 1.], right]}, images) == .5


def test_second_detection_of_a_face_is_wrong():
    images = {'a/1': ([FACE, FAR], [True, True])}
    found = {'a/1': [[*FACE, 1.], [*FACE, .5], [*FAR, 0.]]}
    assert ap(found, images) == pytest.approx(.5 + .5 * 2 / 3, abs=1e-15)


def test_no_fall_back_to_the_second_best_face():
    # The second detection overlaps both with more than .5, the found one best.
    boxes = [[0, 0, 99, 99], [0, 0, 99, 69]]
    images = {'a/1': (boxes, [True, True])}
    found = {'a/1': [[0, 0, 99, 99, 1.], [0, 0, 99, 94, 0.]]}
    assert ap(found, images) == .5
    # Int32 gives both to the first box whose IoU rounds to 1: the same here,
    # but not when the smaller box comes first.
    images = {'a/1': (boxes[::-1], [True, False])}
    assert ap(found, images, matlab_int32=True) == 1
    assert math.isclose(ap(found, images), 0)


def test_order_of_lines_does_not_matter():
    images = {'a/1': ([FACE], [True])}
    rows = [[*FACE, .3], [500, 500, 9, 9, .9], [0, 0, 5, 5, .1]]
    assert ap({'a/1': rows}, images) == ap({'a/1': rows[::-1]}, images)


def test_faces_of_an_image_without_detections_count():
    images = {'a/1': ([FACE], [True]), 'a/2': ([FACE], [True])}
    for second in ({}, {'a/2': []}):
        found = {'a/1': [[*FACE, 1.], [*FAR, 0.]], **second}
        result = evaluate_wider(arrays(found), truth_of(images))
        assert result.ap('hard') == .5
        assert result.missing == (() if second else ('a/2', ))


def test_image_without_boxes_is_left_out_but_its_scores_normalise():
    images = {'a/1': ([FACE], [True]), 'a/2': ([], [])}
    found = {'a/1': [[*FACE, .5]], 'a/2': [[*FAR, 1.], [*FAR, 0.]]}
    result = evaluate_wider(arrays(found), truth_of(images))
    curve = result.curves['hard', .5]
    assert result.ap('hard') == 1
    assert np.flatnonzero(curve.recall)[0] == 499


def test_constant_score_is_zero_over_zero():
    images = {'a/1': ([FACE], [True])}
    result = evaluate_wider(arrays({'a/1': [[*FACE, .7]]}), truth_of(images))
    assert result.ap('hard') == 0
    assert 'all scores are 0.7' in result.warnings[0]


def test_negative_scores_reach_up_to_zero_only():
    # The official maximum starts at 1.2e-38: -1 normalises to 2/3, not to 1.
    images = {'a/1': ([FACE], [True])}
    found = arrays({'a/1': [[*FACE, -1.], [*FAR, -3.]]})
    curve = evaluate_wider(found, truth_of(images)).curves['hard', .5]
    assert np.flatnonzero(curve.recall)[0] == 333


def test_setting_without_faces_is_nan():
    assert math.isnan(ap({'a/1': [[*FACE, 1.]]}, {'a/1': ([FACE], [False])}))


def test_stricter_iou_and_coco_mean():
    images = {'a/1': ([[0, 0, 99, 99]], [True])}
    # IoU .72 exactly; a wrong one below so that scores differ.
    found = arrays({'a/1': [[0, 0, 99, 71, 1.], [500, 0, 9, 9, 0.]]})
    result = evaluate_wider(found, truth_of(images), iou_thrs=COCO_IOU_THRS)
    assert [result.ap('hard', t) for t in COCO_IOU_THRS] == [1] * 5 + [0] * 5
    assert result.mean_ap('hard') == .5
    assert len(COCO_IOU_THRS) == 10 and .95 in COCO_IOU_THRS


def test_false_positives_at_recall_by_hand():
    images = {'a/1': ([FACE, FAR, [400, 0, 9, 9]], [True, True, False])}
    found = arrays({
        'a/1': [[600, 0, 9, 9, .9], [*FACE, .8], [400, 0, 9, 9, .7],
                [600, 0, 9, 9, .6], [*FAR, .6], [600, 0, 9, 9, .5]]
    })
    curve = evaluate_wider(
        found, truth_of(images), fp_recalls=(.1, .5, .51, 1.)).curves['hard',
                                                                      .5]
    # Equal scores come together: 2 wrong ones where the second face is found.
    assert curve.fp_at_recall == {.1: 1, .5: 1, .51: 2, 1.: 2}
    curve = evaluate_wider(
        found, truth_of(images), iou_thrs=(1., ),
        fp_recalls=(.5, )).curves['hard', 1.]
    assert curve.fp_at_recall == {.5: 1}


def test_recall_that_is_not_reached_has_no_false_positives():
    images = {'a/1': ([FACE, FAR], [True, True])}
    curve = evaluate_wider(
        arrays({'a/1': [[*FACE, 1.]]}), truth_of(images),
        fp_recalls=(.5, .6)).curves['hard', .5]
    assert curve.fp_at_recall == {.5: 0, .6: None}


def test_recall_that_floating_point_overshoots():
    assert .55 * 100 > 55
    boxes = [[100 * i, 0, 9, 9] for i in range(100)]
    found = arrays({'a/1': [[*box, 1.] for box in boxes[:55]]})
    curve = evaluate_wider(
        found, truth_of({'a/1': (boxes, [True] * 100)}),
        fp_recalls=(.55, )).curves['hard', .5]
    assert curve.fp_at_recall == {.55: 0}


def test_groups_are_scored_one_by_one():
    images = {'a/1': ([FACE, FAR], [True, True])}
    one = arrays({'a/1': [[*FACE, 1.], [0, 0, 3, 3, 0.]]})
    both = arrays({'a/1': [[*FACE, 9.], [*FAR, 5.], [0, 0, 3, 3, 0.]]})
    results = evaluate_wider_groups({
        '16': one,
        '32': both
    },
                                    truth_of(images),
                                    settings=('hard', ))
    assert {
        k: r.ap('hard')
        for k, r in results.items()
    } == {
        '16': .5,
        '32': 1.
    }


def test_protocol_names_subset_thresholds_and_arithmetic():
    images = {'a/1': ([FACE], [True]), 'a/2': ([FACE], [True])}
    truth, found = truth_of(images), arrays({'a/1': [[*FACE, 1.]]})
    assert evaluate_wider(found, truth).protocol() == (
        'WIDER FACE protocol, all 2 images, true IoU >= 0.5, '
        '1,000 score thresholds')
    result = evaluate_wider({
        **found, 'z/9': found['a/1']
    },
                            truth.subset(['a/1']),
                            matlab_int32=True)
    assert 'subset: 1 of 2 images, MATLAB int32' in result.protocol()
    assert any('subset: 1 of 2 images' in text for text in result.warnings)
    assert (result.num_unknown, result.is_subset) == (1, True)


@pytest.mark.parametrize('found, message',
                         [([[1, 1, 5, 5, math.nan]], 'NaN'),
                          ([[1, 1, 5, math.inf, 1]], 'infinite'),
                          ([[1, 1, -5, 5, 1]], 'negative'),
                          ([[1, 1, 5, 5]], r'\(n, 5\)')])
def test_bad_predictions_name_the_image(found, message):
    with pytest.raises(ValueError, match=f'a/1.*{message}'):
        evaluate_wider({'a/1': np.array(found)},
                       truth_of({'a/1': ([FACE], [True])}))


@pytest.mark.parametrize(
    'kwargs, message', [(dict(iou_thrs=(0., )), 'IoU'),
                        (dict(iou_thrs=(50, )), 'IoU'),
                        (dict(iou_thrs=()), 'IoU'),
                        (dict(fp_recalls=(0., )), 'recalls'),
                        (dict(iou_thrs=(.6, ), matlab_int32=True), '0.5 only'),
                        (dict(settings=('easy', )), 'without easy')])
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ap({'a/1': [[*FACE, 1.]]}, {'a/1': ([FACE], [True])}, **kwargs)


def test_predictions_of_other_images_only_is_an_error():
    with pytest.raises(ValueError, match="'b/1'.*'a/1'"):
        ap({'b/1': [[*FACE, 1.]]}, {'a/1': ([FACE], [True])})


def test_average_precision_by_hand():
    # Envelope: .8 up to recall .5, .6 up to .75.
    recall = np.array([.25, .5, .5, .75])
    assert average_precision(recall, np.array([.4, .8, .5, .6])) == (
        pytest.approx(.5 * .8 + .25 * .6))
    assert average_precision(np.zeros(2), np.array([np.nan, 0])) == 0
    # A missing precision does not hide the ones to its right.
    assert average_precision(np.array([.25, .5]),
                             np.array([np.nan, .8])) == pytest.approx(.4)


# Few places, sizes and scores: many ties, duplicates and exact halves.
SIDE = st.sampled_from([-1, 0, 4, 9, 9.5, 19])
BOX = st.tuples(*[st.sampled_from([0, 0.5, 3, 10, 12.4])] * 2, SIDE, SIDE)
ROW = st.tuples(
    *[st.sampled_from([0, 0.5, 3, 10, 12.4])] * 2,
    *[st.sampled_from([0, 4, 9, 9.5, 19])] * 2,
    st.one_of(st.sampled_from([-2, 0, .25, .3, .7, 1, 5.5]), st.floats(0, 1)))
IMAGE = st.tuples(
    st.lists(st.tuples(BOX, st.booleans()), max_size=5),
    st.lists(ROW, max_size=8), st.booleans())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(IMAGE, min_size=1, max_size=3), st.sampled_from([.3, .5, .75]),
    st.booleans())
def test_equal_to_the_transcription(items, iou_thr, matlab_int32):
    if matlab_int32:
        iou_thr = .5
    images, found = {}, {}
    for at, (boxes, rows, missing) in enumerate(items):
        images[f'e/{at}'] = ([[int(v) for v in b] if matlab_int32 else b
                              for b, _ in boxes], [k for _, k in boxes])
        if rows or not missing:
            found[f'e/{at}'] = rows
    precision, recall, area = wider_transcription.evaluate(
        found, images, iou_thr, matlab_int32)
    fp_recalls = (.1, .5, 1.)
    curve = evaluate_wider(
        arrays(found),
        truth_of(images),
        iou_thrs=(iou_thr, ),
        matlab_int32=matlab_int32,
        fp_recalls=fp_recalls).curves['hard', iou_thr]
    np.testing.assert_array_equal(curve.precision, precision)
    np.testing.assert_array_equal(curve.recall, recall)
    np.testing.assert_allclose(curve.ap, area, rtol=0, atol=1e-12)
    if not matlab_int32:
        assert curve.fp_at_recall == {
            r: wider_transcription.false_positives_at(found, images, r,
                                                      iou_thr)
            for r in fp_recalls
        }
