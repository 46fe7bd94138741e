# FPN-finest-sampling on MobileNetV2 for a CPU and part of WIDER FACE: 256x256
# crops, batch 8 and 32 epochs as in
# configs/refineface/retinanet_mbv2_1xb8-32e_wider-face-256.py; a crop has
# 4,096 anchors of each scale, of which 256 train.
#   CONFIG=configs/group_sampling/fpn-finest-sampling_mbv2_1xb8-32e_wider-face-256.py
#   python tools/train.py $CONFIG --resume --cfg-options \
#       model.backbone.init_cfg.type=Pretrained \
#       model.backbone.init_cfg.checkpoint=mobilenet_v2.pth
#   python tools/test.py $CONFIG CHECKPOINT
_base_ = [
    '../_base_/models/group_sampling_mbv2.py',
    '../_base_/datasets/wider_face_group_sampling.py',
    '../_base_/schedules/group_sampling_100e.py',
    '../_base_/default_runtime.py', '../_base_/tta/group_sampling_pyramid.py'
]

model = dict(train_cfg=dict(sampler=dict(num_per_group=256)))

train_pipeline = [
    dict(
        type='LoadImageFromFile',
        color_type='color_ignore_orientation',
        backend_args=None),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomSquareCrop', ratios=((0.2, 0.5), (0.4, 1.0))),
    dict(type='Resize', scale=(256, 256), keep_ratio=False),
    dict(type='PhotoMetricDistortion'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs')
]
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=32, val_interval=32)
optim_wrapper = dict(
    optimizer=dict(weight_decay=1e-4),
    clip_grad=dict(max_norm=10, norm_type=2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(
        type='CosineAnnealingLR',
        begin=0,
        end=32,
        by_epoch=True,
        convert_to_iter_based=True,
        eta_min=1e-4)
]
default_hooks = dict(logger=dict(interval=32))
custom_hooks = [dict(type='ChannelsLastHook')]
