# `tools/test.py --tta` as "Finding Tiny Faces" was tested on WIDER FACE and
# FDDB, by the authors' published program: 0.25, 0.5, 1 and 2 times the size,
# the last one only if no side is above 5,000 pixels; templates A at all of
# them, B above 1 only; boxes above a probability of 0.03, not cut at the
# picture's edges; one NMS at 0.3 over all scales; logits as scores. NMS sees
# the 20,000 best boxes of each scale, and all that it keeps are given. That
# limit is for untrained models, which have 700,000 in a picture of 1024x768 at
# twice the size, all of one score (the first templates' are then the best);
# the authors' program has none: tta_model.test_cfg.nms_pre=-1.
# What a view is looked at with stands in tta_model.test_cfg, which comes last:
#   --cfg-options tta_model.test_cfg.templates=A
# leaves out B. The largest view is cut into tiles as model.tiling says.
tta_model = dict(
    type='MultiScaleTestModel',
    plan=dict(
        type='ScalePlan',
        scales=[
            dict(scale=0.25),
            dict(scale=0.5),
            dict(scale=1.0),
            dict(scale=2.0, max_side=5000)
        ]),
    test_cfg=dict(
        templates='A+B',
        score_thr=0.03,
        score_type='logit',
        clip=False,
        nms_pre=20000,
        nms=None),
    prepare=['fuse_conv_bn', 'channels_last'],
    tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.3), max_per_img=None))

# What the metric states as test resolution.
tta_resolution = ('original size times 0.25, 0.5, 1 and, up to 5,000 pixels, '
                  '2; templates B at 2 only')
# The original picture: the model itself makes the scaled copies.
tta_pipeline = [
    dict(
        type='LoadImageFromFile',
        color_type='color_ignore_orientation',
        backend_args=None),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape'))
]
