# FPN-finest-sampling, ResNet-50: anchors of four scales on P2, the same
# number of training samples for each ("Group Sampling for Scale Invariant
# Face Detection", sections 3 and 4; Tables 1 to 5).
# The paper's AP on WIDER FACE val: .947 easy, .938 medium, .887 hard, .828
# all, .741 @16, .729 @32, .478 @64, .245 @128. Table 5 has .951, .941, .888
# and .827.
# 2,048 samples per scale, which is inferred: the paper finds no gain above.
# Its Fig. 4: --cfg-options model.train_cfg.sampler.num_per_group=N
#   CONFIG=configs/group_sampling/fpn-finest-sampling_r50_8xb1-100e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 8             # 8 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = [
    '../_base_/models/group_sampling.py',
    '../_base_/datasets/wider_face_group_sampling.py',
    '../_base_/schedules/group_sampling_100e.py',
    '../_base_/default_runtime.py', '../_base_/tta/group_sampling_pyramid.py'
]
