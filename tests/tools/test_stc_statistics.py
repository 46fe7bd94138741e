"""``stc_statistics.py``: what it counts, and that it is what trains."""
import importlib
import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.structures import InstanceData

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / 'configs' / 'refineface'
CONFIG = CONFIGS / 'refineface_mbv2_8xb4-130e_wider-face.py'
FACES = {'a/one.jpg': [[8, 8, 20, 25]], 'b/two.jpg': [[40, 30, 9, 11]] * 2}


@pytest.fixture
def tools(monkeypatch):
    """Imports a module of ``tools/``."""
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    return importlib.import_module


@pytest.fixture
def head():
    """8x8 anchors of 16 pixels and 4x4 of 32; STC below, STR above."""
    assigner = dict(
        type='StreamingMaxIoUAssigner',
        min_pos_iou=0,
        match_low_quality=False,
        ignore_iof_thr=.5)
    return MODELS.build(
        dict(
            type='SelectiveRefineHead',
            num_classes=1,
            in_channels=8,
            feat_channels=8,
            stc_levels=(0, ),
            str_levels=(1, ),
            anchor_generator=dict(
                type='AnchorGenerator',
                scales=[2],
                ratios=[1.],
                strides=[8, 16],
                center_offset=.5),
            loss_cls=dict(type='FocalLoss', use_sigmoid=True),
            train_cfg=ConfigDict(
                assigner=dict(pos_iou_thr=.5, neg_iou_thr=.4, **assigner),
                first_assigner=dict(
                    pos_iou_thr=.7, neg_iou_thr=.3, **assigner),
                allowed_border=-1,
                pos_weight=-1)))


def sample(faces, width=64):
    """A picture of 64 pixels, of which ``width`` columns are no padding."""
    size = (64, width)
    result = DetDataSample(metainfo=dict(img_shape=size, pad_shape=size))
    result.gt_instances = InstanceData(
        bboxes=torch.as_tensor(faces).float().reshape(-1, 4),
        labels=torch.zeros(len(faces), dtype=torch.long))
    result.ignored_instances = InstanceData(
        bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    return result


@pytest.mark.parametrize('num_faces', [0, 1, 7])
def test_only_anchors_near_faces_need_matching(tools, head, num_faces):
    """The same counts as when all anchors are compared with all faces."""
    module = tools('_stc_counts')
    maps = module.blank_maps(head, 64, 64)
    torch.manual_seed(num_faces)
    samples = []
    for width in (64, 40):
        corners = torch.rand(num_faces, 2) * 60
        sides = torch.rand(num_faces, 2) * 40 + .5
        picture = sample(torch.cat([corners, corners + sides], dim=1), width)
        picture.ignored_instances.bboxes = torch.rand(1, 4).cumsum(1) * 16
        picture.ignored_instances.labels = torch.zeros(1, dtype=torch.long)
        samples.append(picture)
    counts = module.count_samples(head, samples, maps)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, '_near', lambda *args: args[-1])
        expected = module.count_samples(head, samples, maps)
    np.testing.assert_array_equal(counts, expected)
    tiled, valid, _ = head._tiled_anchors(maps, [s.metainfo for s in samples])
    near = module._near(head, tiled[0], maps,
                        [s.gt_instances for s in samples],
                        [s.ignored_instances for s in samples], valid)
    assert not near.all()


def test_counts_of_tiled_anchors(tools, head):
    """The face is the anchor of cell (1, 1). Its four neighbours overlap it
    by 1/3: nothing to the first step, background to the second. Anchors of
    the upper level overlap it by at most 1/4. The second picture is half
    padding.
    """
    module = tools('_stc_counts')
    maps = module.blank_maps(head, 64, 64)
    assert [tuple(x.shape[2:]) for x in maps] == [(8, 8), (4, 4)]
    counts = module.count_samples(
        head, [sample([[4, 4, 20, 20]]),
               sample([], width=32)], maps)
    one, two = [[1, 0], [59, 16]], [[1, 0], [63, 16]]
    assert counts[0].tolist() == [[one, one], [two, two]]
    assert counts[1].tolist() == [[[[0, 0], [32, 8]]] * 2] * 2
    assert module.ratio(counts[0, 0, 0]) == 75
    assert module.ratio(counts[1, 0, 0]) is None


def test_counts_after_the_first_step(tools, head):
    """Four cells pass: the face's, a neighbour and two others. The first
    step moves one anchor of the upper level onto the face.
    """
    module = tools('_stc_counts')
    logits = torch.full((1, 1, 8, 8), -10.)
    for cell in ((1, 1), (1, 2), (5, 5), (6, 7)):
        logits[(0, 0, *cell)] = 10
    deltas = torch.zeros(1, 4, 4, 4)
    # From (-8, -8, 24, 24) to (4, 4, 20, 20)
    deltas[0, :, 0,
           0] = torch.tensor([4 / 32, 4 / 32,
                              math.log(.5),
                              math.log(.5)])
    counts = module.count_samples(head, [sample([[4, 4, 20, 20]])],
                                  module.blank_maps(head, 64, 64),
                                  ([logits], [deltas]))
    first, second = counts[0].tolist()
    assert first == [[[1, 0], [59, 16]], [[1, 0], [2, 16]]]
    assert second == [[[1, 1], [63, 15]], [[1, 1], [3, 15]]]


