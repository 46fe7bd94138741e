"""The two feature pyramids of RefineFace."""
from collections.abc import Sequence

from mmdet.models.necks import FPN
from mmdet.registry import MODELS
from torch import Tensor, nn

P6_SOURCES = dict(lateral='on_lateral', p5='on_output')


@MODELS.register_module()
class RefineFPN(FPN):
    """Feature maps of both steps (RefineFace, section 3 and Fig. 3; SRN).

    First step: C2 to C5 of the backbone, C6 and C7 by 3x3 convolutions of
    stride 2 after C5 and C6, each through a 1x1 convolution of its own.
    Second step: :class:`mmdet.models.necks.FPN`'s P2 to P7 (and its parameter
    names). No map is normalised or passes a ReLU.

    What paper and code of SRN say, and the defaults:

    - C6 and C7: "two simple down-sample 3x3 convolution layers after C5"
      (paper); SRN's code halves the channels for C6 and has ``out_channels``
      in C7 (2048, 1024, 256 for ResNet-50). This is the default.
    - P6: "down-sampled ... after P5" (paper); SRN's code takes the lateral of
      C5, before P5's smoothing. Default: the code, which is exact.
    - Upsampling: "the same as" FPN (paper), which is nearest; SRN's code is
      bilinear. Default: the code. ``upsample_cfg=dict(mode='nearest')`` is
      the other.
    - Initialisation: Xavier for all new convolutions (paper; default). SRN's
      code draws them from N(0, 0.01): ``init_cfg=dict(type='Normal',
      layer='Conv2d', std=0.01)``.

    With ``first_step=False, p6_from='p5', upsample_cfg=dict(mode='nearest')``
    it is the neck of the RetinaNet-face baseline.

    Args:
        in_channels: Channels of the backbone's maps.
        out_channels: Channels of all maps here.
        num_outs: Levels L, at least as many as the backbone's maps.
        first_step: For which levels there are first-step maps: ``True`` all,
            ``False`` none, or their indices. Of others nothing is computed.
        extra_channels: Channels of the first-step maps after the backbone's
            (C6, C7) before the 1x1; one number each.
        p6_from: ``'lateral'`` or ``'p5'``.
        upsample_cfg: Arguments of ``torch.nn.functional.interpolate``.
        init_cfg: Initialisation.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int = 256,
        num_outs: int = 6,
        first_step: bool | Sequence[int] = True,
        extra_channels: Sequence[int] | None = None,
        p6_from: str = 'lateral',
        upsample_cfg: dict = dict(mode='bilinear', align_corners=False),
        init_cfg: dict = dict(
            type='Xavier', layer='Conv2d', distribution='uniform')
    ) -> None:
        if p6_from not in P6_SOURCES:
            raise ValueError(
                f"p6_from must be 'lateral' or 'p5', not {p6_from!r}")
        extras = num_outs - len(in_channels)
        if extras < 0:
            raise ValueError(f'num_outs={num_outs} is less than the '
                             f'{len(in_channels)} maps of the backbone')
        super().__init__(
            list(in_channels),
            out_channels,
            num_outs,
            add_extra_convs=P6_SOURCES[p6_from],
            upsample_cfg=upsample_cfg,
            init_cfg=init_cfg)
        if extra_channels is None:
            extra_channels = [in_channels[-1] // 2] * extras
            extra_channels[1:] = [out_channels] * max(0, extras - 1)
        elif len(extra_channels) != extras:
            raise ValueError(f'extra_channels needs {extras} numbers, not '
                             f'{len(extra_channels)}')
        self.first_step_levels = self._levels(first_step)
        highest = max(self.first_step_levels, default=-1)
        channels = [*in_channels, *extra_channels]
        self.downsample_convs = nn.ModuleList(
            nn.Conv2d(channels[i - 1], channels[i], 3, stride=2, padding=1)
            for i in range(len(in_channels), highest + 1))
        # By level, so that names do not depend on first_step
        self.reduce_convs = nn.ModuleDict({
            str(i):
            nn.Conv2d(channels[i], out_channels, 1)
            for i in self.first_step_levels
        })

    def _levels(self, first_step: bool | Sequence[int]) -> tuple[int, ...]:
        if isinstance(first_step, bool):
            return tuple(range(self.num_outs)) if first_step else ()
        levels = tuple(sorted(set(first_step)))
        if levels and not 0 <= levels[0] <= levels[-1] < self.num_outs:
            raise ValueError('first_step must be a bool or indices of 0 to '
                             f'{self.num_outs - 1}, not {first_step}')
        return levels

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
        """Maps of all levels, each of shape (N, out_channels, H, W).

        Args:
            inputs: The backbone's maps, C2 to C5 for four.

        Returns:
            tuple: L first-step maps, None on levels that have none, then L
            second-step maps; only the latter if no level has a first step.
        """
        second = super().forward(inputs)
        if not self.first_step_levels:
            return second
        maps = list(inputs)
        for conv in self.downsample_convs:
            maps.append(conv(maps[-1]))
        first = [None] * self.num_outs
        for level in self.first_step_levels:
            first[level] = self.reduce_convs[str(level)](maps[level])
        return *first, *second
