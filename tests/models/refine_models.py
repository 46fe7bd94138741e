"""Small parts of RefineFace that several tests share."""
import copy
from pathlib import Path

import torch
from face_samples import sample  # noqa: F401, for the tests
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict

BASE = Path(__file__).parents[2] / 'configs' / '_base_' / 'models'
STRIDES = (4, 8, 16)
WITHOUT_STEPS = dict(stc_levels=(), str_levels=(), rfe=False)
# The last one fits an anchor of P5, where STR is.
FACES = [[5, 6, 14, 16], [10, 80, 50, 120], [50, 45, 110, 115]]


def small_head(strides=STRIDES, train_cfg=None, test_cfg=None, **options):
    """A head of 8 channels on three levels, initialised."""
    assigner = dict(type='StreamingMaxIoUAssigner', ignore_iof_thr=.5)
    train_cfg = train_cfg or dict(
        assigner=dict(pos_iou_thr=.5, neg_iou_thr=.4, **assigner),
        first_assigner=dict(pos_iou_thr=.7, neg_iou_thr=.3, **assigner),
        allowed_border=-1,
        pos_weight=-1)
    test_cfg = dict(
        nms_pre=5000,
        score_thr=.05,
        min_bbox_size=0,
        nms=dict(type='nms', iou_threshold=.4),
        max_per_img=750,
        **(test_cfg or {}))
    config = dict(
        type='SelectiveRefineHead',
        num_classes=1,
        in_channels=8,
        feat_channels=8,
        stc_levels=(0, ),
        str_levels=(2, ),
        anchor_generator=dict(
            type='AnchorGenerator',
            scales=[2.0, 2.0 * 2.0**0.5],
            ratios=[1.25],
            strides=list(strides),
            center_offset=0.5),
        loss_cls=dict(
            type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25),
        loss_bbox=dict(type='SmoothL1Loss', beta=1 / 9),
        train_cfg=ConfigDict(train_cfg),
        test_cfg=ConfigDict(test_cfg))
    config.update(options)
    head = MODELS.build(config)
    head.init_weights()
    return head


def noisy_maps(pictures=2, size=64):
    """Maps of both steps for :func:`small_head`."""
    torch.manual_seed(3)
    return [torch.randn(pictures, 8, size // s, size // s)
            for s in STRIDES] * 2


def loss_of(head, maps, samples):
    """The losses of maps of all levels, in the order of ``forward``."""
    scores, deltas, first_scores, first_deltas = maps
    return head.loss_by_feat(scores, deltas,
                             [first_scores[i] for i in head.stc_levels],
                             [first_deltas[i] for i in head.str_levels],
                             [s.gt_instances
                              for s in samples], [s.metainfo for s in samples],
                             [s.ignored_instances for s in samples])


def model_config(name='refineface', **head):
    """The config of a detector with a ResNet-18 and a head of 8 channels."""
    model = copy.deepcopy(Config.fromfile(BASE / f'{name}.py').model)
    model.backbone = ConfigDict(
        type='ResNet',
        depth=18,
        stem_channels=8,
        base_channels=8,
        norm_cfg=dict(type='BN', requires_grad=True))
    model.neck.update(in_channels=[8, 16, 32, 64], out_channels=8)
    model.bbox_head.update(in_channels=8, feat_channels=8, **head)
    if 'feature_supervision' in model:
        model.feature_supervision.in_channels = 8
    return model


def build(config):
    """A detector with fresh weights, the same ones each time."""
    torch.manual_seed(0)
    model = MODELS.build(copy.deepcopy(config))
    model.init_weights()
    return model


def total(losses):
    """The sum that training minimises."""
    parts = [v for name, v in losses.items() if 'loss' in name]
    return sum(sum(v) if isinstance(v, list) else v for v in parts)


def without_gradient(model):
    """Names of trainable parameters that the last backward pass left out."""
    return [
        name for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.grad is None
    ]


def images(count=1):
    """Pictures of 128 x 128, for :func:`model_config`."""
    return torch.rand(
        count, 3, 128, 128, generator=torch.Generator().manual_seed(0))


def lively(config):
    """A detector with scores over 0 to 1."""
    model = build(config)
    torch.nn.init.normal_(model.bbox_head.retina_cls.weight, std=5.)
    return model


def predict(model, pictures, samples):
    """What a detector finds in each picture."""
    with torch.no_grad():
        results = model.eval().predict(pictures, copy.deepcopy(samples))
    return [result.pred_instances for result in results]


def assert_same(results, others):
    """Detections are equal, and there are some."""
    assert len(results) == len(others)
    for one, two in zip(results, others):
        assert len(one) > 0
        assert all(torch.equal(one[key], two[key]) for key in one.keys())
