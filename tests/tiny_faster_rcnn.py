"""A Faster R-CNN that trains in no time, on a tiny data set."""
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def _sampler(num: int, pos_fraction: float, proposals: bool) -> dict:
    return dict(
        type='SeededRandomSampler',
        num=num,
        pos_fraction=pos_fraction,
        neg_pos_ub=-1,
        add_gt_as_proposals=proposals)


def _assigner(pos: float, neg: float, low_quality: bool) -> dict:
    return dict(
        type='MaxIoUAssigner',
        pos_iou_thr=pos,
        neg_iou_thr=neg,
        min_pos_iou=.3,
        match_low_quality=low_quality,
        ignore_iof_thr=.5)


PROPOSALS = dict(
    nms_pre=40,
    max_per_img=20,
    nms=dict(type='nms', iou_threshold=.7),
    min_bbox_size=0)

FASTER_RCNN = dict(
    type='FasterRCNN',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[100., 100., 100.],
        std=[60., 60., 60.],
        bgr_to_rgb=True,
        pad_size_divisor=16),
    backbone=dict(
        type='ResNet',
        depth=18,
        base_channels=8,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2, )),
    rpn_head=dict(
        type='RPNHead',
        in_channels=32,
        feat_channels=16,
        anchor_generator=dict(
            type='AnchorGenerator', scales=[1, 1.5], ratios=[1.],
            strides=[16]),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder')),
    roi_head=dict(
        type='StandardRoIHead',
        bbox_roi_extractor=dict(
            type='SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=3, sampling_ratio=1),
            out_channels=32,
            featmap_strides=[16]),
        bbox_head=dict(
            type='Shared2FCBBoxHead',
            in_channels=32,
            fc_out_channels=16,
            roi_feat_size=3,
            num_classes=1,
            reg_class_agnostic=True,
            bbox_coder=dict(
                type='DeltaXYWHBBoxCoder', target_stds=[.1, .1, .2, .2]))),
    train_cfg=dict(
        rpn=dict(
            assigner=_assigner(.7, .3, True),
            sampler=_sampler(16, .5, False),
            allowed_border=-1,
            pos_weight=-1,
            debug=False),
        rpn_proposal=PROPOSALS,
        rcnn=dict(
            assigner=_assigner(.5, (.1, .5), False),
            sampler=_sampler(16, .25, True),
            pos_weight=-1,
            debug=False)),
    test_cfg=dict(
        rpn=PROPOSALS,
        rcnn=dict(
            score_thr=.01,
            nms=dict(type='nms', iou_threshold=.4),
            max_per_img=20)))

# In the manner of tiny_fddb.write_fddb: fold 1 trains. Two epochs, each of as
# many steps as there are pairs of pictures.
CONFIG = """
_base_ = ['{configs}/_base_/datasets/fddb.py',
          '{configs}/_base_/default_runtime.py']
data_root = '{root}/'
model = {model}
train_pipeline = [
    dict(type='LoadImageFromFile'), dict(type='LoadAnnotations',
                                         with_bbox=True),
    dict(type='Resize', scale=(64, 64), keep_ratio=False),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs')]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(80, 80), keep_ratio=True),
    dict(type='PackDetInputs')]
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False,
    dataset=dict(data_root=data_root, folds=[1], pipeline=train_pipeline))
val_dataloader = None
val_evaluator = None
val_cfg = None
test_dataloader = dict(
    num_workers=0, persistent_workers=False,
    dataset=dict(data_root=data_root, folds=[2], pipeline=test_pipeline))
test_evaluator = dict(folds_dir=data_root + 'FDDB-folds')
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2)
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(
    type='SGD', lr=0.02, momentum=0.9))
param_scheduler = [dict(type='MultiStepLR', milestones=[1], gamma=0.1)]
default_hooks = dict(logger=dict(interval=1),
                     checkpoint=dict(_delete_=True,
                                     type='AtomicCheckpointHook',
                                     interval=1))
randomness = dict(seed=0)
"""


def write_config(folder: Path, more: str = '') -> Path:
    """Write a config that trains on tiny_fddb's files in a folder."""
    text = CONFIG.format(
        configs=ROOT / 'configs', root=folder, model=FASTER_RCNN)
    path = folder / 'tiny.py'
    path.write_text(text + more)
    return path
