"""TemplateHead's losses against a transcription."""
import pytest
import template_transcription as plain
import torch
from face_samples import sample
from mmdet.models.utils import unpack_gt_instances
from refine_models import total, without_gradient
from tiny_faces_models import (ALL_LABELLED, SIZES, backbone_maps, lively,
                               noisy_outputs, template_head)

SHAPES = [size[:2] for size in SIZES]
# Faces that fit a template well, somewhat, hardly; two close to each other,
# one at an edge and one as small as a cell.
PICTURES = [
    ((0, 0, 96, 96), [[21, 24, 41, 50], [25, 27, 45, 53], [60.5, 60, 75, 77],
                      [70, 2, 95, 30], [3, 70, 20, 88],
                      [50, 10, 58, 20]], [[44, 40, 70, 60]]),
    ((10, 0, 80, 70), [[30, 20, 70, 66], [11, 2, 30, 27], [60, 50, 80,
                                                           70]], []),
]


def samples_of(pictures):
    """Those that fill the input have no valid_area."""
    samples = []
    for area, faces, ignored in pictures:
        one = sample(faces, ignored, size=96)
        if area != (0, 0, 96, 96):
            one.set_metainfo(dict(valid_area=torch.tensor(area).float()))
        samples.append(one)
    return samples


def losses_of(head, outputs, pictures=PICTURES):
    faces, ignored, metas = unpack_gt_instances(samples_of(pictures))
    return head.loss_by_feat(*outputs, faces, metas, ignored)


def expected(outputs, choose, pictures=PICTURES, **options):
    logits, deltas = (each.detach().double() for each in outputs)
    deltas = deltas.unflatten(1, (4, -1))
    return plain.losses(logits.tolist(), deltas.tolist(), pictures, SHAPES,
                        choose, **options)


def assert_close(losses, values):
    assert losses.keys() == values.keys()
    for name, value in values.items():
        assert losses[name].shape == ()
        assert losses[name].item() == pytest.approx(value, rel=1e-4), name


@pytest.mark.parametrize('negative_border', [False, True])
@pytest.mark.parametrize('min_loss', [None, .03, .5])
def test_equals_transcription(negative_border, min_loss):
    """Of all labelled windows, or the hard ones."""
    head = template_head(
        assigner=dict(negative_border=negative_border),
        sampler=dict(ALL_LABELLED, min_loss=min_loss))
    outputs = noisy_outputs(head, spread=3.)
    numbers = []

    def hard(index, labelled):
        kept = [each for each in labelled if each[2] >= (min_loss or 0)]
        numbers.append((len(kept), len(labelled)))
        return kept

    losses = losses_of(head, outputs)
    assert_close(losses,
                 expected(outputs, hard, negative_border=negative_border))
    assert all(0 < kept < every or min_loss is None for kept, every in numbers)
    gradients = torch.autograd.grad(total(losses), outputs)
    trained = [int((g != 0).flatten(1).any(0).sum()) for g in gradients]
    assert 0 < trained[1] < trained[0]


def test_what_the_sampler_sees_and_draws():
    """Labels and losses of labelled windows, template by template; what it
    draws trains, and nothing else."""
    head = template_head()
    outputs = noisy_outputs(head, spread=3.)
    seen, drawn = [], []
    draw = head.sampler.sample

    def recorded(labels, losses, seeds):
        seen.append((labels.tolist(), losses))
        drawn.append(draw(labels, losses, seeds))
        assert not losses.requires_grad
        return drawn[-1]

    head.sampler.sample = recorded

    def choose(index, labelled):
        labels, losses = seen[index]
        assert labels == [label for _, label, _ in labelled]
        torch.testing.assert_close(
            losses, torch.tensor([loss for _, _, loss in labelled]))
        picked = [labelled[place] for place in drawn[index].tolist()]
        assert 0 < sum(label < 0 for _, label, _ in picked) <= 128
        assert min(loss for _, _, loss in picked) >= .03
        return picked

    head.sampler.num_negatives = 40
    losses = losses_of(head, outputs)
    assert_close(losses, expected(outputs, choose))
    gradient, _ = torch.autograd.grad(total(losses), outputs)
    assert (gradient != 0).sum() == sum(len(each) for each in drawn)
    assert len(drawn[0]) < len(seen[0][0])


