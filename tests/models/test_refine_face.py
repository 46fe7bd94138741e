"""RefineFace as a whole: levels, supervision, prediction."""
import copy

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from refine_models import (BASE, FACES, assert_same, build, images, lively,
                           model_config, predict, sample, total,
                           without_gradient)

from tinyfaces.models import FeatureSupervisionHead, RefineFPN


@pytest.mark.parametrize('faces', [FACES, []])
def test_training_step(faces):
    """All losses are finite and each trainable parameter has a gradient."""
    model = build(model_config()).train()
    losses = model.loss(images(2), [sample(faces, size=128), sample(size=128)])
    assert losses.keys() >= {
        'loss_cls_first', 'loss_bbox_first', 'loss_cls', 'loss_bbox',
        'loss_fsm', 'stc_pos', 'stc_neg', 'stc_dropped_pos', 'stc_dropped_neg'
    }
    assert all(value.isfinite() for value in losses.values())
    for name in ('loss_bbox', 'loss_bbox_first'):
        assert (losses[name] > 0) == bool(faces)
    summed, logged = model.parse_losses(losses)
    assert summed.item() == pytest.approx(total(losses).item())
    # Of 10,920 / 4 anchors.
    assert 0 < logged['stc_dropped_neg'] < logged['stc_neg'] <= 2730
    summed.backward()
    assert not without_gradient(model)


TABLES = {f'table 2, P{i + 2}': ((), (i, )) for i in range(6)}
TABLES.update({f'table 4, P{i + 2}': ((i, ), ()) for i in range(6)})
TABLES.update({
    'STR': ((), (3, 4, 5)),
    'STC': ((0, 1, 2), ()),
    'none': ((), ()),
    'all': (range(6), range(6))
})


@pytest.mark.parametrize('name', TABLES)
def test_levels(name):
    """Tables 1, 2 and 4: the neck has first-step maps where they are needed.
    """
    stc_levels, str_levels = (tuple(levels) for levels in TABLES[name])
    config = model_config(
        stc_levels=stc_levels, str_levels=str_levels, rfe=False)
    config.feature_supervision = None
    model = build(config).train()
    assert model.neck.first_step_levels == tuple(
        sorted({*stc_levels, *str_levels}))
    losses = model.loss(images(), [sample(FACES, size=128)])
    assert ('loss_cls_first' in losses) == bool(stc_levels)
    assert ('loss_bbox_first' in losses) == bool(str_levels)
    total(losses).backward()
    assert not without_gradient(model)
    predict(model, images(), [sample(size=128)])


def test_settings_of_srn():
    """1x1 predictors, N(0, .01), 6,000 per level, no threshold on P5-P7."""
    normal = dict(type='Normal', layer='Conv2d', std=.01)
    predictor = dict(type='Normal', name='retina_cls', std=.01, bias_prob=.01)
    config = model_config(predictor_kernel=1)
    config.bbox_head.init_cfg = dict(normal, override=predictor)
    config.bbox_head.loss_cls = dict(type='FocalLoss', use_sigmoid=True)
    config.feature_supervision = None
    config.neck.init_cfg = normal
    config.test_cfg.update(
        nms_pre=6000, nms_pre_over='level', small_level_cells=120)
    model = build(config).train()
    head = model.bbox_head
    assert head.retina_cls.kernel_size == head.retina_reg.kernel_size == (1, 1)
    for layer in (head.cls_convs[0].conv, head.cls_convs[1].merge.conv,
                  model.neck.reduce_convs['3'], model.neck.fpn_convs[5].conv):
        assert .005 < layer.weight.std() < .015
    losses = model.loss(images(), [sample(FACES, size=128)])
    total(losses).backward()
    assert not without_gradient(model)
    result, = predict(model, images(), [sample(size=128)])
    # Scores are at the prior of .01: only levels of under 120 cells pass.
    assert len(result) > 0 and (result.scores < .05).all()


