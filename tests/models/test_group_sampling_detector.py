"""GroupSampling, and its head in MMDetection's two-stage detector."""
import pytest
import torch
from group_sampling_models import (FOCAL, IOU, detector_config, faster_rcnn,
                                   group_sampler, neck_config, random_sampler)
from mmdet.models.detectors import SingleStageDetector
from mmdet.structures import DetDataSample
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner
from refine_models import build, sample, total, without_gradient
from torch.utils.data import DataLoader

FACES = [[9, 7, 26, 22], [11, 21, 43, 52]]
NAMES = ['16', '32', '64', '128']
STRIDES = dict(
    layout='pyramid',
    shared_predictors=False,
    neck=neck_config('finest', subsample=(1, 2, 4, 8)))


def picture(size=64):
    generator = torch.Generator().manual_seed(5)
    return torch.randint(
        256, (3, size, size), generator=generator, dtype=torch.uint8)


def batch(faces=FACES, size=64, number=2):
    samples = [sample(faces, size=size) for _ in range(number)]
    return dict(inputs=[picture(size)] * number, data_samples=samples)


def single_map(name, stride):
    """The head on one map of a stride, and a backbone that goes no further.
    """
    generator = dict(
        type='AnchorGenerator',
        strides=[stride],
        scales=[scale / stride for scale in (16, 32, 64, 128)],
        ratios=[1.0])
    return dict(neck=neck_config(outputs=(name, )), anchor_generator=generator)


@pytest.mark.parametrize('options', [
    dict(sampler=random_sampler()),
    dict(sampler=group_sampler()),
    dict(layout='pyramid', sampler=group_sampler(), **IOU),
    dict(sampler=random_sampler(), **STRIDES),
    dict(loss_cls=FOCAL),
    dict(ohem=dict(num=32)),
    dict(sampler=group_sampler(), **single_map('P3', 8)),
    dict(sampler=group_sampler(), **single_map('P4', 16)),
])
@pytest.mark.parametrize('faces', [FACES, []])
def test_trains(options, faces):
    """Every parameter gets a gradient, also without faces."""
    model = build(detector_config(**options)).train()
    losses = model(**model.data_preprocessor(batch(faces), True), mode='loss')
    assert losses.keys() == {'loss_cls', 'loss_bbox'}
    assert (losses['loss_bbox'] > 0) == bool(faces)
    total(losses).backward()
    assert not without_gradient(model)


@pytest.mark.parametrize('name, stages', [('C4', 3), ('C3', 2)])
def test_trains_without_the_stages_that_are_not_used(name, stages):
    config = detector_config(
        sampler=random_sampler(), **single_map(name, 2**int(name[1])))
    config.backbone.update(
        num_stages=stages,
        strides=(1, 2, 2)[:stages],
        dilations=(1, ) * stages,
        out_indices=range(stages))
    config.neck.in_channels = config.neck.in_channels[:stages]
    model = build(config).train()
    losses = model(**model.data_preprocessor(batch(), True), mode='loss')
    total(losses).backward()
    assert not without_gradient(model)


@pytest.mark.parametrize('size', [64, 75])
@pytest.mark.parametrize('options', [{}, dict(layout='pyramid'), STRIDES])
def test_predicts_groups(options, size):
    """Odd sizes too. The joint detections do not depend on the groups."""
    config = detector_config(test_cfg=dict(score_thr=0), **options)
    model = build(config).eval()
    plain, = model.test_step(batch(size=size, number=1))
    assert 'group_pred_instances' not in plain
    config.test_cfg.group_outputs = True
    model = build(config).eval()
    found, = model.test_step(batch(size=size, number=1))
    assert list(found.group_pred_instances) == NAMES
    for key in ('bboxes', 'scores', 'labels', 'groups'):
        assert torch.equal(found.pred_instances[key],
                           plain.pred_instances[key])
    for group, name in enumerate(NAMES):
        own = found.group_pred_instances[name]
        assert len(own) and (own.groups == group).all()
        joint = found.pred_instances
        assert len(own) >= len(joint[joint.groups == group])
    assert not found.pred_instances.bboxes.requires_grad


