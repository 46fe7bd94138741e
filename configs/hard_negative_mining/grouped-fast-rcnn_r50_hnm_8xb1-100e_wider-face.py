# Grouped Fast R-CNN of "Group Sampling for Scale Invariant Face Detection"
# with the hard negatives of "Bootstrapping Face Detection with Hard Negative
# Examples": those of each scale are taken first, in both stages. In neither
# paper. The second round; the first is
# configs/group_sampling/grouped-fast-rcnn_r50_8xb1-100e_wider-face.py.
#   ONE=grouped-fast-rcnn_r50_8xb1-100e_wider-face
#   bash tools/dist_train.sh configs/group_sampling/$ONE.py 8
#   bash tools/dist_harvest.sh configs/group_sampling/$ONE.py \
#       work_dirs/$ONE/epoch_100.pth 8 \
#       --out work_dirs/$ONE/hard_negatives.jsonl
#   CONFIG=configs/hard_negative_mining/grouped-fast-rcnn_r50_hnm_8xb1-100e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 8
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = ['../group_sampling/grouped-fast-rcnn_r50_8xb1-100e_wider-face.py']

model = dict(
    train_cfg=dict(
        rpn=dict(
            sampler=dict(type='HardNegativeScaleGroupSampler',
                         join='anchors')),
        rcnn=dict(
            sampler=dict(
                type='HardNegativeScaleGroupSampler', join='proposals'))))

# RandomCrop keeps a crop that shows a hard negative and no face, too.
train_pipeline = [
    *_base_.train_pipeline[:2],
    dict(
        type='LoadHardNegatives',
        ann_file='work_dirs/grouped-fast-rcnn_r50_8xb1-100e_wider-face/'
        'hard_negatives.jsonl'), *_base_.train_pipeline[2:-1],
    dict(type='PackHardNegativeInputs')
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
