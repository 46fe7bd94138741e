"""RefineFace in half precision: boxes and thresholds stay in float32."""
import pytest
import torch
from mmengine.config import ConfigDict
from refine_models import (FACES, STRIDES, build, images, model_config,
                           noisy_maps, sample, small_head, without_gradient)

from tinyfaces.models.dense_heads.two_step_loss import PROPOSAL_CFG

HALVES = [torch.float16, torch.bfloat16]
SIZE = 1024


def rounded_maps(dtype, size=SIZE, spread=.3):
    """Scores around .1, small deltas; of both steps, one map per level."""
    generator = torch.Generator().manual_seed(0)
    return [[
        (torch.randn(1, channels, size // s, size // s, generator=generator) *
         scale + shift).to(dtype) for s in STRIDES
    ] for channels, scale, shift in ((2, 2., -2.), (8, spread, 0.),
                                     (2, 2., -4.), (8, spread, 0.))]


def used(head, maps):
    """As the head gives them: first steps of its levels alone."""
    scores, deltas, first_scores, first_deltas = maps
    return (scores, deltas, [first_scores[i] for i in head.stc_levels],
            [first_deltas[i] for i in head.str_levels])


def in_float32(maps):
    return [[level.float() for level in kind] for kind in maps]


def assert_same_boxes(one, other):
    """To a tenth of a pixel, and up to the edge of a large picture."""
    assert one.bboxes.dtype == one.scores.dtype == torch.float32
    assert len(one) == len(other) > 100
    assert other.bboxes.max() > .95 * SIZE
    torch.testing.assert_close(one.bboxes, other.bboxes, atol=.1, rtol=0)
    torch.testing.assert_close(one.scores, other.scores)


@pytest.mark.parametrize('dtype', HALVES)
def test_boxes_of_a_large_picture(dtype):
    """Those of the same, rounded deltas in float32."""
    head = small_head(str_levels=(1, 2))
    maps = used(head, rounded_maps(dtype))
    metas = [sample(size=SIZE).metainfo]
    found, = head.predict_by_feat(*maps, batch_img_metas=metas)
    expected, = head.predict_by_feat(*in_float32(maps), batch_img_metas=metas)
    assert_same_boxes(found, expected)


def test_proposals_of_a_large_picture():
    """Of the outputs that autocast gives."""
    head = small_head(str_levels=(1, 2))
    torch.manual_seed(0)
    x = [torch.randn(1, 8, SIZE // s, SIZE // s) for s in STRIDES] * 2
    samples = [sample([[1000, 1000, 1009, 1011]], size=SIZE)]
    with torch.no_grad(), torch.autocast('cpu', dtype=torch.bfloat16):
        outputs = head(x)
        losses, (proposals, ) = head.loss_and_proposals(x, samples)
    assert {m.dtype for maps in outputs for m in maps} == {torch.bfloat16}
    assert all(loss.isfinite() for loss in losses.values())
    expected, = head.predict_by_feat(
        *in_float32(outputs),
        batch_img_metas=[samples[0].metainfo],
        cfg=ConfigDict(PROPOSAL_CFG),
        with_nms=False)
    assert_same_boxes(proposals, expected)


@pytest.mark.parametrize('logit, kept', [(-4.59375, True), (-4.625, False)])
def test_threshold_of_stc(logit, kept):
    """Scores of .01001 and .00971: neighbours among bfloat16's numbers, in
    which the threshold of .01 would be rounded to .01001."""
    head = small_head()
    maps = used(head, [[
        torch.full((1, c, 64 // s, 64 // s), value).bfloat16() for s in STRIDES
    ] for c, value in ((2, -20.), (8, 0.), (2, logit), (8, 0.))])
    maps[0][0][0, 0, 3, 3] = 2.
    found, = head.predict_by_feat(*maps, batch_img_metas=[sample().metainfo])
    assert len(found) == kept
    face = sample([[10, 9, 18, 19]])
    losses = head.loss_by_feat(*maps, [face.gt_instances], [face.metainfo])
    assert losses['stc_pos'] > 0
    for kind in ('pos', 'neg'):
        assert (losses[f'stc_dropped_{kind}'] > 0) != kept


@pytest.mark.parametrize('sparse', [True, False])
def test_threshold_of_stc_in_prediction(sparse):
    """All cells have the score of .01001, where the second step is asked."""
    head = small_head(test_cfg=dict(sparse=sparse)).eval()
    head.test_cfg.score_thr = .005
    torch.nn.init.zeros_(head.retina_cls.weight)
    torch.nn.init.constant_(head.retina_cls.bias, -4.59375)
    with torch.no_grad(), torch.autocast('cpu', dtype=torch.bfloat16):
        found, = head.predict(noisy_maps(1), [sample()])
    assert len(found) > 100


@pytest.mark.parametrize('str_levels', [(0, 1, 2), (2, )])
def test_refined_anchors(str_levels):
    """The second step is matched with and regresses from the same ones."""
    head = small_head(str_levels=str_levels)
    maps = used(head, rounded_maps(torch.bfloat16, size=128, spread=1.))
    picture = sample(FACES, size=128)
    found, expected = (
        head.loss_by_feat(*values, [picture.gt_instances], [picture.metainfo])
        for values in (maps, in_float32(maps)))
    assert expected['loss_bbox'] > 0
    for name in ('loss_bbox', 'loss_bbox_first', 'stc_pos', 'stc_neg',
                 'stc_dropped_pos', 'stc_dropped_neg'):
        torch.testing.assert_close(
            found[name], expected[name], rtol=1e-6, atol=0., msg=name)


def test_training_step_of_the_detector():
    """Under bfloat16 autocast: close to the losses in float32, finite
    gradients in each parameter."""
    samples = [sample(FACES, size=128), sample(size=128)]
    model = build(model_config(stc_levels=())).train()
    expected = model.loss(images(2), samples)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model.loss(images(2), samples)
    for name, value in losses.items():
        assert value.dtype == torch.float32 or 'loss_cls' in name
        torch.testing.assert_close(
            value.float(), expected[name], rtol=.1, atol=.01, msg=name)
    model.parse_losses(losses)[0].backward()
    assert not without_gradient(model)
    assert all(p.grad.isfinite().all() for p in model.parameters()
               if p.grad is not None)
