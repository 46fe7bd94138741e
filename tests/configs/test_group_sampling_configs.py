"""The configs of Group Sampling build, train and test as the paper says.

Where a model computes, it mostly has a ResNet-18 and a light second stage.
"""

import numpy as np
import pytest
import torch
from config_folder import once_per_model
from face_samples import sample
from group_sampling_rows import FOLDER, SUFFIX, config, head, shallow, training
from mmdet.registry import MODELS, TASK_UTILS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

CONFIGS = sorted(p.stem for p in FOLDER.glob('*.py'))
SAMPLING = f'fpn-finest-sampling_r50{SUFFIX}'
FINEST = f'fpn-finest_r50{SUFFIX}'
MBV2 = 'fpn-finest-sampling_mbv2_1xb8-32e_wider-face-256'
MBV2_FINEST = 'fpn-finest_mbv2_1xb8-32e_wider-face-256'
NAMES = ['16', '32', '64', '128']
# The second one is too small for any anchor.
FACES = [[8, 8, 40, 42], [50, 50, 54, 55]]
IGNORED = [[70, 10, 110, 60]]


def build(cfg):
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model


@pytest.mark.parametrize('name', CONFIGS)
def test_backbone_neck_and_head_fit(name):
    """As they are, without numbers: only shapes are computed."""
    cfg = config(name)
    cfg.model.backbone.init_cfg = None
    with torch.device('meta'):
        backbone = MODELS.build(cfg.model.backbone)
        neck = MODELS.build(cfg.model.neck)
        maps = neck(backbone(torch.empty(1, 3, 128, 128)))
    strides = head(cfg).anchor_generator.strides
    channels = head(cfg).in_channels
    assert [tuple(x.shape[1:])
            for x in maps] == [(channels, 128 // s, 128 // s) for s in strides]


@pytest.fixture(scope='module')
def outcome():
    """What the step of a config gave; equal models share it."""
    return once_per_model(step, lambda name: shallow(config(name)))


def step(cfg):
    """Losses and lacking gradients, with and without faces; detections."""
    model = build(cfg)
    if head(cfg).loss_cls.use_sigmoid:
        # At the prior of .01 the score threshold leaves nothing.
        torch.nn.init.zeros_(model.bbox_head.rpn_cls.bias)
    images, found = torch.rand(1, 3, 128, 128), {}
    for kind, faces in dict(faces=FACES, empty=[]).items():
        model.train().zero_grad(set_to_none=True)
        losses = model.loss(images, [sample(faces, IGNORED, size=128)])
        total, logged = model.parse_losses(losses)
        total.backward()
        bad = {
            name
            for name, p in model.named_parameters() if p.requires_grad and (
                p.grad is None or not p.grad.isfinite().all())
        }
        found[kind] = {k: v.item() for k, v in logged.items()}, bad
    with torch.no_grad():
        result, = model.eval().predict(images, [sample(size=128)])
    return found, result


@pytest.mark.parametrize('name', CONFIGS)
def test_training_step_and_prediction(outcome, name):
    found, result = outcome(name)
    cfg = config(name)
    two_stages = 'fast-rcnn' in name
    stages = ['', 'rpn_'] if two_stages else ['']
    for kind, (losses, bad) in found.items():
        assert all(np.isfinite(list(losses.values()))), losses
        for stage in stages:
            assert losses[f'{stage}loss_cls'] > 0
            assert (losses[f'{stage}loss_bbox'] > 0) == (kind == 'faces')
        # MobileNetV2's last convolution, which the config announces
        if cfg.get('find_unused_parameters', False):
            assert bad and all(x.startswith('backbone.conv2') for x in bad)
        else:
            assert not bad
    every = {'joint': result.pred_instances}
    if two_stages:
        assert 'group_pred_instances' not in result
    else:
        every.update(result.group_pred_instances)
        assert list(every) == ['joint', *NAMES]
        assert set(result.pred_instances.groups.tolist()) == {0, 1, 2, 3}
    for key, part in every.items():
        assert 0 < len(part) <= 750
        assert (part.scores.diff() <= 0).all() and part.scores.min() >= .05
        assert 0 <= part.bboxes.min() and part.bboxes.max() <= 128
        assert (part.bboxes[:, 2:] > part.bboxes[:, :2]).all()
        if key != 'joint':
            assert set(part.groups.tolist()) == {NAMES.index(key)}


@pytest.mark.slow
@pytest.mark.parametrize('name', [SAMPLING, f'grouped-fast-rcnn_r50{SUFFIX}'])
def test_training_step_and_prediction_as_they_are(name):
    cfg = config(name)
    cfg.model.backbone.init_cfg = None
    found, result = step(cfg)
    assert found['faces'][0]['loss_bbox'] > 0 == found['empty'][0]['loss_bbox']
    assert not found['faces'][1] and not found['empty'][1]
    assert 0 < len(result.pred_instances) <= 750


def drawn(name, options):
    """Positives and negatives of each scale that train, in one picture."""
    cfg = config(name)
    cfg.merge_from_dict(options)
    train = training(cfg)
    generator = TASK_UTILS.build(head(cfg).anchor_generator)
    shapes = [(256 // s, 256 // s) for s in head(cfg).anchor_generator.strides]
    anchors = torch.cat(generator.grid_priors(shapes, device='cpu'))
    faces = sample([[30, 30, 47, 47], [100, 100, 167, 166]], size=256)
    torch.manual_seed(0)
    priors = InstanceData(priors=anchors)
    matched = TASK_UTILS.build(train.assigner).assign(priors,
                                                      faces.gt_instances)
    result = TASK_UTILS.build(train.sampler).sample(matched, priors,
                                                    faces.gt_instances)
    return [[
        int((boxes[:, 2] - boxes[:, 0] == scale).sum())
        for scale in (16, 32, 64, 128)
    ] for boxes in (result.pos_priors, result.neg_priors)]


@pytest.mark.parametrize('number', [256, 512])
def test_overrides_of_figure_4(number):
    """N of each scale, or 4N of all; 256x256 pixels have 4,096 of a scale."""
    key = 'model.train_cfg.sampler.'
    positives, negatives = drawn(SAMPLING, {f'{key}num_per_group': number})
    # Faces of 17 and 66 pixels: anchors of 16 and 64 match.
    assert positives[0] > 0 and positives[2] > 0
    assert np.add(positives, negatives).tolist() == [number] * 4
    for name in (FINEST, f'fpn_r50{SUFFIX}'):
        counts = np.array(drawn(name, {f'{key}num': 4 * number}))
        assert counts.sum() == 4 * number
        assert len(set(counts.sum(axis=0))) > 1


def test_samples_of_the_configs_for_a_cpu():
    """256 of each scale against 1,024 of all, the rest alike."""
    grouped, plain = config(MBV2), config(MBV2_FINEST)
    assert np.sum(drawn(MBV2, {}), axis=0).tolist() == [256] * 4
    assert np.sum(drawn(MBV2_FINEST, {})) == 1024
    for cfg in (grouped, plain):
        cfg.model.train_cfg.pop('sampler')
        assert cfg.model.test_cfg.group_outputs
        assert cfg.train_dataloader.batch_size == 8
        assert cfg.train_cfg.max_epochs == 32
        assert 'all' in cfg.test_evaluator.settings
    assert grouped.to_dict() == plain.to_dict()


def test_ignored_faces_train_nothing():
    """Anchors inside an ignored face leave the samples."""
    cfg = shallow(config(FINEST))
    model = build(cfg).train()
    counts = []
    for ignored in ([], [[0, 0, 64, 128]]):
        picture = sample([], ignored, size=128)
        anchors = model.bbox_head.prior_generator.grid_priors([(32, 32)],
                                                              device='cpu')
        targets = model.bbox_head.get_targets(
            [anchors], [[torch.ones(len(anchors[0]), dtype=torch.bool)]],
            [picture.gt_instances], [picture.metainfo],
            [picture.ignored_instances])
        counts.append(int((targets[1][0] > 0).sum()))
    assert counts[0] == 4096 and .4 * 4096 < counts[1] < .7 * 4096


def test_ohem_trains_1024_anchors(monkeypatch):
    cfg = shallow(config(f'fpn-finest_r50_ohem{SUFFIX}'))
    model = build(cfg).train()
    seen = []
    loss = type(model.bbox_head.loss_cls).forward

    def forward(self, logits, *args, **kwargs):
        seen.append(len(logits))
        return loss(self, logits, *args, **kwargs)

    monkeypatch.setattr(type(model.bbox_head.loss_cls), 'forward', forward)
    model.loss(torch.rand(1, 3, 128, 128), [sample(FACES, size=128)])
    # To choose, all that are labelled; then the chosen.
    assert len(seen) == 2 and 1024 == seen[1] < seen[0] <= 4096


def test_second_stage_samples():
    """128 RoIs of a scale at most; 512 of all without group sampling."""
    for prefix, limits in (('fast-rcnn_r50', [512] * 4),
                           ('grouped-fast-rcnn_r50', [128] * 4)):
        sampler = config(prefix + SUFFIX).model.train_cfg.rcnn.sampler
        sampler = TASK_UTILS.build(sampler)
        sides = torch.tensor([16., 32, 64, 128]).repeat_interleave(1000)
        corners = torch.rand(4000, 2) * 100 + 200
        boxes = torch.cat((corners, corners + sides[:, None]), dim=1)
        priors = InstanceData(priors=boxes)
        assigner = TASK_UTILS.build(
            config(prefix + SUFFIX).model.train_cfg.rcnn.assigner)
        faces = sample([[10, 10, 26, 26]], size=512)
        result = sampler.sample(
            assigner.assign(priors, faces.gt_instances), priors,
            faces.gt_instances)
        # The face itself, too, is a region, and the only positive one.
        assert result.pos_priors.tolist() == [[10, 10, 26, 26]]
        widths = (result.priors[:, 2] - result.priors[:, 0]).round()
        counts = [int((widths == side).sum()) for side in (16, 32, 64, 128)]
        assert sum(counts) == 512
        assert all(count <= limit for count, limit in zip(counts, limits))


def test_pyramid_joins_the_scales_and_each_alone():
    cfg = shallow(config(MBV2))
    model = MODELS.build(ConfigDict(**cfg.tta_model, module=cfg.model)).eval()
    torch.manual_seed(0)
    torch.nn.init.normal_(model.module.bbox_head.rpn_cls.weight, std=.5)
    picture = DetDataSample(
        metainfo=dict(img_shape=(48, 64), ori_shape=(48, 64)))
    image = torch.randint(0, 256, (3, 48, 64), dtype=torch.uint8)
    found, = model.test_step(dict(inputs=[image], data_samples=[picture]))
    assert list(found.group_pred_instances) == NAMES
    for group, name in enumerate(NAMES):
        part = found.group_pred_instances[name]
        assert len(part) > 0 and set(part.groups.tolist()) == {group}
        own = found.pred_instances[found.pred_instances.groups == group]
        # No other group takes its best from a group.
        assert all(part.scores[0] >= own.scores)
    best = found.pred_instances[0]
    alone = found.group_pred_instances[NAMES[int(best.groups)]][0]
    assert torch.equal(best.bboxes, alone.bboxes)
    # Anchors of 16 pixels find faces of 8 at twice the size.
    sizes = found.group_pred_instances['16'].bboxes
    assert (sizes[:, 2] - sizes[:, 0]).min() < 14
