# WIDER FACE from its official download, unpacked under `data_root`:
#   wider_face_split/  WIDER_train/images/  WIDER_val/images/
#   ground_truth/  (the four .mat files of eval_tools.zip)
# Training: the augmentation of RefineFace (arXiv 1909.04376, section 3.6),
# 1024x1024, 8 GPUs x 4 pictures. Test: original size (the data preprocessor
# pads it); wider_face_vga.py has the VGA resolution.
dataset_type = 'WiderFaceDataset'
data_root = 'data/wider_face/'
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
# Resize changes nothing here, but heads ask for the scale factor, and
#   --cfg-options test_dataloader.dataset.pipeline.1.scale="(640,480)"
# turns it into VGA. `flip` is in the data samples when RandomFlip is used.
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
        ann_file='wider_face_split/wider_face_train_bbx_gt.txt',
        data_prefix=dict(img='WIDER_train/images'),
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
        ann_file='wider_face_split/wider_face_val_bbx_gt.txt',
        data_prefix=dict(img='WIDER_val/images'),
        test_mode=True,
        pipeline=test_pipeline,
        backend_args=backend_args))
# For the test server: ann_file='wider_face_split/wider_face_test_filelist.txt'
# and data_prefix=dict(img='WIDER_test/images').
test_dataloader = val_dataloader

val_evaluator = dict(type='WiderFaceMetric', gt_dir=data_root + 'ground_truth')
test_evaluator = val_evaluator
