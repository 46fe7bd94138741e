# RetinaNet-ResNet-50 for faces with two-step regression on P7
# alone (RefineFace, arXiv 1909.04376, Table 2).
# The paper's AP on WIDER FACE val: .956 easy, .946 medium, .884 hard.
#   bash tools/dist_train.sh \
#       configs/refineface/retinanet_r50_str-p7_8xb4-130e_wider-face.py 8
_base_ = ['retinanet_r50_str_8xb4-130e_wider-face.py']

model = dict(bbox_head=dict(str_levels=(5, )))
