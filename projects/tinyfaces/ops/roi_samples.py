"""Where RoIAlign takes its samples, and from which pixels.

Everything here is separable: positions and bilinear weights are computed per
axis and meet only when pixels are addressed.
"""
from dataclasses import dataclass
from typing import Dict, Iterator, List, Tuple

import torch
from torch import Tensor


@dataclass
class RoIGroup:
    """RoIs whose bins have equally many samples.

    Attributes:
        rois (Tensor): (G,) int64 positions of these RoIs among all.
        images (Tensor): (G,) int64 picture of each RoI.
        y (Tensor): (G, bins_h, grid_h) rows of the samples, in pixels of
            the features, float32 or float64; those outside are there, too.
        x (Tensor): (G, bins_w, grid_w) columns.
    """
    rois: Tensor
    images: Tensor
    y: Tensor
    x: Tensor

    @property
    def samples_per_bin(self) -> int:
        """grid_h * grid_w, may be 0."""
        return self.y.shape[2] * self.x.shape[2]

    def pixels(self, height: int, width: int) -> Tuple[Tensor, Tensor]:
        """The four pixels of each sample and their bilinear weights.

        Args:
            height (int): Rows of the features.
            width (int): Columns.

        Returns:
            tuple[Tensor, Tensor]: Indices into the (N * height * width)
            pixels of all pictures and weights, both (G * bins_h * bins_w,
            samples_per_bin * 4); samples in row-major order.
        """
        rows, row_weights = axis_corners(self.y, height)
        columns, column_weights = axis_corners(self.x, width)
        rows = (rows + (self.images * height)[:, None, None, None]) * width
        # (G, bins_h, bins_w, grid_h, grid_w, 2, 2)
        index = (
            rows[:, :, None, :, None, :, None] +
            columns[:, None, :, None, :, None, :])
        weight = (
            row_weights[:, :, None, :, None, :, None] *
            column_weights[:, None, :, None, :, None, :])
        shape = (index.shape[:3].numel(), index.shape[3:].numel())
        return index.reshape(shape), weight.reshape(shape)


