# RetinaNet-ResNet-50 for faces with the scale-aware margin loss, margin
# 7 (RefineFace, arXiv 1909.04376, Table 6).
# The paper's AP on WIDER FACE val: .953 easy, .943 medium, .886 hard.
#   bash tools/dist_train.sh \
#       configs/refineface/retinanet_r50_sml-7_8xb4-130e_wider-face.py 8
_base_ = ['retinanet_r50_sml_8xb4-130e_wider-face.py']

model = dict(bbox_head=dict(loss_cls=dict(margin_scale=7.0)))
