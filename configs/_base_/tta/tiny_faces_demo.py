# `tools/test.py --tta` as the authors' demo of "Finding Tiny Faces" looks at
# a picture: powers of two from where the whole picture is a face, and 2^0.5
# and 2 up to 5,000 pixels; templates A at all of them, B above 1; boxes above
# a probability of 0.5, the 20,000 best of each scale, one NMS at 0.1 over all
# of them. (The demo itself has no limit: tta_model.test_cfg.nms_pre=-1.) For
# looking at faces: by its authors' word it does not give the paper's numbers,
# and its AP lacks all that is less sure than 0.5.
tta_model = dict(
    type='MultiScaleTestModel',
    plan=dict(type='DemoScalePlan', template_size=(82, 110), max_side=5000),
    test_cfg=dict(
        templates='A+B',
        score_thr=0.5,
        score_type='probability',
        clip=True,
        nms_pre=20000,
        nms=None),
    prepare=['fuse_conv_bn', 'channels_last'],
    tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.1), max_per_img=None))

# What the metric states as test resolution.
tta_resolution = ('original size times 0.5, 0.25, ... down to 82x110 pixels, '
                  '1 and, up to 5,000 pixels, 1.41 and 2; templates B above 1')
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
