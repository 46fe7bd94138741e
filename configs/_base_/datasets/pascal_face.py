# PASCAL Face, for testing, under `data_root`:
#   VOCdevkit/VOC2012/JPEGImages/    (PASCAL VOC 2012, train/val and test)
#   Annotations_Face_PASCALLayout_large_fixed.mat    (the face-eval toolbox)
# Original size; the data preprocessor pads it. With a part of the pictures
# set test_dataloader.dataset.missing='skip'.
dataset_type = 'PASCALFaceDataset'
data_root = 'data/pascal_face/'
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
        ann_file='Annotations_Face_PASCALLayout_large_fixed.mat',
        data_prefix=dict(img='VOCdevkit/VOC2012/JPEGImages'),
        test_mode=True,
        pipeline=test_pipeline,
        backend_args=backend_args))
val_dataloader = test_dataloader

test_evaluator = dict(
    type='VOCFaceMetric',
    ann_file=data_root + 'Annotations_Face_PASCALLayout_large_fixed.mat',
    prefix='pascal_face')
val_evaluator = test_evaluator
