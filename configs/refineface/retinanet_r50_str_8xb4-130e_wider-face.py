# RetinaNet-ResNet-50 for faces with selective two-step regression on P5
# to P7 (RefineFace, arXiv 1909.04376, section 3.1; Table 1, second column).
# The paper's AP on WIDER FACE val: .959 easy, .948 medium, .888 hard.
#   bash tools/dist_train.sh \
#       configs/refineface/retinanet_r50_str_8xb4-130e_wider-face.py 8
_base_ = [
    '../_base_/models/refineface_plain.py', '../_base_/datasets/wider_face.py',
    '../_base_/schedules/refineface_130e.py', '../_base_/default_runtime.py',
    '../_base_/tta/flip_multi_scale.py'
]

model = dict(bbox_head=dict(str_levels=(3, 4, 5)))
