# The same detector for a CPU: MobileNetV2 with a 64-channel neck and head of
# two convolutions per branch instead of four.
_base_ = ['retinanet_face.py']

# MMDetection's MobileNetV2 always computes its last convolution, which no
# detector uses: without this, distributed training stops at its second step.
find_unused_parameters = True

model = dict(
    backbone=dict(
        _delete_=True,
        type='MobileNetV2',
        out_indices=(1, 2, 4, 6),
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False),
    neck=dict(in_channels=[24, 32, 96, 320], out_channels=64),
    bbox_head=dict(in_channels=64, feat_channels=64, stacked_convs=2))