def test_summary(tools):
    """Ratios of sums, and the mean of the pictures' own ratios."""
    counts = np.zeros((3, 2, 2, 2, 2), np.int64)
    counts[:, 0, 0] = [[[1, 0], [10, 5]], [[4, 1], [20, 5]], [[0, 0], [6, 9]]]
    result = tools('_stc_counts').summary(counts, [0], False)
    assert list(result['first']) == ['before']
    assert result['first']['before'] == dict(
        positives=[5, 1],
        negatives=[36, 19],
        ratio_stc_levels=7.2,
        ratio_all_levels=pytest.approx(55 / 6),
        ratio_per_level=[7.2, 19],
        mean_ratio_stc_levels=7.5)
    assert result['second']['before']['ratio_all_levels'] is None


@pytest.fixture
def run(tools, tmp_path):
    """Runs the tool on two pictures of 1024x96 at 128x128, without chance."""
    folder = tmp_path / 'wider_face_split'
    folder.mkdir()
    lines = []
    for name, boxes in FACES.items():
        picture = tmp_path / 'WIDER_train' / 'images' / name
        picture.parent.mkdir(parents=True)
        cv2.imwrite(str(picture), np.zeros((96, 1024, 3), np.uint8))
        lines += [name, str(len(boxes))]
        lines += [' '.join(map(str, [*box, *[0] * 6])) for box in boxes]
    (folder / 'wider_face_train_bbx_gt.txt').write_text('\n'.join(lines))
    cfg = Config.fromfile(CONFIG)
    # Nothing random that moves boxes
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.dataset.update(
        data_root=f'{tmp_path}/',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='PhotoMetricDistortion'),
            dict(type='Resize', scale=(128, 128), keep_ratio=False),
            dict(type='PackDetInputs')
        ])
    cfg.model.backbone.init_cfg = None
    cfg.dump(tmp_path / 'config.py')

    def run(*options):
        out = tmp_path / 'out.json'
        code = tools('stc_statistics').main(
            [str(tmp_path / 'config.py'), '--out',
             str(out), *options])
        assert code == 0
        return json.loads(out.read_text())

    return run


def test_without_network_and_without_pictures(run, tmp_path, capsys):
    """A missing picture is as wide as all and as high as the other one."""
    full = run('--plot', str(tmp_path / 'out.png'))
    assert (tmp_path / 'out.png').stat().st_size > 0
    assert (full['pictures'], full['crops'], full['assumed_sizes']) == (2, 2,
                                                                        0)
    before = full['samples']['second']['before']
    # Of 2 x 2,730 anchors, few are neither
    assert sum(before['positives']) >= 2
    assert 5400 < sum(before['positives'] + before['negatives']) <= 5460
    assert 'after' not in full['samples']['second']
    assert '2 crops of 2 training pictures' in capsys.readouterr().out
    assert run('--annotations-only')['samples'] == full['samples']
    (tmp_path / 'WIDER_train' / 'images' / 'b' / 'two.jpg').unlink()
    assumed = run('--annotations-only')
    assert assumed['samples'] == full['samples']
    assert assumed['assumed_sizes'] == 1


@pytest.mark.parametrize('bias', [10., -10.])
def test_with_a_checkpoint(run, tmp_path, bias):
    """Scores of 1 leave everything, scores of 0 nothing on STC's levels."""
    torch.manual_seed(0)
    model = Config.fromfile(tmp_path / 'config.py').model
    network = MODELS.build(model)
    network.init_weights()
    torch.nn.init.constant_(network.bbox_head.retina_cls.bias, bias)
    torch.nn.init.zeros_(network.bbox_head.retina_cls.weight)
    torch.nn.init.zeros_(network.bbox_head.retina_reg.weight)
    torch.save({'state_dict': network.state_dict()}, tmp_path / 'w.pth')
    result = run('--checkpoint', str(tmp_path / 'w.pth'))
    tiled = run()['samples']
    for matching, stages in result['samples'].items():
        # Anchors that the first step leaves in place are tiled ones.
        assert stages['before'] == tiled[matching]['before']
        for kind in ('positives', 'negatives'):
            before, after = stages['before'][kind], stages['after'][kind]
            if bias < 0:
                before = [0] * 3 + before[3:]
            assert after == before
        if bias < 0:
            assert stages['after']['ratio_stc_levels'] is None


def test_a_picture_higher_than_all_at_hand(tools, run, tmp_path):
    module = tools('_annotations_only')
    annotations = tmp_path / 'wider_face_split' / 'wider_face_train_bbx_gt.txt'
    with annotations.open('a') as file:
        file.write('\nc/three.jpg\n1\n5 300 10 10 0 0 0 0 0 0\n')
    dataset = module.AnnotationsOnlyDataset(
        ann_file=str(annotations),
        data_prefix=dict(img=str(tmp_path / 'WIDER_train' / 'images')))
    assert [(x['width'], x['height']) for x in dataset.load_data_list()
            ] == [(1024, 96)] * 2 + [(1024, 310)]


def test_bad_input(tools, run, tmp_path, capsys):
    tool = tools('stc_statistics')
    baseline = CONFIGS / 'retinanet_mbv2_8xb4-130e_wider-face.py'
    out = ['--out', str(tmp_path / 'out.json')]
    assert tool.main([str(baseline), *out]) == 1
    assert 'no two-step classification' in capsys.readouterr().err
    code = tool.main([
        str(tmp_path / 'config.py'), *out, '--annotations-only',
        '--cfg-options', 'train_dataloader.dataset.type=FDDBDataset'
    ])
    assert code == 1
    assert 'is for a WiderFaceDataset' in capsys.readouterr().err
    with pytest.raises(SystemExit, match='w.pth'):
        tool.main([str(CONFIG), *out, '--checkpoint', str(tmp_path / 'w.pth')])
    assert not (tmp_path / 'out.json').exists()
