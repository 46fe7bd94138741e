# Grouped Fast R-CNN, ResNet-50: the same number of RoIs, too, for each scale;
# the paper's final model ("Group Sampling for Scale Invariant Face
# Detection", sections 4.2 and 6.3; Table 5, fourth row).
# The paper's AP on WIDER FACE val: .962 easy, .955 medium, .911 hard, .857
# all.
#   CONFIG=configs/group_sampling/grouped-fast-rcnn_r50_8xb1-100e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 8             # 8 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = ['fast-rcnn_r50_iou-least-square_8xb1-100e_wider-face.py']

model = dict(
    train_cfg=dict(
        rcnn=dict(
            sampler=dict(
                _delete_=True,
                type='ScaleGroupSampler',
                num_per_group=128,
                pos_fraction=0.25,
                group_scales=(16, 32, 64, 128),
                add_gt_as_proposals=True))))
