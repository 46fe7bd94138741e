# FPN-finest with focal loss on all anchors, ResNet-50 ("Group Sampling for
# Scale Invariant Face Detection", section 6.2; Table 4).
# The paper's AP on WIDER FACE val: .812 all, .758 @16, .685 @32, .442 @64,
# .215 @128.
# Sigmoid, as the loss has it; gamma 2 and alpha .25.
#   CONFIG=configs/group_sampling/fpn-finest_r50_focal_8xb1-100e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 8             # 8 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = ['fpn-finest_r50_8xb1-100e_wider-face.py']

model = dict(
    bbox_head=dict(
        loss_cls=dict(
            _delete_=True,
            type='FocalLoss',
            use_sigmoid=True,
            gamma=2.0,
            alpha=0.25,
            loss_weight=1.0),
        # RetinaNet's prior
        init_cfg=dict(
            type='Normal',
            layer='Conv2d',
            std=0.01,
            override=dict(
                type='Normal', name='rpn_cls', std=0.01, bias_prob=0.01))),
    train_cfg=dict(sampler=dict(_delete_=True, type='PseudoSampler')))
