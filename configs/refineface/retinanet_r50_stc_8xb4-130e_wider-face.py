# RetinaNet-ResNet-50 for faces with selective two-step classification on
# P2 to P4 (RefineFace, arXiv 1909.04376, section 3.2; Table 1, third column).
# The paper's AP on WIDER FACE val: .953 easy, .944 medium, .894 hard.
#   bash tools/dist_train.sh \
#       configs/refineface/retinanet_r50_stc_8xb4-130e_wider-face.py 8
_base_ = [
    '../_base_/models/refineface_plain.py', '../_base_/datasets/wider_face.py',
    '../_base_/schedules/refineface_130e.py', '../_base_/default_runtime.py',
    '../_base_/tta/flip_multi_scale.py'
]

model = dict(bbox_head=dict(stc_levels=(0, 1, 2)))
