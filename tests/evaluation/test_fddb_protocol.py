"""Counts summed over pictures, and what a set must be to be scored."""
import sys

import fddb_transcription
import numpy as np
import pytest
from fddb_files import make_detections, make_faces

from tinyfaces.evaluation.functional import evaluate_fddb

# Half-axes 20 and 10, lying; the rectangle around it has IoU of about .8.
FACE = [20, 10, 0, 50, 50]
AROUND = [30, 40, 40, 20]
FAR = [80, 80, 5, 5]
SIZES = dict.fromkeys('abc', (100, 100))


def score(detections, truth=None, **kwargs):
    truth = truth or {name: np.array([FACE], float) for name in detections}
    return evaluate_fddb(
        {
            name: np.array(rows, float)
            for name, rows in detections.items()
        }, truth, SIZES, **kwargs)


def test_one_face_and_one_detection():
    result = score({'a': [[*AROUND, .9]]})
    assert result.thresholds.tolist() == [.9]
    assert result.true_positives.tolist() == [1]
    assert result.false_positives.tolist() == [0]
    area = fddb_transcription.ellipse_mask(FACE, (100, 100)).sum()
    assert result.continuous.tolist() == [area / 861]
    assert (result.num_faces, result.num_images,
            result.num_detections) == (1, 1, 1)


def test_ellipses_are_found_by_the_number_of_columns():
    result = score({'a': [[*FACE, .9]]})
    assert result.continuous.tolist() == [1]


def test_the_two_pictures_are_merged_at_every_score():
    result = score({
        'a': [[*FAR, .3], [*AROUND, .9]],
        'b': [[*AROUND, .6], [*AROUND, .3], [*AROUND, .1]]
    })
    iou = result.continuous[-1]
    assert result.thresholds.tolist() == [.1, .3, .6, .9]
    assert result.true_positives.tolist() == [2, 2, 2, 1]
    np.testing.assert_allclose(result.continuous, np.array([2, 2, 2, 1]) * iou)
    assert result.false_positives.tolist() == [3, 2, 0, 0]
    assert result.tpr('disc').tolist() == [1, 1, 1, .5]
    assert result.tpr_at([0, 1, 2, 50]) == {0: 1, 1: 1, 2: 1, 50: 1}
    assert result.final('cont') == pytest.approx(iou)
    assert result.last_fp == 3


def test_rate_at_false_positives_takes_the_best_row():
    faces = np.array([[20, 10, 0, 30, 30], [20, 10, 0, 60, 30]], float)
    left, right = [*faces[0], .9], [*faces[1], .2]
    result = score({'a': [left, right, [80, 80, 0, 5, 5, .5]]}, {'a': faces})
    assert result.false_positives.tolist() == [1, 1, 0]
    assert result.tpr_at([0, 1]) == {0: .5, 1: 1}
    # Two rows have one false positive. Here none has as few as zero.
    assert score({'a': [[*FAR, .5]]}).tpr_at([0]) == {0: 0}
    with pytest.raises(ValueError, match="kind must be .*'roc'"):
        result.tpr('roc')


@pytest.mark.parametrize('nothing', [[], np.zeros((0, 5)), np.zeros((0, 6))])
def test_picture_without_detections_adds_the_official_row(nothing):
    result = score({'a': [[*AROUND, .9]], 'b': nothing})
    assert result.thresholds.tolist() == [.9, sys.float_info.max]
    assert result.true_positives.tolist() == [1, 0]
    assert result.false_positives.tolist() == [0, 0]
    assert (result.num_faces, result.num_images) == (2, 2)


def test_faces_and_detections_end_at_the_border():
    truth = {'a': np.array([[20, 10, 0, 0, 50]], float)}
    half = fddb_transcription.ellipse_mask(truth['a'][0], (100, 100)).sum()
    result = score({'a': [[-20, 40, 40, 20, .9]]}, truth)
    assert result.continuous.tolist() == [half / (21 * 21)]


def test_one_half_is_no_hit():
    # A face of one pixel and a rectangle of 2 x 1.
    truth = {'a': np.array([[0, 0, 0, 5, 5]], float)}
    result = score({'a': [[5, 5, 1, 0, .9]]}, truth)
    assert result.continuous.tolist() == [.5]
    assert result.true_positives.tolist() == [0]
    assert result.false_positives.tolist() == [1]


