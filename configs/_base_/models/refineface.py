# RefineFace (arXiv 1909.04376) on the RetinaNet-face baseline: STC on P2-P4,
# STR on P5-P7, RFE, the scale-aware margin loss and feature supervision.
# Where the paper is silent or SRN's code differs (see RefineFPN and
# SelectiveRefineHead for the other choices):
#   paper: Xavier, the best 5,000 of a picture, score threshold .05 everywhere
#   SRN's code: 1,024 and 256 channels in C6 and C7, P6 from the lateral of C5,
#       bilinear upsampling
#   RetinaNet: 3x3 predictors (SRN's code: 1x1)
#   ours: losses over the mean number of positives of all ranks, in all
#       configs here (RetinaNet: over each rank's own,
#       bbox_head.sync_avg_factor=False), a prior of .01 in feature supervision
# Without a module (columns of Table 1):
#   STR      model.bbox_head.str_levels="()"
#   STC      model.bbox_head.stc_levels="()"
#   RFE      model.bbox_head.rfe=False
#   SML      model.bbox_head.loss_cls.margin_scale=0
#   FSM      model.feature_supervision=None
_base_ = ['retinanet_face.py']

model = dict(
    type='RefineFace',
    neck=dict(
        _delete_=True,
        type='RefineFPN',
        # first_step: the levels that the head needs
        in_channels=[256, 512, 1024, 2048],
        out_channels=256,
        num_outs=6,
        p6_from='lateral'),
    bbox_head=dict(
        type='SelectiveRefineHead',
        stc_levels=(0, 1, 2),
        str_levels=(3, 4, 5),
        stc_score_thr=0.01,
        rfe=True,
        predictor_kernel=3,
        loss_cls=dict(
            type='ScaleAwareMarginLoss', margin_scale=15.0, size_of='anchor'),
        margin_steps=('first', 'second')),
    feature_supervision=dict(
        # anchor_generator: the head's
        type='FeatureSupervisionHead',
        in_channels=256),
    train_cfg=dict(
        first_assigner=dict(
            type='StreamingMaxIoUAssigner',
            pos_iou_thr=0.7,
            neg_iou_thr=0.3,
            min_pos_iou=0,
            ignore_iof_thr=0.5)),
    test_cfg=dict(nms_pre=5000, nms_pre_over='image'))
