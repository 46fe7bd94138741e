# "Finding Tiny Faces", section 4.1 and appendix B: SGD, batch 20 (4 GPUs x 5),
# learning rate 1e-4 throughout, momentum 0.9, weight decay 5e-4, 50 epochs,
# the best of them by AP on val. The losses are sums over a picture's samples:
# hence the low rate. It is multiplied by .1 for the predictor on res3 and by
# .01 for one on res2 ("FCN-8s at once").
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=50, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = []

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.0001, momentum=0.9, weight_decay=0.0005),
    # parts of the names of bbox_head.predictors.stride8 and so on
    paramwise_cfg=dict(
        custom_keys=dict(
            stride8=dict(lr_mult=0.1), stride4=dict(lr_mult=0.01))))

# `--auto-scale-lr` scales the learning rate to the batch actually used.
auto_scale_lr = dict(enable=False, base_batch_size=20)
