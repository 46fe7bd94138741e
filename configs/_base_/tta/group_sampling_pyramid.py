# `tools/test.py --tta` as in Group Sampling, section 5: an image pyramid, no
# side above 3,000 pixels, one NMS over all of it; and likewise for the
# detections of each scale of the anchors.
# The paper does not name the scales of the pyramid: these are octaves within
# its training's 0.25 to 2. A copy with a longer side is shrunk to 3,000, which
# is how its sentence on memory is read here; two that become equal are one.
# Nothing is mirrored, nor are sizes left to single levels; NMS and number of
# boxes are those of the single scale.
tta_model = dict(
    type='MultiScaleTestModel',
    plan=dict(
        type='ScalePlan',
        scales=[
            dict(scale=0.25, fit_side=3000),
            dict(scale=0.5, fit_side=3000),
            dict(scale=1.0, fit_side=3000),
            dict(scale=2.0, fit_side=3000)
        ]),
    tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.4), max_per_img=750))

# What the metric states as test resolution.
tta_resolution = ('original size times 0.25, 0.5, 1 and 2, shrunk where a '
                  'side would be above 3,000 pixels')
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
