"""The face-eval protocol: each rule by hand, all of it by brute force."""
import numpy as np
import pytest
import voc_face_transcription as slow
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyfaces.evaluation.functional import (VOCFaceDetections,
                                             VOCFaceGroundTruth,
                                             evaluate_voc_face)
from tinyfaces.evaluation.functional.voc_face import (Refinement,
                                                      mean_refinement)
from tinyfaces.evaluation.functional.voc_face_matching import overlaps

FACE = [100, 100, 199, 199]  # 100 x 100 with the pixel added


def truth_of(images):
    """Image -> list of (box, ignore)."""
    return VOCFaceGroundTruth.from_images(
        list(images), [
            np.array([box for box, _ in faces], float).reshape(-1, 4)
            for faces in images.values()
        ],
        dict(all=[
            ~np.array([ignore for _, ignore in faces], bool)
            for faces in images.values()
        ]))


def detections_of(rows):
    """Rows (image, score, box), in the order of a file."""
    keys = list(dict.fromkeys(image for image, _, _ in rows))
    return VOCFaceDetections(
        tuple(keys), np.array([keys.index(row[0]) for row in rows], int),
        np.array([row[2] for row in rows], float).reshape(-1, 4),
        np.array([row[1] for row in rows], float))


def ap(rows, images=None, **kwargs):
    """AP of detections on one image with one face, unless given."""
    kwargs.setdefault('passes', 1)
    truth = truth_of(images or {'a': [(FACE, False)]})
    return evaluate_voc_face(detections_of(rows), truth, **kwargs).ap()


def test_one_right_one_wrong():
    rows = [('a', .9, [300, 300, 400, 400]), ('a', .8, FACE)]
    assert ap(rows) == .5
    assert ap(rows[::-1]) == .5, 'the score decides, not the order'
    assert ap([rows[1]]) == 1
    assert ap([rows[0]]) == 0
    assert ap([]) == 0


def test_a_match_must_exceed_the_threshold():
    # 100 x 100 against 100 x 50, all of it inside: exactly one half.
    half = ('a', .9, [100, 100, 199, 149])
    more = ('a', .9, [100, 100, 199, 150])
    assert ap([half]) == 0
    assert ap([more]) == 1
    assert ap([half], iou_thr=.49) == 1


@pytest.mark.parametrize('box, counts', [([100, 100, 130, 130], True),
                                         ([100, 100, 129.9, 160], False),
                                         ([100, 100, 160, 129.9], False)])
def test_faces_under_30_pixels_are_ignored(box, counts):
    """Without the added pixel: 30 = x2 - x1 counts."""
    result = evaluate_voc_face(
        detections_of([('a', .9, box), ('a', .8, FACE)]),
        truth_of({'a': [(box, False), (FACE, False)]}))
    assert result.curves['all'].num_faces == 1 + counts
    assert result.ap() == 1, 'neither right nor wrong where ignored'


def test_marked_faces_are_ignored_however_often_they_are_hit():
    images = {'a': [(FACE, True), ([300, 300, 400, 400], False)]}
    rows = [('a', .9, FACE), ('a', .8, FACE), ('a', .7, [300, 300, 400, 400])]
    assert ap(rows, images) == 1


def test_duplicates_are_wrong():
    rows = [('a', .9, FACE), ('a', .8, FACE), ('b', .7, FACE)]
    images = {'a': [(FACE, False)], 'b': [(FACE, False)]}
    assert ap(rows, images) == pytest.approx(.5 + .5 * 2 / 3)


def test_the_best_box_counts_even_if_it_is_ignored():
    """No second choice: the counted face overlaps enough, but less."""
    images = {'a': [(FACE, False), ([100, 100, 199, 189], True)]}
    best_is_ignored = ('a', .9, [100, 100, 199, 189])
    assert ap([best_is_ignored], images) == 0
    assert ap([('a', .9, FACE)], images) == 1


@pytest.mark.parametrize('ignored, expected', [(0, 1), (1, 0)])
def test_the_last_box_wins_ties(ignored, expected):
    images = {'a': [(FACE, ignored == 0), (FACE, ignored == 1)]}
    assert ap([('a', .9, FACE)], images) == expected


def test_detections_of_up_to_21_pixels_are_left_out():
    """Kept if one side is longer: a flat box may be as thin as it likes."""
    rows = [('a', .9, [0, 0, 21, 21]), ('a', .8, FACE)]
    assert ap(rows) == 1
    rows[0] = ('a', .9, [0, 0, 21.1, 0])
    assert ap(rows) == .5
    result = evaluate_voc_face(
        detections_of([('a', .9, [0, 0, 21, 21])]),
        truth_of({'a': [(FACE, False)]}))
    assert (result.num_detections, result.num_scored) == (1, 0)
    assert ap([('a', .9, [0, 0, 21, 21]), ('a', .8, FACE)], min_size=28) == .5


def test_equal_scores_keep_the_order_of_the_file():
    rows = [('a', .9, [300, 300, 400, 400]), ('b', .9, FACE)]
    images = {'a': [], 'b': [(FACE, False)]}
    assert ap(rows, images) == .5
    assert ap(rows[::-1], images) == 1


def test_a_detection_in_an_image_without_faces_is_wrong():
    images = {'a': [], 'b': [(FACE, False)]}
    assert ap([('a', .9, FACE), ('b', .8, FACE)], images) == .5


