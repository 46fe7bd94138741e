"""Small detectors that the tests of several areas share."""
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

# Before mmdet.models is imported: it needs mmcv's ops or the stand-ins.
import tinyfaces  # noqa: F401

PREPROCESSOR = dict(
    type='DetDataPreprocessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_size_divisor=128)

RETINANET = dict(
    type='RetinaNet',
    data_preprocessor=PREPROCESSOR,
    backbone=dict(type='MobileNetV2', out_indices=(1, 2, 4, 6)),
    neck=dict(
        type='FPN',
        in_channels=[24, 32, 96, 320],
        out_channels=64,
        add_extra_convs='on_output',
        num_outs=6),
    bbox_head=dict(
        type='RetinaHead',
        num_classes=1,
        in_channels=64,
        feat_channels=64,
        stacked_convs=1,
        anchor_generator=dict(
            type='AnchorGenerator',
            scales=[2, 2 * 2**0.5],
            ratios=[1.25],
            strides=[4, 8, 16, 32, 64, 128])),
    test_cfg=dict(
        nms_pre=5000,
        score_thr=0.05,
        nms=dict(type='nms', iou_threshold=0.4),
        max_per_img=750))


def save_random_model(model: dict, folder: Path) -> tuple[Path, Path]:
    """Write a config and random weights of it, and return both paths.

    The last layer of a RetinaNet is given so much noise that scores spread
    over 0..1.
    """
    torch.manual_seed(0)
    init_default_scope('mmdet')
    config, weights = folder / 'config.py', folder / 'weights.pth'
    Config(dict(default_scope='mmdet', model=model)).dump(config)
    network = MODELS.build(model)
    if model['type'] == 'RetinaNet':
        torch.nn.init.normal_(network.bbox_head.retina_cls.weight, std=0.5)
    torch.save({'state_dict': network.state_dict()}, weights)
    return config, weights
