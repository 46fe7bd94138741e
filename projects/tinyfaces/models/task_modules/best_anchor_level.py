"""The pyramid level of the anchor that overlaps a box best."""
import torch
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from torch import Tensor


@torch.no_grad()
def best_anchor_levels(
        boxes: Tensor, generator: AnchorGenerator,
        featmap_sizes: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """Level of each box's best-overlapping anchor, without all the anchors.

    The intersection of a box with anchors of one shape is an overlap in x,
    which depends on the anchor's column alone, times one in y, which depends
    on its row, and neither grows with the distance between the centres. So
    the best anchor of a shape is the one whose centre is nearest in x and in
    y: one IoU per box and shape (12 for six levels of two) is enough. All
    anchors of the maps count, also those that reach out of the picture.

    Args:
        boxes: Shape (k, 4), xyxy in pixels of the network's input.
        generator: Of the anchors, with L levels.
        featmap_sizes: (height, width) of each level's map.

    Returns:
        tuple[Tensor, Tensor]: Level of each box, shape (k, ), 0 to L - 1, and
        the IoU with its best anchor, shape (k, ). Of equal overlaps the first
        level wins, so a box that overlaps no anchor is on level 0.

    Raises:
        ValueError: There is not one map per level.
    """
    if len(featmap_sizes) != generator.num_levels:
        raise ValueError(f'{len(featmap_sizes)} feature maps for anchors on '
                         f'{generator.num_levels} levels')
    boxes = boxes if boxes.dtype == torch.float64 else boxes.float()
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1, keepdim=True)
    ious = []
    for anchors, strides, (height, width) in zip(generator.base_anchors,
                                                 generator.strides,
                                                 featmap_sizes):
        anchors = anchors.to(boxes)
        inter = (
            _overlaps(boxes[:, 0::2], anchors[:, 0::2], strides[0], width) *
            _overlaps(boxes[:, 1::2], anchors[:, 1::2], strides[1], height))
        union = areas + (anchors[:, 2:] - anchors[:, :2]).prod(dim=1) - inter
        ious.append((inter / union).amax(dim=1))
    best, levels = torch.stack(ious, dim=1).max(dim=1)
    return levels, best


def _overlaps(boxes: Tensor, anchors: Tensor, stride: int,
              steps: int) -> Tensor:
    """Length shared with the nearest copy of each anchor, along one axis.

    Args:
        boxes: (k, 2), start and end.
        anchors: (a, 2), start and end in the first cell.
        stride: Distance of the cells in pixels.
        steps: Number of cells.

    Returns:
        Tensor: (k, a).
    """
    distance = (boxes.sum(dim=1)[:, None] - anchors.sum(dim=1)) / 2
    shift = (distance / stride).round().clamp(0, steps - 1) * stride
    end = torch.minimum(boxes[:, 1:], anchors[:, 1] + shift)
    start = torch.maximum(boxes[:, :1], anchors[:, 0] + shift)
    return (end - start).clamp(min=0)
