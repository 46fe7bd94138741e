# `tools/test.py --tta` as the authors' demo of "Finding Tiny Faces" looks at
# a picture: powers of two from where the whole picture is a face, and 2^0.5
# and 2 up to 5,000 pixels; templates A at all of them, B above 1; boxes above
# a probability of 0.5, the 20,000 best of each scale, one NMS at 0.1 over all
# of them. (The demo itself has no limit: tta_model.test_cfg.nms_pre=-1.) For
# looking at faces: by its authors' word it does not give the paper's numbers,
# and its AP lacks all that is less sure than 0.5.
_base_ = './tiny_faces_wider.py'

tta_model = dict(
    plan=dict(
        _delete_=True,
        type='DemoScalePlan',
        template_size=(82, 110),
        max_side=5000),
    test_cfg=dict(score_thr=0.5, score_type='probability', clip=True),
    tta_cfg=dict(nms=dict(iou_threshold=0.1)))

# What the metric states as test resolution.
tta_resolution = ('original size times 0.5, 0.25, ... down to 82x110 pixels, '
                  '1 and, up to 5,000 pixels, 1.41 and 2; templates B above 1')
