# RefineFace-ResNet-18, whole (arXiv 1909.04376, Table 9).
# The paper's AP on WIDER FACE val: .963 easy, .951 medium, .902 hard.
#   bash tools/dist_train.sh \
#       configs/refineface/refineface_r18_8xb4-130e_wider-face.py 8
_base_ = ['refineface_r50_8xb4-130e_wider-face.py']

model = dict(
    backbone=dict(
        depth=18,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet18')),
    neck=dict(in_channels=[64, 128, 256, 512]))
