# RefineFace on MobileNetV2 for a CPU and part of WIDER FACE: data, schedule
# and seed of retinanet_mbv2_1xb8-32e_wider-face-256.py, its baseline.
#   python tools/train.py \
#       configs/refineface/refineface_mbv2_1xb8-32e_wider-face-256.py \
#       --resume --cfg-options model.backbone.init_cfg.type=Pretrained \
#       model.backbone.init_cfg.checkpoint=mobilenet_v2.pth
_base_ = ['refineface_mbv2_8xb4-130e_wider-face.py']

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
    optimizer=dict(lr=0.01), clip_grad=dict(max_norm=10, norm_type=2))
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
auto_scale_lr = dict(base_batch_size=8)
