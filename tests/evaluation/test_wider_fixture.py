"""Known answers: a published detector's full val detections."""
import numpy as np
import pytest
import wider_transcription

from tinyfaces.evaluation.functional import (evaluate_wider,
                                             load_wider_annotations,
                                             load_wider_gt, read_image_list,
                                             read_wider_predictions)

pytestmark = pytest.mark.real_data


@pytest.fixture(scope='module')
def truth(real_data):
    return load_wider_gt(real_data / 'wider_face/ground_truth')


@pytest.fixture(scope='module')
def predictions(real_data):
    return read_wider_predictions(
        real_data / 'predictions/retinaface_mnet025_wider_val.zip')


def test_ground_truth_counts(truth):
    assert (len(truth.keys), len(truth.boxes)) == (3226, 39708)
    assert [truth.num_faces(s)
            for s in truth.keep] == [7211, 13319, 31958, 39708]
    assert (truth.boxes[:, 2] <= 0).sum() == 9
    assert (truth.boxes[:, 3] <= 0).sum() == 6
    for inner, outer in (('easy', 'medium'), ('medium', 'hard')):
        assert (truth.keep[inner] <= truth.keep[outer]).all()
    kept = [
        np.add.reduceat(truth.keep[s], truth.offsets[:-1])
        for s in ('easy', 'medium', 'hard')
    ]
    assert [(k == 0).sum() for k in kept] == [622, 207, 7]


def test_predictions_are_complete(truth, predictions):
    assert set(predictions) == truth.key_set
    assert sum(map(len, predictions.values())) == 297333


def test_true_iou(truth, predictions):
    result = evaluate_wider(predictions, truth, iou_thrs=(.5, .6, .7, .8))
    ap = [[result.ap(s, t) for s in ('easy', 'medium', 'hard')]
          for t in result.iou_thrs]
    assert ap[0] == pytest.approx([0.9069584244, 0.8815790551, 0.7382863255],
                                  abs=1e-10)
    np.testing.assert_allclose(
        ap[1:],
        [[.8642, .8309, .6314], [.7535, .7151, .4723], [.4303, .4083, .2268]],
        atol=5.1e-5)


def test_matlab_int32(truth, predictions):
    result = evaluate_wider(predictions, truth, matlab_int32=True)
    assert [result.ap(s) for s in ('easy', 'medium', 'hard')] == (
        pytest.approx([0.9070161144, 0.8815373341, 0.7382582157], abs=1e-10))


@pytest.mark.parametrize('matlab_int32', [False, True])
def test_subset_equals_the_transcription(truth, predictions, real_data,
                                         matlab_int32):
    images = read_image_list(real_data / 'wider_face/wider_face_split/'
                             'wider_face_val_subset_bbx_gt.txt')
    assert len(images) == 408
    part = truth.subset(images[::40])
    result = evaluate_wider(predictions, part, matlab_int32=matlab_int32)
    assert result.images == 'subset: 11 of 3,226 images'
    ends = part.offsets.tolist()
    content = {
        key: (part.boxes[a:b].tolist(), part.keep['hard'][a:b].tolist())
        for key, a, b in zip(part.keys, ends, ends[1:])
    }
    precision, recall, area = wider_transcription.evaluate(
        {k: predictions[k].tolist()
         for k in part.keys},
        content,
        matlab_int32=matlab_int32)
    curve = result.curves['hard', .5]
    np.testing.assert_array_equal(curve.precision, precision)
    np.testing.assert_array_equal(curve.recall, recall)
    assert curve.ap == pytest.approx(area, abs=1e-12)


def test_annotation_file_gives_the_same_boxes(truth, real_data):
    listed = load_wider_annotations(
        real_data / 'wider_face/wider_face_split/wider_face_val_bbx_gt.txt')
    assert set(listed.keys) == truth.key_set

    def boxes(ground_truth):
        ends = ground_truth.offsets
        return {
            k: ground_truth.boxes[a:b].tolist()
            for k, a, b in zip(ground_truth.keys, ends, ends[1:])
        }

    assert boxes(listed) == boxes(truth)
