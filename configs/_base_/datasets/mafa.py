# MAFA (masked faces) under `data_root`, as its archives unpack:
#   MAFA-Label-Train/LabelTrainAll.mat  train-images/images/
#   MAFA-Label-Test/LabelTestAll.mat    test-images/images/
# Training: the pipeline of wider_face.py. Test: original size; the data
# preprocessor pads it. The metric's rules are partly inferred, and its report
# says which. With a part of the pictures set dataset.missing='skip'.
dataset_type = 'MAFADataset'
data_root = 'data/mafa/'
backend_args = None
img_scale = (1024, 1024)

# The annotations refer to the stored pixel grid, and the sizes in the data
# list are the headers': so no picture is turned by its EXIF orientation.
train_pipeline = [
    dict(
        type='LoadImageFromFile',
        color_type='color_ignore_orientation',
        backend_args=backend_args),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PhotoMetricDistortion'),
    # The paper names no probability: every picture is expanded, by a factor
    # that starts at 1 (MMDetection's default leaves half of them alone).
    dict(
        type='Expand',
        mean=[123.675, 116.28, 103.53],
        to_rgb=True,
        ratio_range=(1, 2),
        prob=1.0),
    dict(type='RandomSquareCrop', ratios=(1.0, (0.5, 1.0))),
    dict(type='Resize', scale=img_scale, keep_ratio=False),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs')
]
# Resize changes nothing here, but heads ask for the scale factor.
test_pipeline = [
    dict(
        type='LoadImageFromFile',
        color_type='color_ignore_orientation',
        backend_args=backend_args),
    dict(type='Resize', scale_factor=1.0, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape',
                   'scale_factor', 'flip', 'flip_direction'))
]

train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='MAFA-Label-Train/LabelTrainAll.mat',
        data_prefix=dict(img='train-images/images'),
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=train_pipeline,
        backend_args=backend_args))

test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='MAFA-Label-Test/LabelTestAll.mat',
        data_prefix=dict(img='test-images/images'),
        test_mode=True,
        pipeline=test_pipeline,
        backend_args=backend_args))
val_dataloader = test_dataloader

test_evaluator = dict(
    type='MAFAMetric', ann_file=data_root + 'MAFA-Label-Test/LabelTestAll.mat')
val_evaluator = test_evaluator
