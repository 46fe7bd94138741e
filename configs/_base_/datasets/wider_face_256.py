# WIDER FACE, or part of it, for training on a CPU: 256x256 crops of 0.2 to 1
# of the shorter side, mostly small ones, so that faces keep about their size
# in pixels; batch 8, no expansion. Colours are distorted after the crop, which
# saves most of that work. Test as in wider_face.py.
_base_ = './wider_face.py'

train_pipeline = [
    dict(
        type='LoadImageFromFile',
        color_type='color_ignore_orientation',
        backend_args={{_base_.backend_args}}),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomSquareCrop', ratios=((0.2, 0.5), (0.4, 1.0))),
    dict(type='Resize', scale=(256, 256), keep_ratio=False),
    dict(type='PhotoMetricDistortion'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs')
]
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = val_dataloader
