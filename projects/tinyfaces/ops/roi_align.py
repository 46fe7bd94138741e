"""RoIAlign (He et al., ICCV 2017, section 3) as mmcv has it.

Each bin of a RoI is the average, or the maximum, of bilinear samples. An
average is a weighted sum of feature vectors, one bag of pixels per bin, and
its gradient is one bag of bins per pixel: both are one ``embedding_bag``,
without atomics and with the same result every time.
"""
from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .roi_samples import RoIGroup, axis_corners, group_rois

_MAX, _AVG = 0, 1
# Worked on at once: samples (200 to 400 bytes each) where only indices and
# weights are held, values (10 to 20 bytes) where those of every sample are.
_STEP_SAMPLES, _STEP_VALUES = 1 << 19, 1 << 23


@torch.no_grad()
def roi_align_forward(input: Tensor, rois: Tensor, output: Tensor,
                      argmax_y: Tensor, argmax_x: Tensor, aligned_height: int,
                      aligned_width: int, spatial_scale: float,
                      sampling_ratio: int, pool_mode: int,
                      aligned: bool) -> None:
    """Pools each RoI into a grid of bins.

    Sums of half types are taken in float32. Samples lie where they lie in
    the compiled op, which computes their positions in the type of ``rois``:
    with float16 that costs accuracy at large coordinates, there and here.
    Working memory is a copy of the features plus a constant, as long as no
    single RoI needs more than that.

    Args:
        input (Tensor): (N, C, H, W) features.
        rois (Tensor): (K, 5) picture index, x1, y1, x2, y2 in pixels of the
            picture.
        output (Tensor): (K, C, aligned_height, aligned_width), filled in
            place.
        argmax_y (Tensor): Maximum pooling: like ``output``, filled with the
            row (in pixels of the features) of the largest sample, -1 where
            there is none. Average pooling: not used.
        argmax_x (Tensor): The same for the column.
        aligned_height (int): Bins per RoI, vertically.
        aligned_width (int): Bins per RoI, horizontally.
        spatial_scale (float): Pixels of the features per picture pixel.
        sampling_ratio (int): Samples per bin and axis; 0 or less: as many
            as the bin has pixels along that axis, rounded up.
        pool_mode (int): 0 maximum, 1 average.
        aligned (bool): Shift by half a pixel, because pixel centres lie at
            .5; otherwise RoIs are at least one pixel wide and high.

    Raises:
        RuntimeError: ``aligned``, on the CPU, and a RoI has a negative
            width or height.
        ValueError: There is no such ``pool_mode``.
    """
    _check_mode(pool_mode)
    if output.numel() == 0:
        return
    channels, height, width = input.shape[1:]
    working = torch.promote_types(input.dtype, torch.float32)
    table = _to_rows(input.to(working))
    step = _STEP_SAMPLES if pool_mode == _AVG else _STEP_VALUES // channels
    for group in group_rois(rois, (aligned_height, aligned_width),
                            spatial_scale, sampling_ratio, aligned, step):
        shape = (len(group.rois), aligned_height, aligned_width, channels)
        if pool_mode == _AVG:
            index, weight = group.pixels(height, width)
            total = _weighted_sums(table, index, weight)
            mean = total / max(1, group.samples_per_bin)
            _put_rows(output, group.rois, mean.view(shape))
        else:
            results = _maximum(table, group, height, width)
            for result, rows in zip((output, argmax_y, argmax_x), results):
                _put_rows(result, group.rois, rows.view(shape))


@torch.no_grad()
def roi_align_backward(grad_output: Tensor, rois: Tensor, argmax_y: Tensor,
                       argmax_x: Tensor, grad_input: Tensor,
                       aligned_height: int, aligned_width: int,
                       spatial_scale: float, sampling_ratio: int,
                       pool_mode: int, aligned: bool) -> None:
    """Adds the gradient of the features to ``grad_input``.

    Args:
        grad_output (Tensor): (K, C, aligned_height, aligned_width).
        rois (Tensor): (K, 5), as in :func:`roi_align_forward`, and so are
            all arguments not named here.
        argmax_y (Tensor): What the forward pass wrote.
        argmax_x (Tensor): What the forward pass wrote.
        grad_input (Tensor): (N, C, H, W), added to in place.

    Raises:
        RuntimeError, ValueError: As :func:`roi_align_forward`.
    """
    _check_mode(pool_mode)
    if grad_output.numel() == 0:
        return
    working = torch.promote_types(grad_input.dtype, torch.float32)
    if pool_mode == _MAX:
        gradient = _maximum_gradient(grad_output, rois.to(working), argmax_y,
                                     argmax_x, grad_input.shape)
        grad_input += gradient.to(grad_input.dtype)
        return
    images, channels, height, width = grad_input.shape
    table = grad_output.new_zeros((images * height * width, channels),
                                  dtype=working)
    for group in group_rois(rois, (aligned_height, aligned_width),
                            spatial_scale, sampling_ratio, aligned,
                            _STEP_SAMPLES):
        if group.samples_per_bin:
            bins = _to_rows(grad_output[group.rois].to(working))
            index, weight = group.pixels(height, width)
            _add_transposed(table, bins / group.samples_per_bin, index, weight)
    gradient = table.view(images, height, width, channels)
    grad_input += gradient.permute(0, 3, 1, 2).to(grad_input.dtype)


