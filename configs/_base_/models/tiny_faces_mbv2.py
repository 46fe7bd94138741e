# The same detector for a CPU: MobileNetV2, its maps of 32 and 96 channels.
_base_ = ['tiny_faces.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='TruncatedMobileNetV2',
        out_indices=(2, 4),
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False),
    bbox_head=dict(in_channels=(32, 96)))
