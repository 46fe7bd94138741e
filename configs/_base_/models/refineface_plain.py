# The RetinaNet-face baseline built from RefineFace's parts, all of them off:
# the same network, parameters, losses (also in distributed training) and
# boxes as retinanet_face.py. For the tables of RefineFace (arXiv 1909.04376)
# that add one module to the baseline:
#   STR      bbox_head.str_levels, 0 is P2
#   STC      bbox_head.stc_levels
#   RFE      bbox_head.rfe
#   SML      bbox_head.loss_cls
#   FSM      feature_supervision
# refineface.py is the whole, in RefineFace's own structure.
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
        # FPN's own, as in the baseline; refineface.py has SRN's.
        p6_from='p5',
        upsample_cfg=dict(mode='nearest')),
    bbox_head=dict(
        type='SelectiveRefineHead',
        stc_levels=(),
        str_levels=(),
        stc_score_thr=0.01,
        rfe=False,
        predictor_kernel=3),
    train_cfg=dict(
        first_assigner=dict(
            type='StreamingMaxIoUAssigner',
            pos_iou_thr=0.7,
            neg_iou_thr=0.3,
            min_pos_iou=0,
            ignore_iof_thr=0.5)))
