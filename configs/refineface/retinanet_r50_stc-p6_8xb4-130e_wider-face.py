# RetinaNet-ResNet-50 for faces with two-step classification on P6
# alone (RefineFace, arXiv 1909.04376, Table 4).
# The paper's AP on WIDER FACE val: .951 easy, .937 medium, .880 hard.
#   bash tools/dist_train.sh \
#       configs/refineface/retinanet_r50_stc-p6_8xb4-130e_wider-face.py 8
_base_ = ['retinanet_r50_stc_8xb4-130e_wider-face.py']

model = dict(bbox_head=dict(stc_levels=(4, )))
