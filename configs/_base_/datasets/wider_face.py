# WIDER FACE from its official download, unpacked under `data_root`:
#   wider_face_split/  WIDER_train/images/  WIDER_val/images/
#   ground_truth/  (the four .mat files of eval_tools.zip)
# Training: the augmentation of RefineFace, 1024x1024, 8 GPUs x 4 pictures.
# Test: original size; wider_face_vga.py has the VGA resolution.
_base_ = '../pipelines/faces.py'

dataset_type = 'WiderFaceDataset'
data_root = 'data/wider_face/'

train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='SeededDefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='wider_face_split/wider_face_train_bbx_gt.txt',
        data_prefix=dict(img='WIDER_train/images'),
        filter_cfg=dict(filter_empty_gt=True),
        pipeline={{_base_.train_pipeline}},
        backend_args={{_base_.backend_args}}))

val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='wider_face_split/wider_face_val_bbx_gt.txt',
        data_prefix=dict(img='WIDER_val/images'),
        test_mode=True,
        pipeline={{_base_.test_pipeline}},
        backend_args={{_base_.backend_args}}))
# For the test server: ann_file='wider_face_split/wider_face_test_filelist.txt'
# and data_prefix=dict(img='WIDER_test/images').
test_dataloader = val_dataloader

val_evaluator = dict(type='WiderFaceMetric', gt_dir=data_root + 'ground_truth')
test_evaluator = val_evaluator