def group_rois(rois: Tensor, bins: Tuple[int, int], spatial_scale: float,
               sampling_ratio: int, aligned: bool,
               max_samples: int) -> Iterator[RoIGroup]:
    """Splits the RoIs into groups of equal sampling and bounded size.

    A fixed ``sampling_ratio`` needs no transfer to the host; an adaptive
    one needs a single transfer.

    Args:
        rois (Tensor): (K, 5) picture index, x1, y1, x2, y2.
        bins (tuple[int, int]): Bins per RoI, vertically and horizontally.
        spatial_scale (float): See ``roi_align_forward``.
        sampling_ratio (int): See ``roi_align_forward``.
        aligned (bool): See ``roi_align_forward``.
        max_samples (int): Samples per group; one RoI may have more.

    Yields:
        RoIGroup: Each RoI in exactly one group.

    Raises:
        RuntimeError: See ``roi_align_forward``.
    """
    # Float16 is rounded after every step as in the compiled op: it decides
    # where samples lie and how many there are. The compiled op takes the
    # scale as float32, for every type of RoIs.
    rounding = _Rounding(rois.dtype)
    scale = rounding(torch.tensor(spatial_scale, dtype=torch.float32)).item()
    corners = rounding(rounding.widen(rois[:, 1:]) * scale)
    corners = rounding(corners - (.5 if aligned else 0.))
    starts, sizes = corners[:, :2], rounding(corners[:, 2:] - corners[:, :2])
    if not aligned:
        sizes = sizes.clamp(min=1)
    elif rois.device.type == 'cpu' and bool((sizes < 0).any()):
        # On CUDA the compiled op does not look either: it would have to
        # wait for the device.
        bad = int((sizes < 0).any(1).nonzero()[0])
        raise RuntimeError(
            f'roi_align with aligned=True needs x1 <= x2 and y1 <= y2, but '
            f'RoI {bad} is {rois[bad, 1:].tolist()}')
    sizes = torch.stack((sizes[:, 0] / bins[1], sizes[:, 1] / bins[0]), 1)
    sizes = rounding(sizes)
    for grid, members in _grids(sizes, sampling_ratio).items():
        per_roi = bins[0] * bins[1] * grid[0] * grid[1]
        for part in members.split(max(1, max_samples // max(1, per_roi))):
            y, x = (
                _axis_positions(starts[part, axis], sizes[part, axis],
                                bins[1 - axis], grid[1 - axis], rounding)
                for axis in (1, 0))
            yield RoIGroup(part, rois[part, 0].long(), y, x)


class _Rounding:
    """Rounds float32 values to float16 where that is the type of the RoIs.

    Every result is held in float32 or float64: not every release of torch
    has float16 arithmetic for CPUs. For other types nothing is rounded.

    Args:
        dtype (torch.dtype): Type of the RoIs.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self.half = dtype == torch.float16
        self.working = torch.promote_types(dtype, torch.float32)

    def widen(self, values: Tensor) -> Tensor:
        """The same values in the working type."""
        return values.to(self.working)

    def __call__(self, values: Tensor) -> Tensor:
        """The values that the type of the RoIs can hold."""
        return values.half().to(self.working) if self.half else values


def _grids(bin_sizes: Tensor,
           sampling_ratio: int) -> Dict[Tuple[int, int], Tensor]:
    """Samples per bin (vertically, horizontally) -> RoIs, (G,) int64.

    Args:
        bin_sizes (Tensor): (K, 2) width and height of a bin.
        sampling_ratio (int): See ``roi_align_forward``.
    """
    count, device = len(bin_sizes), bin_sizes.device
    if sampling_ratio > 0:
        ratio = int(sampling_ratio)
        return {(ratio, ratio): torch.arange(count, device=device)}
    groups: Dict[Tuple[int, int], List[int]] = {}
    # Float32 before rounding up, as in the compiled op. A RoI that is not
    # finite has no samples.
    sizes = bin_sizes.float().ceil().nan_to_num(0, 0, 0).clamp(min=0).long()
    for roi, (grid_w, grid_h) in enumerate(sizes.tolist()):
        groups.setdefault((grid_h, grid_w), []).append(roi)
    return {
        grid: torch.tensor(members, device=device)
        for grid, members in groups.items()
    }


def _axis_positions(start: Tensor, bin_size: Tensor, bins: int, grid: int,
                    rounding: _Rounding) -> Tensor:
    """Evenly spaced samples along one axis: (G, bins, grid).

    Args:
        start (Tensor): (G,) where the first bin starts.
        bin_size (Tensor): (G,).
        bins (int): Bins per RoI.
        grid (int): Samples per bin.
        rounding (_Rounding): Applied to every result.
    """
    numbers = torch.arange(
        max(bins, grid), dtype=start.dtype, device=start.device)
    start, size = start[:, None], bin_size[:, None]
    begins = rounding(start + rounding(numbers[:bins] * size))
    steps = rounding((numbers[:grid] + .5) * size)
    steps = rounding(steps / max(1, grid))
    return rounding(begins[:, :, None] + steps[:, None, :])


def axis_corners(positions: Tensor, size: int) -> Tuple[Tensor, Tensor]:
    """The two pixels on either side of each position along one axis.

    Up to one pixel outside of the features the border value continues;
    farther out (below -1, above ``size``) both weights are 0.

    Args:
        positions (Tensor): (...) in pixels; pixel centres are integers.
        size (int): Pixels along this axis.

    Returns:
        tuple[Tensor, Tensor]: (..., 2) int64 pixels in 0 ... size - 1, and
        (..., 2) weights.
    """
    inside = (positions >= -1) & (positions <= size)
    clipped = torch.where(inside, positions, 0.).clamp(0, size - 1)
    low = clipped.floor()
    fraction = clipped - low
    weights = torch.stack((1 - fraction, fraction), -1) * inside[..., None]
    low = low.long()
    high = (low + 1).clamp(max=size - 1)
    return torch.stack((low, high), -1), weights
