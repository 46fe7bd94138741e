# The MobileNetV2 RetinaNet fine-tuned on FDDB: square crops of half to all of
# the shorter side, at 256x256 about the pictures' own scale; 2 epochs at
# batch 8. Made to start from a model trained on WIDER FACE:
#   bash tools/cross_validate_fddb.sh \
#       configs/fddb/retinanet_mbv2_1xb8-2e_fddb-256.py --cfg-options \
#       load_from=wider_face.pth
# With a part of the pictures, add train_dataloader.dataset.missing=skip and
# test_dataloader.dataset.missing=skip.
_base_ = [
    '../_base_/models/retinanet_face_mbv2.py', '../_base_/datasets/fddb.py',
    '../_base_/default_runtime.py', '../_base_/tta/flip_multi_scale.py'
]

train_pipeline = [
    dict(
        type='LoadImageFromFile',
        color_type='color_ignore_orientation',
        backend_args=None),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomSquareCrop', ratios=((0.5, 1.0), )),
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
# No validation: the fold held out must not choose the checkpoint.
val_dataloader = None
val_evaluator = None
test_dataloader = dict(num_workers=0, persistent_workers=False)

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2)
val_cfg = None
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.002, momentum=0.9, weight_decay=0.0001),
    clip_grad=dict(max_norm=10, norm_type=2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=20),
    dict(
        type='CosineAnnealingLR',
        begin=0,
        end=2,
        by_epoch=True,
        convert_to_iter_based=True,
        eta_min=1e-5)
]
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(save_best=None))
custom_hooks = [dict(type='ChannelsLastHook')]
auto_scale_lr = dict(enable=False, base_batch_size=8)
