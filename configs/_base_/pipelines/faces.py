# Training: the augmentation of RefineFace (arXiv 1909.04376, section 3.6),
# 1024x1024. Test: faces_test.py.
_base_ = './faces_test.py'

img_scale = (1024, 1024)

train_pipeline = [
    dict(
        type='LoadImageFromFile',
        color_type='color_ignore_orientation',
        backend_args={{_base_.backend_args}}),
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
