# FPN-finest on MobileNetV2 for a CPU and part of WIDER FACE: as
# fpn-finest-sampling_mbv2_1xb8-32e_wider-face-256.py, its 4 x 256 samples of
# a crop drawn at random over all scales.
#   CONFIG=configs/group_sampling/fpn-finest_mbv2_1xb8-32e_wider-face-256.py
#   python tools/train.py $CONFIG --resume --cfg-options \
#       model.backbone.init_cfg.type=Pretrained \
#       model.backbone.init_cfg.checkpoint=mobilenet_v2.pth
#   python tools/test.py $CONFIG CHECKPOINT
_base_ = ['fpn-finest-sampling_mbv2_1xb8-32e_wider-face-256.py']

model = dict(
    train_cfg=dict(
        sampler=dict(
            _delete_=True,
            type='SeededRandomSampler',
            num=1024,
            pos_fraction=0.25,
            neg_pos_ub=-1,
            add_gt_as_proposals=False)))
