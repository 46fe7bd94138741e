# WIDER FACE with the training pictures of Group Sampling (section 5): scaled
# by 0.25 n, n from 1 to 8; a random crop where a side is longer than 1,200
# pixels; mirrored; one picture per GPU. Test as in wider_face.py, with the
# setting "all", too, which the paper's tables have.
# The paper leaves open, and MMDetection's RandomCrop does so: what a crop
# leaves of a face is a face, and a picture whose crop shows none, nor an
# ignored one, is replaced by another.
_base_ = ['./wider_face.py']

train_pipeline = [
    dict(
        type='LoadImageFromFile',
        color_type='color_ignore_orientation',
        backend_args=None),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='RandomChoice',
        transforms=[[
            dict(type='Resize', scale_factor=0.25 * n, keep_ratio=True)
        ] for n in range(1, 9)]),
    dict(type='RandomCrop', crop_size=(1200, 1200)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs')
]
train_dataloader = dict(batch_size=1, dataset=dict(pipeline=train_pipeline))

val_evaluator = dict(settings=('easy', 'medium', 'hard', 'all'))
test_evaluator = val_evaluator
