"""``analyze_anchors.py``: its configs, its sums and its files."""
import importlib
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from PIL import Image

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / 'configs' / 'group_sampling'
TILINGS = {
    'RPN': ['16/16', '32/16', '64/16', '128/16'],
    'FPN': ['16/4', '32/8', '64/16', '128/32'],
    'FPN-finest-stride': ['16/4', '32/8', '64/16', '128/32'],
    'FPN-finest': ['16/4', '32/4', '64/4', '128/4'],
    'FPN-finest-sampling': ['16/4', '32/4', '64/4', '128/4'],
}
# One face per scale on every tiling: an anchor of 16, 32, 64 and 128 pixels
FACES = [[56, 56, 16, 16], [112, 48, 32, 32], [32, 96, 64, 64],
         [64, 0, 128, 128]]


@pytest.fixture(scope='module')
def tool():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / 'tools'))
        yield importlib.import_module('analyze_anchors')


@pytest.fixture
def data(tmp_path):
    """A data root; of the pictures, both of 256x256, one is missing."""
    (tmp_path / 'wider_face_split').mkdir()
    picture = tmp_path / 'WIDER_train' / 'images' / 'a' / 'one.jpg'
    picture.parent.mkdir(parents=True)
    cv2.imwrite(str(picture), np.zeros((256, 256, 3), np.uint8))
    lines = []
    for name in ('a/one.jpg', 'a/two.jpg'):
        lines += [name, str(len(FACES))]
        lines += [' '.join(map(str, [*face, *[0] * 6])) for face in FACES]
    (tmp_path / 'wider_face_split' /
     'wider_face_train_bbx_gt.txt').write_text('\n'.join(lines))
    return f'{tmp_path}/'


def options(data, *others):
    return ['--cfg-options', f'train_dataloader.dataset.data_root={data}',
            *others]


def test_the_five_detectors(tool, data, tmp_path, capsys):
    """On 256x256 there are 256 anchors per scale every 16 pixels, and on the
    missing picture of 1024x256 four times as many.
    """
    out, plot = tmp_path / 'out.json', tmp_path / 'out.png'
    assert tool.main(['--no-augmentation', '--out', str(out), '--plot',
                      str(plot), *options(data)]) == 0
    result = json.loads(out.read_text())
    assert (result['crops'], result['estimated']) == (2, 1)
    assert not result['augmentation']
    detectors = {x['name']: x for x in result['detectors']}
    assert {name: x['tiling'] for name, x in detectors.items()} == TILINGS
    totals = {
        'RPN': [1280] * 4,
        'FPN': [20480, 5120, 1280, 320],
        'FPN-finest': [20480] * 4
    }
    for name, expected in totals.items():
        before = detectors[name]['before']
        assert min(before['positives']) >= 2
        counted = np.add(before['positives'], before['negatives'])
        # Few anchors are neither.
        assert (counted <= expected).all()
        assert (counted >= .9 * np.array(expected)).all()
        ratio = before['most_to_fewest']
        assert ratio['positives'] == pytest.approx(
            max(before['positives']) / min(before['positives']))
    # Exactly: 8,192 of each picture that has so many
    after = detectors['FPN-finest']['after']
    assert sum(after['positives'] + after['negatives']) == pytest.approx(16384)
    after = detectors['FPN-finest-sampling']['after']
    assert np.add(after['positives'],
                  after['negatives']).tolist() == [4096] * 4
    for detector in detectors.values():
        for stage in ('before', 'after'):
            shares = detector[stage]['shares']
            assert sum(shares['positives'] + shares['negatives']
                       ) == pytest.approx(1)
    for key in ('before', 'after', 'tiling'):
        assert detectors['FPN'][key] == detectors['FPN-finest-stride'][key]
    text = capsys.readouterr().out
    assert 'ESTIMATED: the heights of 1 pictures' in text
    assert re.search(r'^FPN-finest-sampling \(ScaleGroupSampler, 2,048 per '
                     r'scale\)$', text, re.M)
    assert re.search(r'^128/32 .* 1\.\d{4} ', text, re.M)
    with Image.open(plot) as picture:
        assert picture.width > 3 * 500


