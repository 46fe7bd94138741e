# RefineFace-ResNet-152, whole (arXiv 1909.04376, Table 9).
# The paper's AP on WIDER FACE val: .972 easy, .962 medium, .920 hard.
#   bash tools/dist_train.sh \
#       configs/refineface/refineface_r152_8xb4-130e_wider-face.py 8
_base_ = ['refineface_r50_8xb4-130e_wider-face.py']

model = dict(
    backbone=dict(
        depth=152,
        init_cfg=dict(type='Pretrained',
                      checkpoint='torchvision://resnet152')))
