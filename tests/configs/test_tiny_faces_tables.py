"""Each config of Finding Tiny Faces is the row that it names."""
import pytest
from mmdet.registry import TASK_UTILS
from tiny_faces_rows import (FIXED, FOLDER, HR, MBV2, PREFIXES, SIGMAS, SIZES,
                             SUFFIX, config, three_scales)

from tinyfaces.templates import load_templates

# ResNet's maps: channels
CHANNELS = {2: 256, 3: 512, 4: 1024, 5: 2048}
# What only a test looks at
TEST_KEYS = ('tta_model', 'tta_resolution', 'tta_pipeline')


def test_one_file_per_row():
    stems = {p.stem for p in FOLDER.glob('*.py')}
    assert stems == {prefix + SUFFIX for prefix in PREFIXES} | {MBV2}
    assert len(PREFIXES) == len(set(PREFIXES)) == 7 + (2 * 7 + 2) + 3


def difference(one, other, path=''):
    """Names of the entries in which two configs differ."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return set() if one == other else {path}
    return {
        name
        for key in {*one, *other}
        for name in difference(one.get(key), other.get(key), f'{path}.{key}')
    }


@pytest.mark.parametrize('prefix, wanted', [
    ('tiny-faces_r101_full', {
        '.tta_model.plan.scales', '.tta_model.test_cfg.templates',
        '.tta_resolution'
    }),
    ('tiny-faces_r50',
     {'.model.backbone.depth', '.model.backbone.init_cfg.checkpoint'}),
    ('tiny-faces_r101_no-hard-mining', {'.model.train_cfg.sampler.min_loss'}),
    ('tiny-faces_r101_no-regression', {'.model.test_cfg.regress'}),
])
def test_rows_differ_in_what_they_are_about(prefix, wanted):
    assert difference(config(HR).to_dict(),
                      config(prefix + SUFFIX).to_dict()) == wanted


def test_hr_of_the_paper():
    """The values that the paper has, and the released templates."""
    cfg = config(HR)
    assigner = cfg.model.train_cfg.assigner
    sampler = cfg.model.train_cfg.sampler
    assert (assigner.pos_iou_thr, assigner.neg_iou_thr) == (.7, .3)
    assert not assigner.negative_border
    assert (sampler.num, sampler.pos_fraction, sampler.min_loss,
            sampler.balanced) == (256, .5, .03, True)
    head = cfg.model.bbox_head
    assert (head.in_strides, head.out_stride) == ((8, 16), 8)
    generator = TASK_UTILS.build({**head.prior_generator, 'stride': 8})
    assert list(generator.templates) == load_templates('published')
    assert [t.role for t in generator.templates].count('A') == 8
    assert [t.role for t in generator.templates].count('B') == 7
    assert (head.loss_cls.type, head.loss_cls.use_sigmoid, head.loss_bbox.type,
            head.loss_bbox.beta) == ('CrossEntropyLoss', True, 'SmoothL1Loss',
                                     1)
    backbone = cfg.model.backbone
    assert (backbone.depth, backbone.num_stages) == (101, 3)
    assert (backbone.norm_eval, backbone.frozen_stages) == (False, -1)


def test_vgg16():
    cfg = config(f'tiny-faces_vgg16{SUFFIX}')
    changed = {
        name
        for name in difference(config(HR).to_dict(), cfg.to_dict())
        if not name.startswith('.model.backbone.')
    }
    assert changed == {
        '.model.bbox_head.in_channels',
        '.model.bbox_head.prior_generator.offset'
    }
    assert cfg.model.backbone == dict(
        type='VGG16',
        out_indices=(3, 4),
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://vgg16'))


@pytest.mark.parametrize('prefix', SIGMAS)
def test_single_resolution_models(prefix):
    """The same faces at three resolutions, in training and in the test."""
    cfg, scale = config(prefix + SUFFIX), SIGMAS[prefix]
    generator = TASK_UTILS.build({
        **cfg.model.bbox_head.prior_generator, 'stride':
        8
    })
    for found, target in zip(
            generator.templates, load_templates('unscaled'), strict=True):
        assert found.face_size == pytest.approx(target.face_size)
        assert (found.scale, found.role) == (scale, None)
    assert_one_scale(cfg, scale)
    sizes = [t.face_size[::-1] for t in load_templates('unscaled')]
    assert [tuple(x) for x in cfg.test_evaluator.target_sizes] == sizes
    assert set(TEST_KEYS).isdisjoint(cfg)
    changed = {
        name
        for name in difference(config(HR).to_dict(), cfg.to_dict())
        if name.startswith('.model.')
    }
    assert changed == {
        '.model.bbox_head.prior_generator.templates',
        '.model.test_cfg.score_type'
    }


def assert_one_scale(cfg, scale):
    """Pictures are resized to it alone, before the crop and in the test."""
    pipeline = cfg.train_dataloader.dataset.pipeline
    assert pipeline[3] == dict(
        type='Resize', scale_factor=scale, keep_ratio=True)
    usual = config(HR).train_dataloader.dataset.pipeline
    assert pipeline[:3] == usual[:3] and pipeline[4:] == usual[4:]
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        assert loader.dataset.pipeline[1] == dict(
            type='Resize', scale_factor=scale, keep_ratio=True)
    assert cfg.model.test_cfg.templates == 'all'


def test_rpn_has_one_map_one_scale_and_no_pyramid():
    cfg = config(f'rpn_r101{SUFFIX}')
    head = cfg.model.bbox_head
    assert (head.in_channels, head.in_strides, head.out_stride) == ((1024, ),
                                                                    (16, ), 16)
    assert cfg.model.backbone.out_indices == (2, )
    assert head.prior_generator.templates == 'unscaled'
    assert_one_scale(cfg, 1)
    assert set(TEST_KEYS).isdisjoint(cfg)
    assert not cfg.optim_wrapper.paramwise_cfg.custom_keys
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        assert len(evaluator.target_sizes) == 0


@pytest.mark.parametrize('prefix', FIXED)
def test_fixed_size_studies(prefix):
    cfg, row = config(prefix + SUFFIX), FIXED[prefix]
    template, = cfg.model.bbox_head.prior_generator.templates
    assert template == dict(
        height=row.face[0] * row.scale,
        width=row.face[1] * row.scale,
        scale=row.scale)
    assert_one_scale(cfg, row.scale)
    size = f'{row.face[0]}x{row.face[1]}'
    assert [tuple(x) for x in cfg.test_evaluator.target_sizes] == [row.face]
    assert cfg.val_evaluator == cfg.test_evaluator
    assert cfg.default_hooks.checkpoint.save_best == f'wider/ap_target_{size}'

    levels = range(row.maps[0], row.maps[1] + 1)
    head, backbone = cfg.model.bbox_head, cfg.model.backbone
    assert list(head.in_channels) == [CHANNELS[level] for level in levels]
    assert list(head.in_strides) == [2**level for level in levels]
    assert head.out_stride == 8
    assert list(backbone.out_indices) == [level - 2 for level in levels]
    # No stage behind the last map, and ResNet-50
    assert backbone.num_stages == row.maps[1] - 1
    assert len(backbone.strides) == len(backbone.dilations) == row.maps[1] - 1
    assert (backbone.depth,
            backbone.init_cfg.checkpoint) == (50, 'torchvision://resnet50')
    # A heat map alone
    assert head.loss_bbox.loss_weight == 0 and not cfg.model.test_cfg.regress

    rates = cfg.optim_wrapper.paramwise_cfg.custom_keys
    assert {
        name: part.lr_mult
        for name, part in rates.items()
    } == pytest.approx({
        f'stride{2**level}': .1**(row.maps[1] - level)
        for level in levels if level < row.maps[1]
    })


@pytest.mark.parametrize('prefix', PREFIXES)
def test_same_schedule_and_data(prefix):
    cfg, hr = config(prefix + SUFFIX), config(HR)
    for key in ('train_cfg', 'param_scheduler', 'auto_scale_lr'):
        assert cfg[key] == hr[key], key
    assert cfg.optim_wrapper.optimizer == hr.optim_wrapper.optimizer
    assert cfg.train_dataloader.batch_size == 5
    assert cfg.model.train_cfg.assigner == hr.model.train_cfg.assigner
    if three_scales(prefix):
        assert cfg.train_dataloader == hr.train_dataloader
        assert cfg.optim_wrapper == hr.optim_wrapper
        assert cfg.test_evaluator == hr.test_evaluator


def test_fixed_sizes_of_the_paper():
    assert SIZES == {'25x20': (25, 20), '250x200': (250, 200)}
    assert {row.face for row in FIXED.values()} == set(SIZES.values())
