# FPN with group sampling, ResNet-50 ("Group Sampling for Scale Invariant Face
# Detection", Table 2).
# The paper's AP on WIDER FACE val: .836 all, .757 @16, .734 @32, .482 @64,
# .249 @128.
# P5 always has fewer than 2,048 anchors, at most 1,444: all that are labelled
# train, so that samples of 128 pixels are fewer and not 1:3.
#   CONFIG=configs/group_sampling/fpn-sampling_r50_8xb1-100e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 8             # 8 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = ['fpn-finest-sampling_r50_8xb1-100e_wider-face.py']

model = dict(
    neck=dict(outputs=('P2', 'P3', 'P4', 'P5')),
    bbox_head=dict(anchor_generator=dict(scales=[4], strides=[4, 8, 16, 32])))
