# Faster R-CNN on MobileNetV2 for a CPU and part of WIDER FACE: 256x256 crops,
# 16 epochs at batch 8, cosine schedule; the samples of "Bootstrapping Face
# Detection with Hard Negative Examples". The first round of
# faster-rcnn_mbv2_hnm_1xb8-16e_wider-face-256.py.
#   CONFIG=configs/hard_negative_mining/faster-rcnn_mbv2_1xb8-16e_wider-face-256.py
#   python tools/train.py $CONFIG --resume --cfg-options \
#       model.backbone.init_cfg.type=Pretrained \
#       model.backbone.init_cfg.checkpoint=mobilenet_v2.pth
#   python tools/test.py $CONFIG CHECKPOINT
_base_ = [
    '../_base_/models/faster_rcnn_face_mbv2.py',
    '../_base_/datasets/wider_face_256.py',
    '../_base_/schedules/cosine_32e.py', '../_base_/default_runtime.py'
]

train_cfg = dict(max_epochs=16, val_interval=16)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(
        type='CosineAnnealingLR',
        begin=0,
        end=16,
        by_epoch=True,
        convert_to_iter_based=True,
        eta_min=1e-4)
]
default_hooks = dict(logger=dict(interval=32))
custom_hooks = [dict(type='ChannelsLastHook')]
