"""tools/test.py --tta: the plan of the config or another, and what with."""
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import parse
from linear_ellipses import random_regressor
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from post_processed import batch, build, wrapped_cfg
from tiny_detector import RETINANET, save_random_model
from tiny_fddb import random_folds, write_fddb

from tinyfaces.ellipses import (FeatureSampling, join_features,
                                save_ellipse_regressor, widen_boxes)

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / 'configs/_base_'
PLANS = sorted(path.stem for path in (BASE / 'tta').glob('*.py'))
DATASETS = sorted(path.stem for path in (BASE / 'datasets').glob('*.py'))
# It has the plan flip_multi_scale.
CONFIG = ROOT / 'configs/refineface/retinanet_mbv2_8xb4-130e_wider-face.py'
KEYS = ('tta_model', 'tta_pipeline', 'tta_resolution')


@pytest.fixture
def load(scripts, monkeypatch):
    """What test.py makes of its arguments, before it builds the runner."""
    _, test, runner = scripts
    monkeypatch.setenv('LOCAL_RANK', '0')

    def run(config, *argv):
        args = parse(test, monkeypatch, config, 'm.pth', *argv)
        cfg = runner.load_config(args,
                                 partial(test['change_config'], args=args))
        if args.tta is not None:
            test['apply_tta'](cfg, args.config)
        return cfg

    return run


@pytest.fixture
def plain(tmp_path):
    """A config without a plan."""
    path = tmp_path / 'plain.py'
    path.write_text(
        "model = dict(type='A')\n"
        "test_dataloader = dict(dataset=dict(type='D', pipeline=[]))\n"
        "test_evaluator = dict(type='WiderFaceMetric')\n")
    return path


def test_own_plan(scripts):
    cfg = Config(
        dict(
            model=dict(type='A'),
            tta_model=dict(type='T', tta_cfg=dict(k=750)),
            tta_pipeline=[dict(type='Load')],
            tta_resolution='twice',
            test_evaluator=dict(type='WiderFaceMetric'),
            test_dataloader=dict(
                dataset=dict(
                    type='Concat',
                    datasets=[
                        dict(type='D', pipeline=[]),
                        dict(
                            type='Repeat', dataset=dict(type='E', pipeline=[]))
                    ]))))
    scripts[1]['apply_tta'](cfg, 'c.py')
    assert cfg.model == dict(
        type='T', tta_cfg=dict(k=750), module=dict(type='A'))
    assert cfg.test_evaluator.test_resolution == 'twice'
    first, second = cfg.test_dataloader.dataset.datasets
    assert first.pipeline == second.dataset.pipeline == [dict(type='Load')]


def test_named_plan_replaces_the_configs_own(load):
    """Nothing of the former plan stays, and options come last."""
    cfg = load(CONFIG, '--tta', 'srn_multi_scale', '--cfg-options',
               'tta_model.plan.max_size=2100', 'model.test_cfg.nms_pre=9')
    own = Config.fromfile(CONFIG)
    plan = Config.fromfile(BASE / 'tta/srn_multi_scale.py')
    assert own.tta_model != plan.tta_model
    plan.tta_model.plan.max_size = 2100
    own.model.test_cfg.nms_pre = 9
    assert cfg.model == dict(plan.tta_model, module=own.model)
    assert cfg.test_dataloader.dataset.pipeline == plan.tta_pipeline
    assert cfg.test_evaluator.test_resolution == plan.tta_resolution
    assert cfg.train_dataloader == own.train_dataloader
    # Without a name it is the config's own, and without --tta none.
    assert load(CONFIG, '--tta').model == dict(
        own.tta_model, module=Config.fromfile(CONFIG).model)
    untouched = load(CONFIG)
    assert untouched.model == Config.fromfile(CONFIG).model
    assert untouched.test_dataloader == own.test_dataloader


@pytest.mark.parametrize('name', PLANS)
def test_each_plan_for_a_config_without_one(load, plain, name):
    cfg = load(plain, '--tta', name)
    plan = Config.fromfile(BASE / f'tta/{name}.py')
    assert cfg.model == dict(plan.tta_model, module=dict(type='A'))
    assert cfg.test_dataloader.dataset.pipeline == plan.tta_pipeline
    assert cfg.test_evaluator.test_resolution == plan.tta_resolution


