# Fast R-CNN on the proposals of FPN-finest-sampling ("Group Sampling for
# Scale Invariant Face Detection", section 6.3), the two trained together.
# The paper says nothing of this stage but its loss and, in Grouped Fast
# R-CNN, its samples. So it is Faster R-CNN's: RoIs pooled to 7x7 from P2, two
# fully connected layers of 1,024, 2,000 proposals in training and 1,000 in
# tests (after an NMS at .7 of the best 2,000 and 5,000 of each scale), faces
# added in training, positive from IoU .5, 512 RoIs per picture at 1:3, smooth
# L1 with beta 1, divided by all RoIs.
# Detections are of the second stage: they belong to no scale.
_base_ = ['group_sampling.py']

model = dict(
    _delete_=True,
    type='FasterRCNN',
    data_preprocessor={{_base_.model.data_preprocessor}},
    backbone={{_base_.model.backbone}},
    neck={{_base_.model.neck}},
    rpn_head={{_base_.model.bbox_head}},
    roi_head=dict(
        type='StandardRoIHead',
        bbox_roi_extractor=dict(
            type='SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0),
            out_channels=256,
            featmap_strides=[4]),
        bbox_head=dict(
            type='SyncedShared2FCBBoxHead',
            in_channels=256,
            fc_out_channels=1024,
            roi_feat_size=7,
            num_classes=1,
            bbox_coder=dict(
                type='DeltaXYWHBBoxCoder',
                target_means=[.0, .0, .0, .0],
                target_stds=[0.1, 0.1, 0.2, 0.2]),
            reg_class_agnostic=True,
            loss_cls=dict(
                type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
            loss_bbox=dict(type='SmoothL1Loss', beta=1.0, loss_weight=1.0))),
    train_cfg=dict(
        rpn={{_base_.model.train_cfg}},
        # nms_pre is per scale, here and in tests.
        rpn_proposal=dict(
            nms_pre=2000,
            min_bbox_size=0,
            score_thr=0.0,
            nms=dict(type='nms', iou_threshold=0.7),
            max_per_img=2000),
        rcnn=dict(
            assigner=dict(
                type='StreamingMaxIoUAssigner',
                pos_iou_thr=0.5,
                neg_iou_thr=0.5,
                min_pos_iou=0.5,
                match_low_quality=False,
                ignore_iof_thr=0.5),
            sampler=dict(
                type='SeededRandomSampler',
                num=512,
                pos_fraction=0.25,
                neg_pos_ub=-1,
                add_gt_as_proposals=True),
            pos_weight=-1,
            debug=False)),
    test_cfg=dict(
        rpn=dict(
            nms_pre=5000,
            min_bbox_size=0,
            score_thr=0.0,
            nms=dict(type='nms', iou_threshold=0.7),
            max_per_img=1000),
        rcnn=dict(
            score_thr=0.05,
            nms=dict(type='nms', iou_threshold=0.4),
            max_per_img=750)))
