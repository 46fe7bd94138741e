# RefineFace, section 3.6: SGD, batch 32 (8 GPUs x 4), learning rate ramped
# from 3.125e-4 to 1e-2 over 5 epochs, divided by 10 at epochs 100 and 120,
# end at 130.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=130, val_interval=10)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=3.125e-4 / 1e-2,
        by_epoch=True,
        begin=0,
        end=5,
        convert_to_iter_based=True),
    dict(
        type='MultiStepLR',
        by_epoch=True,
        begin=0,
        end=130,
        milestones=[100, 120],
        gamma=0.1)
]

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0001))

# `--auto-scale-lr` scales the learning rate to the batch actually used.
auto_scale_lr = dict(enable=False, base_batch_size=32)
