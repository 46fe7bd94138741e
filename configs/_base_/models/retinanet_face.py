# RetinaNet for faces, the baseline of RefineFace (paper, sections 3 and 3.6):
# C2-C5, P2-P7 with P6 and P7 by 3x3 stride-2 convolutions on the output, two
# anchors per location (2S and 2*sqrt(2)*S, height/width 1.25), focal loss and
# smooth L1.
# The paper leaves open: beta of smooth L1 and focal loss's alpha and gamma
# (RetinaNet's values here), whether the best anchor of an otherwise unmatched
# face becomes positive (yes, as in MMDetection's RetinaNet; the other way is
# `model.train_cfg.assigner.match_low_quality=False`). Anchors that lie by more
# than half in an ignored face train neither as face nor as background.
model = dict(
    type='RetinaNet',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=128),
    backbone=dict(
        type='ResNet',
        depth=50,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        frozen_stages=0,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50')),
    neck=dict(
        type='FPN',
        in_channels=[256, 512, 1024, 2048],
        out_channels=256,
        start_level=0,
        add_extra_convs='on_output',
        num_outs=6),
    bbox_head=dict(
        type='SyncedRetinaHead',
        num_classes=1,
        in_channels=256,
        stacked_convs=4,
        feat_channels=256,
        anchor_generator=dict(
            type='AnchorGenerator',
            scales=[2.0, 2.0 * 2.0**0.5],
            ratios=[1.25],
            strides=[4, 8, 16, 32, 64, 128],
            center_offset=0.5),
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder',
            target_means=[.0, .0, .0, .0],
            target_stds=[1.0, 1.0, 1.0, 1.0]),
        loss_cls=dict(
            type='FocalLoss',
            use_sigmoid=True,
            gamma=2.0,
            alpha=0.25,
            loss_weight=1.0),
        loss_bbox=dict(type='SmoothL1Loss', beta=1.0 / 9.0, loss_weight=1.0),
        init_cfg=dict(
            type='Xavier',
            layer='Conv2d',
            distribution='uniform',
            override=dict(
                type='Normal', name='retina_cls', std=0.01, bias_prob=0.01))),
    train_cfg=dict(
        assigner=dict(
            type='StreamingMaxIoUAssigner',
            pos_iou_thr=0.5,
            neg_iou_thr=0.4,
            min_pos_iou=0,
            ignore_iof_thr=0.5),
        sampler=dict(type='PseudoSampler'),
        allowed_border=-1,
        pos_weight=-1,
        debug=False),
    test_cfg=dict(
        nms_pre=5000,
        min_bbox_size=0,
        score_thr=0.05,
        nms=dict(type='nms', iou_threshold=0.4),
        max_per_img=750))
