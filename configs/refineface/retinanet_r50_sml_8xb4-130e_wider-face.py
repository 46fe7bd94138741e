# RetinaNet-ResNet-50 for faces with the scale-aware margin loss, margin 15
# (RefineFace, arXiv 1909.04376, section 3.3; Table 1, fifth column, and
# Table 6).
# The paper's AP on WIDER FACE val: .955 easy, .946 medium, .891 hard.
#   bash tools/dist_train.sh \
#       configs/refineface/retinanet_r50_sml_8xb4-130e_wider-face.py 8
_base_ = [
    '../_base_/models/refineface_plain.py', '../_base_/datasets/wider_face.py',
    '../_base_/schedules/refineface_130e.py', '../_base_/default_runtime.py',
    '../_base_/tta/flip_multi_scale.py'
]

model = dict(
    bbox_head=dict(
        loss_cls=dict(type='ScaleAwareMarginLoss', margin_scale=15.0)))
