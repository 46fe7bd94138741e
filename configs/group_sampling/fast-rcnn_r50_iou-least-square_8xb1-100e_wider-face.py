# Fast R-CNN on FPN-finest-sampling with (1 - IoU)^2 as regression loss of
# both stages, ResNet-50 ("Group Sampling for Scale Invariant Face Detection",
# section 6.3; Table 5, third row).
# The paper's AP on WIDER FACE val: .964 easy, .953 medium, .903 hard, .846
# all.
#   CONFIG=configs/group_sampling/fast-rcnn_r50_iou-least-square_8xb1-100e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 8             # 8 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = ['fast-rcnn_r50_8xb1-100e_wider-face.py']

model = dict(
    rpn_head=dict(
        reg_decoded_bbox=True,
        loss_bbox=dict(_delete_=True, type='IoULeastSquareLoss')),
    roi_head=dict(
        bbox_head=dict(
            # The N_reg of Eq. 2 are the positive RoIs, not all of them.
            type='PairMeanBBoxHead',
            reg_decoded_bbox=True,
            loss_bbox=dict(_delete_=True, type='IoULeastSquareLoss'))))
