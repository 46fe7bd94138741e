# Faster R-CNN for a CPU and small crops: MobileNetV2 with two maps of 64
# channels, strides 8 and 16; square anchors of 16 to 181 pixels, half octaves
# apart, those below 64 on the first map, and RoIs likewise.
_base_ = ['faster_rcnn_face.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='MobileNetV2',
        out_indices=(2, 4),
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False),
    neck=dict(type='FPN', in_channels=[32, 96], out_channels=64, num_outs=2),
    rpn_head=dict(
        in_channels=64,
        feat_channels=64,
        anchor_generator=dict(
            _delete_=True,
            type='AnchorGenerator',
            base_sizes=[16, 64],
            scales=[1.0, 2.0**0.5, 2.0, 2.0**1.5],
            ratios=[1.0],
            strides=[8, 16])),
    roi_head=dict(
        shared_head=None,
        bbox_roi_extractor=dict(
            roi_layer=dict(output_size=7, sampling_ratio=2),
            out_channels=64,
            featmap_strides=[8, 16],
            finest_scale=32),
        bbox_head=dict(
            _delete_=True,
            type='SyncedShared2FCBBoxHead',
            in_channels=64,
            fc_out_channels=256,
            roi_feat_size=7,
            num_classes=1,
            bbox_coder=dict(
                type='DeltaXYWHBBoxCoder',
                target_means=[.0, .0, .0, .0],
                target_stds=[0.1, 0.1, 0.2, 0.2]),
            loss_cls=dict(
                type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
            loss_bbox=dict(type='SmoothL1Loss', beta=1.0, loss_weight=1.0))),
    # nms_pre is per map.
    train_cfg=dict(rpn_proposal=dict(nms_pre=1000, max_per_img=300)),
    # As RetinaNet-face: the pictures of WIDER FACE have up to hundreds.
    test_cfg=dict(
        rpn=dict(nms_pre=2000, max_per_img=1000),
        rcnn=dict(nms=dict(iou_threshold=0.4), max_per_img=750)))
