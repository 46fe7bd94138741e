# All anchors on P4, ResNet-50 ("Group Sampling for Scale Invariant Face
# Detection", Table 2).
# The paper's AP on WIDER FACE val: .744 all, .479 @16, .656 @32, .442 @64,
# .221 @128.
#   CONFIG=configs/group_sampling/fpn-p4_r50_8xb1-100e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 8             # 8 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = ['fpn-finest_r50_8xb1-100e_wider-face.py']

model = dict(
    neck=dict(outputs=('P4', )),
    bbox_head=dict(anchor_generator=dict(scales=[1, 2, 4, 8], strides=[16])))
