# FPN-finest-sampling for a CPU: MobileNetV2 with a 64-channel neck and head.
# Its norms are trained with their own statistics: batches are larger there.
_base_ = ['group_sampling.py']

# As in retinanet_face_mbv2.py.
find_unused_parameters = True

model = dict(
    backbone=dict(
        _delete_=True,
        type='MobileNetV2',
        out_indices=(1, 2, 4, 6),
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False),
    neck=dict(in_channels=[24, 32, 96, 320], out_channels=64),
    bbox_head=dict(in_channels=64, feat_channels=64))
