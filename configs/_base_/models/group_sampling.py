# FPN-finest-sampling of Group Sampling ("Group Sampling for Scale Invariant
# Face Detection", sections 3 and 4): anchors of 16, 32, 64 and 128 pixels,
# all on P2, and the same number of training samples for each of them.
# From the paper: Fig. 3 (neck), Eq. 1 (matching), softmax, smooth L1 (its
# Tables 1, 2 and 4), 1:3, all anchors square.
# It leaves open, and here is:
#   N: 2,048 per scale; by its Fig. 4 "saturated when N is greater than 2048"
#   head: that of RPN (a 3x3 convolution of 256 channels, two 1x1 predictors)
#   beta of smooth L1: 1/9, as in Faster R-CNN's RPN; weight of the two
#       losses: 1 and 1
#   anchors: centred on multiples of the stride, so that those of a larger
#       stride are a part of those of a smaller one
#   batch norm: trained with ImageNet's statistics, which one picture per GPU
#       cannot replace; the first stage is frozen
#   test: as RefineFace's baseline (retinanet_face.py), the best 5,000 of each
#       scale, score threshold .05, NMS .4, 750 boxes
# Anchors that lie by more than half in an ignored face train nothing.
model = dict(
    type='GroupSampling',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32),
    backbone=dict(
        type='ResNet',
        depth=50,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        frozen_stages=1,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=True,
        style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50')),
    neck=dict(
        type='TopDownNeck',
        in_channels=[256, 512, 1024, 2048],
        out_channels=256,
        outputs=('P2', )),
    bbox_head=dict(
        type='ScaleGroupHead',
        in_channels=256,
        feat_channels=256,
        anchor_generator=dict(
            type='AnchorGenerator',
            # times the stride
            scales=[4, 8, 16, 32],
            ratios=[1.0],
            strides=[4],
            center_offset=0.0),
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder',
            target_means=[.0, .0, .0, .0],
            target_stds=[1.0, 1.0, 1.0, 1.0]),
        loss_cls=dict(
            type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
        loss_bbox=dict(type='SmoothL1Loss', beta=1.0 / 9.0, loss_weight=1.0)),
    train_cfg=dict(
        assigner=dict(
            type='TwoPassAssigner',
            pos_iou_thr=0.6,
            neg_iou_thr=0.4,
            ignore_iof_thr=0.5),
        sampler=dict(
            type='ScaleGroupSampler',
            num_per_group=2048,
            pos_fraction=0.25,
            group_scales=(16, 32, 64, 128)),
        allowed_border=-1,
        pos_weight=-1,
        debug=False),
    # nms_pre is per scale; group_outputs gives what @16 to @128 are scored
    # on, and can be left out otherwise.
    test_cfg=dict(
        nms_pre=5000,
        min_bbox_size=0,
        score_thr=0.05,
        nms=dict(type='nms', iou_threshold=0.4),
        max_per_img=750,
        group_outputs=True))
