# RetinaNet-face (configs/refineface/retinanet_r50_8xb4-130e_wider-face.py)
# that trains on 512 anchors of a picture, at most a quarter of them faces, by
# cross-entropy, in place of all of them by the focal loss: the first round of
# retinanet_r50_hnm_8xb4-130e_wider-face.py. In no paper.
#   CONFIG=configs/hard_negative_mining/retinanet_r50_sampling_8xb4-130e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 8             # 8 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT
# Both rounds: bash tools/bootstrap_train.sh $CONFIG 2 8
_base_ = ['../refineface/retinanet_r50_8xb4-130e_wider-face.py']

model = dict(
    bbox_head=dict(
        # divided by the samples, not by the faces among them, and so is the
        # other loss
        loss_cls=dict(
            _delete_=True,
            type='CrossEntropyLoss',
            use_sigmoid=True,
            loss_weight=1.0)),
    train_cfg=dict(
        sampler=dict(
            _delete_=True,
            type='SeededRandomSampler',
            num=512,
            pos_fraction=0.25,
            neg_pos_ub=-1,
            add_gt_as_proposals=False)))