@pytest.mark.parametrize('ellipses', [False, True])
@pytest.mark.parametrize('seed', [0, 1])
def test_equals_the_transcription(ellipses, seed):
    truth, sizes = make_faces(30, 75, seed)
    detections = make_detections(truth, sizes, 500, ellipses, seed)
    for name in list(truth)[:3]:
        # Equal scores within a picture and between pictures; none at all.
        detections[name][:, -1] = detections[name][:, -1].round(1)
    detections[list(truth)[3]] = np.zeros((0, 5))
    result = evaluate_fddb(detections, truth, sizes)
    expected = fddb_transcription.evaluate(detections, truth, sizes)
    assert result.final() > .3
    np.testing.assert_array_equal(result.thresholds, expected[:, 0])
    np.testing.assert_array_equal(result.true_positives, expected[:, 1])
    np.testing.assert_allclose(result.continuous, expected[:, 2], atol=1e-10)
    np.testing.assert_array_equal(result.false_positives, expected[:, 3])


def test_order_of_pictures_and_detections_does_not_matter():
    truth, sizes = make_faces(20, 40)
    detections = make_detections(truth, sizes, 200)
    one = evaluate_fddb(detections, truth, sizes)
    turned = {k: detections[k][::-1] for k in reversed(detections)}
    other = evaluate_fddb(turned, truth, sizes)
    np.testing.assert_array_equal(one.thresholds, other.thresholds)
    np.testing.assert_array_equal(one.true_positives, other.true_positives)


def test_only_given_pictures():
    truth = {name: np.array([FACE], float) for name in 'abc'}
    found = {'b': [[*AROUND, .9]]}
    with pytest.raises(
            ValueError, match=r'no detections for 2 of 3 pictures \(a, c\)'):
        score(found, truth)
    result = score(found, truth, only_given=True)
    assert (result.num_images, result.num_faces) == (1, 1)
    assert result.final() == 1
    with pytest.raises(ValueError, match='no detections for any picture'):
        score({}, truth, only_given=True)


@pytest.mark.parametrize(
    'rows, message',
    [([[1, 2, 3, 4]], r'detections of a: expected \(n, 5\).*\(1, 4\)'),
     ([1, 2, 3, 4, 5], r'detections of a: expected \(n, 5\)'),
     ([[1, 2, 3, 4, np.nan]], 'detections of a: NaN or infinite'),
     ([[1, 2, 3, np.inf, 1]], 'detections of a: NaN or infinite'),
     ([[1, 2, -3, 4, 1]], 'detections of a: negative size'),
     ([[-1, 2, 3, 4, 5, 1]], 'detections of a: negative size'),
     ([[1e7, 2, 3, 4, 5]], 'a: a number beyond 1,000,000 pixels')])
def test_arrays_that_cannot_be_scored(rows, message):
    with pytest.raises(ValueError, match=message):
        score({'a': rows})


def test_sets_that_cannot_be_scored():
    with pytest.raises(ValueError, match='detections of b have 6 columns'):
        score({'a': [[*AROUND, 1]], 'b': [[*FACE, 1]]})
    truth = {'a': np.array([FACE], float)}
    with pytest.raises(ValueError, match=r'unknown pictures: 1 of 2.*\(a.jpg'):
        score({'a': [], 'a.jpg': []}, truth)
    with pytest.raises(ValueError, match=r'no size for 1 of 1 pictures \(d'):
        score({'d': []})
    faces = {'a': truth['a'], 'b': np.array([[9, 9, 0, 101, 5]], float)}
    with pytest.raises(
            ValueError,
            match=r'outside the picture in 1 of 2 pictures \(b\); the first '
            'is said to have 100 x 100 pixels'):
        score({'a': [], 'b': []}, faces)
    with pytest.raises(ValueError, match='have no face'):
        score({'a': []}, {'a': np.zeros((0, 5))})


@pytest.mark.parametrize('faces, message',
                         [([[1, 2, 3, 4]], r'faces of a: .*\(1, 4\)'),
                          ([[1, 2, np.nan, 4, 5]], 'faces of a: NaN'),
                          ([[-1, 2, 3, 4, 5]], 'a negative half-axis')])
def test_faces_that_cannot_be_scored(faces, message):
    with pytest.raises(ValueError, match=message):
        score({'a': [[*AROUND, 1]]}, {'a': np.array(faces, float)})


def test_sizes_of_other_pictures():
    truth, sizes = make_faces(20, 40)
    detections = make_detections(truth, sizes, 100)
    for wrong in ({
            k: (h, w)
            for k, (w, h) in sizes.items()
    }, dict.fromkeys(sizes, (10, 10))):
        with pytest.raises(ValueError, match='centre outside the picture'):
            evaluate_fddb(detections, truth, wrong)


@pytest.mark.parametrize('x, y', [(0, 0), (100, 100), (100, 0)])
def test_a_centre_on_the_border_is_in_the_picture(x, y):
    # The official annotations have some.
    truth = {'a': np.array([[9, 5, 0, x, y]], float)}
    assert score({'a': [[9, 5, 0, x, y, 1]]}, truth).num_faces == 1
    truth['a'][0, 3:] += 1e-3 * (1 if x else -1)
    with pytest.raises(ValueError, match='centre outside'):
        score({'a': []}, truth)
