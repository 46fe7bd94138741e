"""ScaleGroupHead's losses against a transcription and MMDetection's heads."""
import group_head_transcription as plain
import pytest
import torch
from group_sampling_models import (FOCAL, LAYOUTS, SOFTMAX, group_head,
                                   group_sampler, neck_maps, noisy_outputs,
                                   random_sampler)
from mmdet.models.utils import unpack_gt_instances
from refine_models import sample, total, without_gradient

REDUCE_MEAN = 'tinyfaces.models.avg_factor.reduce_mean'
BOX_LOSSES = dict(
    smooth_l1=dict(type='SmoothL1Loss', beta=1 / 9),
    log_iou=dict(type='IoULoss', mode='log'),
    least_square=dict(type='IoULeastSquareLoss'))
PICTURES = [
    ([[9, 7, 26, 22], [11, 21, 43, 52], [30, 2, 46, 17]], [[40, 40, 60,
                                                            60]], (64, 64)),
    ([[1, 2, 57, 61], [33, 30, 50, 47]], [], (48, 64)),
]


def samples_of(pictures=PICTURES):
    return [
        sample(faces, ignored, pad_shape=pad_shape)
        for faces, ignored, pad_shape in pictures
    ]


def losses_of(head, outputs, pictures=PICTURES):
    faces, ignored, metas = unpack_gt_instances(samples_of(pictures))
    return head.loss_by_feat(*outputs, faces, metas, ignored)


def expected_losses(outputs, *args, **kwargs):
    """The transcription's."""
    return plain.losses(*([m.detach() for m in maps] for maps in outputs),
                        *args, **kwargs)


def record_draws(head):
    """Keep which anchors the head's sampler draws in each picture.

    Anchors are counted among those on the picture: MMDetection leaves out
    the others before it samples.
    """
    draws, draw = [], head.sampler.sample

    def recorded(*args, **kwargs):
        result = draw(*args, **kwargs)
        draws.append(torch.cat([result.pos_inds, result.neg_inds]).tolist())
        return result

    head.sampler.sample = recorded
    return draws


def on_picture(head, outputs, pictures):
    """Indices of the anchors whose cell is on each picture."""
    _, _, metas = unpack_gt_instances(samples_of(pictures))
    _, valid = head.get_anchors([m.shape[-2:] for m in outputs[0]], metas,
                                'cpu')
    return [torch.nonzero(torch.cat(v)).squeeze(1).tolist() for v in valid]


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('box', BOX_LOSSES)
@pytest.mark.parametrize('kind, sampler, ohem', [
    ('softmax', random_sampler(), None),
    ('softmax', group_sampler(), None),
    ('softmax', None, None),
    ('softmax', None, 100),
    ('softmax', random_sampler(), 60),
    ('focal', None, None),
    ('focal', random_sampler(), None),
    ('focal', None, 200),
])
def test_equals_transcription(layout, box, kind, sampler, ohem):
    """The second picture lies in a batch with padding."""
    head = group_head(
        layout,
        sampler=sampler,
        ohem=ohem and dict(num=ohem),
        loss_cls=SOFTMAX if kind == 'softmax' else FOCAL,
        loss_bbox=BOX_LOSSES[box],
        reg_decoded_bbox=box != 'smooth_l1')
    draws = record_draws(head)
    outputs = noisy_outputs(head)
    losses = losses_of(head, outputs)
    drawn = None
    if sampler:
        drawn = [{
            valid[at]
            for at in draw
        } for draw, valid in zip(draws, on_picture(head, outputs, PICTURES))]
        assert all(0 < len(d) < 256 for d in drawn)
    expected = expected_losses(
        outputs,
        PICTURES,
        **LAYOUTS[layout],
        samples=drawn,
        classifier=kind,
        box=box,
        ohem=ohem)
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        assert value > 0
        assert losses[name].item() == pytest.approx(value, rel=1e-4), name
    gradients = torch.autograd.grad(
        total(losses), [m for maps in outputs for m in maps])
    assert all(g.isfinite().all() for g in gradients)
    assert any(g.any() for g in gradients)


@pytest.mark.parametrize('num', [1, 40, 10**6])
def test_ohem_trains_the_hardest(num):
    """B anchors of each picture have a gradient; without a limit all do."""
    head = group_head(ohem=dict(num=num))
    logits, deltas = noisy_outputs(head)
    losses = losses_of(head, (logits, deltas))
    gradient, = torch.autograd.grad(losses['loss_cls'], logits)
    counts = (gradient.reshape(2, 4, 2, -1) != 0).any(2).flatten(1).sum(1)
    every = group_head(sampler=None)
    whole, = torch.autograd.grad(
        losses_of(every, (logits, deltas))['loss_cls'], logits)
    labelled = (whole.reshape(2, 4, 2, -1) != 0).any(2).flatten(1).sum(1)
    assert counts.tolist() == [min(num, n) for n in labelled.tolist()]
    assert labelled.min() > 40


def test_ohem_looks_at_the_box_loss_too():
    """Of equal scores, the positive of the worse box is the hardest."""
    head = group_head('pyramid', ohem=dict(num=1))
    logits, deltas = noisy_outputs(head, pictures=1)
    for level in (*logits, *deltas):
        level.data.zero_()
    # Anchors around (24, 20) and (48, 44) of the first level are faces; the
    # second's box is far off.
    pictures = [([[16, 12, 32, 28], [40, 36, 56, 52]], [], (64, 64))]
    deltas[0].data[0, 0, 11, 12] = 5
    losses = losses_of(head, (logits, deltas), pictures)
    gradient, = torch.autograd.grad(losses['loss_cls'], logits[:1])
    assert torch.nonzero(gradient[0].any(0)).tolist() == [[11, 12]]
    assert losses['loss_bbox'].item() == pytest.approx(5 - 1 / 18)


