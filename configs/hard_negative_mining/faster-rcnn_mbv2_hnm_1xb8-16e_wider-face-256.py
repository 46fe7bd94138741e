# Faster R-CNN on MobileNetV2 for a CPU with the hard negatives of
# "Bootstrapping Face Detection with Hard Negative Examples": the second round;
# the first is faster-rcnn_mbv2_1xb8-16e_wider-face-256.py.
#   ONE=faster-rcnn_mbv2_1xb8-16e_wider-face-256
#   python tools/harvest_hard_negatives.py \
#       configs/hard_negative_mining/$ONE.py work_dirs/$ONE/epoch_16.pth \
#       --out work_dirs/$ONE/hard_negatives.jsonl
#   CONFIG=configs/hard_negative_mining/faster-rcnn_mbv2_hnm_1xb8-16e_wider-face-256.py
#   python tools/train.py $CONFIG --resume --cfg-options \
#       model.backbone.init_cfg.type=Pretrained \
#       model.backbone.init_cfg.checkpoint=mobilenet_v2.pth
#   python tools/test.py $CONFIG CHECKPOINT
_base_ = ['faster-rcnn_mbv2_1xb8-16e_wider-face-256.py']

model = dict(
    train_cfg=dict(
        rpn=dict(sampler=dict(type='HardNegativeSampler', join='anchors')),
        rcnn=dict(sampler=dict(type='HardNegativeSampler', join='proposals'))))

train_pipeline = [
    *_base_.train_pipeline[:2],
    dict(
        type='LoadHardNegatives',
        ann_file='work_dirs/faster-rcnn_mbv2_1xb8-16e_wider-face-256/'
        'hard_negatives.jsonl'), *_base_.train_pipeline[2:-1],
    dict(type='PackHardNegativeInputs')
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
