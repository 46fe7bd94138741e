"""Feature maps of Group Sampling's detectors."""
import re
from collections.abc import Sequence

import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn


@MODELS.register_module()
class TopDownNeck(BaseModule):
    """Top-down pathway of 1x1 laterals alone (Group Sampling, Fig. 3).

    Each map of the backbone passes a 1x1 convolution; from the coarsest on,
    each is upsampled bilinearly to the size of the next finer one and added
    to it. Unlike in FPN no 3x3 convolution smooths the sums, as the figure
    draws none; P5 of four maps is the lateral of C5 itself. A map ``Ci`` is
    the lateral of that map alone (rows C3 and C4 of Table 2, and the RPN of
    Table 1).

    Only the laterals that the outputs need are built, so that every parameter
    gets a gradient. For the same to hold for the backbone, give a detector on
    ``C4`` one of ``num_stages=3`` (C2 to C4), on ``C3`` one of 2.

    Args:
        in_channels: Channels of the backbone's maps C2, C3, ...
        out_channels: Channels of all maps here.
        outputs: Names of the maps, finest first: ``P2`` and so on, or ``C2``
            and so on, not of both kinds.
        subsample: Steps at which the one output is sub-sampled, one map for
            each: with ``outputs=('P2', )``, ``(1, 2, 4, 8)`` gives maps of
            stride 4, 8, 16 and 32 (FPN-finest-stride of section 3, "by
            sub-sampling P2"). Their cells are cells of the whole map, but
            neighbours are as many cells of it apart as the step says: a 3x3
            convolution behind it is a dilated one on the whole map.
        init_cfg: Initialisation; the paper states none, this is FPN's.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int = 256,
        outputs: Sequence[str] = ('P2', 'P3', 'P4', 'P5'),
        subsample: Sequence[int] | None = None,
        init_cfg: dict = dict(
            type='Xavier', layer='Conv2d', distribution='uniform')
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if isinstance(outputs, str):
            raise ValueError(
                f'outputs must be a list of names, not the text {outputs!r}')
        self.num_ins = len(in_channels)
        self.top_down, self.out_levels = self._parse(tuple(outputs))
        if subsample is not None and (len(self.out_levels) != 1
                                      or min(subsample, default=0) < 1):
            raise ValueError(
                'subsample must be steps of at least 1, for one output: not '
                f'{tuple(subsample)} for {tuple(outputs)}')
        self.subsample = subsample
        self.levels = self.out_levels
        if self.top_down:
            self.levels = list(range(self.out_levels[0], self.num_ins))
        # By level, so that names do not depend on outputs
        self.lateral_convs = nn.ModuleDict({
            str(level):
            nn.Conv2d(in_channels[level], out_channels, 1)
            for level in self.levels
        })

    def _parse(self, outputs: tuple[str, ...]) -> tuple[bool, list[int]]:
        """Whether outputs are summed, and the index of each one's map."""
        names = [re.fullmatch('([PC])([0-9]+)', name) for name in outputs]
        kinds = {name and name[1] for name in names}
        levels = [int(name[2]) - 2 for name in names if name]
        highest = self.num_ins - 1
        if (kinds not in ({'P'}, {'C'}) or levels != sorted(set(levels))
                or not 0 <= levels[0] <= levels[-1] <= highest):
            raise ValueError(
                f'outputs must be some of P2 to P{highest + 2} or some of C2 '
                f'to C{highest + 2}, finest first, not {outputs}')
        return kinds == {'P'}, levels

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps of shape (N, out_channels, H, W), as ``outputs`` names them.

        Args:
            inputs: The backbone's maps, as many as ``in_channels``.

        Returns:
            tuple: One map for each output, or for each step of ``subsample``.

        Raises:
            ValueError: There are more or fewer inputs.
        """
        if len(inputs) != self.num_ins:
            raise ValueError(f'the backbone gives {len(inputs)} maps, but '
                             f'in_channels tells of {self.num_ins}')
        maps = {
            level: self.lateral_convs[str(level)](inputs[level])
            for level in self.levels
        }
        if self.top_down:
            for level in reversed(self.levels[:-1]):
                maps[level] = maps[level] + F.interpolate(
                    maps[level + 1],
                    size=maps[level].shape[-2:],
                    mode='bilinear',
                    align_corners=False)
        if self.subsample is None:
            return tuple(maps[level] for level in self.out_levels)
        finest = maps[self.out_levels[0]]
        return tuple(finest[..., ::step, ::step] for step in self.subsample)
