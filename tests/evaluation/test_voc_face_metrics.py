"""``VOCFaceMetric`` and ``MAFAMetric``."""
import json

import numpy as np
import pytest
import torch
from mat_writers import mafa_test_row as row
from mat_writers import write_mafa, write_voc_face
from mmdet.registry import METRICS
from mmdet.structures import DetDataSample
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData

from tinyfaces.evaluation.functional import (evaluate_mafa, evaluate_voc_face,
                                             load_mafa_gt, load_voc_face_gt,
                                             read_voc_face_detections)
from tinyfaces.evaluation.metrics import MAFAMetric, VOCFaceMetric

FACES = {
    'a.jpg': [[10, 10, 109, 109, 0], [200, 10, 299, 109, 1]],
    'b.jpg': [[10, 10, 109, 109, 0]],
    'c.jpg': [],
}


@pytest.fixture
def gt(tmp_path):
    return write_voc_face(tmp_path / 'gt.mat', FACES)


def sample(key, boxes, scores):
    result = DetDataSample(
        metainfo=dict(
            img_id=key, scale_factor=(1., 1.), batch_input_shape=(128, 256)))
    result.pred_instances = InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        scores=torch.tensor(scores, dtype=torch.float32),
        labels=torch.zeros(len(boxes), dtype=torch.long))
    return result


def noisy_samples(seed=0):
    """Every face found, not well, between wrong detections."""
    rng = np.random.default_rng(seed)
    samples = []
    for name, faces in FACES.items():
        boxes = np.array([face[:4]
                          for face in faces] * 3 + [[300, 300, 400, 400]] * 2,
                         float)
        boxes += rng.normal(0, 12, boxes.shape)
        # Few scores, so that the order decides.
        scores = rng.choice([.3, .6, .9], len(boxes))
        samples.append(sample(name[0], boxes, scores))
    return samples


def run(metric, samples):
    evaluator = Evaluator(metric)
    for item in samples:
        evaluator.process([item])
    return evaluator.evaluate(len(samples))


@pytest.mark.parametrize('seed', [0, 2, 3, 4])
def test_registered_and_the_file_gives_the_same_ap(gt, tmp_path, seed):
    metric = METRICS.build(
        dict(
            type='VOCFaceMetric',
            ann_file=str(gt),
            outfile_prefix=str(tmp_path / 'out/dets'),
            prefix='afw'))
    metrics = run(metric, noisy_samples(seed))
    assert list(metrics) == ['afw/ap']
    truth = load_voc_face_gt(gt)
    found = read_voc_face_detections(tmp_path / 'out/dets.txt', truth.index)
    assert 0 < metrics['afw/ap'] == evaluate_voc_face(found, truth).ap() < 1
    np.testing.assert_array_equal(found.boxes, found.boxes.round(3))


def test_order_and_repetition_of_images_do_not_matter(gt):
    samples = noisy_samples(3)
    expected = run(VOCFaceMetric(str(gt)), samples)
    assert list(expected) == ['voc_face/ap']
    again = [*samples[::-1], samples[1]]
    assert run(VOCFaceMetric(str(gt)), again) == expected


def test_options_reach_the_protocol(gt):
    shifted = [
        sample('a', [[45, 10, 144, 109]], [.9]),
        sample('b', [[39, 10, 138, 109]], [.8]),
        sample('c', [], [])
    ]
    assert run(VOCFaceMetric(str(gt), prefix='x'), shifted) == {'x/ap': 1.}
    assert run(VOCFaceMetric(str(gt), passes=1), shifted)['voc_face/ap'] == .25
    assert run(VOCFaceMetric(str(gt), passes=1, iou_thr=.4),
               shifted)['voc_face/ap'] == 1
    assert np.isnan(
        run(VOCFaceMetric(str(gt), min_size=100), shifted)['voc_face/ap'])


def test_shift_top_as_s3fd(gt, tmp_path):
    """y1 += 0.2 * (y2 - y1 + 1)."""
    metric = VOCFaceMetric(
        str(gt), shift_top=.2, outfile_prefix=str(tmp_path / 'd'))
    run(metric, [sample('a', [[0, -10, 50, 89], [0, 5, 9, 5]], [.9, .8])])
    found = read_voc_face_detections(tmp_path / 'd.txt')
    # A flat box stays flat.
    assert found.boxes.tolist() == [[0, 10, 50, 89], [0, 5, 9, 5]]
    assert json.loads((tmp_path / 'd.json').read_text())['shift_top'] == .2
    with pytest.raises(ValueError, match='shift_top'):
        VOCFaceMetric(str(gt), shift_top=1)


