# RefineFace-ResNet-50 without feature supervision and margin (arXiv
# 1909.04376, Table 1, eighth column): the parts that SRN has.
# The paper's AP on WIDER FACE val: .964 easy, .953 medium, .902 hard.
#   bash tools/dist_train.sh \
#       configs/refineface/refineface_r50_str-stc-rfe_8xb4-130e_wider-face.py 8
_base_ = ['refineface_r50_no-fsm_8xb4-130e_wider-face.py']

model = dict(
    bbox_head=dict(
        loss_cls=dict(
            _delete_=True,
            type='FocalLoss',
            use_sigmoid=True,
            gamma=2.0,
            alpha=0.25,
            loss_weight=1.0)))