def test_head_is_that_of_a_stock_single_stage_detector():
    """Same results, without the groups' own."""
    config = detector_config(test_cfg=dict(group_outputs=True, score_thr=0))
    found, = build(config).eval().test_step(batch(number=1))
    config.type = 'SingleStageDetector'
    model = build(config).eval()
    assert type(model) is SingleStageDetector
    stock, = model.test_step(batch(number=1))
    assert 'group_pred_instances' not in stock
    assert torch.equal(found.pred_instances.bboxes,
                       stock.pred_instances.bboxes)
    assert torch.equal(found.pred_instances.groups,
                       stock.pred_instances.groups)


def two_faces(head, logits):
    """Logits that find one face with an anchor of 16 pixels, and one of 64.

    Around (20, 24) and (32, 32), and less surely one of 32 pixels around
    (20, 24). The boxes are the anchors.
    """

    def forward(x):
        scores = x[0].new_zeros(1, 8, 32, 32)
        scores[:, 1::2] = 20
        for row, column, anchor, logit in logits:
            scores[0, 2 * anchor, row, column] = 20 + logit
        return [scores], [x[0].new_zeros(1, 16, 32, 32)]

    head.forward = forward


def test_runner_and_metric_score_the_groups(tmp_path):
    """The original is half the size of the network's input.

    Group 16 finds one of two faces, 64 the other one, and 32 a wrong place.
    """
    ann_file = tmp_path / 'wider_face_val_bbx_gt.txt'
    ann_file.write_text('0--Parade/0.jpg\n2\n'
                        '6 8 8 8 0 0 0 0 0 0\n24 24 32 32 0 0 0 0 0 0\n')
    model = build(detector_config(test_cfg=dict(group_outputs=True)))
    # Rows and columns are cells of 4 pixels of the input.
    two_faces(model.bbox_head, [(6, 5, 0, 3.), (20, 20, 2, 2.), (4, 26, 1, 1.),
                                (4, 28, 0, -1.), (4, 24, 2, -2.)])
    item = dict(
        inputs=picture(128),
        data_samples=DetDataSample(
            metainfo=dict(
                img_id='0--Parade/0',
                img_shape=(128, 128),
                ori_shape=(64, 64),
                scale_factor=(2., 2.))))
    runner = Runner(
        model=model,
        work_dir=str(tmp_path),
        test_dataloader=DataLoader([item], collate_fn=pseudo_collate),
        test_cfg={},
        test_evaluator=dict(
            type='WiderFaceMetric', ann_file=str(ann_file),
            settings=('all', )),
        default_scope='mmdet',
        default_hooks=dict(logger=None),
        experiment_name='groups',
        log_level='WARNING')
    metrics = runner.test()
    assert metrics['wider/all_ap'] == pytest.approx(1, abs=1e-3)
    assert metrics['wider/all_ap@16'] == pytest.approx(.5, abs=1e-3)
    assert metrics['wider/all_ap@32'] == 0
    assert metrics['wider/all_ap@64'] == pytest.approx(.5, abs=1e-3)
    assert metrics['wider/all_ap@128'] == 0


@pytest.mark.parametrize('bbox_head',
                         [{}, dict(type='PairMeanBBoxHead', **IOU)])
@pytest.mark.parametrize('faces', [FACES, []])
def test_two_stage_training_step(faces, bbox_head):
    model = build(faster_rcnn(**bbox_head)).train()
    losses = model(**model.data_preprocessor(batch(faces), True), mode='loss')
    assert {'rpn_loss_cls', 'rpn_loss_bbox', 'loss_cls',
            'loss_bbox'} <= losses.keys()
    assert (losses['rpn_loss_bbox'] > 0) == bool(faces)
    assert all(torch.isfinite(losses[name]) for name in losses)
    total(losses).backward()
    assert not without_gradient(model)


def test_two_stage_proposals_and_detections():
    model = build(faster_rcnn()).eval()
    data = model.data_preprocessor(batch(number=1), False)
    with torch.no_grad():
        x = model.extract_feat(data['inputs'])
        proposals, = model.rpn_head.predict(x, data['data_samples'])
    assert len(proposals) == 50
    assert proposals.bboxes.shape == (50, 4)
    assert proposals.labels.tolist() == [0] * 50
    assert set(proposals.groups.tolist()) <= {0, 1, 2, 3}
    assert (proposals.scores.diff() <= 0).all()
    found, = model.test_step(batch(number=1))
    assert 0 < len(found.pred_instances) <= 20
