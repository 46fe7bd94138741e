# PASCAL Face, for testing, under `data_root`:
#   VOCdevkit/VOC2012/JPEGImages/    (PASCAL VOC 2012, train/val and test)
#   Annotations_Face_PASCALLayout_large_fixed.mat    (the face-eval toolbox)
# All else, and the options, are those of AFW.
_base_ = './afw.py'

dataset_type = 'PASCALFaceDataset'
data_root = 'data/pascal_face/'

test_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='Annotations_Face_PASCALLayout_large_fixed.mat',
        data_prefix=dict(img='VOCdevkit/VOC2012/JPEGImages')))
val_dataloader = test_dataloader

test_evaluator = dict(
    ann_file=data_root + 'Annotations_Face_PASCALLayout_large_fixed.mat',
    prefix='pascal_face')
val_evaluator = test_evaluator
