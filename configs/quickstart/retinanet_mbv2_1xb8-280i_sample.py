# The quickstart's toy: the MobileNetV2 RetinaNet on the built-in sample
# (tinyfaces.datasets.sample), small enough for two CPU cores: square crops of
# 256x256 at about the pictures' own scale, 280 iterations of 8.
#   bash tools/quickstart.sh
_base_ = [
    '../_base_/models/retinanet_face_mbv2.py',
    '../_base_/datasets/wider_face.py', '../_base_/default_runtime.py',
    '../_base_/tta/flip_multi_scale.py'
]

data_root = 'work_dirs/quickstart/sample/'

train_pipeline = [
    dict(
        type='LoadImageFromFile',
        color_type='color_ignore_orientation',
        backend_args=None),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomSquareCrop', ratios=((0.35, 0.7), (0.5, 1.0))),
    dict(type='Resize', scale=(256, 256), keep_ratio=False),
    dict(type='PhotoMetricDistortion'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs')
]
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(_delete_=True, type='SeededInfiniteSampler', shuffle=True),
    dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
val_evaluator = dict(
    gt_dir=data_root + 'ground_truth',
    settings=('all', 'easy', 'medium', 'hard'))
test_evaluator = val_evaluator

train_cfg = dict(type='IterBasedTrainLoop', max_iters=280, val_interval=280)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0001),
    clip_grad=dict(max_norm=10))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=30),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        begin=30,
        end=280,
        eta_min=1e-4)
]
default_hooks = dict(
    logger=dict(interval=20),
    checkpoint=dict(by_epoch=False, interval=50, save_best=None))
custom_hooks = [dict(type='ChannelsLastHook')]
log_processor = dict(by_epoch=False)
auto_scale_lr = dict(enable=False, base_batch_size=8)
