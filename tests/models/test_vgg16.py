"""VGG-16 with the maps before its poolings."""
import copy

import pytest
import torch
from mmdet.registry import MODELS
from torch import nn

from tinyfaces.models.backbones import VGG16
from tinyfaces.models.layers import receptive_fields

# Of torchvision's vgg16().features: places of the convolutions, and outputs.
CONVOLUTIONS = {
    0: 64,
    2: 64,
    5: 128,
    7: 128,
    10: 256,
    12: 256,
    14: 256,
    17: 512,
    19: 512,
    21: 512,
    24: 512,
    26: 512,
    28: 512
}


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(0)
    model = VGG16(out_indices=(0, 1, 2, 3, 4))
    model.init_weights()
    return model.eval()


def test_parameters_have_the_names_of_torchvision(network):
    entries = {
        f'features.{place}.{name}'
        for place in CONVOLUTIONS
        for name in ('weight', 'bias')
    }
    assert set(network.state_dict()) == entries
    for place, channels in CONVOLUTIONS.items():
        assert network.features[place].out_channels == channels
    # The number of the paper (Simonyan and Zisserman, model D) without its
    # fully connected layers.
    assert sum(x.numel() for x in network.parameters()) == 14714688


def test_maps_are_those_before_the_poolings(network):
    """conv1_2 to conv5_3, computed layer by layer."""
    picture = torch.randn(1, 3, 50, 37)
    with torch.no_grad():
        found = network(picture)
        x, wanted = picture, []
        for place in range(30):
            if place in CONVOLUTIONS:
                conv = network.features[place]
                x = nn.functional.conv2d(x, conv.weight, conv.bias, padding=1)
                after_conv = True
            elif after_conv:
                x, after_conv = x.relu(), False
            else:
                wanted.append(x)
                x = nn.functional.max_pool2d(x, 2)
        wanted.append(x)
    assert [tuple(x.shape[1:]) for x in found] == [(64, 50, 37), (128, 25, 18),
                                                   (256, 12, 9), (512, 6, 4),
                                                   (512, 3, 2)]
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize('shape', [(15, 40), (33, 1), (7, 9), (16, 15)])
def test_small_pictures_are_padded(network, shape):
    """With zeros, until the last map has a cell."""
    picture = torch.randn(1, 3, *shape)
    height, width = (max(16, side) for side in shape)
    padded = torch.zeros(1, 3, height, width)
    padded[..., :shape[0], :shape[1]] = picture
    with torch.no_grad():
        found = network(picture)
        for one, other in zip(found, network(padded), strict=True):
            assert torch.equal(one, other)
        assert found[-1].shape[2:] == (height // 16, width // 16)
        # Not more than the last map needs.
        assert VGG16(out_indices=(1, ))(
            picture[..., :1, :1])[0].shape[2:] == (1, 1)


def test_receptive_fields(network):
    """Those of the maps before the poolings; 92 and 196 pixels."""
    found = receptive_fields(network)
    assert [each.stride for each in found] == [1, 2, 4, 8, 16]
    assert [each.size for each in found] == [5, 14, 40, 92, 196]
    # Cell k is about the pixels k * stride to (k + 1) * stride - 1.
    assert all(each.after - each.before == each.stride - 1 for each in found)


def test_nothing_is_there_behind_the_last_output(network):
    model = VGG16(out_indices=(1, 3))
    assert len(model.features) == 23
    model.load_state_dict({
        k: v
        for k, v in network.state_dict().items() if k in model.state_dict()
    })
    picture = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        found, every = model(picture), network(picture)
    assert len(found) == 2
    assert torch.equal(found[0], every[1])
    assert torch.equal(found[1], every[3])


def test_weights_of_the_whole_network_are_taken(tmp_path, network):
    """A file with the classifier that torchvision's has."""
    state = copy.deepcopy(network.state_dict())
    state['classifier.0.weight'] = torch.zeros(1)
    torch.save(state, tmp_path / 'vgg16.pth')
    model = MODELS.build(
        dict(
            type='VGG16',
            init_cfg=dict(
                type='Pretrained', checkpoint=str(tmp_path / 'vgg16.pth'))))
    model.init_weights()
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_frozen_stages():
    model = VGG16(out_indices=(2, ), frozen_stages=2)
    # before and after a change of mode
    for network in (model, model.eval().train()):
        assert network is model
        frozen = {
            name.split('.')[1]
            for name, p in model.named_parameters() if not p.requires_grad
        }
        assert frozen == {'0', '2', '5', '7'}
    model(torch.rand(1, 3, 16, 16))[0].sum().backward()
    assert model.features[10].weight.grad.any()


def test_gradients_and_initial_weights():
    model = VGG16()
    maps = model(torch.rand(1, 3, 32, 32))
    sum(x.sum() for x in maps).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    assert model.init_cfg == dict(type='Kaiming', layer='Conv2d')


@pytest.mark.parametrize('arguments, message', [
    (dict(out_indices=()), 'out_indices'),
    (dict(out_indices=(4, 3)), 'rising'),
    (dict(out_indices=(3, 3)), 'rising'),
    (dict(out_indices=(3, 5)), '0 to 4'),
    (dict(out_indices=(-1, )), '0 to 4'),
    (dict(frozen_stages=6), 'frozen_stages must be 0 to 5'),
    (dict(frozen_stages=-1), 'frozen_stages'),
])
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        VGG16(**arguments)
