# RetinaNet-ResNet-50 for faces with the feature supervision module,
# 3x3 bins (RefineFace, arXiv 1909.04376, Table 7).
# The paper's AP on WIDER FACE val: .955 easy, .943 medium, .886 hard.
#   bash tools/dist_train.sh \
#       configs/refineface/retinanet_r50_fsm-roi3_8xb4-130e_wider-face.py 8
_base_ = ['retinanet_r50_fsm_8xb4-130e_wider-face.py']

model = dict(feature_supervision=dict(roi_size=3))
