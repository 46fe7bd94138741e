"""The scale group that an anchor or a region of interest belongs to."""
import math
from collections.abc import Sequence

import torch
from mmdet.structures.bbox import BaseBoxes, get_box_tensor
from torch import Tensor


def group_edges(group_scales: Sequence[float]) -> list[float]:
    """Sizes that part the groups: geometric means of neighbouring scales.

    Args:
        group_scales: Scale of each group in pixels, ascending.

    Returns:
        list[float]: One less than there are groups.

    Raises:
        ValueError: There is no scale, or they are not positive and ascending.
    """
    scales = [float(scale) for scale in group_scales]
    if not scales or not all(
            low < high for low, high in zip([0., *scales], scales)):
        raise ValueError('group_scales must be positive and ascending, in '
                         f'pixels, not {tuple(group_scales)}')
    return [math.sqrt(low * high) for low, high in zip(scales, scales[1:])]


def group_indices(boxes: Tensor | BaseBoxes,
                  group_scales: Sequence[float]) -> Tensor:
    """Group of each anchor or region: the nearest scale, as a ratio.

    "Group Sampling for Scale Invariant Face Detection" groups anchors by
    their scale (section 4.2); anchors of the paper's scales and ratio 1 get
    just that. For the regions of Grouped Fast R-CNN it names no rule; this
    one parts 16, 32, 64 and 128 at 22.6, 45.3 and 90.5 pixels.

    Args:
        boxes: Shape (n, 4), xyxy in pixels of the network's input. Boxes
            without area belong to the first group.
        group_scales: Scale of each group in pixels, ascending.

    Returns:
        Tensor: Index of the group, 0 to ``len(group_scales)`` - 1, shape
        (n, ) int64. The square root of width times height decides; a size
        on the border belongs to the lower group.

    Raises:
        ValueError: See :func:`group_edges`.
    """
    edges = group_edges(group_scales)
    boxes = get_box_tensor(boxes)
    # In float16 an area over 65,504 is infinite.
    boxes = boxes if boxes.dtype == torch.float64 else boxes.float()
    widths, heights = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).unbind(dim=1)
    return torch.bucketize((widths * heights).sqrt(), boxes.new_tensor(edges))