@pytest.mark.parametrize('sync', [True, False])
def test_divisors_over_ranks(sync, monkeypatch):
    """The means over ranks: here twice the own numbers."""
    head = group_head(sampler=group_sampler(), sync_avg_factor=sync)
    outputs = noisy_outputs(head)
    alone = losses_of(head, outputs)
    seen = []

    def doubled(counts):
        seen.append(counts.tolist())
        return counts * 2

    monkeypatch.setattr(REDUCE_MEAN, doubled)
    head.sampler = group_head(sampler=group_sampler()).sampler  # same draws
    draws = record_draws(head)
    losses = losses_of(head, outputs)
    for name in losses:
        torch.testing.assert_close(losses[name] * (1 + sync), alone[name])
    assert len(seen) == sync
    if sync:
        (samples, positives), = seen
        assert samples == sum(len(draw) for draw in draws)
        assert 0 < positives < samples


def test_divisors_are_at_least_one(monkeypatch):
    """A rank may have few of all positives: the mean is below 1."""
    head = group_head(sampler=random_sampler(10**6))
    outputs = noisy_outputs(head)
    means = losses_of(head, outputs)
    seen = []

    def small(counts):
        seen.extend(counts.tolist())
        return counts * 1e-4

    monkeypatch.setattr(REDUCE_MEAN, small)
    losses = losses_of(head, outputs)
    for mean, value, count in zip(means.values(), losses.values(), seen):
        assert count > 10
        torch.testing.assert_close(value, mean * count)


@pytest.mark.parametrize('faces, ignored', [((), ()), ((), [[0, 0, 64, 64]]),
                                            ((), [[-999, -999, 999, 999]])])
@pytest.mark.parametrize('options', [
    dict(sampler=random_sampler()),
    dict(sampler=group_sampler()),
    dict(loss_cls=FOCAL),
    dict(ohem=dict(num=10)),
    dict(
        sampler=group_sampler(),
        loss_bbox=BOX_LOSSES['least_square'],
        reg_decoded_bbox=True),
    dict(loss_bbox=BOX_LOSSES['log_iou'], reg_decoded_bbox=True),
    dict(layout='pyramid', shared_predictors=False, sampler=group_sampler()),
])
def test_no_faces(faces, ignored, options):
    """No regression, and a gradient for each parameter; also if nothing at
    all trains, as the whole picture is ignored."""
    head = group_head(**options)
    losses = head.loss(neck_maps(head), [sample(faces, ignored)] * 2)
    assert losses['loss_bbox'] == 0
    nothing = ignored and ignored[0][0] < 0
    assert (losses['loss_cls'] == 0) == bool(nothing)
    total(losses).backward()
    assert not without_gradient(head)
    assert all(p.grad.isfinite().all() for p in head.parameters())


def test_one_picture_of_two_without_faces():
    pictures = [PICTURES[0], ([], [], (64, 64))]
    head = group_head(sampler=random_sampler(10**6))
    outputs = noisy_outputs(head)
    losses = losses_of(head, outputs, pictures)
    expected = expected_losses(
        outputs, pictures, **LAYOUTS['finest'], samples=[range(10**6)] * 2)
    for name, value in expected.items():
        assert losses[name].item() == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize('layout', LAYOUTS)
def test_equals_rpn_head(layout):
    """Where the rules coincide: all but the divisor of the regression."""
    ours = group_head(layout, loss_cls=SOFTMAX, sampler=random_sampler(10**6))
    stock = group_head(
        layout,
        kind='RPNHead',
        loss_cls=SOFTMAX,
        sampler=random_sampler(10**6))
    assert ours.state_dict().keys() == stock.state_dict().keys()
    maps = neck_maps(ours)
    outputs = ours(maps)
    torch.testing.assert_close(outputs, stock(maps))
    losses, expected = (losses_of(head, outputs) for head in (ours, stock))
    drawn = stock._raw_positive_infos['sampling_results']
    positives = sum(len(d.pos_inds) for d in drawn)
    samples = positives + sum(len(d.neg_inds) for d in drawn)
    torch.testing.assert_close(losses['loss_cls'],
                               sum(expected['loss_rpn_cls']))
    torch.testing.assert_close(losses['loss_bbox'] * positives / samples,
                               sum(expected['loss_rpn_bbox']))


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('decoded', [False, True])
def test_equals_anchor_head_with_focal_loss(layout, decoded):
    """Without a sampler, also the divisors are the same."""
    options = dict(loss_cls=FOCAL, reg_decoded_bbox=decoded)
    if decoded:
        options['loss_bbox'] = BOX_LOSSES['log_iou']
    ours = group_head(layout, **options)
    stock = group_head(layout, kind='AnchorHead', num_classes=1, **options)
    outputs = noisy_outputs(ours)
    losses, expected = (losses_of(head, outputs) for head in (ours, stock))
    for name in losses:
        torch.testing.assert_close(losses[name], sum(expected[name]))


def test_pos_weight():
    head = group_head(sampler=random_sampler(10**6))
    outputs = noisy_outputs(head)
    plain_loss = losses_of(head, outputs)
    head.train_cfg.pos_weight = 1.0
    torch.testing.assert_close(losses_of(head, outputs), plain_loss)
    head.train_cfg.pos_weight = 3.0
    weighted = losses_of(head, outputs)
    assert weighted['loss_cls'] > plain_loss['loss_cls']
    assert weighted['loss_bbox'] == plain_loss['loss_bbox']
