# AFW, for testing, under `data_root`:
#   testimages/                (AFW.zip of Zhu and Ramanan)
#   new_annotations_AFW.mat    (the face-eval toolbox)
# Original size; the data preprocessor pads it. With a part of the pictures
# set test_dataloader.dataset.missing='skip'.
dataset_type = 'AFWDataset'
data_root = 'data/afw/'
backend_args = None

# The annotations refer to the stored pixel grid, and the sizes in the data
# list are the headers': so no picture is turned by its EXIF orientation.
# Resize changes nothing here, but heads ask for the scale factor. S3FD's
# authors resized the longer side to 640 and lowered the top of each box:
#   --cfg-options test_dataloader.dataset.pipeline.1.scale="(640,640)" \
#   test_evaluator.shift_top=0.2
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
        pipeline=test_pipeline,
        backend_args=backend_args))
val_dataloader = test_dataloader

test_evaluator = dict(
    type='VOCFaceMetric',
    ann_file=data_root + 'new_annotations_AFW.mat',
    prefix='afw')
val_evaluator = test_evaluator
