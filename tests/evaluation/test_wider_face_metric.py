import json

import numpy as np
import pytest
import torch
from mmdet.registry import METRICS
from mmdet.structures import DetDataSample
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData
from wider_files import IMAGES, write_gt

from tinyfaces.evaluation.analysis.target_sizes import target_size_ap
from tinyfaces.evaluation.functional import (evaluate_wider, load_wider_gt,
                                             read_wider_predictions)
from tinyfaces.evaluation.metrics import WiderFaceMetric


@pytest.fixture
def folder(tmp_path):
    write_gt(tmp_path)
    return tmp_path


def sample(key, boxes, scores, groups=None, **meta):
    """A data sample with boxes x y w h."""
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    boxes = torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)
    result = DetDataSample(
        metainfo=dict(
            img_id=key,
            scale_factor=(1., 1.),
            batch_input_shape=(128, 256),
            **meta))
    result.pred_instances = InstanceData(
        bboxes=boxes,
        scores=torch.tensor(scores, dtype=torch.float32),
        labels=torch.zeros(len(boxes), dtype=torch.long))
    if groups is not None:
        result.group_pred_instances = {
            name: result.pred_instances[index]
            for name, index in groups.items()
        }
    return result


def all_samples():
    """Every face found, and one wrong detection with the lowest score."""
    rng = np.random.default_rng(0)
    samples = [
        sample(key,
               np.array(boxes) + rng.normal(0, .3, (len(boxes), 4)),
               rng.uniform(.5, 1, len(boxes)))
        for key, (boxes, _) in IMAGES.items()
    ]
    first = samples[0].pred_instances
    samples[0].pred_instances = InstanceData.cat([
        first,
        InstanceData(
            bboxes=torch.tensor([[500., 500, 520, 520]]),
            scores=torch.tensor([.1]),
            labels=torch.tensor([0]))
    ])
    return samples


def run(metric, samples):
    evaluator = Evaluator(metric)
    for item in samples:
        evaluator.process([item])
    return evaluator.evaluate(len(samples))


def test_registered_and_equal_to_the_functional_form(folder):
    metric = METRICS.build(
        dict(
            type='WiderFaceMetric',
            gt_dir=str(folder),
            settings=('easy', 'hard', 'all'),
            iou_thrs=(.5, .95),
            fp_at_recall=(.5, 1.),
            outfile_prefix=str(folder / 'out/pred')))
    metrics = run(metric, all_samples())
    assert metrics['wider/easy_ap'] == metrics['wider/all_ap'] == 1
    assert set(metrics) == {
        f'wider/{s}_{name}'
        for s in ('easy', 'hard', 'all')
        for name in ('ap', 'ap95', 'fp@r0.5', 'fp@r1')
    }
    # The files hold exactly what was scored.
    found = read_wider_predictions(folder / 'out/pred.zip')
    result = evaluate_wider(found, load_wider_gt(folder), iou_thrs=(.95, ))
    assert 0 < metrics['wider/hard_ap95'] == result.ap('hard', .95) < 1


def test_files_say_what_was_scored(folder):
    run(
        WiderFaceMetric(
            str(folder),
            outfile_prefix=str(folder / 'p'),
            as_folder=True,
            pr_curve=str(folder / 'pr.png'),
            name='mine'),
        all_samples()[:2])
    assert set(read_wider_predictions(folder / 'p')) == set(list(IMAGES)[:2])
    content = json.loads((folder / 'p.json').read_text())
    assert content['test_resolution'] == (
        'original size, padded inputs 256x128 to 256x128 (width x height)')
    assert 'subset: 2 of 3 images' in content['detectors']['mine']['protocol']
    assert (folder / 'pr.png').read_bytes().startswith(b'\x89PNG')


@pytest.mark.parametrize(
    'scale, kwargs, expected',
    [((.5, .51), {}, 'original size times 0.5 to 0.51, padded'),
     (None, {}, 'not stated'),
     ((1., 1.), dict(test_resolution='multi-scale'), 'multi-scale')])
def test_stated_resolution(folder, scale, kwargs, expected):
    samples = all_samples()
    for item in samples:
        item.set_metainfo(dict(scale_factor=scale))
    run(
        WiderFaceMetric(
            str(folder), outfile_prefix=str(folder / 'p'), **kwargs), samples)
    content = json.loads((folder / 'p.json').read_text())
    assert content['test_resolution'].startswith(expected)