@pytest.mark.parametrize('dataset', DATASETS)
def test_together_with_dataset(load, plain, dataset):
    """The new dataset gets the pipeline, its metric the resolution."""
    for config, argv in ((CONFIG, []), (plain, ['srn_multi_scale'])):
        cfg = load(config, '--tta', *argv, '--dataset', dataset)
        expected = Config.fromfile(BASE / f'datasets/{dataset}.py')
        loader, metric = expected.test_dataloader, expected.test_evaluator
        loader.dataset.pipeline = cfg.tta_pipeline
        metric.test_resolution = cfg.tta_resolution
        assert cfg.test_dataloader == loader
        assert cfg.test_evaluator == metric


def test_plan_in_a_file(load, plain, tmp_path, monkeypatch):
    """One that states no resolution does not get that of another plan."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'plan_parts.py').touch()
    own = tmp_path / 'own.py'
    own.write_text("custom_imports = dict(imports=['plan_parts'])\n"
                   "tta_model = dict(type='T')\n"
                   "tta_pipeline = [dict(type='Load')]\n")
    for config in (plain, CONFIG):
        cfg = load(config, '--tta', own)
        assert cfg.model.type == 'T'
        assert cfg.test_dataloader.dataset.pipeline == [dict(type='Load')]
        assert cfg.test_evaluator.test_resolution == 'that of tta_pipeline'
        assert 'plan_parts' in cfg.custom_imports.imports
    # So that its classes are registered.
    assert 'plan_parts' in sys.modules
    # Any config that has a plan is such a file.
    assert load(plain, '--tta', CONFIG).model.type == 'DetTTAModel'


@pytest.mark.parametrize('name, message', [
    ('srn_multiscale', '"srn_multiscale" does not exist .*give a file or one '
     f'of {", ".join(PLANS)}'),
    ('../datasets/fddb', 'datasets/fddb" does not exist'),
    ('notes.txt', 'notes.txt" does not end in one of .py .json .yaml .yml; '
     'give a file'),
    ('https://example.org/srn.py', 'is not a local file; download it, or'),
    ('bad.py', '"bad.py": .*no_such_module'),
    ('half.py', '"half.py" has no tta_pipeline; give a complete file, .*tta'),
])
def test_name_that_is_no_plan(load, plain, monkeypatch, tmp_path, name,
                              message):
    monkeypatch.chdir(tmp_path)
    Path('notes.txt').touch()
    Path('bad.py').write_text(
        "custom_imports = dict(imports=['no_such_module'])")
    Path('half.py').write_text("tta_model = dict(type='T')")
    with pytest.raises(SystemExit, match=f'(?s)^error: --tta: .*{message}'):
        load(plain, '--tta', name)


def test_config_that_lacks_something(load, plain):
    with pytest.raises(
            SystemExit,
            match='plain.py" has no tta_model and no tta_pipeline; write '
            f'--tta NAME, with a file or one of {", ".join(PLANS)}'):
        load(plain, '--tta')
    with open(plain, 'a') as file:
        file.write("tta_model = dict(type='T')\n")
    with pytest.raises(SystemExit, match='has no tta_pipeline; write'):
        load(plain, '--tta')
    with open(plain, 'a') as file:
        file.write('test_dataloader = None\n')
    with pytest.raises(SystemExit, match='no test_dataloader; add --dataset'):
        load(plain, '--tta', PLANS[0])


def test_without_a_name_it_stands_last(scripts, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        parse(scripts[1], monkeypatch, '--tta', 'c.py', 'm.pth')
    assert 'required: checkpoint; --tta takes' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        parse(scripts[1], monkeypatch, 'c.py')
    assert '--tta takes' not in capsys.readouterr().err
    args = parse(scripts[1], monkeypatch, 'c.py', 'm.pth', '--tta', '--out',
                 'o.pkl')
    assert (args.config, args.checkpoint, args.tta) == ('c.py', 'm.pth', '')


def test_inside_a_post_processed_detector(scripts):
    inner, steps = dict(type='A'), dict(post_process=[dict(type='S')])
    cfg = Config(
        dict(
            model=dict(
                type='mmdet.PostProcessedDetector',
                detector=inner,
                test_cfg=steps),
            tta_model=dict(type='T'),
            tta_pipeline=[],
            test_dataloader=dict(dataset=dict(type='D', pipeline=[]))))
    scripts[1]['apply_tta'](cfg, 'c.py')
    assert cfg.model == dict(
        type='mmdet.PostProcessedDetector',
        detector=dict(type='T', module=inner),
        test_cfg=steps)


@pytest.mark.parametrize('kind', ['DetTTAModel', 'mmdet.MultiScaleTestModel'])
@pytest.mark.parametrize('post_processed', [False, True])
def test_model_that_makes_views_already(load, plain, kind, post_processed):
    """Such as in the config that a test with --tta has written."""
    model = dict(type=kind, module=dict(type='A'))
    if post_processed:
        model = dict(type='PostProcessedDetector', detector=model, test_cfg={})
    with open(plain, 'a') as file:
        file.write(f'model = {model}\n')
    with pytest.raises(
            SystemExit, match=f'is a {kind.split(".")[-1]} already.*leave'):
        load(plain, '--tta', 'srn_multi_scale')


@torch.no_grad()
def test_ellipses_of_the_joined_boxes(load, plain, tmp_path):
    """A step behind the detector sees what the views have in common."""
    save_ellipse_regressor(random_regressor(2), tmp_path / 'box.npz')
    save_random_model(RETINANET, tmp_path)
    with open(plain, 'a') as file:
        file.write(f'model = {wrapped_cfg(tmp_path, "box.npz")}\n')
    cfg = load(plain, '--tta', 'srn_multi_scale', '--cfg-options',
               'tta_model.plan.max_size=160')
    model = build(cfg.model, tmp_path)
    joined = build(cfg.model.detector, tmp_path)
    data, again = batch(factors=(1, 1)), batch(factors=(1, 1))
    for found, expected in zip(model.test_step(data), joined.test_step(again)):
        boxes = found.pred_instances.bboxes
        assert len(boxes) > 10
        torch.testing.assert_close(boxes, expected.pred_instances.bboxes)
        wide = widen_boxes(boxes)
        np.testing.assert_allclose(
            found.pred_instances.ellipses,
            random_regressor(2).predict(
                join_features(wide, found.ori_shape), wide),
            rtol=1e-4)


def test_ellipses_of_features_are_refused(load, plain, tmp_path):
    """Each view has its own."""
    save_ellipse_regressor(
        random_regressor(66, FeatureSampling('neck', 4.)),
        tmp_path / 'neck.npz')
    with open(plain, 'a') as file:
        file.write(f'model = {wrapped_cfg(tmp_path, "neck.npz")}\n')
    cfg = load(plain, '--tta', 'srn_multi_scale')
    with pytest.raises(ValueError, match='every view of a picture; use a'):
        MODELS.build(ConfigDict(cfg.model))


@pytest.mark.slow
@pytest.mark.parametrize('named', [False, True])
def test_a_model_is_tested_on_fddb(tmp_path, call, named):
    """--dataset, --fddb-out and --tta, from start to end.

    Either with the config's own plan; or with a named one and a model that
    gives ellipses.
    """
    config, weights = save_random_model(RETINANET, tmp_path)
    bases, name = ['default_runtime', 'tta/flip_multi_scale'], []
    model, resolution = 'model', 'original size times 0.5, 1 and 1.5, each'
    if named:
        save_ellipse_regressor(random_regressor(2), tmp_path / 'box.npz')
        Config(
            dict(
                default_scope='mmdet',
                model=wrapped_cfg(tmp_path, 'box.npz'))).dump(config)
        bases, name = ['default_runtime'], ['srn_multi_scale']
        model, resolution = 'model.detector', 'original size and mirrored, 0.5'
    with open(config, 'a') as file:
        file.write(f"\n_base_ = {[f'{BASE}/{x}.py' for x in bases]}\n")
    folds = write_fddb(tmp_path / 'data/fddb', random_folds(pictures=1))
    printed = call(sys.executable, ROOT / 'tools/test.py', config, weights,
                   '--dataset', 'fddb', '--fddb-out', 'out/fddb', '--tta',
                   *name, '--work-dir', 'work', '--cfg-options',
                   'test_dataloader.num_workers=0',
                   'test_dataloader.persistent_workers=False',
                   f'{model}.test_cfg.nms_pre=20',
                   *(['tta_model.plan.max_size=90'] if named else []))
    assert 'all 10 of 10 pictures, folds 1 2 3' in printed
    assert resolution in printed
    assert 'fddb/disc_tpr@1000: ' in printed
    for fold, pictures in folds.items():
        lines = (tmp_path / f'out/fddb/fold-{fold:02d}-out.txt').read_text()
        picture, count, *detections = lines.splitlines()
        assert picture in pictures and len(detections) == int(count) > 0
        # An ellipse and a score, or a rectangle and a score.
        assert len(detections[0].split()) == (6 if named else 5)
    assert (tmp_path / 'out/fddb/roc.png').is_file()
    # That of a training in this folder would still be there.
    assert not (tmp_path / 'work/config.py').exists()
    dumped = Config.fromfile(tmp_path / 'work/test_config.py')
    assert ('max_size' in str(dumped.model)) == named
