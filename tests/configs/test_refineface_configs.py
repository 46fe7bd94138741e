"""The baseline configs build, train and test as the paper says."""
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS, TASK_UTILS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData

CONFIGS = Path(__file__).parents[2] / 'configs'
BASELINES = sorted(
    p.stem for p in (CONFIGS / 'refineface').glob('retinanet_*.py'))


def config(name):
    return Config.fromfile(CONFIGS / 'refineface' / f'{name}.py')


def build(cfg):
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model


def samples(size, boxes, ignored=()):
    sample = DetDataSample(
        metainfo=dict(
            img_shape=(size, size),
            ori_shape=(size, size),
            pad_shape=(size, size),
            batch_input_shape=(size, size),
            scale_factor=(1., 1.)))
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor(boxes).float().reshape(-1, 4),
        labels=torch.zeros(len(boxes), dtype=torch.long))
    sample.ignored_instances = InstanceData(
        bboxes=torch.tensor(ignored).float().reshape(-1, 4),
        labels=torch.zeros(len(ignored), dtype=torch.long))
    return [sample]


def test_there_are_five_backbones_and_one_schedule_for_a_cpu():
    assert [name.split('_')[1] for name in BASELINES
            ] == ['mbv2', 'mbv2', 'r101', 'r152', 'r18', 'r50']


@pytest.mark.parametrize('name', BASELINES)
def test_six_levels_of_two_anchors(name):
    """Also that neck and head fit the backbone's channels."""
    model = build(config(name)).eval()
    with torch.no_grad():
        cls_scores, bbox_preds = model(torch.rand(1, 3, 128, 128))
    assert [tuple(x.shape[1:]) for x in cls_scores
            ] == [(2, 2**n, 2**n) for n in (5, 4, 3, 2, 1, 0)]
    assert [x.shape[1] for x in bbox_preds] == [8] * 6


def test_anchors_of_the_paper():
    """Section 3.6: 2S and 2 sqrt(2) S, aspect 1.25, 8 to 362 pixels."""
    cfg = config('retinanet_r50_8xb4-130e_wider-face')
    generator = TASK_UTILS.build(cfg.model.bbox_head.anchor_generator)
    levels = generator.grid_priors([(1024 // s, 1024 // s)
                                    for s in (4, 8, 16, 32, 64, 128)],
                                   device='cpu')
    assert sum(len(level) for level in levels) == 174720
    sizes = [level[:2, 2:] - level[:2, :2] for level in levels]
    for stride, size in zip((4, 8, 16, 32, 64, 128), sizes):
        scale = size.prod(dim=1).sqrt()
        assert scale.tolist() == pytest.approx(
            [2 * stride, 2 * 2**.5 * stride], rel=1e-5)
        assert (size[:, 1] / size[:, 0]).tolist() == pytest.approx([1.25] * 2)
    centre = (levels[0][0, :2] + levels[0][0, 2:]) / 2
    assert centre.tolist() == [2, 2]


def test_schedule_of_the_paper():
    cfg = config('retinanet_r50_8xb4-130e_wider-face')
    warm_up, steps = cfg.param_scheduler
    assert cfg.optim_wrapper.optimizer.lr * warm_up.start_factor == (
        pytest.approx(3.125e-4))
    assert (warm_up.end, steps.milestones, steps.end,
            cfg.train_cfg.max_epochs) == (5, [100, 120], 130, 130)
    assert cfg.train_dataloader.batch_size * 8 == 32
    assert cfg.auto_scale_lr.base_batch_size == 32
    assert cfg.model.test_cfg.max_per_img == 750
    assert cfg.tta_model.tta_cfg.max_per_img == 750


def test_loss_without_and_with_a_face():
    """No face: only classification has a loss. One face: both have."""
    model = build(config('retinanet_mbv2_8xb4-130e_wider-face')).train()
    images = torch.rand(1, 3, 128, 128)
    empty = model.loss(images, samples(128, []))
    assert sum(empty['loss_cls']) > 0 and sum(empty['loss_bbox']) == 0
    one = model.loss(images, samples(128, [[10, 10, 40, 47]]))
    assert sum(one['loss_cls']) > 0 and sum(one['loss_bbox']) > 0


@pytest.mark.parametrize('backbone', ['mbv2', 'r18'])
def test_parameters_without_a_gradient_are_announced(backbone):
    """Else distributed training stops at its second step."""
    cfg = config(f'retinanet_{backbone}_8xb4-130e_wider-face')
    model = build(cfg).train()
    losses = model.loss(
        torch.rand(1, 3, 128, 128), samples(128, [[10, 10, 40, 47]]))
    sum(sum(loss) for loss in losses.values()).backward()
    unused = [
        name for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.grad is None
    ]
    assert bool(unused) == cfg.get('find_unused_parameters', False), unused


def test_ignored_faces_train_nothing():
    """Anchors inside an ignored face leave the background's loss."""
    cfg = config('retinanet_mbv2_8xb4-130e_wider-face')
    model = build(cfg).eval()
    images = torch.rand(1, 3, 128, 128)
    plain = model.loss(images, samples(128, []))
    ignored = model.loss(images, samples(128, [], [[0, 0, 128, 128]]))
    assert 0 < sum(ignored['loss_cls']) < .5 * sum(plain['loss_cls'])


def test_prediction_keeps_750_boxes():
    """Every one of 10,920 anchors scores high: 750 stay."""
    cfg = config('retinanet_mbv2_8xb4-130e_wider-face')
    model = build(cfg).eval()
    torch.nn.init.constant_(model.bbox_head.retina_cls.bias, 5.)
    with torch.no_grad():
        result, = model.predict(torch.rand(1, 3, 256, 256), samples(256, []))
    assert len(result.pred_instances) == 750
    assert (result.pred_instances.scores > .05).all()
