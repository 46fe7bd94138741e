# RetinaNet-ResNet-50 for faces with receptive field enhancement
# (RefineFace, arXiv 1909.04376, section 3.5; Table 1, fourth column).
# The paper's AP on WIDER FACE val: .955 easy, .943 medium, .883 hard.
#   bash tools/dist_train.sh \
#       configs/refineface/retinanet_r50_rfe_8xb4-130e_wider-face.py 8
_base_ = [
    '../_base_/models/refineface_plain.py', '../_base_/datasets/wider_face.py',
    '../_base_/schedules/refineface_130e.py', '../_base_/default_runtime.py',
    '../_base_/tta/flip_multi_scale.py'
]

model = dict(bbox_head=dict(rfe=True))
