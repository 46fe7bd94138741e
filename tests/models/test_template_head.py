"""TemplateHead's layers and arguments."""
import pytest
import torch
import torch.nn.functional as F
from face_samples import sample
from refine_models import total, without_gradient
from tiny_faces_models import (SIZES, backbone_maps, lively, noisy_outputs,
                               template_head)

import tinyfaces.models.dense_heads.template_head as module

N = len(SIZES)


def cells_of(shape):
    return tuple(-(-side // 8) for side in shape)


@pytest.mark.parametrize('shape', [(96, 96), (104, 91), (8, 17), (1, 1)])
def test_starts_at_zero(shape):
    head = template_head()
    logits, deltas = head(backbone_maps(head, shape))
    assert logits.shape == (2, N, *cells_of(shape))
    assert deltas.shape == (2, 4 * N, *cells_of(shape))
    assert not logits.any() and not deltas.any()
    assert all(not p.any() for p in head.parameters())


def test_published_templates_are_the_default():
    head = template_head(prior_generator=dict(type='TemplatePriorGenerator'))
    shapes = {name: tuple(p.shape) for name, p in head.named_parameters()}
    assert shapes == {
        'predictors.stride8.weight': (125, 6, 1, 1),
        'predictors.stride8.bias': (125, ),
        'predictors.stride16.weight': (125, 8, 1, 1),
        'predictors.stride16.bias': (125, )
    }


def test_initialisation_can_be_another():
    head = template_head(
        init_cfg=dict(type='Normal', layer='Conv2d', std=1., bias=2.))
    for conv in head.predictors.values():
        assert conv.weight.std() > .5
        assert (conv.bias == 2).all()


def enlarged(coarse, factor, height, width):
    """Bilinear, between the centres of cells as areas; in plain loops."""
    out = torch.zeros(*coarse.shape[:2], height, width, dtype=torch.float64)

    def taps(cell, cells):
        place = min(max((cell + .5) / factor - .5, 0), cells - 1)
        low = int(place)
        return ((low, 1 - (place - low)), (min(low + 1,
                                               cells - 1), place - low))

    for y in range(height):
        for x in range(width):
            for row, down in taps(y, coarse.shape[-2]):
                for column, across in taps(x, coarse.shape[-1]):
                    out[..., y, x] += down * across * coarse[..., row, column]
    return out


@pytest.mark.parametrize('strides', [(8, 16), (4, 8, 16), (8, ), (4, ),
                                     (8, 32), (16, 8), (2, 8)])
@pytest.mark.parametrize('shape', [(96, 96), (75, 50)])
def test_sums_what_the_maps_say(strides, shape):
    """A cell of a finer map is the one with the same centre, of a coarser
    map what lies between the centres of its cells."""
    channels = tuple(range(3, 3 + len(strides)))
    head = lively(template_head(in_channels=channels, in_strides=strides))
    maps = backbone_maps(head, shape)
    height, width = cells_of(shape)
    expected = torch.zeros(2, 5 * N, height, width, dtype=torch.float64)
    for x, stride in zip(maps, strides):
        conv = head.predictors[f'stride{stride}']
        one = torch.einsum('bchw,oc->bohw', x.double(),
                           conv.weight[..., 0, 0].double())
        one = one + conv.bias.double()[:, None, None]
        if stride < 8:
            one = one[..., ::8 // stride, ::8 // stride]
        if stride > 8:
            one = enlarged(one, stride // 8, height, width)
        expected += one
    found = torch.cat(head(maps), dim=1)
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize('stride', [16, 32])
@pytest.mark.parametrize('shape', [(96, 96), (75, 50), (65, 33)])
def test_coarse_maps_alone(stride, shape):
    """The input's size tells how many cells there are."""
    head = lively(template_head(in_channels=(7, ), in_strides=(stride, )))
    maps = backbone_maps(head, shape)
    whole, _ = head(maps)
    factor = stride // 8
    assert whole.shape[-2:] == tuple(factor * -(-side // stride)
                                     for side in shape)
    height, width = cells_of(shape)
    logits, deltas = head(maps, shape)
    assert torch.equal(logits, whole[..., :height, :width])
    assert deltas.shape == (2, 4 * N, height, width)
    picture = sample(size=64)
    picture.set_metainfo(dict(batch_input_shape=shape))
    seen = []
    head.loss_by_feat = lambda *args: seen.append(args[0])
    head.loss(maps, [picture] * 2)
    assert torch.equal(seen[0], logits)


def test_input_shape_changes_nothing_else():
    head = lively(template_head())
    maps = backbone_maps(head, (75, 50))
    assert torch.equal(head(maps)[0], head(maps, (75, 50))[0])


def test_the_smallest_map_counts():
    """Poolings that round down leave 62 cells of 504 pixels at stride 16,
    and 63 at stride 8."""
    head = lively(template_head())
    fine, coarse = torch.randn(1, 6, 63, 9), torch.randn(1, 8, 31, 5)
    logits, deltas = head([fine, coarse])
    assert logits.shape[-2:] == deltas.shape[-2:] == (62, 9)
    cut, _ = head([fine[..., :62, :], coarse])
    assert torch.equal(logits, cut)


@pytest.mark.parametrize('wanted', [(0, 1, 2, 3), (1, 2), (3, ), (1, 3)])
@pytest.mark.parametrize('strides', [(8, 16), (4, 16), (8, )])
def test_templates_alone(wanted, strides, monkeypatch):
    """As computed with all others, and no other channel is computed."""
    head = lively(
        template_head(
            in_channels=range(3, 3 + len(strides)), in_strides=strides))
    maps = backbone_maps(head)
    logits, deltas = head(maps)
    channels = []
    convolve = F.conv2d

    def counted(*args, **kwargs):
        out = convolve(*args, **kwargs)
        channels.append(out.shape[1])
        return out

    monkeypatch.setattr(module.F, 'conv2d', counted)
    rows = torch.tensor(wanted)
    some, moves = head(maps, templates=rows)
    torch.testing.assert_close(some, logits[:, rows])
    torch.testing.assert_close(
        moves.unflatten(1, (4, -1)),
        deltas.unflatten(1, (4, -1))[:, :, rows])
    alone, nothing = head(maps, templates=rows, regress=False)
    torch.testing.assert_close(alone, some)
    assert nothing.shape == (2, 0, *logits.shape[-2:])
    maps_count = len(strides)
    assert channels == [5 * len(wanted)] * maps_count + [len(wanted)
                                                         ] * maps_count


def test_scores_alone():
    head = lively(template_head())
    maps = backbone_maps(head)
    logits, deltas = head(maps, regress=False)
    torch.testing.assert_close(logits, head(maps)[0])
    assert deltas.shape[1] == 0


def test_no_templates():
    head = lively(template_head())
    logits, deltas = head(backbone_maps(head), templates=torch.tensor([]))
    assert logits.shape[:2] == deltas.shape[:2] == (2, 0)


def test_priors_at():
    """Those of the generator, which has them cell by cell."""
    head = template_head()
    height, width = 5, 7
    grid, = head.prior_generator.grid_priors([(height, width)], device='cpu')
    grid = grid.reshape(height, width, N, 4).permute(2, 0, 1, 3).reshape(-1, 4)
    found = head.priors_at(torch.arange(N * height * width), (height, width))
    assert found.dtype == torch.float32
    assert torch.equal(found, grid)
    some = torch.tensor([3, 77, 12])
    assert torch.equal(head.priors_at(some, (height, width)), grid[some])


@pytest.mark.parametrize('options', [
    {},
    dict(in_channels=(5, ), in_strides=(16, )),
    dict(in_channels=(5, 6, 7), in_strides=(4, 8, 16)),
])
@pytest.mark.parametrize('faces', [[[8, 8, 30, 33]], []])
def test_every_parameter_gets_a_gradient(options, faces):
    """As distributed training needs, also without faces."""
    head = template_head(**options)
    losses = head.loss(
        backbone_maps(head),
        [sample(faces, size=96), sample(size=96)])
    assert (losses['loss_bbox'] > 0) == bool(faces)
    total(losses).backward()
    assert not without_gradient(head)
    assert all(p.grad.isfinite().all() for p in head.parameters())
    assert all(conv.bias.grad.any() for conv in head.predictors.values())


@pytest.mark.parametrize('options, message', [
    (dict(in_channels=(8, ), in_strides=(8, 16)), 'of the same maps'),
    (dict(in_channels=(), in_strides=()), 'at least one'),
    (dict(in_strides=(8, 12)), 'multiples of out_stride 8'),
    (dict(in_strides=(8, 8)), 'must differ'),
    (dict(prior_generator=dict(type='TemplatePriorGenerator', stride=16)),
     'has stride 16 and the head 8'),
])
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        template_head(**options)


def test_bad_number_of_maps():
    head = template_head()
    with pytest.raises(ValueError, match='3 maps, but in_strides are'):
        head([*backbone_maps(head), torch.zeros(2, 3, 3, 3)])


def test_other_output_strides():
    """Of the templates too."""
    head = template_head(out_stride=4, in_channels=(5, 6), in_strides=(4, 8))
    assert head.prior_generator.strides == [(4, 4)]
    logits, _ = head(backbone_maps(head, (50, 30)))
    assert logits.shape[-2:] == (13, 8)


def test_without_train_cfg():
    """As of a head that only predicts."""
    head = template_head(train_cfg=None)
    found = head.predict(backbone_maps(head), [sample(size=96)] * 2)
    assert len(found) == 2 and len(found[0])


@pytest.mark.parametrize('dtype', [torch.bfloat16])
def test_under_autocast(dtype):
    """Losses are float32, and near those without."""
    head = lively(template_head(), std=.05)
    maps = backbone_maps(head)
    pictures = [sample([[8, 8, 30, 33]], size=96), sample(size=96)]
    head.sampler.balanced = False
    with torch.autocast('cpu', dtype):
        assert head(maps)[0].dtype == dtype
        losses = head.loss(maps, pictures)
    for name, value in head.loss(maps, pictures).items():
        assert losses[name].dtype == torch.float32
        assert losses[name].item() == pytest.approx(value.item(), rel=.02)
    total(losses).backward()
    assert not without_gradient(head)


def test_losses_of_half_precision_maps():
    """Those of the same numbers in float32."""
    head = template_head()
    head.sampler.balanced = False
    halves = [each.detach().bfloat16() for each in noisy_outputs(head)]
    pictures = [sample([[8, 8, 30, 33]], size=96), sample(size=96)]
    losses, expected = (
        head.loss_by_feat(*maps, [p.gt_instances for p in pictures],
                          [p.metainfo for p in pictures])
        for maps in (halves, [each.float() for each in halves]))
    for name, value in expected.items():
        assert value > 0
        assert losses[name].dtype == torch.float32
        torch.testing.assert_close(losses[name], value)
