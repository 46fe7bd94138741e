"""Small parts of Finding Tiny Faces that several tests share."""
import copy

import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict

# Width, height, scale and role; the last one covers a face of 9 x 10 pixels.
SIZES = ((40., 48., .5, None), (20., 26., 1., 'A'), (14., 16., 1., 'A'),
         (18., 20., 2., 'B'))
TEMPLATES = [
    dict(width=width, height=height, scale=scale, role=role)
    for width, height, scale, role in SIZES
]
ALL_LABELLED = dict(type='BalancedHardSampler', min_loss=None, balanced=False)


def head_config(assigner=None, sampler=None, test_cfg=None, **options):
    """A head of four templates on maps of 6 and 8 channels.

    No noise decides which of equal windows trains, unless it is asked for.
    """
    config = dict(
        type='TemplateHead',
        in_channels=(6, 8),
        in_strides=(8, 16),
        prior_generator=dict(
            type='TemplatePriorGenerator', templates=TEMPLATES),
        train_cfg=ConfigDict(
            assigner=dict(
                dict(type='TemplateAssigner', noise=0), **(assigner or {})),
            sampler=sampler or dict(type='BalancedHardSampler')),
        test_cfg=ConfigDict(test_cfg or {}))
    config.update(options)
    return ConfigDict(config)


def template_head(**options):
    """The head of :func:`head_config`, as it starts."""
    head = MODELS.build(copy.deepcopy(head_config(**options)))
    head.init_weights()
    return head


def lively(module, std=.3):
    """Give the predictors of a head weights, the same ones each time."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if 'predictors' in name:
                parameter.copy_(
                    torch.randn(parameter.shape, generator=generator) * std)
    return module


def backbone_maps(head, shape=(96, 96), pictures=2):
    """Random maps of a backbone for a head, of the sizes of a ResNet's."""
    generator = torch.Generator().manual_seed(2)
    return [
        torch.randn(
            pictures,
            conv.in_channels,
            *(-(-side // stride) for side in shape),
            generator=generator)
        for conv, stride in zip(head.predictors.values(), head.in_strides)
    ]


def noisy_outputs(head, cells=(12, 12), pictures=2, spread=1.):
    """Random logits and deltas of a head, which need gradients."""
    generator = torch.Generator().manual_seed(3)
    number = head.num_templates
    return [(scale * torch.randn(
        pictures, channels, *cells, generator=generator)).requires_grad_()
            for channels, scale in ((number, spread), (4 * number, .3))]


def detector_config(channels=8, test_cfg=None, tiling=None, **options):
    """TinyFaces with the first stages of a ResNet-18.

    Args:
        channels: Of its first stage; 64 is the real one.
        test_cfg: Of the head.
        tiling: Of the detector.
        **options: Of the head.
    """
    head = head_config(
        test_cfg=test_cfg,
        **dict(dict(in_channels=(2 * channels, 4 * channels)), **options))
    train_cfg, test_cfg = head.pop('train_cfg'), head.pop('test_cfg')
    return ConfigDict(
        type='TinyFaces',
        data_preprocessor=dict(
            type='DetDataPreprocessor', mean=[127] * 3, std=[64] * 3),
        backbone=dict(
            type='ResNet',
            depth=18,
            stem_channels=channels,
            base_channels=channels,
            num_stages=3,
            strides=(1, 2, 2),
            dilations=(1, 1, 1),
            out_indices=(1, 2)),
        bbox_head=head,
        tiling=tiling,
        train_cfg=train_cfg,
        test_cfg=test_cfg)
