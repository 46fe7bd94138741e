# Grouped Fast R-CNN of "Group Sampling for Scale Invariant Face Detection"
# with the hard negatives of "Bootstrapping Face Detection with Hard Negative
# Examples", trained on FDDB: both rounds and the harvest between them in one
# run, as cross-validation needs. In neither paper. Pictures, epochs and
# learning rates are those of WIDER FACE.
#   CONFIG=configs/hard_negative_mining/grouped-fast-rcnn_r50_hnm-loop_8xb1-100e_fddb.py
#   GPUS=8 bash tools/cross_validate_fddb.sh $CONFIG
# The first round alone:
#   --cfg-options train_cfg.rounds=1
_base_ = ['../group_sampling/grouped-fast-rcnn_r50_8xb1-100e_wider-face.py']

# Without hard negatives, in round one, they draw as ScaleGroupSampler does.
model = dict(
    train_cfg=dict(
        rpn=dict(
            sampler=dict(type='HardNegativeScaleGroupSampler',
                         join='anchors')),
        rcnn=dict(
            sampler=dict(
                type='HardNegativeScaleGroupSampler', join='proposals'))))

dataset_type = 'FDDBDataset'
data_root = 'data/fddb/'
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root,
        folds=[2, 3, 4, 5, 6, 7, 8, 9, 10],
        filter_cfg=dict(filter_empty_gt=True),
        pipeline={{_base_.train_pipeline}},
        backend_args=None))
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root,
        folds=None,
        test_mode=True,
        pipeline={{_base_.test_pipeline}},
        backend_args=None))
test_evaluator = dict(
    _delete_=True, type='FDDBMetric', folds_dir=data_root + 'FDDB-folds')
# No validation: the fold held out must not choose the checkpoint.
val_dataloader = None
val_evaluator = None
val_cfg = None
default_hooks = dict(checkpoint=dict(save_best=None))

train_cfg = dict(
    _delete_=True, type='BootstrapTrainLoop', max_epochs=100, rounds=2)
