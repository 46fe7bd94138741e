# The same on VGG-16: RPN on conv5_3, RoIs of 7x7 from it through fc6 and fc7,
# which start from ImageNet too. conv1 and conv2 are frozen.
_base_ = ['faster_rcnn_face.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='VGG16',
        out_indices=(4, ),
        frozen_stages=2,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://vgg16')),
    rpn_head=dict(in_channels=512),
    roi_head=dict(
        shared_head=dict(
            _delete_=True,
            type='VGG16Classifier',
            in_channels=512,
            roi_feat_size=7,
            hidden=4096,
            init_cfg=dict(type='Pretrained',
                          checkpoint='torchvision://vgg16')),
        bbox_roi_extractor=dict(
            roi_layer=dict(output_size=7), out_channels=512),
        bbox_head=dict(roi_feat_size=1, in_channels=4096)))
