# `tools/test.py --tta` as SRN's public test program does it (the paper of
# RefineFace does not describe its own): enlarged, halved and mirrored copies
# of each picture within a budget of 1400x1400 pixels, one in memory at a
# time; score-weighted box voting over all of them, 750 boxes kept.
#   --cfg-options tta_model.plan.max_size=2100
# is what its authors used on GPUs of 24 GiB, and
#   --cfg-options tta_model.tta_cfg.voting.keep_singletons=True
# keeps the faces that a single copy shows.
tta_model = dict(
    type='MultiScaleTestModel',
    plan=dict(type='BudgetScalePlan', max_size=1400),
    tta_cfg=dict(
        voting=dict(iou_threshold=0.5, keep_singletons=False),
        max_per_img=750))

# What the metric states as test resolution.
tta_resolution = ('original size and mirrored, 0.5, and 1.5 to the power of '
                  '1, 2, ... up to the budget of tta_model.plan')
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