class Supervision(torch.nn.Module):
    """Keeps what it is given."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def loss(self, *args):
        self.given = args
        return dict(loss_fsm=self.weight.sum())


def test_what_the_supervision_is_given():
    """The maps of P2 to P7, and detached proposals with their levels."""
    model = build(model_config()).train()
    model.feature_supervision = Supervision()
    samples = [sample(FACES, size=128), sample(size=128)]
    losses = model.loss(images(2), samples)
    assert losses['loss_fsm'] == 1
    maps, proposals, given = model.feature_supervision.given
    assert given is samples
    expected = model.neck(model.backbone(images(2)))[6:]
    assert [m.shape for m in maps] == [m.shape for m in expected]
    assert all(m.requires_grad for m in maps)
    assert len(proposals) == 2
    for picture in proposals:
        assert 100 < len(picture) <= 5000
        assert not picture.bboxes.requires_grad
        assert not picture.scores.requires_grad
        assert picture.bboxes.min() >= 0 and picture.bboxes.max() <= 128
        sides = picture.bboxes[:, 2:] - picture.bboxes[:, :2]
        assert (sides > 0).all()
        assert picture.levels.dtype == torch.int64
        assert 0 <= picture.levels.min() <= picture.levels.max() <= 5


def test_proposals_are_the_detections_before_nms():
    """Best first; of their level: boxes of P2 are small, with deltas of 0."""
    model = build(model_config(stc_levels=(), str_levels=())).train()
    for parameter in model.bbox_head.retina_reg.parameters():
        torch.nn.init.zeros_(parameter)
    x = model.extract_feat(images())
    _, (proposals, ) = model.bbox_head.loss_and_proposals(
        x, [sample(FACES, size=128)], dict(nms_pre=40, nms_pre_over='image'))
    assert len(proposals) == 40
    assert (proposals.scores.diff() <= 0).all()
    everything, = model.bbox_head.predict_by_feat(
        *model.bbox_head(x),
        batch_img_metas=[sample(size=128).metainfo],
        cfg=Config(dict(a=dict(nms_pre=-1))).a,
        with_nms=False)
    assert len(everything) == 2 * sum(4**n for n in range(6))
    torch.testing.assert_close(proposals.scores,
                               everything.scores.sort(descending=True)[0][:40])
    widths = proposals.bboxes[:, 2] - proposals.bboxes[:, 0]
    largest = 2**1.5 / 1.25**.5 * 4 * 2**proposals.levels
    assert (widths <= largest * 1.0001).all()


def test_nms_of_proposals_is_an_option():
    config = model_config()
    config.train_cfg.proposals = dict(
        nms_pre=500,
        score_thr=0,
        nms=dict(type='nms', iou_threshold=.7),
        max_per_img=30)
    model = build(config).train()
    model.feature_supervision = Supervision()
    model.loss(images(), [sample(FACES, size=128)])
    assert len(model.feature_supervision.given[1][0]) == 30


def test_supervision_is_not_evaluated_at_test_time(monkeypatch):
    model = lively(model_config())
    monkeypatch.setattr(type(model.feature_supervision), 'forward', None)
    monkeypatch.setattr(type(model.feature_supervision), 'loss', None)
    predict(model, images(), [sample(size=128)])


def test_predictions_are_deterministic():
    """And those of a picture do not depend on the batch."""
    model = lively(model_config())
    samples = [sample(size=128), sample(size=128)]
    once = predict(model, images(2), samples)
    assert_same(once, predict(model, images(2), samples))
    alone = predict(model, images(2)[1:], samples[1:])
    torch.testing.assert_close(
        once[1].scores, alone[0].scores, atol=1e-5, rtol=1e-4)


def test_tensor_mode():
    model = build(model_config()).eval()
    with torch.no_grad():
        outputs = model(images(), mode='tensor')
    assert [len(maps) for maps in outputs] == [6, 6, 3, 3]


def test_fewer_detections_with_stc():
    """STC takes detections away and adds none."""
    plain = model_config(stc_levels=())
    stc = lively(model_config())
    without = build(plain)
    names = without.state_dict()
    without.load_state_dict({name: stc.state_dict()[name] for name in names})
    meta = [sample(size=128).metainfo]
    with torch.no_grad():
        outputs = stc.bbox_head(stc.eval().extract_feat(images()))
        few, = stc.bbox_head.predict_by_feat(
            *outputs, batch_img_metas=meta, with_nms=False)
        many, = without.bbox_head.predict_by_feat(
            *outputs[:2], [], outputs[3], batch_img_metas=meta, with_nms=False)
    assert 0 < len(few) < len(many)
    assert {tuple(b)
            for b in few.bboxes.tolist()
            } <= {tuple(b)
                  for b in many.bboxes.tolist()}


def test_config_of_the_paper():
    """Sections 3.1 to 3.6, with ResNet-50."""
    config = Config.fromfile(BASE / 'refineface.py').model
    config.backbone.init_cfg = None
    model = MODELS.build(config)
    head = model.bbox_head
    assert (head.stc_levels, head.str_levels) == ((0, 1, 2), (3, 4, 5))
    first, second = head.first_assigner, head.assigner
    assert (first.pos_iou_thr, first.neg_iou_thr) == (.7, .3)
    assert (second.pos_iou_thr, second.neg_iou_thr) == (.5, .4)
    assert first.ignore_iof_thr == second.ignore_iof_thr == .5
    assert head.loss_cls.margin_scale == 15
    assert head.stc_score_thr == pytest.approx(1 - .99)
    test = head.test_cfg
    assert (test.nms_pre, test.nms_pre_over, test.score_thr,
            test.nms.iou_threshold, test.max_per_img) == (5000, 'image', .05,
                                                          .4, 750)
    supervision = model.feature_supervision.parameters()
    assert sum(p.numel() for p in supervision) == 387360
    assert [c.weight.shape[0]
            for c in model.neck.downsample_convs] == [1024, 256]


@pytest.mark.parametrize('stacked_convs', [2, 4])
def test_mobile_net_of_64_channels(stacked_convs):
    """The backbone's last layer is in no detector of MobileNetV2."""
    config = model_config(stacked_convs=stacked_convs)
    config.bbox_head.update(in_channels=64, feat_channels=64)
    config.feature_supervision.in_channels = 64
    config.backbone = dict(type='MobileNetV2', out_indices=(1, 2, 4, 6))
    config.neck.update(in_channels=[24, 32, 96, 320], out_channels=64)
    model = build(config).train()
    total(model.loss(images(), [sample(FACES, size=128)])).backward()
    assert all(
        name.startswith('backbone.conv2') for name in without_gradient(model))
    predict(model, images(), [sample(size=128)])


