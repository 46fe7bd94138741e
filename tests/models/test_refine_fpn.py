"""RefineFPN against its description and MMDetection's FPN."""
import pytest
import torch
import torch.nn.functional as F
from mmdet.models.necks import FPN
from mmdet.registry import MODELS

from tinyfaces.models import RefineFPN

CHANNELS = (4, 8, 12, 16)


def backbone_maps(width=128, height=128, channels=CHANNELS):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(
            2, c, -(-height // s), -(-width // s), generator=generator)
        for c, s in zip(channels, (4, 8, 16, 32))
    ]


def transcription(maps, weights, p6_from, mode):
    """All twelve maps from a state dict, by SRN's wiring."""

    def conv(name, x, **options):
        return F.conv2d(x, weights[f'{name}.weight'], weights[f'{name}.bias'],
                        **options)

    c6 = conv('downsample_convs.0', maps[3], stride=2, padding=1)
    c7 = conv('downsample_convs.1', c6, stride=2, padding=1)
    first = [
        conv(f'reduce_convs.{i}', x) for i, x in enumerate([*maps, c6, c7])
    ]
    laterals = [conv(f'lateral_convs.{i}.conv', x) for i, x in enumerate(maps)]
    for low in (2, 1, 0):
        options = {} if mode == 'nearest' else dict(align_corners=False)
        laterals[low] = laterals[low] + F.interpolate(
            laterals[low + 1],
            size=laterals[low].shape[-2:],
            mode=mode,
            **options)
    second = [
        conv(f'fpn_convs.{i}.conv', x, padding=1)
        for i, x in enumerate(laterals)
    ]
    source = laterals[3] if p6_from == 'lateral' else second[3]
    for i in (4, 5):
        source = conv(f'fpn_convs.{i}.conv', source, stride=2, padding=1)
        second.append(source)
    return first + second


@pytest.mark.parametrize('p6_from', ['lateral', 'p5'])
@pytest.mark.parametrize('mode', ['bilinear', 'nearest'])
@pytest.mark.parametrize('size', [(128, 128), (100, 68)])
def test_equals_transcription(p6_from, mode, size):
    torch.manual_seed(0)
    options = {}
    if mode == 'nearest':
        options['upsample_cfg'] = dict(mode='nearest')
    neck = RefineFPN(CHANNELS, 8, p6_from=p6_from, **options)
    maps = backbone_maps(*size)
    outs = neck(maps)
    expected = transcription(maps, neck.state_dict(), p6_from, mode)
    assert len(outs) == 12
    for out, other in zip(outs, expected):
        torch.testing.assert_close(out, other)


def test_code_is_the_default():
    """P6 from the lateral of C5, bilinear upsampling."""
    neck = RefineFPN(CHANNELS, 8)
    maps = backbone_maps()
    expected = transcription(maps, neck.state_dict(), 'lateral', 'bilinear')
    torch.testing.assert_close(list(neck(maps)), expected)


def test_equals_the_neck_of_the_baseline():
    """Also its state dict."""
    fpn = FPN([*CHANNELS], 8, num_outs=6, add_extra_convs='on_output')
    neck = RefineFPN(
        CHANNELS,
        8,
        first_step=False,
        p6_from='p5',
        upsample_cfg=dict(mode='nearest'))
    neck.load_state_dict(fpn.state_dict())
    maps = backbone_maps()
    outs, expected = neck(maps), fpn(maps)
    assert len(outs) == len(expected) == 6
    assert all(torch.equal(*pair) for pair in zip(outs, expected))


@pytest.mark.parametrize('levels, downsampling', [((0, ), 0), ((3, 2), 0),
                                                  ((4, ), 1), ((1, 5), 2)])
def test_first_step_on_some_levels(levels, downsampling):
    """The maps are those of the whole neck, and nothing else is computed."""
    whole = RefineFPN(CHANNELS, 8)
    neck = RefineFPN(CHANNELS, 8, first_step=levels)
    weights = whole.state_dict()
    neck.load_state_dict({name: weights[name] for name in neck.state_dict()})
    maps = backbone_maps()
    outs, expected = neck(maps), whole(maps)
    assert len(outs) == 12
    for level in range(6):
        if level in levels:
            assert torch.equal(outs[level], expected[level])
        else:
            assert outs[level] is None
    assert all(torch.equal(*pair) for pair in zip(outs[6:], expected[6:]))
    assert len(neck.downsample_convs) == downsampling
    sum(out.sum() for out in outs if out is not None).backward()
    assert all(p.grad is not None for p in neck.parameters())


@pytest.mark.parametrize('channels, out, extra', [
    ((256, 512, 1024, 2048), 256, [(1024, 2048), (256, 1024)]),
    ((64, 128, 256, 512), 256, [(256, 512), (256, 256)]),
    ((24, 32, 96, 320), 64, [(160, 320), (64, 160)]),
])
def test_widths(channels, out, extra):
    """ResNet-50 as in SRN's code, ResNet-18, MobileNetV2 with 64."""
    neck = RefineFPN(channels, out)
    assert [tuple(c.weight.shape[:2]) for c in neck.downsample_convs] == extra
    assert [tuple(c.weight.shape) for c in neck.reduce_convs.values()] == [
        (out, c, 1, 1) for c in (*channels, extra[0][0], extra[1][0])
    ]


def test_given_extra_channels():
    neck = RefineFPN(CHANNELS, 8, extra_channels=(20, 24))
    assert [c.out_channels for c in neck.downsample_convs] == [20, 24]


def test_xavier():
    """Uniform in +-sqrt(6 / (fan in + fan out)), biases 0."""
    torch.manual_seed(0)
    neck = MODELS.build(
        dict(type='RefineFPN', in_channels=CHANNELS, out_channels=32))
    neck.init_weights()
    for name, parameter in neck.named_parameters():
        if name.endswith('bias'):
            assert not parameter.any()
            continue
        outs, ins, height, width = parameter.shape
        bound = (6 / ((ins + outs) * height * width))**.5
        assert .8 * bound < parameter.abs().max() <= bound


@pytest.mark.parametrize('options, message', [
    (dict(p6_from='c5'), 'p6_from'),
    (dict(num_outs=3), 'num_outs=3'),
    (dict(extra_channels=(8, )), 'extra_channels needs 2'),
    (dict(first_step=(6, )), 'first_step'),
    (dict(first_step=(-1, )), 'first_step'),
])
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        RefineFPN(CHANNELS, 8, **options)
