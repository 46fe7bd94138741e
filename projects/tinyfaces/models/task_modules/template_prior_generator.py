"""Templates of Finding Tiny Faces as the priors of one map of cells."""
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from mmdet.registry import TASK_UTILS
from torch import Tensor

from tinyfaces.templates import load_templates, templates_from_dicts


@TASK_UTILS.register_module()
class TemplatePriorGenerator(AnchorGenerator):
    """Windows of fixed sizes around every cell of one map.

    "Finding Tiny Faces", section 4: templates t(h, w, sigma), shapes found by
    clustering, each at the resolution sigma at which it is detected best.
    Training takes no notice of sigma, so that every template is a prior on
    every picture; testing picks templates by ``scale`` and ``role``.

    Args:
        templates: None for the 25 published ones; a name or a path, see
            :func:`~tinyfaces.templates.load_templates`; or a list of dicts
            with ``width`` and ``height`` in pixels and, optional, ``scale``
            (default 1) and ``role`` (``'A'``, ``'B'`` or default None).
        stride: Pixels from cell to cell.
        offset: Centre of the first cell, in pixels from the picture's left
            and upper edge; cell k has ``stride * k + offset``. A ResNet
            padded as in torchvision has .5, the centre of the first pixel.
            The released MATLAB models have -1.5 (their -1 where the first
            pixel is 1).

    Attributes:
        templates (tuple[Template]): In the order of the priors of a cell.
        num_templates (int): N.
        offset (float): See above.
        sizes (Tensor): Widths and heights, (N, 2) float32.
        base_anchors (list[Tensor]): Of the first cell, one (N, 4).

    Raises:
        FileNotFoundError: There is no such file of templates.
        ValueError: An argument is out of range, or the templates are.
    """

    def __init__(self,
                 templates: str | Path | Iterable[Mapping] | None = None,
                 stride: int = 8,
                 offset: float = .5) -> None:
        if stride < 1:
            raise ValueError(f'stride must be at least 1, not {stride}')
        if not math.isfinite(offset):
            raise ValueError(f'offset must be a number, not {offset}')
        if templates is None or isinstance(templates, (str, Path)):
            templates = load_templates(templates)
        else:
            templates = templates_from_dicts(templates)
        self.templates = tuple(templates)
        self.num_templates = len(self.templates)
        self.offset = float(offset)
        self.sizes = torch.tensor([[each.width, each.height]
                                   for each in self.templates],
                                  dtype=torch.float32)
        super().__init__(
            strides=[stride],
            ratios=[1.],
            scales=[1.],
            centers=[(self.offset, self.offset)])

    def gen_base_anchors(self) -> list[Tensor]:
        """Windows of the first cell, one (N, 4) of xyxy."""
        half = self.sizes / 2
        return [torch.cat([self.offset - half, self.offset + half], dim=1)]

    def __repr__(self) -> str:
        return (f'{type(self).__name__}({self.num_templates} templates, '
                f'stride={self.strides[0][0]}, offset={self.offset})')
