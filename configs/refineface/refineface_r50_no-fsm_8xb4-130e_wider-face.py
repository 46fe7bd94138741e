# RefineFace-ResNet-50 without feature supervision (arXiv 1909.04376,
# Table 1, ninth column).
# The paper's AP on WIDER FACE val: .966 easy, .956 medium, .907 hard.
#   bash tools/dist_train.sh \
#       configs/refineface/refineface_r50_no-fsm_8xb4-130e_wider-face.py 8
_base_ = ['refineface_r50_8xb4-130e_wider-face.py']

model = dict(feature_supervision=None)
