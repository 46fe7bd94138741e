# FRCNN_R50_HNM, Faster R-CNN on ResNet-50 with hard negatives, of
# "Bootstrapping Face Detection with Hard Negative Examples" (sections 3.2 and
# 4.1), trained on WIDER FACE: the second round. It needs the false positives
# of the first, faster-rcnn_r50-c4_1xb1-70k_wider-face.py.
# Published, on FDDB: true positive rates of .9081, .9361 and .9524 at 50, 100
# and 200 false positives.
#   ONE=faster-rcnn_r50-c4_1xb1-70k_wider-face
#   python tools/train.py configs/hard_negative_mining/$ONE.py
#   python tools/harvest_hard_negatives.py \
#       configs/hard_negative_mining/$ONE.py work_dirs/$ONE/iter_70000.pth \
#       --out work_dirs/$ONE/hard_negatives.jsonl
#   CONFIG=configs/hard_negative_mining/faster-rcnn_r50-c4_hnm_1xb1-70k_wider-face.py
#   python tools/train.py $CONFIG
#   python tools/test.py $CONFIG CHECKPOINT
#   python tools/test.py $CONFIG CHECKPOINT --dataset fddb_600 --fddb-out out/
# Another file:
#   --cfg-options train_dataloader.dataset.pipeline.2.ann_file=FILE
_base_ = ['faster-rcnn_r50-c4_1xb1-70k_wider-face.py']

model = dict(
    train_cfg=dict(
        rpn=dict(sampler=dict(type='HardNegativeSampler', join='anchors')),
        rcnn=dict(sampler=dict(type='HardNegativeSampler', join='proposals'))))

train_pipeline = [
    *_base_.train_pipeline[:2],
    dict(
        type='LoadHardNegatives',
        ann_file='work_dirs/faster-rcnn_r50-c4_1xb1-70k_wider-face/'
        'hard_negatives.jsonl'), *_base_.train_pipeline[2:-1],
    dict(type='PackHardNegativeInputs')
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