def test_maps_are_those_of_the_neck(tool):
    """A picture of 64x96 pixels, padded, through each config's neck."""
    for name, file in tool.DETECTORS.items():
        cfg = Config.fromfile(CONFIGS / file)
        detector = tool.read_detector(name, cfg)
        neck = MODELS.build(cfg.model.neck)
        inputs = [
            torch.zeros(1, channels, 64 // stride, 96 // stride)
            for channels, stride in zip(cfg.model.neck.in_channels, (4, 8, 16,
                                                                     32))
        ]
        cells = [x.shape[2] * x.shape[3] for x in neck(inputs)]
        per_cell = cfg.model.bbox_head.anchor_generator.scales
        assert detector.anchors.totals((64, 96)).sum() == (
            sum(cells) * len(per_cell))
        assert detector.divisor == 32


def test_training_crops_are_those_of_the_seed(tool, data, tmp_path):
    """And a two-stage config's anchors are those of its RPN."""
    results = []
    for seed, name in [(0, 'fpn-finest-sampling'), (1, 'fpn-finest-sampling'),
                       (0, 'grouped-fast-rcnn')]:
        out = tmp_path / 'out.json'
        config = str(CONFIGS / f'{name}_r50_8xb1-100e_wider-face.py')
        assert tool.main([config, '--seed', str(seed), '--out', str(out),
                          *options(data)]) == 0
        results.append(json.loads(out.read_text()))
    first, other, two_stage = results
    assert first['detectors'] != other['detectors']
    assert [x['before'] for x in two_stage['detectors']
            ] == [x['before'] for x in first['detectors']]


@pytest.mark.parametrize('config, change, message', [
    ('group_sampling/fpn-finest_r50_ohem_8xb1-100e_wider-face.py', (),
     'train_cfg.ohem=None'),
    ('refineface/retinanet_mbv2_8xb4-130e_wider-face.py', (),
     'StreamingMaxIoUAssigner'),
    ('group_sampling/fpn_r50_8xb1-100e_wider-face.py',
     ('model.train_cfg.allowed_border=0', ), 'allowed_border=-1'),
    ('group_sampling/fpn_r50_8xb1-100e_wider-face.py',
     ('train_dataloader.dataset.type=FDDBDataset', ), 'WiderFaceDataset'),
])
def test_bad_input(tool, data, tmp_path, capsys, config, change, message):
    out = tmp_path / 'out.json'
    assert tool.main([str(ROOT / 'configs' / config), '--out', str(out),
                      *options(data, *change)]) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_other_training_sets(tool, data, tmp_path, capsys):
    """Detectors on 2 pictures and on 1 cannot be compared."""
    config = CONFIGS / 'fpn_r50_8xb1-100e_wider-face.py'
    other = Config.fromfile(config)
    other.train_dataloader.dataset.indices = 1
    other.dump(tmp_path / 'other.py')
    out = tmp_path / 'out.json'
    assert tool.main([str(config), str(tmp_path / 'other.py'), '--out',
                      str(out), *options(data)]) == 1
    assert 'other trains on 1 pictures and fpn_r50' in capsys.readouterr().err


def test_ohem_without_its_choice(tool, data, tmp_path):
    """All labelled anchors are what OHEM draws from."""
    out = tmp_path / 'out.json'
    config = CONFIGS / 'fpn-finest_r50_ohem_8xb1-100e_wider-face.py'
    assert tool.main([str(config), '--out', str(out),
                      *options(data, 'model.train_cfg.ohem=None')]) == 0
    detector, = json.loads(out.read_text())['detectors']
    assert detector['sampling'] == 'PseudoSampler'
    assert detector['before'] == detector['after']


@pytest.mark.real_data
def test_section_3_on_real_annotations(tool, real_data, tmp_path):
    """What the paper says of Fig. 2 and holds for the pictures at hand."""
    out = tmp_path / 'out.json'
    configs = [
        str(CONFIGS / tool.DETECTORS[name])
        for name in ('RPN', 'FPN', 'FPN-finest')
    ]
    part = ('train_dataloader.dataset.ann_file=wider_face_split/'
            'wider_face_train_subset_bbx_gt.txt')
    assert tool.main([*configs, '--out', str(out),
                      *options(f'{real_data / "wider_face"}/', part)]) == 0
    result = json.loads(out.read_text())
    assert result['crops'] > 500 and result['estimated'] == 0
    for stage in ('before', 'after'):
        rpn, fpn, finest = (x[stage] for x in result['detectors'])
        # Small anchors have the fewest positives.
        assert rpn['positives'][0] == min(rpn['positives'])
        assert finest['positives'] == sorted(finest['positives'])
        # Small anchors have the most of both, and several times as many
        # negatives as the next.
        for kind in tool.KINDS:
            assert fpn[kind] == sorted(fpn[kind], reverse=True)
        small, *others = fpn['negatives']
        assert small > 3 * max(others)
        # More of the negatives are small in FPN-finest-stride, more of the
        # positives large in FPN-finest.
        for values, more, at in ((fpn, finest, 3), (finest, fpn, 0)):
            kind = 'positives' if at else 'negatives'
            assert (values[kind][at] / sum(values[kind]) <
                    more[kind][at] / sum(more[kind]))