def test_groups(folder):
    boxes, _ = IMAGES['0--Parade/0_a']
    samples = [
        sample('0--Parade/0_a', boxes, [.9, .8, .7], {
            '16': [2],
            '32': [0, 1]
        }),
        sample('10--March/10_a', IMAGES['10--March/10_a'][0], [.6, .5],
               {'32': [0, 1]})
    ]
    metrics = run(
        WiderFaceMetric(str(folder), outfile_prefix=str(folder / 'p')),
        samples)
    # One score only: 0 / 0 in the official normalisation.
    assert metrics['wider/all_ap@16'] == 0
    assert metrics['wider/all_ap@32'] == .8
    found = read_wider_predictions(folder / 'p.16.zip')
    assert found['0--Parade/0_a'][:, :4].tolist() == [boxes[2]]
    assert len(found['10--March/10_a']) == 0
    assert '32' in json.loads((folder / 'p.json').read_text())['groups']


def test_format_only_needs_no_ground_truth(folder):
    metric = WiderFaceMetric(
        format_only=True, outfile_prefix=str(folder / 'p'))
    assert run(metric, [sample('a/1', [[1, 2, 3, 4.0006]], [.5])]) == {}
    found = read_wider_predictions(folder / 'p.zip')
    assert found['a/1'].tolist() == [[1, 2, 3, 4.001, .5]]


def test_annotation_file(folder):
    path = folder / 'gt.txt'
    path.write_text('a/1.jpg\n1\n10 10 20 20 0 0 0 0 0 0\n')
    metric = WiderFaceMetric(ann_file=str(path), settings=('all', ))
    found = sample('a/1', [[10, 10, 20, 20], [90, 90, 5, 5]], [.9, .1])
    assert run(metric, [found]) == {'wider/all_ap': 1.}
    with pytest.raises(ValueError, match='only the setting "all"'):
        WiderFaceMetric(ann_file=str(path))


def test_target_sizes(folder):
    metrics = run(
        WiderFaceMetric(
            str(folder),
            settings=['easy', 'hard'],
            target_sizes=[(25, 20), (40.5, 30), (300, 200)],
            outfile_prefix=str(folder / 'p')), all_samples())
    # Of the hard faces: one of 25 x 20 pixels; two of 40 x 30, but that of
    # 60 x 50 is .405 of them; none of 300 x 200.
    truth = load_wider_gt(folder)
    found = read_wider_predictions(folder / 'p.zip')
    expected = target_size_ap(found, truth, 'hard', [(25, 20), (40.5, 30)])
    assert expected['num_faces'] == [1, 2]
    assert metrics['wider/ap_target_25x20'] == expected['ap'][0] == 1
    assert metrics['wider/ap_target_40.5x30'] == expected['ap'][1] == 1
    assert np.isnan(metrics['wider/ap_target_300x200'])
    assert list(metrics)[:2] == ['wider/easy_ap', 'wider/hard_ap']
    content = json.loads((folder / 'p.json').read_text())['target_sizes']
    assert content['setting'] == 'hard' and content['ap'] == [1, 1, None]
    assert content['num_faces'] == [1, 2, 0]


@pytest.mark.parametrize('sizes', [(25, 20), ((25, 0), ), ((25, ), )])
def test_bad_target_sizes(folder, sizes):
    with pytest.raises(ValueError, match=r'such as \[\(25, 20\)\]'):
        WiderFaceMetric(str(folder), target_sizes=sizes)


def test_coco_thresholds(folder):
    metrics = run(
        WiderFaceMetric(str(folder), settings=['hard'], iou_thrs='coco'),
        all_samples())
    each = [metrics[f'wider/hard_ap{t}'] for t in range(55, 100, 5)]
    assert metrics['wider/hard_ap50_95'] == pytest.approx(
        (sum(each) + metrics['wider/hard_ap']) / 10)


def test_mistakes_show_before_training(folder):
    with pytest.raises(FileNotFoundError, match='wider_face_val.mat'):
        WiderFaceMetric(str(folder / 'none'))
    with pytest.raises(ValueError, match='only one'):
        WiderFaceMetric()
    with pytest.raises(ValueError, match='needs outfile_prefix'):
        WiderFaceMetric(format_only=True)
    with pytest.raises(ValueError, match='coco'):
        WiderFaceMetric(str(folder), iou_thrs='voc')


def test_image_that_is_not_in_the_ground_truth(folder):
    with pytest.raises(ValueError, match="not in the ground truth.*'a/1'"):
        run(WiderFaceMetric(str(folder)), [sample('a/1', [], [])])


def test_results_in_any_order(folder):
    """As several processes give them, one picture twice."""
    samples, written = all_samples(), []
    for name, order in (('one', samples), ('two', [*samples[::-1],
                                                   samples[0]])):
        metrics = run(
            WiderFaceMetric(str(folder), outfile_prefix=str(folder / name)),
            order)
        written.append((metrics, (folder / f'{name}.zip').read_bytes(),
                        (folder / f'{name}.json').read_text()))
    assert written[0] == written[1]
    assert set(read_wider_predictions(folder / 'one.zip')) == set(IMAGES)
