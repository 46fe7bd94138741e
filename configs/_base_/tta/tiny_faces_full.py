# `tools/test.py --tta` of "Full" in Table 1 of "Finding Tiny Faces": all
# templates, each at the resolution that it was made for and nowhere else, so
# 0.5, 1 and 2 times the size. The rest, also that NMS sees the 20,000 best
# boxes of each scale, as in tiny_faces_wider.py, which is what becomes of it
# once the redundant templates are left out.
tta_model = dict(
    type='MultiScaleTestModel',
    plan=dict(
        type='ScalePlan',
        scales=[
            dict(scale=0.5),
            dict(scale=1.0),
            dict(scale=2.0, max_side=5000)
        ]),
    test_cfg=dict(
        templates='own',
        score_thr=0.03,
        score_type='logit',
        clip=False,
        nms_pre=20000,
        nms=None),
    prepare=['fuse_conv_bn', 'channels_last'],
    tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.3), max_per_img=None))

# What the metric states as test resolution.
tta_resolution = ('original size times 0.5, 1 and, up to 5,000 pixels, 2; '
                  'each template at its own only')
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
