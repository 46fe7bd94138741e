"""The pyramids of configs/_base_/tta/tiny_faces_*.py, with the detector."""
import copy
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from torch import nn

BASE = Path(__file__).parents[2] / 'configs/_base_'
A, B = set(range(4, 12)), set(range(18, 25))
SCALES = {.5: set(range(4)), 1: A, 2: set(range(12, 25))}
WIDTH, HEIGHT = 150, 121


@pytest.fixture(scope='module')
def cfg():
    cfg = Config.fromfile(BASE / 'models/tiny_faces_mbv2.py').model
    cfg.backbone.init_cfg = None
    return cfg


@pytest.fixture(scope='module')
def weights(cfg):
    """Random ones, with scores from next to 0 to next to 1."""
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = MODELS.build(copy.deepcopy(cfg))
    for module in model.backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, .5, 2.5)
            nn.init.normal_(module.running_mean, std=.1)
    predictors = model.bbox_head.predictors.values()
    for predictor in predictors:
        nn.init.normal_(predictor.weight, std=.02)
    # Logits of all templates have the mean -1.5 and the deviation 1.5.
    noise = picture(240, 240)[None] / 60 - 2
    with torch.no_grad():
        logits = model.eval()(noise)[0].flatten(2)[0]
        factors = 1.5 / logits.std(dim=1)
        for predictor in predictors:
            predictor.weight[:len(factors)] *= factors[:, None, None, None]
        predictor.bias[:len(factors)] = -1.5 - logits.mean(dim=1) * factors
    return model.state_dict()


@pytest.fixture
def build(cfg, weights):

    def build(name, **changes):
        """A pyramid and what its detector gives of each view."""
        tta = Config.fromfile(BASE / f'tta/tiny_faces_{name}.py').tta_model
        tta.test_cfg.update(changes.pop('test_cfg', {}))
        module = copy.deepcopy(cfg)
        module.update(changes)
        model = MODELS.build(ConfigDict(tta, module=module)).eval()
        model.load_state_dict(weights)
        step, looks = model.module.test_step, {}

        def look(data):
            samples = step(data)
            looks[samples[0].img_shape] = samples[0].pred_instances.clone()
            return samples

        model.module.test_step = look
        return model, looks

    return build


