# RetinaNet for faces on MobileNetV2 with a 64-channel neck and head: the one
# for a CPU. It starts from random weights; ImageNet weights, converted by
# tools/model_converters/mobilenet_v2_torchvision_to_mmdet.py, are named with
#   --cfg-options model.backbone.init_cfg.type=Pretrained \
#       model.backbone.init_cfg.checkpoint=mobilenet_v2.pth
_base_ = [
    '../_base_/models/retinanet_face_mbv2.py',
    '../_base_/datasets/wider_face.py',
    '../_base_/schedules/refineface_130e.py', '../_base_/default_runtime.py',
    '../_base_/tta/flip_multi_scale.py'
]
