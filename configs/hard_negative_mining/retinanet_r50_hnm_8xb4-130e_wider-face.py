# RetinaNet-face with the hard negatives of "Bootstrapping Face Detection with
# Hard Negative Examples": the anchors on them are taken first. In no paper.
# The second round; the first is
# retinanet_r50_sampling_8xb4-130e_wider-face.py.
#   ONE=retinanet_r50_sampling_8xb4-130e_wider-face
#   bash tools/dist_train.sh configs/hard_negative_mining/$ONE.py 8
#   bash tools/dist_harvest.sh configs/hard_negative_mining/$ONE.py \
#       work_dirs/$ONE/epoch_130.pth 8 \
#       --out work_dirs/$ONE/hard_negatives.jsonl
#   CONFIG=configs/hard_negative_mining/retinanet_r50_hnm_8xb4-130e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 8
#   python tools/test.py $CONFIG CHECKPOINT
_base_ = ['retinanet_r50_sampling_8xb4-130e_wider-face.py']

model = dict(
    train_cfg=dict(sampler=dict(type='HardNegativeSampler', join='anchors')))

train_pipeline = [
    *_base_.train_pipeline[:2],
    dict(
        type='LoadHardNegatives',
        ann_file='work_dirs/retinanet_r50_sampling_8xb4-130e_wider-face/'
        'hard_negatives.jsonl'), *_base_.train_pipeline[2:-1],
    dict(type='PackHardNegativeInputs')
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
