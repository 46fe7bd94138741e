# FPN-finest with OHEM, ResNet-50: the 1,024 anchors of a picture that have
# the highest loss train ("Group Sampling for Scale Invariant Face Detection",
# section 6.2; Table 4).
# The paper's AP on WIDER FACE val: .815 all, .760 @16, .689 @32, .439 @64,
# .220 @128.
#   CONFIG=configs/group_sampling/fpn-finest_r50_ohem_8xb1-100e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 8             # 8 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = ['fpn-finest_r50_8xb1-100e_wider-face.py']

model = dict(
    train_cfg=dict(
        ohem=dict(num=1024),
        # OHEM chooses among all labelled anchors.
        sampler=dict(_delete_=True, type='PseudoSampler')))
