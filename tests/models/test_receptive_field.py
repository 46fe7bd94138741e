"""Theoretical receptive fields against those known or computed by hand."""
import pytest
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import nn

from tinyfaces.models.layers import receptive_fields


def fields(**config):
    return receptive_fields(MODELS.build(config))


def resnet_by_hand(blocks, caffe):
    """Sides of C2 to C5 of a ResNet of bottlenecks.

    A 7x7 of stride 2 and a pooling of 3x3, stride 2; and one 3x3 per block,
    of which the first of C3, C4 and C5 has the stride itself (pytorch) or
    comes after the 1x1 that has it (caffe).
    """
    side, stride, sides = 7 + 2 * 2, 4, []
    for stage, number in enumerate(blocks):
        before, stride = stride, stride * (2 if stage else 1)
        side += 2 * (stride if caffe else before) + 2 * stride * (number - 1)
        sides.append(side)
    return sides


@pytest.mark.parametrize('depth, blocks', [(50, (3, 4, 6, 3)),
                                           (101, (3, 4, 23, 3))])
@pytest.mark.parametrize('style', ['pytorch', 'caffe'])
def test_resnet(depth, blocks, style):
    found = fields(type='ResNet', depth=depth, style=style)
    assert [field.size
            for field in found] == resnet_by_hand(blocks, style == 'caffe')
    assert [field.stride for field in found] == [4, 8, 16, 32]
    assert all(field.before == field.after == field.reach for field in found)
    assert [field.coarsest for field in found] == [4, 8, 16, 32]


def test_known_figures():
    """res4 of ResNet-50 spans 291 pixels (the paper's section 3.1), and
    conv4_3 and conv5_3 of VGG16 92 and 196."""
    assert resnet_by_hand((3, 4, 6, 3), caffe=True)[2] == 291
    assert resnet_by_hand((3, 4, 23, 3), caffe=False)[2] == 811
    layers, channels = [], 3
    for stage, number in enumerate((2, 2, 3, 3, 3)):
        for _ in range(number):
            layers += [nn.Conv2d(channels, 4, 3, padding=1), nn.ReLU()]
            channels = 4
        layers.append(nn.MaxPool2d(2))
    conv4_3 = nn.Sequential(*layers[:-8])
    conv5_3 = nn.Sequential(*layers[:-1])
    one, two = (
        receptive_fields(net, lambda twin, x: [twin(x)])[0]
        for net in (conv4_3, conv5_3))
    assert (one.stride, one.size, two.stride, two.size) == (8, 92, 16, 196)
    # Cell k is about pixels 8k to 8k + 7, and sees as far on both sides.
    assert one.before == one.after - 7


class Net(nn.Module):
    """A small network of what backbones and necks are made of."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 5, stride=2, padding=2)
        self.norm = nn.BatchNorm2d(4)
        self.deep = nn.Conv2d(4, 4, 3, stride=2, padding=1)
        self.dilated = nn.Conv2d(4, 4, 3, padding=2, dilation=2)
        self.short = nn.Conv2d(4, 4, 1, stride=2)
        self.lopsided = nn.Conv2d(4, 4, (2, 1))

    def forward(self, x):
        fine = F.relu(self.norm(self.stem(x)))
        pooled = F.avg_pool2d(fine, 2)
        deep = self.dilated(F.leaky_relu(self.deep(fine))) + self.short(fine)
        first, second = torch.cat([deep, pooled], 1).split(4, dim=1)
        up = F.interpolate(
            self.lopsided(first + second)[..., :999, :],
            scale_factor=2,
            mode='bilinear',
            align_corners=False)
        nearest = F.interpolate(deep, scale_factor=2.)
        height = min(fine.shape[-2], up.shape[-2], nearest.shape[-2])
        joined = (
            fine[..., :height, :] + up[..., :height, :] +
            nearest[..., :height, :])
        return fine, deep, pooled, up, joined


def looked_at(net, output, side):
    """Pixels before and after that any cell of a map depends on."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.rand_like(parameter) + .1)
    picture = torch.rand(1, 3, side, side, dtype=torch.float64) + .1
    picture.requires_grad_()
    feature = net(picture)[output]
    stride = round(side / feature.shape[-1])
    before = after = 0
    middle = feature.shape[-1] // 2
    for cell in range(middle - 2, middle + 2):
        for axis in (2, 3):
            place = feature.sum(1)[0].select(axis - 2, cell)
            gradient, = torch.autograd.grad(
                place.sum(), picture, retain_graph=True)
            seen = torch.nonzero(gradient.sum((0, 1)).sum(3 - axis))
            before = max(before, stride * cell - int(seen.min()))
            after = max(after, int(seen.max()) - stride * cell)
    return stride, before, after


@pytest.mark.parametrize('output', range(5))
def test_equals_what_gradients_say(output):
    net = Net().double().eval()
    field = receptive_fields(net)[output]
    assert field[:3] == looked_at(net, output, 64)
    assert field.coarsest == (2 if output == 0 else 4)


def test_in_inference_mode():
    """Where torch shows a tracer other operations; and afterwards."""
    net = Net()
    expected = receptive_fields(net)
    with torch.inference_mode():
        assert receptive_fields(net) == expected
        assert receptive_fields(Net()) == expected
    assert receptive_fields(net) == expected


def test_network_is_left_as_it_is():
    net = Net().train()
    before = {name: value.clone() for name, value in net.named_parameters()}
    runs = []
    for hook in (net.stem.register_forward_hook,
                 net.register_forward_pre_hook):
        hook(lambda *_: runs.append(1))
    receptive_fields(net)
    assert not runs
    net(torch.zeros(1, 3, 64, 64))
    assert len(runs) == 2
    assert net.training and net.norm.training
    for name, value in net.named_parameters():
        assert value.device.type == 'cpu'
        assert torch.equal(value, before[name])


@pytest.mark.parametrize('layer, message', [
    (lambda x: x * x.mean((2, 3), keepdim=True), 'behind mean is not known'),
    (lambda x: F.adaptive_avg_pool2d(x, 1), 'is not known'),
    (lambda x: x.flatten(2).transpose(1, 2), 'behind view is not known'),
    (lambda x: x @ x, 'is not known'),
    (lambda x: F.group_norm(x, 1), 'group_norm is not known'),
    (lambda x: F.conv_transpose2d(x, torch.ones(3, 3, 2, 2, device='meta')),
     'convolution is not known'),
    (lambda x: x[..., 1:, :], 'slice is not known'),
    (lambda x: x[..., ::2, :], 'slice is not known'),
    (lambda x: F.interpolate(x[..., :7], 10), 'differs from cell to cell'),
    (lambda x: F.interpolate(x, 512 * 3), 'cells would be no whole pixels'),
    (lambda x: x + F.avg_pool2d(x, 512), 'joined cell by cell'),
])
def test_not_known(layer, message):

    class Other(nn.Module):

        def forward(self, x):
            return [layer(x)]

    with pytest.raises(ValueError, match=message):
        receptive_fields(Other())
