# RetinaNet-ResNet-50 for faces with two-step classification on P2
# alone (RefineFace, arXiv 1909.04376, Table 4).
# The paper's AP on WIDER FACE val: .952 easy, .942 medium, .889 hard.
#   bash tools/dist_train.sh \
#       configs/refineface/retinanet_r50_stc-p2_8xb4-130e_wider-face.py 8
_base_ = ['retinanet_r50_stc_8xb4-130e_wider-face.py']

model = dict(bbox_head=dict(stc_levels=(0, )))
