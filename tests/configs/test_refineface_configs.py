"""The configs of RefineFace build, train and test as the paper says."""
import re

import numpy as np
import pytest
import torch
from config_folder import once_per_model
from face_samples import sample
from mmdet.registry import MODELS, TASK_UTILS
from refineface_rows import FOLDER, config
from refineface_steps import FACES, build, shallow, steps

from tinyfaces.models import avg_factor

CONFIGS = sorted(p.stem for p in FOLDER.glob('*.py'))
BASELINES = [
    stem for stem in CONFIGS if re.match(r'retinanet_(r\d+|mbv2)_\d', stem)
]


def test_there_are_five_backbones_and_one_schedule_for_a_cpu():
    assert [name.split('_')[1] for name in BASELINES
            ] == ['mbv2', 'mbv2', 'r101', 'r152', 'r18', 'r50']


@pytest.mark.parametrize('name', CONFIGS)
def test_six_levels_of_two_anchors(name):
    """Also that neck and head fit the backbone's channels."""
    cfg = config(name)
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model).eval()
    with torch.no_grad():
        cls_scores, bbox_preds, *first = model(torch.rand(1, 3, 128, 128))
    assert [tuple(x.shape[1:]) for x in cls_scores
            ] == [(2, 2**n, 2**n) for n in (5, 4, 3, 2, 1, 0)]
    assert [x.shape[1] for x in bbox_preds] == [8] * 6
    head = cfg.model.bbox_head
    for maps, levels in zip(first, ('stc_levels', 'str_levels')):
        assert [x.shape[-1]
                for x in maps] == [2**(5 - i) for i in head[levels]]
    assert model.bbox_head.sync_avg_factor


@pytest.fixture(scope='module')
def outcome():
    """What the steps of a config gave; equal models share it."""
    return once_per_model(steps, lambda name: shallow(config(name)))


# Other levels and margins are no other code.
TRAINED = [
    name for name in CONFIGS
    if not re.search(r'_(str|stc)-p[3456]_|_sml-(3|11|19)_', name)
]


@pytest.mark.parametrize('name', TRAINED)
def test_training_steps_and_prediction(outcome, name):
    found, result = outcome(name)
    cfg = config(name)
    head = cfg.model.bbox_head
    stc, str_ = (head.get(k, ()) for k in ('stc_levels', 'str_levels'))
    for kind, step in found.items():
        losses, with_faces = step.losses, kind != 'empty'
        assert all(np.isfinite(list(losses.values()))), losses
        assert losses['loss_cls'] > 0
        # MobileNetV2's last convolution, which the config announces
        unused = {n for n in step.bad if n.startswith('backbone.conv2')}
        assert step.bad == unused
        assert bool(unused) == cfg.get('find_unused_parameters', False)
        assert ('loss_cls_first' in losses) == bool(stc)
        assert ('loss_bbox_first' in losses) == bool(str_)
        supervised = cfg.model.get('feature_supervision') is not None
        assert ('loss_fsm' in losses) == supervised
        assert (losses['loss_bbox'] > 0) == with_faces
        if str_:
            assert (losses['loss_bbox_first'] > 0) == with_faces
            # First-step maps come first.
            assert step.reached['loss_bbox_first'] == set(
                str_ if with_faces else ())
        if stc:
            assert losses['loss_cls_first'] > 0
    last = found['faces'].reached['loss_bbox']
    count = 12 if stc or str_ else 6
    assert last == set(range(count - 6, count))
    assert not found['faces'].dead
    assert 0 < len(result) <= 750
    assert (result.scores.diff() <= 0).all() and result.scores.min() > 0
    assert 0 <= result.bboxes.min() and result.bboxes.max() <= 64
    assert (result.bboxes[:, 2:] > result.bboxes[:, :2]).all()


@pytest.mark.parametrize(
    'name', [n for n in TRAINED if re.match('refineface|srn|.*_stc', n)])
