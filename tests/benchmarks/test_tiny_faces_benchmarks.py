"""The benchmarks of Finding Tiny Faces, on a small network."""
import copy
import importlib
import json
import sys
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from mmdet.models.backbones.resnet import Bottleneck
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from tinyfaces.models.dense_heads import TemplateHead

ROOT = Path(__file__).parents[2]
CONFIG = (
    ROOT / 'configs/tiny_faces/tiny-faces_mbv2_1xb8-32e_wider-face-256.py')


@pytest.fixture(scope='module')
def load():
    """Imports a module of ``benchmarks/``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / 'benchmarks'))
        yield importlib.import_module


@pytest.fixture(scope='module')
def detector(load):
    return load('_tiny_faces').load_detector(CONFIG, None, 'cpu')


@pytest.fixture(scope='module')
def noise(load):
    picture, = load('_models').pictures(None, 1, 176, 136)
    return picture


def arguments(**changes):
    return Namespace(
        **{
            **dict(
                config=str(CONFIG),
                checkpoint=None,
                device='cpu',
                threads=1,
                precision='float32',
                no_tiles=False,
                no_memory=True,
                reference=False,
                residual_gain=1.,
                images=None,
                count=1,
                width=176,
                height=136,
                runs=1,
                faces=20,
                boxes=7),
            **changes
        })


def test_random_weights_find_some_faces(load, detector, noise):
    """About one window of a thousand: neither none nor all."""
    shared = load('_tiny_faces')
    assert detector.test_cfg == dict(
        detector.test_cfg,
        templates='A+B',
        score_thr=.03,
        score_type='logit',
        nms=None,
        nms_pre=-1)
    found = shared.find(shared.pyramid(detector), noise)
    assert 10 < len(found) < 1000
    assert (found[:, 4] > .03).all() and (found[:, 4].diff() <= 0).all()
    again = shared.load_detector(CONFIG, None, 'cpu')
    torch.testing.assert_close(
        shared.find(shared.pyramid(again), noise), found)


def test_gain_of_residual_blocks(load):
    """Only of what is added to the identity."""
    _, block = resnet = nn.ModuleList([nn.BatchNorm2d(2), Bottleneck(8, 2)])

    class Detector(nn.Module):

        def __init__(self):
            super().__init__()
            self.parts = resnet
            self.bbox_head = TemplateHead((8, ), (8, ))
            self.test_cfg = ConfigDict(score_thr=.03)

        def data_preprocessor(self, data):
            return dict(inputs=data['inputs'][0][None].float())

        def extract_feat(self, x):
            return (block(x.repeat(1, 3, 1, 1)[:, :8, ::8, ::8]), )

    load('_tiny_faces').randomise(Detector(), .01)
    assert block.norm3.weight.max() <= .015
    assert min(block.norm1.weight.min(), block.norm2.weight.min()) >= .5


def test_ours_finds_what_the_plain_way_finds(load, detector, noise):
    """Also by each of the steps in between; A at all scales, B at 2."""
    shared, pyramid = load('_tiny_faces'), load('tiny_faces_pyramid')
    plain = shared.Plain(detector)
    expected = plain(noise)
    assert [size for size, _ in plain.seconds] == [(44, 34), (88, 68),
                                                   (176, 136), (352, 272)]
    for name in pyramid.STEPS:
        way, views = pyramid.build(arguments(), name, detector)
        boxes, scores, alone = pyramid.difference(way(noise), expected)
        assert boxes < .01 and scores < 1e-5 and alone == 0
        assert sorted(
            size for size, _ in views) == [size for size, _ in plain.seconds]
        assert all(seconds > 0 for _, seconds in views)


def test_differences_by_hand(load):
    difference = load('tiny_faces_pyramid').difference
    one = torch.tensor([[0., 0, 10, 10, .5], [50, 50, 60, 60, .25]])
    assert difference(one, one) == (0, 0, 0)
    two = one.flip(0) + torch.tensor([0, .5, 0, .25, .125])
    assert difference(one, two) == (.5, .125, 0)
    two[0, 3] += 5
    assert difference(one, two) == (.5, .125, 2)
    assert difference(one, two[:1]) == (0, 0, 3)
    assert difference(one[:0], two) == (0, 0, 2)


def test_pyramid_report(load, monkeypatch):
    benchmark = load('tiny_faces_pyramid')
    monkeypatch.setattr(benchmark, 'peak_of',
                        lambda args, name: dict(plain=700).get(name, 600))
    report, _ = benchmark.compare(arguments(no_memory=False, reference=True))
    head, _, *steps = report.splitlines()
    assert 'random weights; 1 pictures of 176x136, 1 runs' in head
    assert [line[:24].strip() for line in steps[:4]] == list(benchmark.STEPS)
    assert steps[0].split()[2:] == ['1.000', '1.000', '700']
    assert steps[3].split()[-1] == '600'
    assert [line.split()[0] for line in steps[5:9]
            ] == ['44x34', '88x68', '176x136', '352x272']
    assert steps[-4].startswith('plain / ours: ')
    assert ', 0 boxes are found in one way only (limit 0)' in steps[-3]
    for line, name in zip(steps[-2:], (benchmark.PLAIN, benchmark.OURS)):
        assert line.startswith(f'{name} from float64: boxes ')
        # Float32 is no float64, and not far from it.
        boxes, scores = (
            float(line.rsplit(word, 1)[1].split()[0].rstrip(','))
            for word in ('boxes', 'scores'))
        assert 0 < boxes < .01 and 0 < scores < 1e-5


@pytest.mark.parametrize('ours, boxes, good', [(.5, 0, True), (.9, 0, False),
                                               (.5, .02, False)])
def test_pyramid_limits(load, monkeypatch, ours, boxes, good):
    """Seconds of ours where all else takes one; nothing is run."""
    benchmark = load('tiny_faces_pyramid')

    def build(args, name, detector):

        def way(picture):
            moved = boxes if name == benchmark.PLAIN else 0
            return name, torch.tensor([[0, 0, 9 + moved, 9, .5]])

        return way, []

    def clocked(device, call):
        name, found = call()
        return (ours if name == benchmark.OURS else 1.), found

    monkeypatch.setattr(benchmark, 'build', build)
    monkeypatch.setattr(benchmark, 'clocked', clocked)
    monkeypatch.setattr(benchmark, 'load', lambda args: None)
    report, kept = benchmark.compare(arguments())
    assert kept == good
    assert f'plain / ours: {1 / ours:.3f} (at least 1.15' in report
    # A GPU has no such limit.
    assert benchmark.compare(arguments(device='meta'))[1] == (boxes == 0)


@pytest.mark.slow
def test_a_process_of_its_own_measures_memory(load):
    benchmark = load('tiny_faces_pyramid')
    assert 0 <= benchmark.peak_of(arguments(), benchmark.OURS) < 1000


def test_frames_per_second(load, monkeypatch):
    benchmark = load('tiny_faces_pyramid')
    monkeypatch.setattr(benchmark, 'SIZES', dict(small=(64, 48, 3.1)))
    row = benchmark.frames_per_second(arguments()).splitlines()[-1].split()
    assert row[0] == 'small' and row[3] == '3.1'
    assert float(row[1]) == pytest.approx(1 / float(row[2]), rel=.1)


def test_tiles_in_the_benchmarks(load, detector, noise):
    """In inference mode, as all of them run: what the whole views give."""
    shared, tiled = load('_tiny_faces'), copy.deepcopy(detector)
    tiled.tiling = dict(max_pixels=100 * 100, tile=1024, halo=None)
    found = shared.find(shared.pyramid(tiled), noise)
    assert tiled._receptive_field is not None
    expected = shared.find(shared.pyramid(detector), noise)
    assert load('tiny_faces_pyramid').difference(found, expected)[2] == 0


def test_faces_are_pasted(load, noise):
    crowd, boxes = load('tiny_faces_crowd').paste_faces(noise, 20)
    assert crowd.shape == noise.shape and crowd.dtype == torch.uint8
    assert boxes.shape == (20, 4)
    heights = boxes[:, 3] - boxes[:, 1]
    assert 10 - 1e-3 <= heights.min() and heights.max() < 24
    changed = (crowd != noise).any(dim=0)
    for x1, y1, x2, y2 in boxes.round().int().tolist():
        inside = changed[y1:y2, x1:x2]
        assert inside.numel() and inside.float().mean() > .5
    outside = torch.ones_like(changed)
    for x1, y1, x2, y2 in boxes.round().int().tolist():
        # With hair and neck.
        outside[max(0, y1 - 24):y2 + 24, max(0, x1 - 24):x2 + 24] = False
    assert not (changed & outside).any()


def test_detections_of_faces(load):
    crowd = load('tiny_faces_crowd')
    faces = torch.tensor([[0., 0, 20, 20], [100, 0, 120, 20]])
    many = crowd.detections_of(faces, 7, 'cpu')
    assert isinstance(many, InstanceData) and len(many) == 14
    assert (many.bboxes[::2] < 60).all() and (many.bboxes[1::2, 0] > 60).all()
    assert len(many.scores.unique()) == 14
    # All of them where the detector is.
    for value in crowd.detections_of(faces, 7, 'meta').values():
        assert value.device.type == 'meta' and len(value) == 14


def test_times_are_those_of_the_prepared_network(load, monkeypatch):
    """And not of the one that it is a copy of."""
    for name in ('tiny_faces_crowd', 'tiny_faces_pyramid'):
        module, watched = load(name), []

        def watch(owner, method, device, watched=watched):
            watched.append((owner, method))
            return load('_tiny_faces').watch(owner, method, device)

        monkeypatch.setattr(module, 'watch', watch)
        if name == 'tiny_faces_crowd':
            module.measure(arguments())
            owner, method = watched[0]
            assert method == 'extract_feat'
        else:
            module.build(arguments(), module.OURS)
            (owner, method), = watched
            assert method == 'test_step'
        assert not any(isinstance(x, _BatchNorm) for x in owner.modules())


def test_crowd_report(load):
    report, good = load('tiny_faces_crowd').measure(arguments())
    _, head, none, some, suppression, last = report.splitlines()
    assert head.split() == [
        'faces', 'network', 's', 'NMS', 's', 'rest', 's', 'boxes'
    ]
    assert none.split()[0] == '0' and some.split()[0] == '20'
    assert suppression.startswith('NMS of 140 boxes, 7 of each of 20 faces: ')
    ratio = float(last.split()[5])
    assert good == (abs(ratio - 1) <= .03) or abs(abs(ratio - 1) - .03) < .001


def test_command_lines(load, monkeypatch, capsys):
    """They reach what they are for; and print what it gives."""
    for name, what in (('tiny_faces_pyramid', 'compare'), ('tiny_faces_crowd',
                                                           'measure')):
        module = load(name)
        monkeypatch.setattr(module, what, lambda args: (args.config, False))
        monkeypatch.setattr(sys, 'argv', [name, '--config', 'c.py'])
        assert module.main() == 1
        assert capsys.readouterr().out == 'c.py\n'
    monkeypatch.setattr(sys, 'argv', [name, '--faces', '0'])
    with pytest.raises(SystemExit):
        module.main()
    module = load('tiny_faces_pyramid')
    monkeypatch.setattr(module, 'frames_per_second', lambda args: 'fast')
    monkeypatch.setattr(sys, 'argv', ['tiny_faces_pyramid', '--fps'])
    assert module.main() == 0 and capsys.readouterr().out == 'fast\n'
    monkeypatch.setattr(module, 'measure_peak',
                        lambda args: json.dumps(dict(way=args.peak)))
    monkeypatch.setattr(sys, 'argv', ['tiny_faces_pyramid', '--peak=plain'])
    module.main()
    assert json.loads(capsys.readouterr().out) == dict(way='plain')
