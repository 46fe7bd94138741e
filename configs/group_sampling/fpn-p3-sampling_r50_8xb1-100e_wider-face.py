# All anchors on P3 with group sampling, ResNet-50 ("Group Sampling for Scale
# Invariant Face Detection", Table 2).
# The paper's AP on WIDER FACE val: .837 all, .721 @16, .732 @32, .487 @64,
# .253 @128.
#   CONFIG=configs/group_sampling/fpn-p3-sampling_r50_8xb1-100e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 8             # 8 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = ['fpn-finest-sampling_r50_8xb1-100e_wider-face.py']

model = dict(
    neck=dict(outputs=('P3', )),
    bbox_head=dict(anchor_generator=dict(scales=[2, 4, 8, 16], strides=[8])))
