# WIDER FACE with the training pictures of "Finding Tiny Faces" (appendix B):
# mirrored or not, scaled by 0.5, 1 or 2, a random region of 500x500 filled up
# with the mean colour; 4 GPUs x 5 pictures, the paper's batch of 20. Test as
# in wider_face.py.
# The flip is before the crop, which gives the same pictures and leaves
# valid_area as it is. Faces cut below 0.3 of their area are background, and
# one random colour is added to each region, also to the mean colour around the
# picture, both as in the released code.
# That code trains on faces marked invalid, which are ignored here: set
# train_dataloader.dataset.invalid='keep' for its way.
_base_ = './wider_face.py'

train_pipeline = [
    dict(
        type='LoadImageFromFile',
        color_type='color_ignore_orientation',
        backend_args=None),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='RandomChoice',
        transforms=[[dict(type='Resize', scale_factor=scale, keep_ratio=True)]
                    for scale in (0.5, 1.0, 2.0)]),
    dict(
        type='RandomCanvasCrop',
        crop_size=(500, 500),
        min_visible=0.3,
        pad_value=(123.675, 116.28, 103.53)),
    dict(type='PCAColorOffset', std=0.1),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape',
                   'scale_factor', 'flip', 'flip_direction', 'valid_area'))
]
train_dataloader = dict(batch_size=5, dataset=dict(pipeline=train_pipeline))
