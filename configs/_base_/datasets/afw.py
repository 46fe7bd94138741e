# AFW, for testing, under `data_root`:
#   testimages/                (AFW.zip of Zhu and Ramanan)
#   new_annotations_AFW.mat    (the face-eval toolbox)
# Original size; the data preprocessor pads it. S3FD's authors resized the
# longer side to 640 and lowered the top of each box:
#   --cfg-options test_dataloader.dataset.pipeline.1.scale="(640,640)" \
#   test_evaluator.shift_top=0.2
# With a part of the pictures set test_dataloader.dataset.missing='skip'.
_base_ = '../pipelines/faces_test.py'

dataset_type = 'AFWDataset'
data_root = 'data/afw/'

test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='new_annotations_AFW.mat',
        data_prefix=dict(img='testimages'),
        test_mode=True,
        pipeline={{_base_.test_pipeline}},
        backend_args={{_base_.backend_args}}))
val_dataloader = test_dataloader

test_evaluator = dict(
    type='VOCFaceMetric',
    ann_file=data_root + 'new_annotations_AFW.mat',
    prefix='afw')
val_evaluator = test_evaluator
