# All anchors on C3 with group sampling, ResNet-50 ("Group Sampling for Scale
# Invariant Face Detection", Table 2).
# The paper's AP on WIDER FACE val: .754 all, .688 @16, .689 @32, .443 @64,
# .212 @128.
#   CONFIG=configs/group_sampling/rpn-c3-sampling_r50_8xb1-100e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 8             # 8 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = ['fpn-finest-sampling_r50_8xb1-100e_wider-face.py']

model = dict(
    # without the stages that C3 does not need
    backbone=dict(
        num_stages=2, strides=(1, 2), dilations=(1, 1), out_indices=(0, 1)),
    neck=dict(in_channels=[256, 512], outputs=('C3', )),
    bbox_head=dict(anchor_generator=dict(scales=[2, 4, 8, 16], strides=[8])))
