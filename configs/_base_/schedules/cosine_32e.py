# For a CPU: SGD, batch 8, learning rate ramped up over 100 iterations to 1e-2
# and down along a cosine over 32 epochs; gradients clipped.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=32, val_interval=32)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(
        type='CosineAnnealingLR',
        begin=0,
        end=32,
        by_epoch=True,
        convert_to_iter_based=True,
        eta_min=1e-4)
]

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0001),
    clip_grad=dict(max_norm=10, norm_type=2))

auto_scale_lr = dict(enable=False, base_batch_size=8)
