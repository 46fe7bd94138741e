# FPN-finest-stride, ResNet-50: all anchors on P2, sub-sampled to the strides
# of FPN ("Group Sampling for Scale Invariant Face Detection", section 3;
# Table 1).
# The paper's AP on WIDER FACE val: .904 easy, .910 medium, .871 hard, .816
# all, .722 @16, .666 @32, .433 @64, .218 @128.
# P2 is sub-sampled in the neck ("by sub-sampling P2"): the head's 3x3 sees
# neighbours that are 1, 2, 4 or 8 cells of P2 away, where that of FPN-finest
# sees adjacent ones.
#   CONFIG=configs/group_sampling/fpn-finest-stride_r50_8xb1-100e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 8             # 8 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = ['fpn-finest_r50_8xb1-100e_wider-face.py']

model = dict(
    neck=dict(subsample=(1, 2, 4, 8)),
    bbox_head=dict(
        # as in FPN-finest, each scale has its own
        shared_predictors=False,
        anchor_generator=dict(scales=[4], strides=[4, 8, 16, 32])))
