# Group Sampling, section 5: SGD, batch 8 (8 GPUs x 1), learning rate 0.01,
# divided by 10 at epochs 60 and 80, end at 100, momentum 0.9, weight decay
# 5e-5. The paper names no warm-up; the first 500 iterations are one here, as
# in MMDetection's schedules.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=10)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(
        type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(
        type='MultiStepLR',
        by_epoch=True,
        begin=0,
        end=100,
        milestones=[60, 80],
        gamma=0.1)
]

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-5))

# `--auto-scale-lr` scales the learning rate to the batch actually used.
auto_scale_lr = dict(enable=False, base_batch_size=8)
