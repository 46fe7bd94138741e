# RefineFace-ResNet-101, whole (arXiv 1909.04376, Table 9).
# The paper's AP on WIDER FACE val: .971 easy, .961 medium, .916 hard.
#   bash tools/dist_train.sh \
#       configs/refineface/refineface_r101_8xb4-130e_wider-face.py 8
_base_ = ['refineface_r50_8xb4-130e_wider-face.py']

model = dict(
    backbone=dict(
        depth=101,
        init_cfg=dict(type='Pretrained',
                      checkpoint='torchvision://resnet101')))
