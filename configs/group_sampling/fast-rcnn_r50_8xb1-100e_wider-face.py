# Fast R-CNN on the proposals of FPN-finest-sampling, ResNet-50 ("Group
# Sampling for Scale Invariant Face Detection", section 6.3; Table 5, second
# row).
# The paper's AP on WIDER FACE val: .962 easy, .951 medium, .897 hard, .839
# all.
#   CONFIG=configs/group_sampling/fast-rcnn_r50_8xb1-100e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 8             # 8 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = [
    '../_base_/models/group_sampling_fast_rcnn.py',
    '../_base_/datasets/wider_face_group_sampling.py',
    '../_base_/schedules/group_sampling_100e.py',
    '../_base_/default_runtime.py', '../_base_/tta/group_sampling_pyramid.py'
]
