"""SelectiveRefineHead from its maps to boxes, by hand and sparsely."""
import math

import pytest
import torch
from refine_head_transcription import decode
from refine_models import (STRIDES, WITHOUT_STEPS, noisy_maps, sample,
                           small_head)

from tinyfaces.models.dense_heads import sparse_cells


def quiet_maps():
    """No score, no move: a map per level of a 64x64 picture."""
    return [[torch.full((1, c, 64 // s, 64 // s), value) for s in STRIDES]
            for c, value in ((2, -20.), (8, 0.), (2, -20.), (8, 0.))]


def predict(head, maps, **options):
    scores, deltas, first_scores, first_deltas = maps
    options = dict(batch_img_metas=[sample().metainfo], **options)
    result, = head.predict_by_feat(scores, deltas,
                                   [first_scores[i] for i in head.stc_levels],
                                   [first_deltas[i]
                                    for i in head.str_levels], **options)
    return result


def test_boxes_of_two_steps_by_hand():
    """Level 2 at (40, 24), anchor 28.6 x 35.8: first, then second deltas."""
    head = small_head()
    maps = quiet_maps()
    first, second = [.1, -.2, .3, -.1], [-.3, .2, -.2, .25]
    maps[0][2][0, 0, 1, 2] = 1.
    maps[3][2][0, :4, 1, 2] = torch.tensor(first)
    maps[1][2][0, :4, 1, 2] = torch.tensor(second)
    result = predict(head, maps)
    w, h = 32 / 1.25**.5, 32 * 1.25**.5
    anchor = (40 - w / 2, 24 - h / 2, 40 + w / 2, 24 + h / 2)
    box = decode(decode(anchor, first), second)
    assert result.bboxes.tolist() == [pytest.approx(box, abs=1e-4)]
    assert result.scores.tolist() == [pytest.approx(1 / (1 + math.exp(-1)))]
    assert result.labels.tolist() == [0]
    assert set(result.keys()) == {'bboxes', 'scores', 'labels'}


def test_refined_anchors_are_not_clipped():
    """First 100 % to the left of the picture, then back to where it was."""
    head = small_head()
    maps = quiet_maps()
    maps[0][2][0, 0, 1, 2] = 1.
    maps[3][2][0, :4, 1, 2] = torch.tensor([-3., 0, 0, 0])
    maps[1][2][0, :4, 1, 2] = torch.tensor([3., 0, 0, 0])
    w, h = 32 / 1.25**.5, 32 * 1.25**.5
    assert predict(head, maps).bboxes.tolist() == [
        pytest.approx((40 - w / 2, 24 - h / 2, 40 + w / 2, 24 + h / 2))
    ]
    maps[1][2][0, 0, 1, 2] = 2.
    left, _, right, _ = predict(head, maps).bboxes[0].tolist()
    assert left == 0 and right == pytest.approx(40 - w / 2)


@pytest.mark.parametrize('level, first_logit, kept', [(0, -4.61, False),
                                                      (0, -4.58, True),
                                                      (1, -20., True),
                                                      (2, -20., True)])
def test_stc_filters_its_levels_alone(level, first_logit, kept):
    """By -log 99 = -4.595; the score is the second step's."""
    head = small_head()
    maps = quiet_maps()
    maps[0][level][0, 1, 1, 1] = 2.
    maps[2][level][0, 1, 1, 1] = first_logit
    scores = predict(head, maps).scores.tolist()
    assert scores == [pytest.approx(1 / (1 + math.exp(-2)))] * kept


@pytest.mark.parametrize('cells, kept', [(0, 1), (16, 1), (17, 2), (120, 3)])
def test_small_levels_without_threshold(cells, kept):
    """Levels of 256, 64 and 16 cells; a score of .018 on each, .73 on one."""
    head = small_head(
        stc_levels=(),
        str_levels=(),
        test_cfg=dict(small_level_cells=cells, nms_pre_over='image'))
    head.test_cfg.nms_pre = 6
    maps = quiet_maps()
    maps[0][0][0, 0, 2, 2] = 1.
    for level, cell in ((0, 9), (1, 3), (2, 3)):
        maps[0][level][0, 0, cell, cell] = -4.
    scores = predict(head, maps, with_nms=False).scores
    assert (scores > .01).sum() == kept


@pytest.mark.parametrize('over, kept', [('level', [.9, .8, .7, .6]),
                                        ('image', [.9, .8])])
def test_best_of_each_level_or_of_the_picture(over, kept):
    head = small_head(
        stc_levels=(), str_levels=(), test_cfg=dict(nms_pre_over=over))
    head.test_cfg.nms_pre = 2
    maps = quiet_maps()
    scores = {0: [.9, .8, .5], 1: [.7, .6, .4]}
    for level, values in scores.items():
        for place, value in enumerate(values):
            maps[0][level][0, 0, 3 * place, 1] = math.log(value / (1 - value))
    result = predict(head, maps, with_nms=False, with_levels=True)
    found = sorted(result.scores.tolist(), reverse=True)
    assert found == pytest.approx(kept)
    assert result.levels.dtype == torch.int64
    for score, level in zip(result.scores.tolist(), result.levels.tolist()):
        assert any(abs(score - value) < 1e-6 for value in scores[level])


def test_boxes_in_pixels_of_the_original():
    head = small_head()
    maps = quiet_maps()
    maps[0][1][0, 0, 3, 3] = 1.
    meta = dict(sample().metainfo, scale_factor=(.5, .25))
    scores, deltas, first_scores, first_deltas = maps
    scaled, = head.predict_by_feat(
        scores,
        deltas,
        first_scores[:1],
        first_deltas[2:],
        batch_img_metas=[meta],
        rescale=True)
    torch.testing.assert_close(
        scaled.bboxes,
        predict(head, maps).bboxes * torch.tensor([2., 4] * 2))


def test_bad_test_cfg():
    with pytest.raises(ValueError, match='nms_pre_over'):
        predict(small_head(test_cfg=dict(nms_pre_over='batch')), quiet_maps())


@pytest.mark.parametrize('options', [
    dict(),
    dict(rfe=False),
    dict(predictor_kernel=1, stc_levels=(0, 1, 2), str_levels=(0, 1, 2)),
    dict(stc_levels=(), str_levels=(1, )),
    dict(rfe=False, stacked_convs=1, stc_levels=(0, 1), str_levels=()),
])
@pytest.mark.parametrize('spread', [.3, 1., 3.])
def test_sparse_prediction_equals_dense(monkeypatch, options, spread):
    """With few, some and many scores above the thresholds."""
    # Many small rectangles, also of few channels.
    monkeypatch.setattr(sparse_cells, 'START', 0)
    torch.manual_seed(0)
    head = small_head(**options).eval()
    torch.nn.init.normal_(head.retina_cls.weight, std=spread)
    samples = [sample(), sample()]
    x = noisy_maps(size=128)
    results = []
    for sparse in (True, False):
        head.test_cfg.sparse = sparse
        with torch.no_grad():
            results.append(head.predict(x, samples))
    for ours, whole in zip(*results):
        assert len(ours) == len(whole)
        torch.testing.assert_close(
            ours.scores, whole.scores, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(
            ours.bboxes, whole.bboxes, atol=1e-3, rtol=1e-4)
    assert spread < 1 or len(results[0][0]) > 0


def test_sparse_is_the_default_on_a_cpu(monkeypatch):
    """Unless no level has two steps, or a layer sees the whole map."""
    for head, sparse in [(small_head(), True),
                         (small_head(**WITHOUT_STEPS), False),
                         (small_head(test_cfg=dict(sparse=False)), False),
                         (small_head(norm_cfg=dict(type='GN', num_groups=2)),
                          False)]:
        calls = []
        monkeypatch.setattr(
            type(head),
            'forward',
            lambda self, x, forward=type(head).forward:
            (calls.append(1), forward(self, x))[1])
        with torch.no_grad():
            head.predict(noisy_maps(1), [sample()])
        monkeypatch.undo()
        assert bool(calls) != sparse


@pytest.mark.parametrize('layers', [
    dict(norm_cfg=dict(type='GN', num_groups=2)),
    dict(conv_cfg=dict(type='Conv2d'))
])
def test_sparse_needs_plain_layers(layers):
    """When the head is built, and when test_cfg is changed later."""
    with pytest.raises(ValueError, match='sparse needs plain convolutions'):
        small_head(test_cfg=dict(sparse=True), **layers)
    head = small_head(**layers)
    head.test_cfg.sparse = True
    with pytest.raises(ValueError, match='sparse needs plain convolutions'):
        head.predict(noisy_maps(1), [sample()])
    assert small_head(test_cfg=dict(sparse=True)).test_cfg.sparse
