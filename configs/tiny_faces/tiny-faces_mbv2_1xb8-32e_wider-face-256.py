# HR on MobileNetV2 for a CPU and part of WIDER FACE: 256x256 regions around
# faces, batch 8, and the schedule of the other configs for a CPU with a tenth
# of their learning rate, which is ten times the paper's: there are a tenth of
# its iterations. In none of the tables of "Finding Tiny Faces".
#   CONFIG=configs/tiny_faces/tiny-faces_mbv2_1xb8-32e_wider-face-256.py
#   python tools/train.py $CONFIG --resume --cfg-options \
#       model.backbone.init_cfg.type=Pretrained \
#       model.backbone.init_cfg.checkpoint=mobilenet_v2.pth
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = [
    '../_base_/models/tiny_faces_mbv2.py',
    '../_base_/datasets/wider_face_tiny_faces_256.py',
    '../_base_/schedules/cosine_32e.py', '../_base_/default_runtime.py',
    '../_base_/tta/tiny_faces_wider.py'
]

optim_wrapper = dict(
    optimizer=dict(lr=0.001, weight_decay=0.0005),
    paramwise_cfg=dict(custom_keys=dict(stride8=dict(lr_mult=0.1))),
    clip_grad=dict(max_norm=100))
default_hooks = dict(logger=dict(interval=32))
custom_hooks = [dict(type='ChannelsLastHook')]
