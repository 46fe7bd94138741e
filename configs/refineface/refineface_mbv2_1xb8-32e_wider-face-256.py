# RefineFace on MobileNetV2 for a CPU and part of WIDER FACE: data, schedule
# and seed of retinanet_mbv2_1xb8-32e_wider-face-256.py, its baseline.
#   python tools/train.py \
#       configs/refineface/refineface_mbv2_1xb8-32e_wider-face-256.py \
#       --resume --cfg-options model.backbone.init_cfg.type=Pretrained \
#       model.backbone.init_cfg.checkpoint=mobilenet_v2.pth
_base_ = [
    '../_base_/models/refineface_mbv2.py',
    '../_base_/datasets/wider_face_256.py',
    '../_base_/schedules/cosine_32e.py', '../_base_/default_runtime.py',
    '../_base_/tta/srn_multi_scale.py'
]

default_hooks = dict(logger=dict(interval=32))
custom_hooks = [dict(type='ChannelsLastHook')]