def _check_mode(pool_mode: int) -> None:
    """Raises ValueError for anything but 0 and 1."""
    if pool_mode not in (_MAX, _AVG):
        raise ValueError(f'roi_align has the pool modes 0 (max) and 1 (avg), '
                         f'not {pool_mode}')


def _to_rows(maps: Tensor) -> Tensor:
    """(N, C, H, W) -> (N * H * W, C)."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def _put_rows(maps: Tensor, where: Tensor, rows: Tensor) -> None:
    """Sets maps[where] (K, C, h, w) from rows (G, h, w, C)."""
    maps[where] = rows.permute(0, 3, 1, 2).to(maps.dtype)


def _weighted_sums(table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Sums of weighted rows of a table, one per row of ``index``.

    Args:
        table (Tensor): (P, C).
        index (Tensor): (B, L) int64 rows of the table; L may be 0.
        weight (Tensor): (B, L).

    Returns:
        Tensor: (B, C).
    """
    if index.shape[1] == 0:
        return table.new_zeros(len(index), table.shape[1])
    return F.embedding_bag(index, table, mode='sum', per_sample_weights=weight)


def _add_transposed(table: Tensor, bins: Tensor, index: Tensor,
                    weight: Tensor) -> None:
    """The transpose of :func:`_weighted_sums`, added to ``table``.

    Args:
        table (Tensor): (P, C), added to in place.
        bins (Tensor): (B, C).
        index (Tensor): (B, L) int64 rows of ``table``.
        weight (Tensor): (B, L).
    """
    pixels, order = index.flatten().sort()
    pixels, counts = pixels.unique_consecutive(return_counts=True)
    # Every pixel is there once, so that adding by index is safe.
    table[pixels] += F.embedding_bag(
        order // index.shape[1],
        bins,
        counts.cumsum(0) - counts,
        mode='sum',
        per_sample_weights=weight.flatten()[order])


def _maximum(table: Tensor, group: RoIGroup, height: int,
             width: int) -> Tuple[Tensor, Tensor, Tensor]:
    """Largest sample of each bin, its row and its column, each (B, C).

    The compiled op starts from a floor (-10,000 on the CPU, the smallest
    float32 on CUDA), takes only what is larger, and of equal samples the
    first; -1 as row and column say that there is none.
    """
    on_cpu = table.device.type == 'cpu'
    floor = -10000. if on_cpu else torch.finfo(torch.float32).min
    bins = len(group.rois) * group.y.shape[1] * group.x.shape[1]
    if group.samples_per_bin == 0:
        none = table.new_full((bins, table.shape[1]), -1)
        return torch.full_like(none, floor), none, none
    index, weight = group.pixels(height, width)
    values = _weighted_sums(table, index.view(-1, 4), weight.view(-1, 4))
    values = torch.where(values > floor, values, floor)
    best, sample = values.view(bins, group.samples_per_bin,
                               table.shape[1]).max(1)
    grid_w = group.x.shape[2]
    y = group.y[:, :, None].expand(-1, -1, group.x.shape[1], -1)
    x = group.x[:, None].expand(-1, group.y.shape[1], -1, -1)
    y = y.reshape(bins, -1).gather(1, sample // grid_w)
    x = x.reshape(bins, -1).gather(1, sample % grid_w)
    found = best > floor
    return best, torch.where(found, y, -1.), torch.where(found, x, -1.)


def _maximum_gradient(grad_output: Tensor, rois: Tensor, argmax_y: Tensor,
                      argmax_x: Tensor, shape: torch.Size) -> Tensor:
    """Gradient of maximum pooling: (N, C, H, W), in the type of ``rois``.

    Each element goes to the four pixels around its own largest sample.
    """
    _, channels, height, width = shape
    total = rois.new_zeros(shape.numel())
    planes = rois[:, :1].long() * channels + torch.arange(
        channels, device=rois.device)
    per_roi = grad_output[0].numel()  # four pixels each, with an index
    for part in torch.arange(
            len(rois),
            device=rois.device).split(max(1, _STEP_VALUES // (16 * per_roi))):
        y, x = argmax_y[part].to(rois.dtype), argmax_x[part].to(rois.dtype)
        grads = grad_output[part].to(rois.dtype) * (y != -1)
        rows, row_weights = axis_corners(y, height)
        columns, column_weights = axis_corners(x, width)
        rows = (planes[part][:, :, None, None, None] * height + rows) * width
        index = rows[..., :, None] + columns[..., None, :]
        weight = row_weights[..., :, None] * column_weights[..., None, :]
        total.index_add_(0, index.flatten(),
                         (grads[..., None, None] * weight).flatten())
    return total.view(shape)