def picture(width, height):
    """uint8 (3, H, W) of squares of 6 pixels."""
    image = torch.randint(
        0,
        256, (3, height // 6 + 1, width // 6 + 1),
        dtype=torch.uint8,
        generator=torch.Generator().manual_seed(0))
    image = image.repeat_interleave(6, 1).repeat_interleave(6, 2)
    return image[:, :height, :width]


def find(model, width=WIDTH, height=HEIGHT):
    sample = DetDataSample(
        metainfo=dict(img_shape=(height, width), ori_shape=(height, width)))
    return model.test_step(
        dict(inputs=[picture(width, height)],
             data_samples=[sample]))[0].pred_instances


def templates(looks):
    return {
        size: set(found.templates.tolist())
        for size, found in looks.items()
    }


def test_wider_protocol(build):
    """A at all scales, B at the double; no detection is of another one."""
    model, looks = build('wider')
    found = find(model)
    seen = templates(looks)
    # 37.5 and 60.5 are rounded up, as all halves.
    assert list(seen) == [(242, 300), (121, 150), (61, 75), (30, 38)]
    assert seen.pop((242, 300)) == A | B
    assert seen.pop((121, 150)) == A
    assert all(part <= A for part in seen.values()) and any(seen.values())
    union = torch.cat([look.scores for look in looks.values()])
    assert union.min() > -3.4762 and union.min() < -3  # logit(0.03) = -3.47610
    assert 20 < len(found) < len(union)
    assert (found.scores.diff() <= 0).all()
    assert found.scores[0] == union.max()
    assert found.templates.dtype == torch.long
    # Boxes are not cut at the edges.
    assert found.bboxes.min() < -1
    ious = pairwise_iou(found.bboxes).fill_diagonal_(0)
    assert ious.max() <= .3 + 1e-6


def pairwise_iou(boxes):
    low = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    inter = (high - low).clamp(min=0).prod(2)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return inter / (areas[:, None] + areas[None] - inter)


def test_every_box_is_one_of_a_view(build):
    """With its own logit and template, in pixels of the original."""
    model, looks = build('wider')
    found = find(model)
    rows = torch.cat([
        torch.cat((look.bboxes, look.scores[:, None],
                   look.templates[:, None].float()), 1)
        for look in looks.values()
    ])
    mine = torch.cat((found.bboxes, found.scores[:, None],
                      found.templates[:, None].float()), 1)
    assert {tuple(row)
            for row in mine.tolist()} <= {tuple(row)
                                          for row in rows.tolist()}


def test_no_double_size_above_5000_pixels(build):
    model, looks = build('wider')
    find(model, 2501, 10)
    assert list(looks) == [(10, 2501), (5, 1251), (3, 625)]


def test_full(build):
    """Each template at its own scale alone."""
    model, looks = build('full', test_cfg=dict(score_thr=1e-6))
    find(model)
    assert templates(looks) == {
        (242, 300): SCALES[2],
        (121, 150): SCALES[1],
        (61, 75): SCALES[.5]
    }


def test_demo(build):
    """Probabilities above .5, boxes within the picture, B above 1."""
    model, looks = build('demo')
    found = find(model)
    seen = templates(looks)
    # log2(82 / 150) = -0.87; 2^.5 * 150 = 212.1, * 121 = 171.1
    assert list(seen) == [(242, 300), (171, 212), (121, 150), (61, 75)]
    assert seen[242, 300] == A | B and seen[171, 212] & B
    assert not (seen[121, 150] | seen[61, 75]) & B
    assert len(found) > 20
    assert .5 < found.scores.min() and found.scores.max() <= 1
    assert found.bboxes.min() >= 0
    assert (found.bboxes[:, 2:] <= torch.tensor([WIDTH, HEIGHT])).all()
    assert pairwise_iou(found.bboxes).fill_diagonal_(0).max() <= .1 + 1e-6


def test_roles_alone(build):
    """Two halves of the rule; and both apart, of a single run."""
    for choice, roles in (('A', A), ('B', B)):
        model, looks = build('wider', test_cfg=dict(templates=choice))
        find(model)
        assert set().union(*templates(looks).values()) <= roles
        assert templates(looks)[242, 300] == roles
        if choice == 'B':
            assert not len(looks[121, 150]) and not len(looks[30, 38])
    one, _ = build('wider', test_cfg=dict(templates='B'))
    both, _ = build('wider', test_cfg=dict(group_outputs=True))
    groups = {}
    merge = both.merge_preds

    def keep(looks):
        merged = merge(looks)
        groups.update(merged[0].group_pred_instances)
        return merged

    both.merge_preds = keep
    find(both)
    expected = find(one)
    assert set(groups) == {'A', 'B'} and len(expected) > 10
    torch.testing.assert_close(
        groups['B'].bboxes, expected.bboxes, atol=1e-3, rtol=1e-4)
    assert set(groups['A'].templates.tolist()) <= A


def test_tiles_give_the_same(build):
    """The largest view, 600x484, in tiles of 400, of a folded network."""
    whole, _ = build('wider', tiling=None)
    tiles, _ = build('wider', tiling=dict(max_pixels=400**2, tile=400))
    backbone, inputs = tiles.module.backbone, []

    def note(module, args):
        # Not of a copy, by which the receptive field is found.
        if module is backbone:
            inputs.append(tuple(args[0].shape[2:]))

    backbone.register_forward_pre_hook(note)
    expected, found = find(whole, 300, 242), find(tiles, 300, 242)
    # The tiles, and then the smaller views.
    assert len(inputs) > 5 and inputs[-3:] == [(242, 300), (121, 150),
                                               (61, 75)]
    assert max(map(max, inputs)) <= 400
    assert len(found) == len(expected) > 50
    torch.testing.assert_close(
        found.scores, expected.scores, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        found.bboxes, expected.bboxes, atol=1e-3, rtol=0)
