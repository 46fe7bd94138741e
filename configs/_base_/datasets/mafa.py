# MAFA (masked faces) under `data_root`, as its archives unpack:
#   MAFA-Label-Train/LabelTrainAll.mat  train-images/images/
#   MAFA-Label-Test/LabelTestAll.mat    test-images/images/
# Training: the pipeline of wider_face.py. Test: original size; the data
# preprocessor pads it. The metric's rules are partly inferred, and its report
# says which. With a part of the pictures set dataset.missing='skip'.
_base_ = '../pipelines/faces.py'

dataset_type = 'MAFADataset'
data_root = 'data/mafa/'

train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='SeededDefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='MAFA-Label-Train/LabelTrainAll.mat',
        data_prefix=dict(img='train-images/images'),
        filter_cfg=dict(filter_empty_gt=True),
        pipeline={{_base_.train_pipeline}},
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
        ann_file='MAFA-Label-Test/LabelTestAll.mat',
        data_prefix=dict(img='test-images/images'),
        test_mode=True,
        pipeline={{_base_.test_pipeline}},
        backend_args={{_base_.backend_args}}))
val_dataloader = test_dataloader

test_evaluator = dict(
    type='MAFAMetric', ann_file=data_root + 'MAFA-Label-Test/LabelTestAll.mat')
val_evaluator = test_evaluator