def test_stc_drops_anchors_when_training_starts(outcome, name):
    """At the prior of .01, its threshold, a part of them; at .5 none."""
    found, _ = outcome(name)
    start, later = found['start'].losses, found['faces'].losses
    # P5 to P7 have few anchors in this picture, P6 and P7 two.
    if min(config(name).model.bbox_head.stc_levels) < 3:
        assert 0 < start['stc_dropped_neg'] < start['stc_neg']
    assert 0 <= start['stc_dropped_pos'] <= start['stc_pos']
    assert later['stc_dropped_neg'] == later['stc_dropped_pos'] == 0
    assert later['stc_pos'] >= len(FACES)


def test_one_module_is_added_to_the_very_baseline(monkeypatch):
    """Same parameters, loss and boxes, with the margin of SML set to 0; and
    whatever the number of positives on other ranks."""
    plain = shallow(config('retinanet_r50_sml_8xb4-130e_wider-face'))
    plain.model.bbox_head.loss_cls.margin_scale = 0
    plain = build(plain)
    baseline = build(shallow(config('retinanet_r50_8xb4-130e_wider-face')))
    torch.nn.init.zeros_(baseline.bbox_head.retina_cls.bias)
    plain.load_state_dict(baseline.state_dict())
    images = torch.rand(1, 3, 128, 128)
    monkeypatch.setattr(avg_factor, 'reduce_mean', lambda count: 2 * count)
    one, two = (
        m.train().loss(images, [sample(FACES, size=128)])
        for m in (baseline, plain))
    for name in ('loss_cls', 'loss_bbox'):
        assert two[name].item() == pytest.approx(sum(one[name]).item())
    with torch.no_grad():
        one, two = (
            m.eval().predict(images, [sample(size=128)])[0].pred_instances
            for m in (baseline, plain))
    assert len(one) > 0
    torch.testing.assert_close(one.bboxes, two.bboxes)
    torch.testing.assert_close(one.scores, two.scores)


@pytest.mark.parametrize('settings, bins, parameters', [
    ('fsm', 5, 387360),
    ('fsm-fc', 5, 829472),
    ('fsm-roi3', 3, 387360),
    ('fsm-roi7', 7, 387360),
])
def test_feature_supervision_of_tables_7_and_8(settings, bins, parameters):
    cfg = config(f'retinanet_r50_{settings}_8xb4-130e_wider-face')
    module = MODELS.build(
        cfg.model.feature_supervision,
        default_args=dict(
            anchor_generator=cfg.model.bbox_head.anchor_generator))
    assert sum(p.numel() for p in module.parameters()) == parameters
    for layer in module.roi_extractor.roi_layers:
        assert tuple(layer.output_size) == (bins, bins)


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
    empty = model.loss(images, [sample(size=128)])
    assert sum(empty['loss_cls']) > 0 and sum(empty['loss_bbox']) == 0
    one = model.loss(images, [sample([[10, 10, 40, 47]], size=128)])
    assert sum(one['loss_cls']) > 0 and sum(one['loss_bbox']) > 0


@pytest.mark.parametrize('backbone', ['mbv2', 'r18'])
def test_parameters_without_a_gradient_are_announced(backbone):
    """Else distributed training stops at its second step."""
    cfg = config(f'retinanet_{backbone}_8xb4-130e_wider-face')
    model = build(cfg).train()
    losses = model.loss(
        torch.rand(1, 3, 128, 128), [sample([[10, 10, 40, 47]], size=128)])
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
    plain = model.loss(images, [sample(size=128)])
    ignored = model.loss(images, [sample([], [[0, 0, 128, 128]], size=128)])
    assert 0 < sum(ignored['loss_cls']) < .5 * sum(plain['loss_cls'])


def test_prediction_keeps_750_boxes():
    """Every one of 10,920 anchors scores high: 750 stay."""
    cfg = config('retinanet_mbv2_8xb4-130e_wider-face')
    model = build(cfg).eval()
    torch.nn.init.constant_(model.bbox_head.retina_cls.bias, 5.)
    with torch.no_grad():
        result, = model.predict(torch.rand(1, 3, 256, 256), [sample(size=256)])
    assert len(result.pred_instances) == 750
    assert (result.pred_instances.scores > .05).all()
