import numpy as np
import pytest
from analysis_sets import check_curve, make_truth, scores_of, small_set
from hypothesis import given, settings
from hypothesis import strategies as st
from wider_transcription import overlap

from tinyfaces.evaluation.analysis import (Kind, label_detections,
                                           match_detections)
from tinyfaces.evaluation.functional import evaluate_wider

BOX = st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(-1, 12)] * 2)
FACE_LISTS = st.lists(
    st.lists(st.tuples(BOX, st.booleans()), max_size=4),
    min_size=1,
    max_size=3)
FOUND_LISTS = st.lists(
    st.lists(
        st.tuples(*[st.integers(0, 12)] * 4, st.sampled_from([.2, .5, .9])),
        max_size=6),
    min_size=3,
    max_size=3)


def brute_force(faces, flags, found):
    """Kinds of one image's detections, in order of score, by plain loops."""
    kinds, taken = [], set()
    for detection in sorted(found, key=lambda row: -row[4]):
        ious = [overlap(face, detection[:4], False) for face in faces]
        best = max(range(len(faces)), key=lambda at: (ious[at], -at))
        if ious[best] >= .5:
            if not flags[best]:
                kinds.append('IGNORED')
            else:
                kinds.append('DUPLICATE' if best in taken else 'TRUE')
                taken.add(best)
        else:
            kinds.append('LOCALISATION' if ious[best] >= .1 else 'BACKGROUND')
    return kinds


def to_sets(face_lists, found_lists):
    """The drawn lists as ground truth with setting "all" and predictions."""
    images = {
        f'a/{at}': [face for face, _ in faces]
        for at, faces in enumerate(face_lists)
    }
    flags = [flag for faces in face_lists for _, flag in faces]
    found = {
        key: np.array(rows, float).reshape(-1, 5)
        for key, rows in zip(images, found_lists)
    }
    return make_truth(images, all=flags), found


@settings(max_examples=150, deadline=None)
@given(FACE_LISTS, FOUND_LISTS)
def test_equal_to_brute_force(face_lists, found_lists):
    truth, found = to_sets(face_lists, found_lists)
    labels = label_detections(
        match_detections(found, truth), truth.keep['all'])
    expected = []
    for faces, rows in zip(face_lists, found_lists):
        if faces:
            expected += brute_force([face for face, _ in faces],
                                    [flag for _, flag in faces], rows)
    assert [Kind(kind).name for kind in labels.kind] == expected
    by = labels.found_by[labels.found_by >= 0]
    assert sorted(by) == np.flatnonzero(labels.kind == Kind.TRUE).tolist()


@settings(max_examples=100, deadline=None)
@given(FACE_LISTS, FOUND_LISTS)
def test_equal_to_the_evaluator_at_its_thresholds(face_lists, found_lists):
    truth, found = to_sets(face_lists, found_lists)
    matched = match_detections(found, truth)
    labels = label_detections(matched, truth.keep['all'])
    curve = evaluate_wider(found, truth).curves['all', .5]
    check_curve(matched, labels, curve, scores_of(found))


def test_kinds_by_hand():
    truth, found = small_set()
    matched = match_detections(found, truth)
    # Image after image, scores descending.
    np.testing.assert_array_equal(matched.scores, [.9, .8, .6, .5, .7, .4])
    np.testing.assert_array_equal(matched.image, [0, 0, 0, 0, 1, 1])
    kind = label_detections(matched, truth.keep['some']).kind
    assert [Kind(k).name for k in kind] == [
        'TRUE', 'BACKGROUND', 'DUPLICATE', 'LOCALISATION', 'TRUE', 'IGNORED'
    ]
    labels = label_detections(matched, truth.keep['all'])
    assert labels.kind[5] == Kind.TRUE
    assert labels.found_by.tolist() == [0, -1, 4, 5]
    assert labels.is_false.tolist() == [False, True, True, True, False, False]


def test_limits_of_the_kinds_belong_to_the_better_kind():
    # 10 x 10 pixels; 10 x 5 of them: exactly .5, 10 x 1: exactly .1.
    truth = make_truth({'a/1': [[0, 0, 9, 9]]})
    found = {'a/1': np.array([[0, 0, 9, 4, .9], [0, 0, 9, 0, .8]])}
    kind = label_detections(match_detections(found, truth),
                            truth.keep['all']).kind
    assert kind.tolist() == [Kind.TRUE, Kind.LOCALISATION]


def test_near_a_face_that_does_not_count_is_an_error_of_localisation():
    truth = make_truth({'a/1': [[0, 0, 9, 9]]}, all=[False])
    found = {'a/1': np.array([[0, 0, 9, 3, .9]])}
    matched = match_detections(found, truth)
    assert label_detections(
        matched, truth.keep['all']).kind.tolist() == [Kind.LOCALISATION]


def test_ranking_and_ties():
    truth = make_truth({'a/1': [[0, 0, 9, 9]], 'a/2': [[0, 0, 9, 9]]})
    found = {
        'a/1': np.array([[0, 0, 9, 9, .5], [0, 0, 9, 9, .9]]),
        'a/2': np.array([[0, 0, 9, 9, .5], [0, 0, 9, 9, .1]]),
    }
    matched = match_detections(found, truth)
    assert matched.order.tolist() == [0, 1, 2, 3]
    assert matched.tie_end.tolist() == [0, 2, 2, 3]


def test_images_without_boxes_or_detections_are_left_out():
    truth = make_truth({
        'a/1': [],
        'a/2': [[0, 0, 9, 9]],
        'a/3': [[0, 0, 9, 9]]
    })
    found = {
        'a/1': np.array([[0, 0, 9, 9, .5]]),
        'a/2': np.zeros((0, 5)),
        'b/1': np.array([[0, 0, 9, 9, .5]]),
    }
    matched = match_detections(found, truth)
    assert len(matched.scores) == 0 and len(matched.order) == 0
    labels = label_detections(matched, truth.keep['all'])
    assert labels.found_by.tolist() == [-1, -1]


@pytest.mark.parametrize('rows, message',
                         [(np.zeros((1, 4)), r'a/1: expected an array \(n, 5'),
                          ([[0, 0, 9, 9, np.nan]], 'a/1: NaN')])
def test_bad_arrays(rows, message):
    truth = make_truth({'a/1': [[0, 0, 9, 9]]})
    with pytest.raises(ValueError, match=message):
        match_detections({'a/1': rows}, truth)
