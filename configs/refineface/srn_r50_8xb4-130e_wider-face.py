# SRN-ResNet-50 (Selective Refinement Network, arXiv 1809.02693): two-step
# regression and classification and RFE, with what its public test code has
# where it differs from RefineFace: 1x1 predictors, all new convolutions from
# N(0, .01), the best 6,000 boxes of each level, no score threshold on levels
# of fewer than 120 cells. (It also rounds the sides of its anchors; not here.)
# RefineFace (arXiv 1909.04376) has these modules in Table 1, eighth column:
# The paper's AP on WIDER FACE val: .964 easy, .953 medium, .902 hard.
#   bash tools/dist_train.sh \
#       configs/refineface/srn_r50_8xb4-130e_wider-face.py 8
_base_ = ['refineface_r50_str-stc-rfe_8xb4-130e_wider-face.py']

model = dict(
    neck=dict(init_cfg=dict(type='Normal', layer='Conv2d', std=0.01)),
    bbox_head=dict(
        predictor_kernel=1,
        init_cfg=dict(
            _delete_=True,
            type='Normal',
            layer='Conv2d',
            std=0.01,
            override=dict(
                type='Normal', name='retina_cls', std=0.01, bias_prob=0.01))),
    test_cfg=dict(nms_pre=6000, nms_pre_over='level', small_level_cells=120))