def test_first_step_of_the_neck_can_be_given():
    config = model_config()
    config.neck.first_step = [0, 1, 2]
    with pytest.raises(ValueError, match=r'levels \[3, 4, 5\]'):
        build(config).loss(images(), [sample(size=128)])


@pytest.mark.parametrize('kind', ['RefineFPN', 'mmdet.RefineFPN', RefineFPN])
def test_first_step_of_the_neck_is_what_the_head_needs(kind):
    """However the neck is named: else distributed training would stop."""
    config = model_config(str_levels=())
    config.neck.type = kind
    model = build(config)
    assert model.neck.first_step_levels == (0, 1, 2)
    total(model.loss(images(), [sample(FACES, size=128)])).backward()
    assert not without_gradient(model)


@pytest.mark.parametrize('kind', [
    'FeatureSupervisionHead', 'mmdet.FeatureSupervisionHead',
    FeatureSupervisionHead
])
def test_supervision_has_the_anchors_of_the_head(kind):
    """Also when only the head's are changed."""
    config = model_config()
    config.bbox_head.anchor_generator.scales = [3.]
    config.feature_supervision.type = kind
    model = build(config)
    assert (model.feature_supervision.prior_generator
            is model.bbox_head.prior_generator)
    model.loss(images(), [sample(FACES, size=128)])


@pytest.mark.parametrize('change', [
    dict(scales=[3., 4.]),
    dict(scales=[2.]),
    dict(strides=[4, 8, 16, 32, 64, 120]),
    dict(strides=[4, 8, 16, 32, 64])
])
def test_other_anchors_of_the_supervision(change):
    config = model_config()
    same = copy.deepcopy(config.bbox_head.anchor_generator)
    config.feature_supervision.anchor_generator = same
    build(config)
    same.update(change)
    with pytest.raises(ValueError, match='anchor_generator of feature_superv'):
        build(config)


def test_other_necks_and_heads():
    config = model_config('retinanet_face')
    config.type = 'RefineFace'
    losses = build(config).loss(images(), [sample(FACES, size=128)])
    assert losses.keys() == {'loss_cls', 'loss_bbox'}
