# RPN (all anchors on C4) with group sampling, ResNet-50 ("Group Sampling for
# Scale Invariant Face Detection", Table 2).
# The paper's AP on WIDER FACE val: .789 all, .580 @16, .708 @32, .482 @64,
# .246 @128.
#   CONFIG=configs/group_sampling/rpn-sampling_r50_8xb1-100e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 8             # 8 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = ['fpn-finest-sampling_r50_8xb1-100e_wider-face.py']

model = dict(
    # without the stage that C4 does not need
    backbone=dict(
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(0, 1, 2)),
    neck=dict(in_channels=[256, 512, 1024], outputs=('C4', )),
    bbox_head=dict(anchor_generator=dict(scales=[1, 2, 4, 8], strides=[16])))
