# RetinaNet-ResNet-50 for faces with the feature supervision module,
# 7x7 bins (RefineFace, arXiv 1909.04376, Table 7).
# The paper's AP on WIDER FACE val: .957 easy, .944 medium, .885 hard.
#   bash tools/dist_train.sh \
#       configs/refineface/retinanet_r50_fsm-roi7_8xb4-130e_wider-face.py 8
_base_ = ['retinanet_r50_fsm_8xb4-130e_wider-face.py']

model = dict(feature_supervision=dict(roi_size=7))
