# MMDetection's own runtime. `custom_imports` registers our components (and
# the stand-in for mmcv's compiled ops) wherever the config is read, so that
# MMDetection's train.py and DetInferencer take it too.
_base_ = ['mmdet::_base_/default_runtime.py']

custom_imports = dict(imports=['tinyfaces'], allow_failed_imports=False)

default_hooks = dict(
    checkpoint=dict(
        type='AtomicCheckpointHook',
        interval=1,
        max_keep_ckpts=3,
        save_best='wider/hard_ap',
        rule='greater'),
    non_finite_loss=dict(type='NonFiniteLossHook'),
    sampler_seed=dict(type='DrawSeedHook'),
    unreadable_pictures=dict(type='UnreadablePicturesHook'),
    visualization=dict(type='FaceVisualizationHook'))
