"""TopDownNeck against sums by hand and PyTorch's own operations."""
import pytest
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import nn

from tinyfaces.models import TopDownNeck

CHANNELS = (4, 8, 12, 16)
PYRAMID = ('P2', 'P3', 'P4', 'P5')
LATERALS = {
    PYRAMID: '2345',
    ('P2', ): '2345',
    ('P3', ): '345',
    ('P4', ): '45',
    ('P5', ): '5',
    ('C3', ): '3',
    ('C4', ): '4',
    ('C2', 'C4'): '24',
}


def backbone_maps(width=128, height=96, channels=CHANNELS, value=None):
    generator = torch.Generator().manual_seed(0)
    maps = [
        torch.randn(
            2, c, -(-height // s), -(-width // s), generator=generator)
        for c, s in zip(channels, (4, 8, 16, 32))
    ]
    if value is not None:
        maps = [torch.full_like(m, value) for m in maps]
    return maps


def neck_of(outputs, **options):
    torch.manual_seed(0)
    return TopDownNeck(CHANNELS, 8, outputs=outputs, **options)


@pytest.mark.parametrize('outputs, sums', [
    (PYRAMID, (1111, 1110, 1100, 1000)),
    (('P2', ), (1111, )),
    (('P3', ), (1110, )),
    (('P4', ), (1100, )),
    (('C3', ), (10, )),
    (('C4', ), (100, )),
    (('C2', 'C4'), (1, 100)),
])
@pytest.mark.parametrize('size', [(128, 96), (101, 67), (33, 5)])
def test_constant_maps(outputs, sums, size):
    """Laterals of 1, 10, 100 and 1000; upsampling keeps a constant."""
    neck = neck_of(outputs)
    for name, conv in neck.lateral_convs.items():
        nn.init.zeros_(conv.weight)
        nn.init.constant_(conv.bias, 10**int(name))
    maps = backbone_maps(*size)
    outs = neck(maps)
    assert len(outs) == len(outputs)
    for out, name, value in zip(outs, outputs, sums):
        like = maps[int(name[1]) - 2]
        assert out.shape == (2, 8, *like.shape[-2:])
        torch.testing.assert_close(out, torch.full_like(out, value))


def test_bilinear_by_hand():
    """Two cells become four: weights 1, 3/4, 1/4 and 0, as cells are areas."""
    neck = TopDownNeck((1, 1), 1, outputs=('P2', ))
    for conv in neck.lateral_convs.values():
        nn.init.ones_(conv.weight)
        nn.init.zeros_(conv.bias)
    fine = torch.tensor([[[[100., 200., 300., 400.]]]])
    out, = neck([fine, torch.tensor([[[[0., 4.]]]])])
    assert out.tolist() == [[[[100., 201., 303., 404.]]]]


@pytest.mark.parametrize('outputs', LATERALS)
@pytest.mark.parametrize('size', [(128, 96), (101, 67)])
def test_equals_transcription(outputs, size):
    """P5 = lateral of C5; each finer one its own plus the upsampled."""
    neck = neck_of(outputs)
    weights = neck_of(PYRAMID).state_dict()
    neck.load_state_dict({name: weights[name] for name in neck.state_dict()})
    maps = backbone_maps(*size)
    expected = {}
    for at in (3, 2, 1, 0):
        name = f'lateral_convs.{at}'
        lateral = F.conv2d(maps[at], weights[f'{name}.weight'],
                           weights[f'{name}.bias'])
        expected[f'C{at + 2}'] = lateral
        if at < 3:
            lateral = lateral + F.interpolate(
                expected[f'P{at + 3}'],
                size=lateral.shape[-2:],
                mode='bilinear',
                align_corners=False)
        expected[f'P{at + 2}'] = lateral
    torch.testing.assert_close(
        list(neck(maps)), [expected[name] for name in outputs])


@pytest.mark.parametrize('size', [(128, 96), (101, 67)])
@pytest.mark.parametrize('steps', [(1, 2, 4, 8), (2, 3)])
def test_subsample_is_a_stride(size, steps):
    whole, = neck_of(('P2', ))(backbone_maps(*size))
    outs = neck_of(('P2', ), subsample=steps)(backbone_maps(*size))
    assert len(outs) == len(steps)
    for out, step in zip(outs, steps):
        assert torch.equal(out, whole[:, :, ::step, ::step])
        assert out.shape[-2:] == tuple(-(-n // step) for n in whole.shape[-2:])


@pytest.mark.parametrize('outputs, levels, subsample',
                         [(*item, None)
                          for item in LATERALS.items()] + [(('P2', ), '2345',
                                                            (2, 4)),
                                                           (('C3', ), '3',
                                                            (2, ))])
def test_only_what_is_used(outputs, levels, subsample):
    """No lateral without a gradient, and no parameters but laterals."""
    neck = neck_of(outputs, subsample=subsample)
    shapes = {n: tuple(p.shape) for n, p in neck.named_parameters()}
    assert shapes == {
        f'lateral_convs.{int(level) - 2}.{name}': shape
        for level in levels
        for name, shape in (('weight', (8, CHANNELS[int(level) - 2], 1, 1)),
                            ('bias', (8, )))
    }
    sum(out.sum() for out in neck(backbone_maps())).backward()
    assert all(p.grad is not None for p in neck.parameters())


def test_backbone_of_three_stages():
    """As a detector on C4 has it; the coarsest map is then P4."""
    maps = backbone_maps()[:3]
    out, = TopDownNeck(CHANNELS[:3], 8, outputs=('C4', ))(maps)
    assert out.shape[-2:] == maps[2].shape[-2:]
    neck = TopDownNeck(CHANNELS[:3], 8, outputs=('P4', ))
    torch.testing.assert_close(neck(maps)[0], neck.lateral_convs['2'](maps[2]))


def test_xavier():
    """Uniform in +-sqrt(6 / (fan in + fan out)), biases 0."""
    torch.manual_seed(0)
    neck = MODELS.build(
        dict(type='TopDownNeck', in_channels=CHANNELS, out_channels=32))
    neck.init_weights()
    for conv in neck.lateral_convs.values():
        bound = (6 / (conv.in_channels + conv.out_channels))**.5
        assert .8 * bound < conv.weight.abs().max() <= bound
        assert not conv.bias.any()


@pytest.mark.parametrize('options, message', [
    (dict(outputs=()), 'some of P2 to P5'),
    (dict(outputs=('P6', )), 'some of P2 to P5'),
    (dict(outputs=('P1', )), 'some of P2 to P5'),
    (dict(outputs=('res2', )), 'some of P2 to P5'),
    (dict(outputs=('P3', 'P2')), 'finest first'),
    (dict(outputs=('P3', 'P3')), 'finest first'),
    (dict(outputs=('C3', 'P4')), 'some of P2 to P5'),
    (dict(outputs='P2'), 'a list of names'),
    (dict(subsample=(1, 2)), 'for one output'),
    (dict(outputs=('P2', ), subsample=()), 'subsample'),
    (dict(outputs=('P2', ), subsample=(0, )), 'at least 1'),
])
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        TopDownNeck(CHANNELS, 8, **options)


def test_bad_number_of_maps():
    with pytest.raises(ValueError, match='gives 3 maps'):
        neck_of(('P2', ))(backbone_maps()[:3])
