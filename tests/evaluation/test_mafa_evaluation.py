"""MAFA's subsets by the inferred rules, on annotations made here."""
import numpy as np
import pytest
import voc_face_transcription as slow
from hypothesis import given, settings
from hypothesis import strategies as st
from mat_writers import mafa_test_row as row
from mat_writers import mafa_train_row as train_row
from mat_writers import write_mafa

from tinyfaces.evaluation.functional import (INFERRED_RULES, MAFA_SUBSETS,
                                             VOCFaceDetections,
                                             VOCFaceGroundTruth, evaluate_mafa,
                                             format_voc_face_table,
                                             load_mafa_gt)

MASKED, UNMASKED, INVALID = [0, 0, 99, 99], [200, 0, 99, 99], [400, 0, 99, 99]
IMAGES = {
    'test_1.jpg': [row(MASKED, 1),
                   row(UNMASKED, 2),
                   row(INVALID, 3)],
    'test_2.jpg': [],
}


@pytest.fixture
def truth(tmp_path):
    return load_mafa_gt(write_mafa(tmp_path / 'LabelTestAll.mat', IMAGES))


def found(*rows):
    """Rows (x y w h, score) in the first picture."""
    return VOCFaceDetections.from_dict({
        'test_1': [[x, y, x + w, y + h, score] for (x, y, w, h), score in rows]
    })


def aps(result):
    return {name: curve.ap for name, curve in result.curves.items()}


def test_the_subsets_count_the_faces_of_their_types(truth):
    assert truth.keys == ('test_1', 'test_2')
    assert truth.boxes[1].tolist() == [200, 0, 299, 99], 'x2 = x + w'
    result = evaluate_mafa(found((MASKED, .9)), truth)
    assert {
        name: c.num_faces
        for name, c in result.curves.items()
    } == dict(
        whole=3, masked=1, unignored=2)
    assert aps(result) == dict(whole=1 / 3, masked=1, unignored=.5)


def test_other_types_are_neither_right_nor_wrong(truth):
    result = evaluate_mafa(
        found((INVALID, .9), (INVALID, .8), (UNMASKED, .7), (MASKED, .6)),
        truth)
    assert aps(result) == dict(
        # The second hit of the invalid face is wrong where it counts.
        whole=pytest.approx(1 / 3 + 2 / 3 * 3 / 4),
        masked=1,
        unignored=1)


@pytest.mark.parametrize('height, iou_thr, expected',
                         [(49, .5, 1), (48, .5, 0), (48, .49, 1)])
def test_a_match_may_be_exactly_the_threshold(truth, height, iou_thr,
                                              expected):
    """Sides are one pixel longer: 100 x 50 of 100 x 100."""
    result = evaluate_mafa(found(([0, 0, 99, height], .9)), truth, iou_thr)
    assert result.ap('masked') == expected


def test_the_first_box_wins_ties(tmp_path):
    for types, expected in (((1, 3), 1), ((3, 1), 0)):
        path = write_mafa(tmp_path / 'x.mat',
                          {'test_1.jpg': [row(MASKED, t) for t in types]})
        result = evaluate_mafa(found((MASKED, .9)), load_mafa_gt(path))
        assert result.ap('masked') == expected


def test_boxes_without_size_count_nowhere_and_are_named(tmp_path):
    path = write_mafa(
        tmp_path / 'x.mat', {
            'test_1.jpg': [
                row(MASKED),
                row([5, 5, 0, 9]),
                row([5, 5, 9, -1]),
                row([-1, -1, -1, -1], 2)
            ]
        })
    result = evaluate_mafa(found((MASKED, .9)), load_mafa_gt(path))
    assert [c.num_faces for c in result.curves.values()] == [1, 1, 1]
    assert result.ap('whole') == 1
    assert '3 annotated box(es) without width' in result.warnings[0]


def test_train_annotations_are_all_masked(tmp_path):
    path = write_mafa(
        tmp_path / 'LabelTrainAll.mat', {'train_1.jpg': [train_row(MASKED)]},
        train=True)
    truth = load_mafa_gt(path)
    assert truth.counted['masked'].all() and truth.keys == ('train_1', )


def test_every_report_says_what_is_inferred(truth):
    result = evaluate_mafa(found((MASKED, .9)), truth)
    assert result.inferred == INFERRED_RULES and len(INFERRED_RULES) >= 4
    text = format_voc_face_table({'mine': result})
    assert 'rules partly inferred' in text
    for rule in INFERRED_RULES:
        assert rule in text
    assert 'whole 3, masked 1, unignored 2; images: 2' in text
    line = [x.split() for x in text.splitlines() if x.startswith('mine ')]
    assert line == [['mine', '33.333', '100.000', '50.000']]
    assert 'without detections: test_2' in text


def test_a_subset_without_faces_has_no_ap(truth):
    result = evaluate_mafa(
        VOCFaceDetections.from_dict({}), truth.subset(['test_2']))
    assert all(np.isnan(ap) for ap in aps(result).values())
    assert 'subset: 1 of 2' in result.protocol


@pytest.mark.parametrize('iou_thr', [0, 1.1, float('nan')])
def test_threshold_out_of_range(truth, iou_thr):
    with pytest.raises(ValueError, match=r'in \(0, 1\]'):
        evaluate_mafa(found((MASKED, .9)), truth, iou_thr)


CORNER = st.integers(0, 20)
BOX = st.tuples(CORNER, CORNER, st.integers(-1, 30), st.integers(1, 30))
DETECTION = st.tuples(CORNER, CORNER, st.integers(0, 30), st.integers(0, 30))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from('ab'), st.sampled_from([.1, .5, .9]), DETECTION),
        max_size=12),
    st.lists(
        st.lists(st.tuples(BOX, st.sampled_from([1, 2, 3])), max_size=4),
        min_size=2,
        max_size=2), st.sampled_from([.3, .5]))
def test_equals_the_transcription(rows, faces, iou_thr):
    images = dict(zip('ab', faces))
    truth = VOCFaceGroundTruth.from_images(
        list(images), [
            np.array([[x, y, x + w, y + h]
                      for (x, y, w, h), _ in boxes], float).reshape(-1, 4)
            for boxes in faces
        ], {
            name: [
                np.array(
                    [t in types and b[2] > 0 and b[3] > 0
                     for b, t in boxes], bool) for boxes in faces
            ]
            for name, types in MAFA_SUBSETS.items()
        })
    rows = [(k, s, [x, y, x + w, y + h]) for k, s, (x, y, w, h) in rows]
    keys = sorted({k for k, _, _ in rows})
    detections = VOCFaceDetections(
        tuple(keys), np.array([keys.index(k) for k, _, _ in rows], int),
        np.array([b for _, _, b in rows], float).reshape(-1, 4),
        np.array([s for _, s, _ in rows], float))
    result = evaluate_mafa(detections, truth, iou_thr)
    for name, types in MAFA_SUBSETS.items():
        if result.curves[name].num_faces:
            assert result.ap(name) == pytest.approx(
                slow.evaluate_devkit(rows, images, types, iou_thr), abs=1e-12)
        else:
            assert np.isnan(result.ap(name))


def test_boxes_that_share_added_pixels_only_match(truth):
    """As in the VOC devkit: 1 x 100 of 100 x 100 + 100 x 100 pixels."""
    beside = found(([99, 0, 99, 99], .9))
    assert evaluate_mafa(beside, truth, 100 / 19900).ap('masked') == 1
    assert evaluate_mafa(beside, truth, .0051).ap('masked') == 0
