"""``refineface.py``, ``training_step.py`` and ``speed.py``: not the times."""
import importlib
import json
import sys
from argparse import Namespace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import nn

FOLDER = Path(__file__).parents[2] / 'benchmarks'
CONFIGS = FOLDER.parent / 'configs' / 'refineface'
BASELINE = CONFIGS / 'retinanet_mbv2_8xb4-130e_wider-face.py'


@pytest.fixture
def load(monkeypatch):
    """Imports a module of ``benchmarks/``."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


def arguments(**changes):
    return Namespace(
        **{
            **dict(
                baseline=str(BASELINE),
                checkpoints={},
                device='cpu',
                threads=None,
                images=None,
                count=1,
                width=128,
                height=64,
                runs=1,
                size=64,
                batch=1,
                steps=1,
                rounds=1),
            **changes
        })


def test_another_backbone_is_that_of_its_own_configs(load):
    """What is derived from ResNet-50's configs equals MobileNetV2's."""
    module, benchmark = load('_models'), load('refineface')
    for prefix in ('retinanet', 'refineface'):
        derived = module.model_config(
            benchmark.config_file(f'{prefix}_r50'), BASELINE)
        own = Config.fromfile(CONFIGS /
                              BASELINE.name.replace('retinanet', prefix)).model
        own.backbone.init_cfg = None
        assert derived.to_dict() == own.to_dict()


def test_every_column_of_table_1_has_its_config(load):
    benchmark = load('refineface')
    assert len(benchmark.TABLE_1) == 10
    prefixes = [*benchmark.TABLE_1.values()]
    prefixes += [prefix for _, prefix, _ in benchmark.VARIANTS.values()]
    for prefix in prefixes:
        assert benchmark.config_file(prefix).is_file()


def test_pictures_fit_whole_and_are_padded(load, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((200, 100, 3), 7, np.uint8))
    picture, = load('_models').pictures([str(tmp_path)], 3, 64, 48)
    assert picture.shape == (3, 48, 64)
    assert (picture[:, :, :24] == 7).all() and (picture[:, :, 24:] == 0).all()
    noise = load('_models').pictures(None, 2, 64, 48)
    assert [x.shape for x in noise] == [(3, 48, 64)] * 2
    assert not noise[0].equal(noise[1])


def test_ratios_are_of_the_same_turn(load):
    benchmark = load('refineface')
    assert benchmark.median_ratio([2, 30, 9], [1, 10, 3]) == 3
    seconds = dict.fromkeys(benchmark.VARIANTS, [.5, .5])
    seconds = {**seconds, 'RefineFace, sparse': [.25, .75]}
    lines = benchmark.time_table(seconds, dict.fromkeys(seconds, [4, 6]))
    assert lines[-1].split() == [
        'RefineFace,', 'sparse', '500.0', '1.000', '1.000', '5.0'
    ]
    assert 'sparse (the default here)' in benchmark.time_limits(
        'cpu', seconds)[0]
    assert 'dense (the default here)' in benchmark.time_limits(
        'cuda', seconds)[0]


def test_predictions_are_compared(load):
    benchmark = load('refineface')
    report = benchmark.compare_predictions(arguments()).splitlines()
    assert [line[:24].strip()
            for line in report[2:7]] == list(benchmark.VARIANTS)
    assert report[2].split()[2] == '1.000'
    assert 'no sparse prediction' in report[-2]
    assert 'Random weights: baseline, refineface, rfe' in report[-1]


def test_training_table(load):
    rows = dict(
        baseline=[dict(seconds=2., peak_mib=100)] * 2,
        more=[dict(seconds=3., peak_mib=150),
              dict(seconds=5., peak_mib=170)])
    lines = load('refineface').training_table(rows)
    assert lines[-1].split() == [
        'more', '4.000', '2.000', '160', '+60', '1.600'
    ]


@pytest.mark.parametrize('above, good', [(1536, True), (1537, False)])
def test_limit_of_memory(load, monkeypatch, above, good):
    """Of the same picture, not one with few faces, and of maps not kept."""
    benchmark = load('refineface')

    def step(args, prefix, faces, with_cp=False):
        peak = 1000 + (faces > 20) * 500
        if prefix == 'refineface_r50':
            peak += above if with_cp else 5000
        return dict(peak_mib=peak)

    monkeypatch.setattr(benchmark, 'training_step', step)
    report, within = benchmark.compare_faces(arguments(faces=2000))
    assert within == good
    assert report.endswith(f'{above} MiB (limit 1536)')


def test_a_process_of_its_own_trains(load):
    """Only this test starts one: it takes seconds to import everything."""
    found = load('refineface').training_step(arguments(), 'refineface_r50', 3)
    assert (found['config'], found['faces'],
            found['size']) == ('refineface_r50_8xb4-130e_wider-face', 3, 64)
    assert found['seconds'] > 0
    assert found['peak_mib'] >= found['peak_before_mib'] > 50
    json.dumps(found)


def test_faces_lie_in_the_picture(load):
    torch.manual_seed(0)
    images, samples = load('training_step').batch(32, 2, 50)
    assert images.shape == (2, 3, 32, 32)
    for sample in samples:
        boxes = sample.gt_instances.bboxes
        sides = boxes[:, 2:] - boxes[:, :2]
        assert boxes.min() >= 0 and boxes.max() <= 32
        assert 8 <= sides.min() + 1e-4 and sides.max() <= 16 + 1e-4


def test_folding_changes_no_output(load):
    """With statistics unlike those of a new layer; and none may be left."""
    speed, models = load('speed'), load('_models')
    network = models.load_model(models.model_config(BASELINE), None, 'cpu')
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-.2, .2)
            module.running_var.uniform_(.5, 2)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = network(images)
        after = speed.folded(network)(images)
    assert not any(isinstance(x, nn.BatchNorm2d) for x in network.modules())
    for one, two in zip(before, after):
        for x, y in zip(one, two):
            torch.testing.assert_close(x, y, rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match='is left in 0'):
        speed.folded(nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 1, 1)))


def test_speed_is_measured(load, monkeypatch, capsys):
    speed = load('speed')
    taken = iter([9., 9., .010, .040, .020, .050, .030])
    monkeypatch.setattr(speed, 'timed_prediction', lambda *_: (next(taken), 2))
    assert speed.measure(None, ['a', 'b'], 5, 2) == pytest.approx(
        dict(ms=30, p10=14, p90=46, fps=1000 / 30, boxes=2))
    monkeypatch.undo()
    monkeypatch.syspath_prepend(str(FOLDER))
    for flags in (['--runs', '1'], ['--precision',
                                    'tf32'], ['--checkpoints', 'a', 'b']):
        monkeypatch.setattr(sys, 'argv', ['speed.py', str(BASELINE), *flags])
        with pytest.raises(SystemExit):
            speed.parse_args()
    options = '--width 64 --height 64 --runs 2 --warmup 1 --count 1'.split()
    monkeypatch.setattr(sys, 'argv', ['speed.py', str(BASELINE), *options])
    speed.main()
    head, _, row = capsys.readouterr().out.splitlines()
    assert 'float32, batch normalisation folded; 1 pictures of 64x64' in head
    assert row.split()[0] == BASELINE.stem and float(row.split()[1]) > 0
