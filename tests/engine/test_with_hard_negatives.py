"""The config of a later round."""
import copy
from pathlib import Path

import pytest
from mmengine.config import Config, ConfigDict
from tiny_faster_rcnn import ROOT, write_config

from tinyfaces.engine import with_hard_negatives
from tinyfaces.engine.harvest import training_datasets

FILE = 'round_1/hard_negatives.jsonl'
CONFIGS = ROOT / 'configs'


@pytest.fixture(scope='module')
def cfg(tmp_path_factory):
    """Round one of a tiny Faster R-CNN."""
    return Config.fromfile(write_config(tmp_path_factory.mktemp('cfg')))


def differences(before, now, key=''):
    """Place -> values of what was changed in a config."""
    if isinstance(before, dict) and isinstance(now, dict):
        found = {}
        for name in {*before, *now}:
            found.update(
                differences(before.get(name), now.get(name), f'{key}.{name}'))
        return found
    return {} if before == now else {key[1:]: (before, now)}


def types(pipeline):
    return [transform['type'] for transform in pipeline]


@pytest.mark.parametrize('kind', ['SeededRandomSampler', 'RandomSampler'])
def test_what_changes(cfg, kind):
    cfg = copy.deepcopy(cfg)
    for part in ('rpn', 'rcnn'):
        cfg.model.train_cfg[part].sampler.type = kind
    before = copy.deepcopy(cfg.to_dict())
    later = with_hard_negatives(cfg, FILE)
    assert cfg.to_dict() == before
    changed = differences(before, later.to_dict())
    names = (kind, 'HardNegativeSampler')
    rpn, rcnn = 'model.train_cfg.rpn.sampler', 'model.train_cfg.rcnn.sampler'
    old, new = changed.pop('train_dataloader.dataset.pipeline')
    assert changed == {
        f'{rpn}.type': names,
        f'{rpn}.join': (None, 'anchors'),
        f'{rcnn}.type': names,
        f'{rcnn}.join': (None, 'proposals')
    }
    assert types(new) == [
        'LoadImageFromFile', 'LoadAnnotations', 'LoadHardNegatives', 'Resize',
        'RandomFlip', 'PackHardNegativeInputs'
    ]
    assert new[2] == dict(type='LoadHardNegatives', ann_file=FILE)
    assert new[:2] + new[3:5] == old[:4]


def test_another_file_takes_the_place_of_the_first(cfg):
    first = with_hard_negatives(cfg, FILE)
    second = with_hard_negatives(first, Path('round_2.jsonl'))
    assert second.model == first.model
    pipeline = second.train_dataloader.dataset.pipeline
    assert types(pipeline) == types(first.train_dataloader.dataset.pipeline)
    assert pipeline[2].ann_file == 'round_2.jsonl'


def test_the_rpn_may_stay_as_it_is(cfg):
    later = with_hard_negatives(cfg, FILE, rpn=False)
    assert later.model.train_cfg.rpn == cfg.model.train_cfg.rpn
    assert later.model.train_cfg.rcnn.sampler.type == 'HardNegativeSampler'


def test_without_a_file_the_samplers_alone(cfg):
    later = with_hard_negatives(cfg, None)
    assert later.train_dataloader == cfg.train_dataloader
    assert later.model == with_hard_negatives(cfg, FILE).model


def test_scale_groups_and_a_wrapped_detector():
    cfg = Config.fromfile(CONFIGS / 'group_sampling' /
                          'grouped-fast-rcnn_r50_8xb1-100e_wider-face.py')
    later = with_hard_negatives(cfg, FILE)
    for part, join in (('rpn', 'anchors'), ('rcnn', 'proposals')):
        old, new = cfg.model.train_cfg[part], later.model.train_cfg[part]
        assert new.sampler == dict(
            old.sampler, type='HardNegativeScaleGroupSampler', join=join)
    cfg = Config(
        dict(
            model=dict(type='PostProcessedDetector', detector=cfg.model),
            train_dataloader=cfg.train_dataloader))
    wrapped = with_hard_negatives(cfg, FILE)
    assert wrapped.model.detector == later.model


