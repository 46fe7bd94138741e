"""Small parts of Group Sampling that several tests share."""
import copy

import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict

SCALES = (16, 32, 64, 128)
# One level of four anchors per cell, and four levels of one: base sizes of
# the anchors by level, whose scale is base size times stride.
LAYOUTS = dict(
    finest=dict(strides=(4, ), scales=(4, 8, 16, 32)),
    pyramid=dict(strides=(4, 8, 16, 32), scales=(4, )))
FOCAL = dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=.25)
SOFTMAX = dict(type='CrossEntropyLoss', use_sigmoid=False)
IOU = dict(loss_bbox=dict(type='IoULeastSquareLoss'), reg_decoded_bbox=True)


def random_sampler(num=128):
    return dict(
        type='RandomSampler',
        num=num,
        pos_fraction=.25,
        neg_pos_ub=-1,
        add_gt_as_proposals=False)


def group_sampler(num=24, seed=0):
    return dict(type='ScaleGroupSampler', num_per_group=num, seed=seed)


def head_config(layout='finest',
                kind='ScaleGroupHead',
                sampler=None,
                ohem=None,
                test_cfg=None,
                **options):
    """A head of 8 channels; without a sampler all labelled anchors train."""
    train_cfg = dict(
        assigner=dict(
            type='StreamingMaxIoUAssigner',
            pos_iou_thr=.6,
            neg_iou_thr=.4,
            min_pos_iou=0,
            ignore_iof_thr=.5),
        sampler=sampler,
        ohem=ohem,
        allowed_border=-1,
        pos_weight=-1)
    test_cfg = dict(
        dict(
            nms_pre=2000,
            score_thr=.05,
            min_bbox_size=0,
            nms=dict(type='nms', iou_threshold=.4),
            max_per_img=750), **(test_cfg or {}))
    config = dict(
        type=kind,
        in_channels=8,
        feat_channels=8,
        anchor_generator=dict(
            type='AnchorGenerator', ratios=[1.0], **LAYOUTS[layout]),
        loss_cls=SOFTMAX,
        loss_bbox=dict(type='SmoothL1Loss', beta=1 / 9),
        train_cfg=ConfigDict(train_cfg),
        test_cfg=ConfigDict(test_cfg))
    config.update(options)
    return ConfigDict(config)


def group_head(*args, **options):
    """The head of :func:`head_config`, with the same weights each time."""
    torch.manual_seed(0)
    head = MODELS.build(head_config(*args, **options))
    head.init_weights()
    return head


def noisy_outputs(head, pictures=2, size=64, spread=1.):
    """Random logits and deltas of a head's levels, which need gradients."""
    generator = torch.Generator().manual_seed(3)
    outputs = [[], []]
    for stride, _ in head.prior_generator.strides:
        cells = -(-size // stride)
        for maps, channels, scale in zip(outputs, (head.cls_out_channels, 4),
                                         (spread, .2)):
            maps.append((torch.randn(
                pictures,
                head.num_base_priors * channels,
                cells,
                cells,
                generator=generator) * scale).requires_grad_())
    return outputs


def neck_maps(head, pictures=2, size=64):
    """Random maps of a neck for a head of 8 channels."""
    generator = torch.Generator().manual_seed(4)
    return [
        torch.randn(pictures, 8, size // s, size // s, generator=generator)
        for s, _ in head.prior_generator.strides
    ]


BACKBONE = dict(
    type='ResNet',
    depth=18,
    stem_channels=8,
    base_channels=8,
    norm_cfg=dict(type='BN', requires_grad=True))


def neck_config(layout='finest', **options):
    outputs = ('P2', ) if layout == 'finest' else ('P2', 'P3', 'P4', 'P5')
    return dict(
        type='TopDownNeck',
        in_channels=[8, 16, 32, 64],
        out_channels=8,
        **dict(dict(outputs=outputs), **options))


def detector_config(layout='finest', neck=None, **options):
    """GroupSampling with a ResNet-18; options are those of the head."""
    head = head_config(layout, **options)
    train_cfg, test_cfg = head.pop('train_cfg'), head.pop('test_cfg')
    return ConfigDict(
        type='GroupSampling',
        data_preprocessor=dict(
            type='DetDataPreprocessor',
            mean=[0, 0, 0],
            std=[64, 64, 64],
            pad_size_divisor=32),
        backbone=copy.deepcopy(BACKBONE),
        neck=neck or neck_config(layout),
        bbox_head=head,
        train_cfg=train_cfg,
        test_cfg=test_cfg)


def bbox_head_config(**options):
    """The head of a second stage, of 8 channels and 3x3 bins."""
    config = dict(
        type='Shared2FCBBoxHead',
        in_channels=8,
        fc_out_channels=8,
        roi_feat_size=3,
        num_classes=1,
        reg_class_agnostic=True)
    return dict(config, **options)


def faster_rcnn(**bbox_head):
    """MMDetection's, of the same sampler in both stages (section 4.2).

    Args:
        **bbox_head: Options of the second stage's head.
    """
    rpn = head_config(sampler=group_sampler(32), **IOU)
    train_rpn, test_rpn = rpn.pop('train_cfg'), rpn.pop('test_cfg')
    del test_rpn['score_thr']
    test_rpn.max_per_img = 50
    return ConfigDict(
        type='FasterRCNN',
        data_preprocessor=detector_config().data_preprocessor,
        backbone=copy.deepcopy(BACKBONE),
        neck=neck_config(),
        rpn_head=rpn,
        roi_head=dict(
            type='StandardRoIHead',
            bbox_roi_extractor=dict(
                type='SingleRoIExtractor',
                roi_layer=dict(
                    type='RoIAlign', output_size=3, sampling_ratio=2),
                out_channels=8,
                featmap_strides=[4]),
            bbox_head=bbox_head_config(**bbox_head)),
        train_cfg=dict(
            rpn=train_rpn,
            rpn_proposal=test_rpn,
            rcnn=dict(
                assigner=dict(
                    type='MaxIoUAssigner',
                    pos_iou_thr=.5,
                    neg_iou_thr=.5,
                    min_pos_iou=.5,
                    match_low_quality=False),
                sampler=dict(group_sampler(8), add_gt_as_proposals=True),
                pos_weight=-1)),
        test_cfg=dict(
            rpn=test_rpn,
            rcnn=dict(
                score_thr=0,
                nms=dict(type='nms', iou_threshold=.4),
                max_per_img=20)))
