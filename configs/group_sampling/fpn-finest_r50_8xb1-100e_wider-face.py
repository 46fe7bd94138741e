# FPN-finest, ResNet-50: as FPN-finest-sampling, its 8,192 samples of a
# picture drawn at random over all scales ("Group Sampling for Scale Invariant
# Face Detection", section 3; Tables 1, 2 and 4).
# The paper's AP on WIDER FACE val: .941 easy, .930 medium, .866 hard, .802
# all, .656 @16, .668 @32, .439 @64, .224 @128. Table 2 has .803 all.
# Its Fig. 4: --cfg-options model.train_cfg.sampler.num=4N
#   CONFIG=configs/group_sampling/fpn-finest_r50_8xb1-100e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 8             # 8 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = ['fpn-finest-sampling_r50_8xb1-100e_wider-face.py']

model = dict(
    train_cfg=dict(
        sampler=dict(
            _delete_=True,
            type='SeededRandomSampler',
            num=8192,
            pos_fraction=0.25,
            neg_pos_ub=-1,
            add_gt_as_proposals=False)))
