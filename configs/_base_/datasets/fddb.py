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
_base_ = '../pipelines/faces.py'

dataset_type = 'FDDBDataset'
data_root = 'data/fddb/'

train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='SeededDefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        folds=[2, 3, 4, 5, 6, 7, 8, 9, 10],
        filter_cfg=dict(filter_empty_gt=True),
        pipeline={{_base_.train_pipeline}},
        backend_args={{_base_.backend_args}}))

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
        pipeline={{_base_.test_pipeline}},
        backend_args={{_base_.backend_args}}))
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
        pipeline={{_base_.test_pipeline}},
        backend_args={{_base_.backend_args}}))

# The "new annotations" (5,409 faces): ann_file=
# data_root + 'FDDB_annotation_ellipseList_new.txt' here; and, with a path
# relative to data_root, in the datasets above to train on them too.
val_evaluator = dict(type='FDDBMetric', folds_dir=data_root + 'FDDB-folds')
test_evaluator = val_evaluator
