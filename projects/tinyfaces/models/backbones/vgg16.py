"""VGG-16 that gives the maps before its poolings."""
from collections.abc import Sequence

from mmcv.cnn import VGG
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F


@MODELS.register_module()
class VGG16(VGG, BaseModule):
    """VGG-16 without its classifier, for detectors that need no fixed size.

    Its maps are the last of each stage behind the ReLU and before the
    pooling: conv1_2, conv2_2, conv3_3, conv4_3 and conv5_3, with 64, 128,
    256, 512 and 512 channels and strides 1, 2, 4, 8 and 16. (mmcv's VGG gives
    those behind the pooling, with twice the strides.) Nothing is there behind
    the last one that is asked for. The parameters have torchvision's names.

    A picture with a side below the stride of the last map is padded with
    zeros, on the right and below, until that map has a cell.

    Args:
        out_indices: Stages whose maps to give, 0 to 4, in rising order.
        frozen_stages: How many of the first stages are not trained.
        init_cfg: As in ``BaseModule``; None for Kaiming's.

    Raises:
        ValueError: ``out_indices`` or ``frozen_stages`` is out of range.
    """

    def __init__(self,
                 out_indices: Sequence[int] = (3, 4),
                 frozen_stages: int = 0,
                 init_cfg: dict | list[dict] | None = None) -> None:
        stages = sorted(set(out_indices))
        if (not stages or list(out_indices) != stages
                or not set(stages) <= set(range(5))):
            raise ValueError('out_indices must be some of 0 to 4 in rising '
                             f'order, not {out_indices}')
        if not 0 <= frozen_stages <= stages[-1] + 1:
            raise ValueError(f'frozen_stages must be 0 to {stages[-1] + 1}, '
                             f'not {frozen_stages}')
        super().__init__(
            16,
            num_stages=stages[-1] + 1,
            dilations=(1, ) * (stages[-1] + 1),
            out_indices=tuple(out_indices),
            frozen_stages=frozen_stages,
            with_last_pool=False)
        self.init_cfg = init_cfg or dict(type='Kaiming', layer='Conv2d')
        # Freezes before an optimizer is built, or a process group made.
        self.train(self.training)

    def init_weights(self) -> None:
        """As ``init_cfg`` says (mmcv's VGG knows only file names)."""
        BaseModule.init_weights(self)

    def train(self, mode: bool = True) -> 'VGG16':
        """As in ``nn.Module``; mmcv's gives None."""
        super().train(mode)
        return self

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the maps.

        Args:
            x: Pictures (N, 3, H, W).

        Returns:
            tuple[Tensor]: (N, C, H / s, W / s), rounded down, of each stage
            that was asked for; H and W with the padding.
        """
        least = 2**(len(self.range_sub_modules) - 1)
        height, width = x.shape[-2:]
        if min(height, width) < least:
            x = F.pad(x, (0, max(0, least - width), 0, max(0, least - height)))
        maps = []
        for stage, (start, end) in enumerate(self.range_sub_modules):
            for layer in self.features[start:end]:
                if stage in self.out_indices and isinstance(
                        layer, nn.MaxPool2d):
                    maps.append(x)
                x = layer(x)
        return (*maps, x)
