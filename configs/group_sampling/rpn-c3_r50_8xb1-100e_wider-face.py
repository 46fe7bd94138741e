# All anchors on C3, without a top-down pathway, ResNet-50 ("Group Sampling
# for Scale Invariant Face Detection", Table 2).
# The paper's AP on WIDER FACE val: .710 all, .598 @16, .618 @32, .392 @64,
# .180 @128.
#   CONFIG=configs/group_sampling/rpn-c3_r50_8xb1-100e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 8             # 8 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = ['fpn-finest_r50_8xb1-100e_wider-face.py']

model = dict(
    # without the stages that C3 does not need
    backbone=dict(
        num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(0, 1)),
    neck=dict(in_channels=[256, 512], outputs=('C3', )),
    bbox_head=dict(anchor_generator=dict(scales=[2, 4, 8, 16], strides=[8])))
