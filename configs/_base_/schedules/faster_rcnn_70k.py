# "Bootstrapping Face Detection with Hard Negative Examples", section 4.1: SGD,
# learning rate 1e-3 for 50,000 iterations and 1e-4 for 20,000. One picture per
# iteration, momentum .9 and weight decay 5e-4 are Faster R-CNN's.
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=70000, val_interval=10000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(
        type='MultiStepLR',
        by_epoch=False,
        begin=0,
        end=70000,
        milestones=[50000],
        gamma=0.1)
]

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.001, momentum=0.9, weight_decay=0.0005))

# `--auto-scale-lr` scales the learning rate to the batch actually used.
auto_scale_lr = dict(enable=False, base_batch_size=1)
