"""fc6 and fc7 of VGG-16 as the shared head of a RoI head."""
import pytest
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS

from tinyfaces.models.layers import VGG16Classifier


def small(**kwargs):
    torch.manual_seed(0)
    return VGG16Classifier(in_channels=2, roi_feat_size=3, hidden=5, **kwargs)


def test_parameters_are_torchvisions():
    """Names and shapes of the first two layers of its classifier."""
    with torch.device('meta'):
        layer = MODELS.build(dict(type='VGG16Classifier'))
    assert {
        k: tuple(v.shape)
        for k, v in layer.state_dict().items()
    } == {
        'classifier.0.weight': (4096, 512 * 7 * 7),
        'classifier.0.bias': (4096, ),
        'classifier.3.weight': (4096, 4096),
        'classifier.3.bias': (4096, ),
    }


def test_weights_of_a_whole_network_fit(tmp_path):
    """Those of the convolutions and of the last layer are left."""
    weights = {
        f'classifier.{k}': v + 1
        for k, v in small().classifier.state_dict().items()
    }
    others = {
        'features.0.weight': torch.zeros(64, 3, 3, 3),
        'classifier.6.weight': torch.zeros(1000, 5)
    }
    path = tmp_path / 'vgg16.pth'
    torch.save({**weights, **others}, path)
    layer = small(init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    layer.init_weights()
    for name, value in layer.state_dict().items():
        assert torch.equal(value, weights[name])


def test_forward_by_hand():
    layer = small().eval()
    rois = torch.rand(4, 2, 3, 3)
    fc6, fc7 = layer.classifier[0], layer.classifier[3]
    # Channels first, then rows, then columns, as torchvision flattens
    rows = torch.stack([
        rois[:, c, y, x] for c in range(2) for y in range(3) for x in range(3)
    ], 1)
    wanted = F.relu(F.linear(rows, fc6.weight, fc6.bias))
    wanted = F.relu(F.linear(wanted, fc7.weight, fc7.bias))
    found = layer(rois)
    assert found.shape == (4, 5, 1, 1)
    torch.testing.assert_close(found[:, :, 0, 0], wanted)
    assert layer(rois[:0]).shape == (0, 5, 1, 1)


@pytest.mark.parametrize('dropout', [0., .5])
def test_dropout_in_training_alone(dropout):
    layer = small(dropout=dropout)
    rois = torch.rand(64, 2, 3, 3)
    assert torch.equal(layer(rois), layer(rois)) == (dropout == 0)
    assert torch.equal(layer.eval()(rois), layer(rois))


def test_initialised_without_weights():
    layer = small()
    layer.init_weights()
    bound = (6 / (18 + 5))**.5
    assert layer.classifier[0].weight.abs().max() <= bound
    assert layer.classifier[0].weight.std() > .3 * bound
    assert not layer.classifier[3].bias.any()