def test_added_pixels_alone_are_no_overlap():
    one = np.array([[0., 0, 9, 9]])
    beside = np.array([[9., 0, 18, 9]])  # they share one column
    assert overlaps(one, beside, touching=False) == 0
    assert overlaps(one, beside, touching=True) == 10 / 190
    assert overlaps(one, beside + [1, 0, 1, 0], touching=True) == 0
    # 10 x 10 and 10 x 10, moved by 5 columns: 50 of 150.
    assert overlaps(one, one + [5, 0, 5, 0], touching=False) == 50 / 150


def test_refinement_by_hand():
    step = mean_refinement(
        np.array([[0., 0, 10, 20], [0, 0, 100, 100], [7, 7, 7, 9]]),
        np.array([[5., 0, 15, 40], [0, 0, 50, 100], [0, 0, 50, 50]]))
    # Centres (5, 10) -> (10, 20) and (50, 50) -> (25, 50); the third
    # detection has no width.
    assert step == Refinement((.5 - .25) / 2, (.5 + 0) / 2, (1 + .5) / 2,
                              (2 + 1) / 2)
    moved = step(np.array([[0., 0, 10, 20]]))
    # Centre (5 + 1.25, 10 + 5), then 7.5 x 30 around it.
    np.testing.assert_allclose(moved, [[2.5, 0, 10, 30]])
    assert mean_refinement(np.zeros((0, 4)), np.zeros((0, 4))) is None


def test_refinement_finds_what_was_shifted_too_far():
    """One right detection out of two moves both."""
    images = {'a': [(FACE, False)], 'b': [(FACE, False)]}
    # IoU .53 and .49 with the face: 30 % and 34 % too far right.
    rows = [('a', .9, [130, 100, 229, 199]), ('b', .8, [134, 100, 233, 199])]
    assert ap(rows, images) == .5
    assert ap(rows, images, passes=2) == 1
    result = evaluate_voc_face(detections_of(rows), truth_of(images))
    assert result.ap() == 1
    steps = result.details['refinement']
    assert len(steps) == 4, 'five matchings, four times refined between them'
    assert steps[0] == pytest.approx(dict(dx=-30 / 99, dy=0, sx=1, sy=1))
    assert steps[1]['dx'] == pytest.approx((0 - 4 / 99) / 2)


def test_nothing_found_is_not_refined():
    result = evaluate_voc_face(
        detections_of([('a', .9, [300, 300, 400, 400])]),
        truth_of({'a': [(FACE, False)]}))
    assert result.ap() == 0 and result.details['refinement'] == []


def test_no_face_to_find():
    result = evaluate_voc_face(
        detections_of([('a', .9, FACE)]), truth_of({'a': [(FACE, True)]}))
    assert np.isnan(result.ap())


def test_what_stands_beside_the_number():
    truth = truth_of({k: [(FACE, False)] for k in 'abc'})
    result = evaluate_voc_face(
        detections_of([('a', .9, FACE)]), truth.subset('ba'))
    assert 'subset: 2 of 3 images' in result.protocol
    assert 'AP of matching 5' in result.protocol
    assert 'not comparable' in result.warnings[0]
    assert result.missing == ('b', ) and result.is_subset
    empty = evaluate_voc_face(detections_of([]), truth, passes=1)
    assert 'no detection at all' in empty.warnings[0]
    assert 'boxes as detected' in empty.protocol and not empty.is_subset


def test_subset_keeps_boxes_with_their_images():
    other = [0, 0, 50, 50]
    truth = truth_of({'a': [(FACE, False)], 'b': [], 'c': [(other, True)]})
    part = truth.subset(['c', 'b'])
    assert part.keys == ('b', 'c') and part.image.tolist() == [1]
    assert part.boxes.tolist() == [other]
    assert part.counted['all'].tolist() == [False]
    with pytest.raises(ValueError, match="not in the ground truth.*'x'"):
        truth.subset(['x'])
    with pytest.raises(ValueError, match='empty'):
        truth.subset([])


@pytest.mark.parametrize('kwargs, message', [
    (dict(iou_thr=1), r'in \[0, 1\)'),
    (dict(iou_thr=-.1), r'in \[0, 1\)'),
    (dict(passes=0), 'at least one pass'),
    (dict(min_size=-1), 'min_size'),
    (dict(min_size=float('nan')), 'min_size'),
])
def test_arguments_out_of_range(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ap([('a', .9, FACE)], **kwargs)


def test_images_that_are_not_in_the_ground_truth():
    with pytest.raises(ValueError, match="1 of 2 images.*'x'.*like 'a'"):
        ap([('a', .9, FACE), ('x', .9, FACE)])


CORNER = st.integers(0, 40)
SIDE = st.integers(20, 60)
BOX = st.tuples(CORNER, CORNER, SIDE,
                SIDE).map(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])
# Few scores, so that many are equal.
ROW = st.tuples(st.sampled_from('abc'), st.sampled_from([.1, .5, .9]), BOX)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(ROW, max_size=12),
    st.lists(st.lists(st.tuples(BOX, st.booleans()), max_size=4), min_size=3),
    st.sampled_from([1, 2, 5]), st.sampled_from([.3, .5]))
def test_equals_the_transcription(rows, faces, passes, iou_thr):
    images = dict(zip('abc', faces))
    result = evaluate_voc_face(
        detections_of(rows), truth_of(images), iou_thr=iou_thr, passes=passes)
    if result.curves['all'].num_faces:
        assert result.ap() == pytest.approx(
            slow.evaluate_face_eval(rows, images, iou_thr, passes), abs=1e-12)
    else:
        assert np.isnan(result.ap())


def test_boxes_that_only_touch_do_not_match():
    beside = ('a', .9, [199, 100, 298, 199])
    assert ap([beside], iou_thr=0) == 0
    assert ap([('a', .9, [198.5, 100, 298, 199])], iou_thr=0) == 1
