"""Receptive fields of other shapes than the square."""
import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmdet.registry import MODELS
from torch import Tensor, nn

KERNELS = ((1, 5), (5, 1), (1, 3), (3, 1))


@MODELS.register_module()
class RFEBlock(nn.Module):
    """Receptive Field Enhancement (RefineFace, section 3.5, Fig. 7a).

    Four branches, each a 1x1 convolution to a quarter of the channels, a
    rectangular one (1x5, 5x1, 1x3 or 3x1) and another 1x1; their outputs side
    by side pass a last 1x1 convolution, and the input is added. Each
    convolution has a bias and a ReLU and no normalisation. After the addition
    there is no ReLU: the paper does not say, SRN's code has none.

    At 256 channels it has 214,016 parameters, 18 % of those of the two 3x3
    convolutions that it replaces, and like them it looks 2 cells far.

    Args:
        channels: Of input and output, a multiple of 4.

    Raises:
        ValueError: ``channels`` is not a multiple of 4.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels < 4 or channels % 4:
            raise ValueError(
                f'RFEBlock needs a multiple of 4 channels, not {channels}')
        quarter = channels // 4
        self.branches = nn.ModuleList(
            nn.Sequential(
                ConvModule(channels, quarter, 1),
                ConvModule(
                    quarter,
                    quarter,
                    kernel,
                    padding=(kernel[0] // 2,
                             kernel[1] // 2)), ConvModule(quarter, quarter, 1))
            for kernel in KERNELS)
        self.merge = ConvModule(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, channels, H, W), in and out."""
        # The first convolutions of the branches as one: the same values, and
        # with the addition in place about a quarter less time on a CPU.
        first = [branch[0].conv for branch in self.branches]
        reduced = F.conv2d(x, torch.cat([conv.weight for conv in first]),
                           torch.cat([conv.bias for conv in first]))
        parts = F.relu(reduced, inplace=True).chunk(len(first), dim=1)
        merged = self.merge(
            torch.cat([
                branch[2](branch[1](part))
                for branch, part in zip(self.branches, parts)
            ],
                      dim=1))
        # A gradient needs what the ReLU returned.
        return x + merged if merged.requires_grad else merged.add_(x)