def test_at_the_start():
    """All probabilities are .5: log 2 for each of 256 windows at most, and
    the size of the targets for each positive."""
    head = template_head()
    maps = backbone_maps(head)
    logits, deltas = head(maps)
    numbers = []

    def first(index, labelled):
        positive = [each for each in labelled if each[1] > 0][:128]
        negative = [each for each in labelled if each[1] < 0][:128]
        numbers.append(len(positive) + len(negative))
        return positive + negative

    losses = head.loss(maps, samples_of(PICTURES))
    assert_close(losses, expected((logits, deltas), first))
    assert losses['loss_cls'].item() == pytest.approx(.6931472 * sum(numbers) /
                                                      2)


def test_sums_over_windows_and_mean_over_pictures():
    """Not divided by the number of positives: twice the picture, the same."""
    head = template_head(sampler=ALL_LABELLED)
    outputs = [each[:1] for each in noisy_outputs(head)]
    one = losses_of(head, outputs, PICTURES[:1])
    two = losses_of(head, [torch.cat([each, each]) for each in outputs],
                    PICTURES[:1] * 2)
    for name in one:
        torch.testing.assert_close(one[name], two[name])
    empty = ((0, 0, 96, 96), [], [])
    half = losses_of(head, [torch.cat([each, each]) for each in outputs],
                     [PICTURES[0], empty])
    torch.testing.assert_close(half['loss_bbox'] * 2, one['loss_bbox'])


def test_weights_of_the_losses():
    outputs = noisy_outputs(template_head())
    plain_losses, heavy = (
        losses_of(template_head(sampler=ALL_LABELLED, **options), outputs)
        for options in (
            {},
            dict(
                loss_cls=dict(
                    type='CrossEntropyLoss', use_sigmoid=True, loss_weight=2.),
                loss_bbox=dict(type='SmoothL1Loss', beta=1., loss_weight=3.))))
    torch.testing.assert_close(heavy['loss_cls'], plain_losses['loss_cls'] * 2)
    torch.testing.assert_close(heavy['loss_bbox'],
                               plain_losses['loss_bbox'] * 3)


def test_hard_windows_do_not_depend_on_the_weight():
    """The threshold is that of the logistic loss itself."""
    outputs = noisy_outputs(template_head(), spread=3.)
    hard = dict(ALL_LABELLED, min_loss=.5)
    light, heavy = (
        losses_of(
            template_head(
                sampler=hard,
                loss_cls=dict(
                    type='CrossEntropyLoss',
                    use_sigmoid=True,
                    loss_weight=weight)), outputs) for weight in (1., 4.))
    torch.testing.assert_close(heavy['loss_cls'], light['loss_cls'] * 4)
    torch.testing.assert_close(heavy['loss_bbox'], light['loss_bbox'])


@pytest.mark.parametrize('pictures', [
    [((0, 0, 96, 96), [], [])] * 2,
    [((0, 0, 96, 96), [], [[-99, -99, 200, 200]])] * 2,
    [((40, 40, 41, 41), [], [])] * 2,
    [PICTURES[0], ((0, 0, 96, 96), [], [])],
])
def test_without_faces(pictures):
    """No regression; and nothing at all if the picture is ignored, or too
    small for any window. Each parameter gets a gradient still."""
    head = lively(template_head())
    losses = head.loss(backbone_maps(head), samples_of(pictures))
    faces = any(faces for _, faces, _ in pictures)
    nothing = pictures[0][2:] == ([[-99, -99, 200, 200]
                                   ], ) or (pictures[0][0] == (40, 40, 41, 41))
    assert (losses['loss_bbox'] > 0) == faces
    assert (losses['loss_cls'] == 0) == nothing
    total(losses).backward()
    assert not without_gradient(head)
    assert all(p.grad.isfinite().all() for p in head.parameters())


def test_valid_area_is_the_picture_without_it():
    """Windows on the padding train nothing."""
    head = template_head(sampler=ALL_LABELLED)
    outputs = noisy_outputs(head, pictures=1)
    picture = sample(size=96)
    picture.set_metainfo(dict(img_shape=(50, 80)))
    faces, ignored, metas = unpack_gt_instances([picture])
    losses = head.loss_by_feat(*outputs, faces, metas, ignored)
    gradient, = torch.autograd.grad(losses['loss_cls'], outputs[:1])
    # The centres of 14 x 16 pixels: up to (73, 42), in steps of 8 from .5
    rows, columns = torch.nonzero(gradient[0, 2], as_tuple=True)
    assert set(rows.tolist()) == set(range(1, 6))
    assert set(columns.tolist()) == set(range(1, 10))