def test_files_say_what_was_scored(gt, tmp_path):
    metric = VOCFaceMetric(
        str(gt),
        outfile_prefix=str(tmp_path / 'out'),
        pr_curve=str(tmp_path / 'pr.png'),
        name='mine')
    run(metric, noisy_samples()[:1])
    content = json.loads((tmp_path / 'out.json').read_text())
    assert content['test_resolution'].startswith('original size, padded')
    mine = content['detectors']['mine']
    assert 'subset: 1 of 3 images' in mine['protocol'] and mine['is_subset']
    assert (tmp_path / 'pr.png').read_bytes().startswith(b'\x89PNG')
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        'gt.mat', 'out.json', 'out.txt', 'pr.png'
    ]


def test_stated_resolution(gt, tmp_path):
    metric = VOCFaceMetric(
        str(gt),
        outfile_prefix=str(tmp_path / 'out'),
        test_resolution='multi-scale')
    run(metric, noisy_samples())
    content = json.loads((tmp_path / 'out.json').read_text())
    assert content['test_resolution'] == 'multi-scale'


def test_mistakes(gt, tmp_path):
    with pytest.raises(FileNotFoundError, match='no such annotation file'):
        VOCFaceMetric(str(tmp_path / 'none.mat'))
    with pytest.raises(ValueError, match="not in the ground truth.*'x'"):
        run(VOCFaceMetric(str(gt)), [sample('x', [], [])])
    with pytest.raises(ValueError, match='detections of a: NaN'):
        run(
            VOCFaceMetric(str(gt), outfile_prefix=str(tmp_path / 'out')),
            [sample('a', [[0, 0, 9, float('nan')]], [.5])])
    assert not (tmp_path / 'out.txt').exists()


@pytest.mark.parametrize('options, error, message', [
    (dict(pr_curve='{}'), IsADirectoryError, 'is a folder; give the name'),
    (dict(pr_curve='{}/gt.mat/a.png'), NotADirectoryError, 'not a folder'),
    (dict(outfile_prefix='{}/gt.mat/a'), NotADirectoryError, 'a.txt cannot'),
    (dict(outfile_prefix='{}/taken'), IsADirectoryError, 'taken.json is a'),
    (dict(outfile_prefix='{}/'), ValueError, 'add the name of the files'),
])
def test_unwritable_files_show_before_the_test(gt, tmp_path, options, error,
                                               message):
    (tmp_path / 'taken.json').mkdir()
    options = {k: v.format(tmp_path) for k, v in options.items()}
    for metric in (VOCFaceMetric, MAFAMetric):
        with pytest.raises(error, match=message):
            metric(str(gt), **options)


@pytest.fixture
def mafa_gt(tmp_path):
    boxes = [[10, 10, 99, 99], [200, 10, 99, 99], [400, 10, 99, 99]]
    return write_mafa(
        tmp_path / 'LabelTestAll.mat', {
            'test_1.jpg': [row(b, t) for t, b in enumerate(boxes, 1)],
            'test_2.jpg': [row(boxes[0], 1)]
        })


def test_mafa(mafa_gt, tmp_path):
    metric = METRICS.build(
        dict(
            type='MAFAMetric',
            ann_file=str(mafa_gt),
            outfile_prefix=str(tmp_path / 'out')))
    samples = [
        sample('test_1', [[400, 10, 499, 109], [10.00049, 12, 109, 109]],
               [.9, .8]),
        sample('test_2', [[300, 10, 399, 109]], [.7])
    ]
    metrics = run(metric, samples)
    assert metrics == {
        'mafa/whole_ap': .5,
        'mafa/masked_ap': .5,
        'mafa/unignored_ap': 1 / 3
    }
    truth = load_mafa_gt(mafa_gt)
    found = read_voc_face_detections(tmp_path / 'out.txt', truth.index)
    assert found.boxes[1].tolist() == [10, 12, 109, 109]
    assert evaluate_mafa(found, truth).ap('unignored') == 1 / 3
    content = json.loads((tmp_path / 'out.json').read_text())
    assert content['detectors']['detector']['inferred_rules']


def test_mafa_options(mafa_gt):
    box = sample('test_1', [[10, 10, 109, 79]], [.9])
    assert run(MAFAMetric(str(mafa_gt)), [box])['mafa/masked_ap'] == 1
    assert run(MAFAMetric(str(mafa_gt), iou_thr=.75),
               [box])['mafa/masked_ap'] == 0
