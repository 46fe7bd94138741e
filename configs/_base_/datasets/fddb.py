# FDDB from its official download, unpacked under `data_root`:
#   FDDB-folds/  originalPics/
# Training: folds 2 to 10 with the augmentation of wider_face.py. Validation:
# fold 1. Test: all ten folds, for models that were trained on other data:
#   python tools/test.py CONFIG CHECKPOINT --dataset fddb --fddb-out DIR
# Ten-fold cross-validation, which sets the folds itself:
#   bash tools/cross_validate_fddb.sh CONFIG
# default_runtime.py keeps the checkpoint that is best on WIDER FACE: a config
# that validates on FDDB sets default_hooks.checkpoint.save_best to a metric
# such as 'fddb/disc_tpr@100'.
dataset_type = 'FDDBDataset'
data_root = 'data/fddb/'
backend_args = None
img_scale = (1024, 1024)

# As in wider_face.py.
train_pipeline = [
    dict(
        type='LoadImageFromFile',
        color_type='color_ignore_orientation',
        backend_args=backend_args),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PhotoMetricDistortion'),
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
        folds=[2, 3, 4, 5, 6, 7, 8, 9, 10],
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=train_pipeline,
        backend_args=backend_args))

val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        folds=[1],
        test_mode=True,
        pipeline=test_pipeline,
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
        folds=None,
        test_mode=True,
        pipeline=test_pipeline,
        backend_args=backend_args))

# The "new annotations" (5,409 faces): ann_file=
# data_root + 'FDDB_annotation_ellipseList_new.txt' here; and, with a path
# relative to data_root, in the datasets above to train on them too.
val_evaluator = dict(type='FDDBMetric', folds_dir=data_root + 'FDDB-folds')
test_evaluator = val_evaluator
