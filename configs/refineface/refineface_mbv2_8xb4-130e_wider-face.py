# RefineFace, whole, on MobileNetV2 with a 64-channel neck and head: the one
# for a CPU. The paper (arXiv 1909.04376) has none. ImageNet weights as in
# retinanet_mbv2_8xb4-130e_wider-face.py, its baseline.
#   bash tools/dist_train.sh \
#       configs/refineface/refineface_mbv2_8xb4-130e_wider-face.py 8
_base_ = [
    '../_base_/models/refineface_mbv2.py', '../_base_/datasets/wider_face.py',
    '../_base_/schedules/refineface_130e.py', '../_base_/default_runtime.py',
    '../_base_/tta/srn_multi_scale.py'
]
