# FPN-finest-sampling with -ln(IoU) as regression loss, ResNet-50 ("Group
# Sampling for Scale Invariant Face Detection", Table 3).
# The paper's AP on WIDER FACE val: .835 all, .746 @16, .731 @32, .480 @64,
# .251 @128.
#   CONFIG=configs/group_sampling/fpn-finest-sampling_r50_neg-log-iou_8xb1-100e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 8             # 8 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = ['fpn-finest-sampling_r50_8xb1-100e_wider-face.py']

model = dict(
    bbox_head=dict(
        reg_decoded_bbox=True,
        loss_bbox=dict(_delete_=True, type='IoULoss', mode='log')))
