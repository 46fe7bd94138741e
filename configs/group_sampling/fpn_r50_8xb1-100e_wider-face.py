# FPN, ResNet-50: anchors of 16, 32, 64 and 128 pixels on P2, P3, P4 and P5
# ("Group Sampling for Scale Invariant Face Detection", section 3; Tables 1
# and 2).
# The paper's AP on WIDER FACE val: .909 easy, .913 medium, .876 hard, .821
# all, .723 @16, .673 @32, .432 @64, .212 @128.
# Its Fig. 4: --cfg-options model.train_cfg.sampler.num=4N
#   CONFIG=configs/group_sampling/fpn_r50_8xb1-100e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 8             # 8 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = ['fpn-finest_r50_8xb1-100e_wider-face.py']

model = dict(
    neck=dict(outputs=('P2', 'P3', 'P4', 'P5')),
    bbox_head=dict(anchor_generator=dict(scales=[4], strides=[4, 8, 16, 32])))
