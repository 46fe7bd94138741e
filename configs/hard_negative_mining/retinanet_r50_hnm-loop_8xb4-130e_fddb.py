# RetinaNet-face with the hard negatives of "Bootstrapping Face Detection with
# Hard Negative Examples", trained on FDDB: both rounds and the harvest between
# them in one run, as cross-validation needs. In no paper. Pictures, epochs and
# learning rates are those of WIDER FACE.
#   CONFIG=configs/hard_negative_mining/retinanet_r50_hnm-loop_8xb4-130e_fddb.py
#   GPUS=8 bash tools/cross_validate_fddb.sh $CONFIG
# The first round alone:
#   --cfg-options train_cfg.rounds=1
_base_ = ['retinanet_r50_sampling_8xb4-130e_wider-face.py']

# Without hard negatives, in round one, it draws as SeededRandomSampler does.
model = dict(
    train_cfg=dict(sampler=dict(type='HardNegativeSampler', join='anchors')))

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
    _delete_=True, type='BootstrapTrainLoop', max_epochs=130, rounds=2)