def test_one_stage_and_cascades(cfg):
    sampler = cfg.model.train_cfg.rcnn.sampler
    one = copy.deepcopy(cfg)
    one.model = dict(type='RetinaNet', train_cfg=dict(sampler=sampler))
    assert with_hard_negatives(one, FILE).model.train_cfg.sampler == dict(
        sampler, type='HardNegativeSampler', join='anchors')
    one.model = dict(train_cfg=dict(rcnn=[dict(sampler=sampler)] * 2))
    stages = with_hard_negatives(one, FILE).model.train_cfg.rcnn
    assert [stage.sampler.join for stage in stages] == ['proposals'] * 2


def test_every_pipeline_of_the_training(cfg):
    """Inside of wrappers, and those of a hook."""
    many = copy.deepcopy(cfg)
    inner = cfg.train_dataloader.dataset
    many.train_dataloader.dataset = dict(
        type='ConcatDataset',
        datasets=[inner,
                  dict(type='RepeatDataset', times=2, dataset=inner)])
    many.custom_hooks = [
        dict(type='EMAHook'),
        dict(type='PipelineSwitchHook', switch_pipeline=inner.pipeline)
    ]
    later = with_hard_negatives(many, FILE)
    first, second = later.train_dataloader.dataset.datasets
    for pipeline in (first.pipeline, second.dataset.pipeline,
                     later.custom_hooks[1].switch_pipeline):
        assert types(pipeline)[2] == 'LoadHardNegatives'
        assert types(pipeline)[-1] == 'PackHardNegativeInputs'


def test_samplers_that_cannot(cfg):
    retina = Config.fromfile(CONFIGS / 'refineface' /
                             'retinanet_mbv2_8xb4-130e_wider-face.py')
    with pytest.raises(
            ValueError,
            match=r'model\.train_cfg\.sampler is PseudoSampler .*on all '
            r"anchors.* set model\.train_cfg\.sampler=dict\(type='"
            r"HardNegativeSampler', join='anchors'"):
        with_hard_negatives(retina, FILE)
    retina.model.train_cfg.pop('sampler')
    with pytest.raises(ValueError, match='sampler is missing'):
        with_hard_negatives(retina, FILE)
    other = copy.deepcopy(cfg)
    other.model.train_cfg.rpn.sampler.type = 'OHEMSampler'
    with pytest.raises(ValueError, match=r'rpn\.sampler is OHEM.*--no-rpn'):
        with_hard_negatives(other, FILE)
    with_hard_negatives(other, FILE, rpn=False)


def test_pipelines_that_cannot(cfg):
    for name in ('LoadAnnotations', 'PackDetInputs'):
        other = copy.deepcopy(cfg)
        dataset = other.train_dataloader.dataset
        dataset.pipeline = [t for t in dataset.pipeline if t.type != name]
        with pytest.raises(
                ValueError,
                match=rf'train_dataloader\.dataset\.pipeline has no {name}'):
            with_hard_negatives(other, FILE)
    dataset.pipeline = None
    with pytest.raises(ValueError, match='dataset has no pipeline, which'):
        with_hard_negatives(other, FILE)
    other.train_dataloader = None
    with pytest.raises(ValueError, match='no train_dataloader.dataset'):
        with_hard_negatives(other, FILE)


@pytest.mark.parametrize('at, transform, message', [
    (1, dict(type='Resize', scale=(9, 9)), 'has Resize before LoadAnnotatio'),
    (1, dict(type='RandomApply', transforms=[dict(type='RandomFlip')
                                             ]), 'has RandomFlip before'),
    (2, dict(type='MixUp'), 'has MixUp, which'),
    (2, dict(type='RandomChoice', transforms=[[dict(type='CachedMosaic')]
                                              ]), 'has CachedMosaic, which'),
    (2, dict(type='LoadAnnotations', with_mask=True), 'has with_mask=True'),
])
def test_transforms_that_hard_negatives_do_not_go_with(cfg, at, transform,
                                                       message):
    other = copy.deepcopy(cfg)
    other.train_dataloader.dataset.pipeline.insert(at, ConfigDict(transform))
    with pytest.raises(ValueError, match=message):
        with_hard_negatives(other, FILE)
    # What moves no boxes may stay.
    other = copy.deepcopy(cfg)
    other.train_dataloader.dataset.pipeline.insert(
        1, ConfigDict(type='PhotoMetricDistortion'))
    with_hard_negatives(other, FILE)


