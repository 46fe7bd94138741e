"""Windows of a map of cells: which overlap a box, and by how much."""
import torch
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from torch import Tensor

_BITS = 2**32 - 1


class TemplateWindows:
    """Windows of N sizes around each of H x W cells, in float64.

    Windows are numbered template by template, then row by row: window
    ``(n * H + y) * W + x``.

    Args:
        prior_generator: Of one level.
        featmap_size: (H, W).
        device: Where all tensors are.

    Attributes:
        shape (tuple): (N, H, W).
        count (int): Windows in all.
        areas (Tensor): Of the templates, (N, ), in square pixels.

    Raises:
        ValueError: The prior generator has several levels.
    """

    def __init__(self, prior_generator: AnchorGenerator,
                 featmap_size: tuple[int, int], device: torch.device) -> None:
        if prior_generator.num_levels != 1:
            raise ValueError('the prior generator must have one level, not '
                             f'{prior_generator.num_levels}')
        windows = prior_generator.base_anchors[0].to(device).double()
        height, width = featmap_size
        self.shape = len(windows), height, width
        self.count = len(windows) * height * width
        self._sizes = windows[:, 2:] - windows[:, :2]
        self._centers = (windows[:, 2:] + windows[:, :2]) / 2
        self._stride = prior_generator.strides[0]
        self.areas = self._sizes.prod(dim=1)

    def crossing(self, area: tuple[float, float, float, float]) -> Tensor:
        """Windows that cross an edge of an area or lie outside of it.

        Args:
            area: x1, y1, x2, y2.

        Returns:
            Tensor: (N, H, W) bool.
        """
        outside = []
        for axis, cells in ((0, self.shape[2]), (1, self.shape[1])):
            centers = self._centers[:, axis,
                                    None] + self._stride[axis] * torch.arange(
                                        cells, device=self.areas.device)
            half = self._sizes[:, axis, None] / 2
            outside.append((centers - half < area[axis])
                           | (centers + half > area[axis + 2]))
        return outside[1][:, :, None] | outside[0][:, None, :]

    def overlapping(self, boxes: Tensor,
                    need: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """All windows that have at least some area in common with a box.

        The area in common is the product of a width that depends on the
        window's x alone and a height that depends on y alone. So rows of
        cells are found for each box and template first, and then, from what
        is still needed in a row, its cells.

        Args:
            boxes: (B, 4) xyxy.
            need: Square pixels, above 0, for each box and template, (B, N).
                Windows that lack a billionth of it may be among the result.

        Returns:
            tuple: Four tensors of shape (K, ), in the order of the boxes: a
            box, a template, the number of a window of this template, and the
            area that the box and the window have in common.
        """
        sizes = boxes[:, 2:] - boxes[:, :2]
        centers = (boxes[:, 2:] + boxes[:, :2]) / 2
        # So that rounding errors let no window be missed.
        need = need * (1 - 1e-9)
        # Width and height in common where both have the same centre.
        most = torch.minimum(sizes[:, None], self._sizes)
        reached = (most[..., 0] * most[..., 1] >= need) & (most > 0).all(-1)
        box, template = torch.nonzero(reached, as_tuple=True)

        most = most[box, template]
        need = need[box, template]
        half = (sizes[box] + self._sizes[template]) / 2
        offset = centers[box] - self._centers[template]
        pair, y = self._cells(offset[:, 1], half[:, 1] - need / most[:, 0], 1)
        high = _common(y * self._stride[1], offset[pair, 1], half[pair, 1],
                       most[pair, 1])

        offset, half, most = offset[pair, 0], half[pair, 0], most[pair, 0]
        row, x = self._cells(offset, half - need[pair] / high, 0)
        common = high[row] * _common(x * self._stride[0], offset[row],
                                     half[row], most[row])
        box, template = box[pair], template[pair]
        first = (template * self.shape[1] + y) * self.shape[2]
        return box[row], template[row], first[row] + x, common

    def _cells(self, offset: Tensor, reach: Tensor,
               axis: int) -> tuple[Tensor, Tensor]:
        """Cells on an axis (0 x, 1 y) that are close enough to something.

        Args:
            offset: Where it is, from the centre of cell 0, (m, ) in pixels.
            reach: How far away a cell may be, (m, ) in pixels.
            axis: 0 x, 1 y.

        Returns:
            tuple: Index of the thing and of the cell, both (k, ).
        """
        stride, cells = self._stride[axis], self.shape[2 - axis]
        first = ((offset - reach) / stride).ceil().clamp(min=0)
        last = ((offset + reach) / stride).floor().clamp(max=cells - 1)
        counts = (last - first + 1).clamp(min=0).long()
        thing = torch.repeat_interleave(counts)
        before = first.long() - (counts.cumsum(0) - counts)
        cell = torch.arange(len(thing), device=offset.device) + before[thing]
        return thing, cell


def _common(position: Tensor, offset: Tensor, half: Tensor,
            most: Tensor) -> Tensor:
    """Length that two intervals have in common, above 0.

    Args:
        position: Centre of the one, from some origin.
        offset: Centre of the other.
        half: Half of the sum of their lengths.
        most: The shorter length.
    """
    return torch.minimum(most, half - (position - offset).abs())


def tie_noise(seed: int, face: Tensor, window: Tensor) -> Tensor:
    """A random number from 0 to 1 for each face and window.

    It is a hash of the three arguments, so that it is the same whatever else
    is computed, in whatever order.

    Args:
        seed: From 0 to 2**32 - 1.
        face: Index of a face, (n, ) int64.
        window: Number of a window, (n, ) int64.

    Returns:
        Tensor: (n, ) float64, in [0, 1).
    """
    bits = _scramble((_scramble(face ^ seed) + window) & _BITS)
    return bits.double() / 2**32


def _scramble(value: Tensor) -> Tensor:
    """A permutation of the 32-bit numbers that looks random."""
    for _ in range(2):
        # The factor is small enough for products to fit in 63 bits.
        value = ((value ^ (value >> 16)) * 0x45d9f3b) & _BITS
    return value ^ (value >> 16)
