# RefineFace-ResNet-50 with two-step regression and classification alone
# (arXiv 1909.04376, Table 1, seventh column).
# The paper's AP on WIDER FACE val: .961 easy, .950 medium, .901 hard.
#   bash tools/dist_train.sh \
#       configs/refineface/refineface_r50_str-stc_8xb4-130e_wider-face.py 8
_base_ = ['refineface_r50_str-stc-rfe_8xb4-130e_wider-face.py']

model = dict(bbox_head=dict(rfe=False))
