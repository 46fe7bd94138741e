# FPN-finest-sampling on MobileNetV2 for a CPU and part of WIDER FACE: 256x256
# crops, batch 8 and 32 epochs as in
# configs/refineface/retinanet_mbv2_1xb8-32e_wider-face-256.py; a crop has
# 4,096 anchors of each scale, of which 256 train.
#   CONFIG=configs/group_sampling/fpn-finest-sampling_mbv2_1xb8-32e_wider-face-256.py
#   python tools/train.py $CONFIG --resume --cfg-options \
#       model.backbone.init_cfg.type=Pretrained \
#       model.backbone.init_cfg.checkpoint=mobilenet_v2.pth
#   python tools/test.py $CONFIG CHECKPOINT
_base_ = [
    '../_base_/models/group_sampling_mbv2.py',
    '../_base_/datasets/wider_face_256.py',
    '../_base_/schedules/cosine_32e.py', '../_base_/default_runtime.py',
    '../_base_/tta/group_sampling_pyramid.py'
]

model = dict(train_cfg=dict(sampler=dict(num_per_group=256)))

val_evaluator = dict(settings=('easy', 'medium', 'hard', 'all'))
test_evaluator = val_evaluator
default_hooks = dict(logger=dict(interval=32))
custom_hooks = [dict(type='ChannelsLastHook')]
