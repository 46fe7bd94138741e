"""The losses of SelectiveRefineHead against a transcription, and by hand."""
import math
from functools import partial

import pytest
import torch
from mmdet.models.losses import FocalLoss
from refine_head_transcription import losses as transcribed
from refine_models import (STRIDES, loss_of, sample, small_head, total,
                           without_gradient)

from tinyfaces.models import avg_factor

SETS = [((0, ), (2, )), ((0, 1), (1, 2)), ((), (0, )), ((1, ), ()),
        ((0, 1, 2), (0, 1, 2)), ((), ())]
FACE = [5., 6, 14, 16]


def random_maps(size=64, pictures=2, seed=0):
    """Scores around the prior, small deltas; by level."""
    generator = torch.Generator().manual_seed(seed)
    make = partial(torch.randn, generator=generator)
    cells = [size // stride for stride in STRIDES]
    scores, first_scores = ([
        make(pictures, 2, n, n) * 2 - math.log(99) for n in cells
    ] for _ in range(2))
    deltas, first_deltas = ([make(pictures, 8, n, n) * .3 for n in cells]
                            for _ in range(2))
    return scores, deltas, first_scores, first_deltas


@pytest.mark.parametrize('stc_levels, str_levels', SETS)
def test_equals_transcription(stc_levels, str_levels):
    """Faces of several sizes, ignored ones, padding, an empty picture."""
    head = small_head(stc_levels=stc_levels, str_levels=str_levels)
    pictures = [
        ([FACE, [20, 20, 40, 45], [22, 30, 30.3, 38], [50.3, 3, 54.1,
                                                       8]], [[40, 40, 64,
                                                              64]], (64, 64)),
        ([], [], (64, 32)), ([[1, 1, 9, 11], [24, 22, 56, 58]], [], (64, 64))
    ]
    maps = random_maps(pictures=3)
    samples = [
        sample(faces, ignored, pad_shape=pad)
        for faces, ignored, pad in pictures
    ]
    result = loss_of(head, maps, samples)
    expected = transcribed(*maps, stc_levels, str_levels, STRIDES, pictures)
    assert result.keys() == expected.keys()
    for name, value in expected.items():
        assert result[name].item() == pytest.approx(value, rel=1e-4), name
        assert value > 0, (name, expected)


def one_face_maps(first_logit, logit=0., width=8 / 1.25**.5):
    """All background but the anchor at (10, 10) of level 0, and its face.

    The face has the anchor's height. Its own anchor alone overlaps it by .5
    or more: the next ones, of 11.3 pixels, are shifted or twice as large.
    """
    maps = [[torch.full((1, c, 64 // s, 64 // s), value) for s in STRIDES]
            for c, value in ((2, -20.), (8, 0.), (2, -20.), (8, 0.))]
    maps[2][0][0, 0, 2, 2] = first_logit
    maps[0][0][0, 0, 2, 2] = logit
    w, h = width, 8 * 1.25**.5
    face = [10 - w / 2, 10 - h / 2, 10 + w / 2, 10 + h / 2]
    return maps, [sample([face])]


def test_one_positive_by_hand():
    """Logit 0 in both steps costs .25 * .5^2 * log 2.

    The anchor is wider than the face by exp(.05): smooth L1 with beta 1/9
    costs .5 * .05^2 * 9 in width. Background at logit -20 costs nothing.
    """
    head = small_head(str_levels=(0, ))
    maps, samples = one_face_maps(0., width=8 / 1.25**.5 * math.exp(-.05))
    losses = loss_of(head, maps, samples)
    for name in ('loss_cls', 'loss_cls_first'):
        assert losses[name].item() == pytest.approx(
            .25 * .25 * math.log(2), abs=1e-6), name
    for name in ('loss_bbox', 'loss_bbox_first'):
        assert losses[name].item() == pytest.approx(
            .5 * .05**2 * 9, rel=1e-4), name
    assert losses['stc_pos'] == 1 and losses['stc_dropped_pos'] == 0
    # All anchors of level 0 are background but this one and a few that are
    # neither; none else passes.
    assert 500 < losses['stc_dropped_neg'] < 512
    assert losses['stc_neg'] == losses['stc_dropped_neg'] + 2 * (64 + 16)


@pytest.mark.parametrize('first_logit, dropped', [(-4.61, True),
                                                  (-4.58, False)])
def test_threshold_of_stc(first_logit, dropped):
    """.01 lies at -log 99 = -4.595."""
    head = small_head(str_levels=())
    maps, samples = one_face_maps(first_logit, logit=1.)
    losses = loss_of(head, maps, samples)
    expected = 0. if dropped else .25 * (1 - 1 / (1 + math.exp(-1)))**2 * (
        math.log(1 + math.exp(-1)))
    assert losses['loss_cls'].item() == pytest.approx(expected, abs=1e-6)


def test_refined_anchors_are_the_second_steps():
    """The first step moves an anchor onto a face that no tiled one fits.

    By the tiled anchors that face has one positive, its best anchor, and a
    regression loss; by the refined ones its positive needs no regression.
    """
    maps = [[torch.zeros(1, c, 64 // s, 64 // s) for s in STRIDES]
            for c in (2, 8, 2, 8)]
    # Of 16 pixels stride: centre (24, 40), 28.6 x 35.8, to a wide box
    w, h = 32 / 1.25**.5, 32 * 1.25**.5
    x, y = 24 + .2 * w, 40 - .1 * h
    w, h = w * math.exp(.3), h * math.exp(-.9)
    face = [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
    maps[3][2][0, :4, 2, 1] = torch.tensor([.2, -.1, .3, -.9])
    refined = small_head(stc_levels=(), str_levels=(2, ))
    tiled = small_head(stc_levels=(), str_levels=())
    assert loss_of(refined, maps,
                   [sample([face])])['loss_bbox'].item() == pytest.approx(
                       0, abs=1e-5)
    assert loss_of(tiled, maps, [sample([face])])['loss_bbox'] > .1


def test_refined_anchors_are_detached():
    """The second step's box loss has no gradient in the first's deltas."""
    head = small_head(stc_levels=(), str_levels=(0, 1, 2))
    maps = random_maps()
    for level in maps[3]:
        level.requires_grad_()
    samples = [sample([FACE]), sample()]
    loss_of(head, maps, samples)['loss_bbox_first'].backward()
    assert any(level.grad.any() for level in maps[3])
    assert not loss_of(head, maps, samples)['loss_bbox'].requires_grad


@pytest.mark.parametrize('faces', [[FACE], []])
def test_all_dropped(faces):
    """Finite, no regression, and a gradient (of 0) in each parameter."""
    head = small_head(stc_levels=(0, 1, 2), str_levels=(0, 1, 2))
    torch.nn.init.constant_(head.retina_cls.bias, -30.)
    x = [torch.randn(1, 8, 64 // s, 64 // s) for s in STRIDES] * 2
    losses = head.loss(x, [sample(faces)])
    assert all(value.isfinite() for value in losses.values())
    assert losses['loss_cls'] == losses['loss_bbox'] == 0
    assert (losses['stc_pos'] > 0) == bool(faces)
    for kind in ('pos', 'neg'):
        assert losses[f'stc_dropped_{kind}'] == losses[f'stc_{kind}']
    assert (losses['loss_bbox_first'] > 0) == bool(faces)
    total(losses).backward()
    assert not without_gradient(head)
    assert not faces or head.retina_cls.weight.grad.any()


def test_prior_sits_at_the_threshold():
    """So STC drops a part of both kinds when training begins."""
    torch.manual_seed(1)
    head = small_head(stc_levels=(0, 1, 2), str_levels=())
    x = [torch.randn(4, 8, 64 // s, 64 // s) for s in STRIDES] * 2
    losses = head.loss(x, [sample([FACE, [20, 20, 40, 45]])] * 4)
    for kind in ('pos', 'neg'):
        assert .05 < losses[f'stc_share_{kind}'] < .95


def test_dropped_anchors_are_counted_per_picture():
    """Of another number of pictures, and without a positive: the part that
    STC drops is the mean of one number over the mean of the other."""
    head = small_head(stc_levels=(0, 1, 2), str_levels=())
    maps = random_maps(pictures=1)
    face = loss_of(head, maps, [sample([FACE])])
    empty = loss_of(head, maps, [sample()])
    assert empty['stc_pos'] == empty['stc_dropped_pos'] == 0
    assert empty['stc_share_pos'] == 0
    twice = [[level.repeat(2, 1, 1, 1) for level in kind] for kind in maps]
    both = loss_of(head, twice, [sample([FACE]), sample()])
    for kind in ('stc_pos', 'stc_neg', 'stc_dropped_pos', 'stc_dropped_neg'):
        assert both[kind] == (face[kind] + empty[kind]) / 2


def test_empty_pictures():
    head = small_head(stc_levels=(0, 1), str_levels=(1, 2))
    maps = random_maps()
    losses = loss_of(head, maps, [sample(), sample()])
    assert losses['loss_bbox'] == losses['loss_bbox_first'] == 0
    assert losses['loss_cls'] > 0 and losses['loss_cls_first'] > 0
    assert losses['stc_pos'] == losses['stc_dropped_pos'] == 0


def test_positives_are_averaged_over_ranks(monkeypatch):
    """Once for all terms: here another rank has three times as many."""
    calls = []

    def reduce_mean(counts):
        calls.append(counts)
        return counts * 2

    maps, samples = random_maps(), [sample([FACE]), sample([FACE])]
    alone = loss_of(small_head(), maps, samples)
    monkeypatch.setattr(avg_factor, 'reduce_mean', reduce_mean)
    together = loss_of(small_head(), maps, samples)
    own = loss_of(small_head(sync_avg_factor=False), maps, samples)
    assert len(calls) == 1
    for name, value in alone.items():
        factor = .5 if 'loss' in name else 1
        assert together[name].item() == pytest.approx(factor * value.item())
        assert own[name].item() == pytest.approx(value.item())


def test_positives_weigh_pos_weight():
    head = small_head()
    maps, samples = one_face_maps(first_logit=0.)
    once = loss_of(head, maps, samples)
    head.train_cfg.pos_weight = 3
    thrice = loss_of(head, maps, samples)
    for name in ('loss_cls', 'loss_cls_first'):
        assert thrice[name].item() == pytest.approx(3 * once[name].item())


class Recorder(FocalLoss):
    """Focal loss that keeps the sizes of all and of positive samples."""
    needs_sizes = True

    def __init__(self, size_of):
        super().__init__()
        self.size_of = size_of
        self.calls = []

    def forward(self, pred, target, *args, sizes, **kwargs):
        self.calls.append((sizes, sizes[target == 0]))
        return super().forward(pred, target, *args, **kwargs)


def test_sizes_of_anchors():
    """Tiled in the first step; in the second, those of level 2 refined."""
    head = small_head()
    head.loss_cls = Recorder('anchor')
    maps = random_maps(pictures=1)
    for level in maps[3]:
        level[:] = torch.tensor([0., 0, math.log(4), 0] * 2)[:, None, None]
    loss_of(head, maps, [sample([FACE])])
    (first, _), (second, _) = head.loss_cls.calls
    pair = torch.tensor([2., 2 * 2**.5])
    torch.testing.assert_close(first, 4 * pair.repeat(256))
    torch.testing.assert_close(
        second,
        torch.cat(
            [4 * pair.repeat(256), 8 * pair.repeat(64), 32 * pair.repeat(16)]))


def test_sizes_of_faces():
    """Of the matched face; of the anchor where there is none."""
    head = small_head()
    head.loss_cls = Recorder('face')
    loss_of(head, random_maps(pictures=2), [sample(), sample([FACE])])
    for sizes, positive in head.loss_cls.calls:
        assert len(positive) > 0
        assert positive.tolist() == pytest.approx([90**.5] * len(positive))
        assert sizes[0].item() == pytest.approx(8)


@pytest.mark.parametrize('steps', [(), ('first', ), ('second', ),
                                   ('first', 'second')])
def test_margin_in_some_steps(steps):
    """A size of 0 is none to ScaleAwareMarginLoss."""
    maps, samples = random_maps(), [sample([FACE]), sample()]
    margin = dict(
        type='ScaleAwareMarginLoss', use_sigmoid=True, margin_scale=15.)
    plain = loss_of(small_head(), maps, samples)
    losses = loss_of(
        small_head(loss_cls=margin, margin_steps=steps), maps, samples)
    assert (losses['loss_cls_first'] > plain['loss_cls_first']) == ('first'
                                                                    in steps)
    assert (losses['loss_cls'] > plain['loss_cls']) == ('second' in steps)


def test_loss_on_decoded_boxes():
    """1 - IoU: the anchor has exp(.05) times the face's width."""
    head = small_head(
        stc_levels=(),
        str_levels=(0, ),
        reg_decoded_bbox=True,
        loss_bbox=dict(type='IoULoss', mode='linear'))
    maps, samples = one_face_maps(0., width=8 / 1.25**.5 * math.exp(-.05))
    losses = loss_of(head, maps, samples)
    for name in ('loss_bbox', 'loss_bbox_first'):
        assert losses[name].item() == pytest.approx(1 - math.exp(-.05)), name
    assert loss_of(head, maps, [sample()])['loss_bbox'] == 0