def test_batches_that_are_resized(cfg):
    other = copy.deepcopy(cfg)
    augments = [dict(type='BatchFixedSizePad', size=(64, 64))]
    other.model.data_preprocessor.batch_augments = augments
    with_hard_negatives(other, FILE)
    augments.append(dict(type='BatchSyncRandomResize'))
    other.model.data_preprocessor.batch_augments = augments
    for place, model in (('model', other.model), ('model.detector',
                                                  dict(detector=other.model))):
        with pytest.raises(
                ValueError,
                match=f'^{place}.data_preprocessor.batch_augments has BatchS'):
            with_hard_negatives(
                Config(
                    dict(
                        model=dict(model, train_cfg=other.model.train_cfg),
                        train_dataloader=cfg.train_dataloader)), FILE)


def test_an_rpn_of_stages_and_by_itself(cfg):
    sampler = cfg.model.train_cfg.rpn.sampler
    other = copy.deepcopy(cfg)
    other.model.train_cfg.rpn = [dict(sampler=sampler)] * 2
    stages = with_hard_negatives(other, FILE).model.train_cfg.rpn
    assert [stage.sampler.join for stage in stages] == ['anchors'] * 2
    other.model.train_cfg.rpn = [dict(assigner={}), dict(sampler=sampler)]
    with pytest.raises(ValueError, match=r'rpn\.0\.sampler is missing.*--no-'):
        with_hard_negatives(other, FILE)
    other.model = dict(type='RPN', train_cfg=dict(rpn=dict(sampler=sampler)))
    for rpn in (True, False):
        later = with_hard_negatives(other, FILE, rpn)
        assert later.model.train_cfg.rpn.sampler == dict(
            sampler, type='HardNegativeSampler', join='anchors')
    other.model.train_cfg.rpn.pop('sampler')
    with pytest.raises(ValueError, match=r'train_cfg\.rpn\.sampler is mis'):
        with_hard_negatives(other, FILE)


def test_in_a_config_file(cfg, tmp_path):
    """As the docstring has it."""
    write_config(tmp_path)
    path = tmp_path / 'later.py'
    path.write_text(f"""
_base_ = ['tiny.py']
from tinyfaces.engine import with_hard_negatives
later = with_hard_negatives('{{{{ fileDirname }}}}/tiny.py', '{FILE}')
model, train_dataloader = later.model, later.train_dataloader
del later
""")
    later = Config.fromfile(path)
    assert later.to_dict() == with_hard_negatives(
        Config.fromfile(tmp_path / 'tiny.py'), FILE).to_dict()


def test_datasets_of_the_harvest(cfg):
    many = copy.deepcopy(cfg)
    inner = cfg.train_dataloader.dataset
    many.train_dataloader.dataset = dict(
        type='RepeatDataset', times=2, dataset=inner)
    found, = training_datasets(many)
    assert 'filter_cfg' in inner and 'filter_cfg' not in found
    assert found.test_mode and found.folds == [1]
    assert found.pipeline == cfg.test_dataloader.dataset.pipeline
    many.test_dataloader = None
    with pytest.raises(ValueError, match='no test_dataloader.dataset, and'):
        training_datasets(many)
    test = cfg.test_dataloader.dataset
    many.test_dataloader = dict(
        dataset=dict(datasets=[test, dict(test, pipeline=[])]))
    with pytest.raises(ValueError, match='have different pipelines'):
        training_datasets(many)
    many.test_dataloader.dataset.datasets[1].pop('pipeline')
    with pytest.raises(ValueError, match='of test_dataloader has no pipeline'):
        training_datasets(many)
