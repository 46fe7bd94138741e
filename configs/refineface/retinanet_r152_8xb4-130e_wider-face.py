# RetinaNet-ResNet-152 for faces, RefineFace's baseline with another backbone.
#   bash tools/dist_train.sh \
#       configs/refineface/retinanet_r152_8xb4-130e_wider-face.py 8
_base_ = ['retinanet_r50_8xb4-130e_wider-face.py']

model = dict(
    backbone=dict(
        depth=152,
        init_cfg=dict(type='Pretrained',
                      checkpoint='torchvision://resnet152')))
