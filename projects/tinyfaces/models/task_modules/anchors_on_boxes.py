"""Which anchors lie on some boxes, the best of each box first."""
import torch
from mmdet.structures.bbox import bbox_overlaps
from torch import Tensor

# Pairs of a box and an anchor held at a time; 40 bytes each.
_MAX_PAIRS = 2**21


def anchors_on_boxes(anchors: Tensor,
                     boxes: Tensor,
                     iou_thr: float,
                     max_anchors: int | None = None) -> Tensor:
    """Find the anchors on boxes, in rounds.

    An anchor is on a box if their IoU is ``iou_thr`` or more, or above 0 and
    as large as that of any anchor with the box. The first round is the best
    anchor of each box, by the boxes' order, the second one the next best of
    each, and so on, so that boxes with many anchors leave the others theirs.

    Args:
        anchors: Shape (n, 4), n > 0.
        boxes: Shape (m, 4), m > 0.
        iou_thr: See above.
        max_anchors: Rounds at most; None for no limit.

    Returns:
        Tensor: Indices of anchors, each one once, where it comes first.
    """
    step = max(1, _MAX_PAIRS // len(anchors))
    claims = [
        _ranked(bbox_overlaps(some, anchors), iou_thr, max_anchors)
        for some in boxes.split(step)
    ]
    ranks, columns = (torch.cat(parts) for parts in zip(*claims))
    columns = columns[ranks.argsort(stable=True)]
    order = columns.argsort(stable=True)
    found = columns[order]
    first = torch.ones_like(found, dtype=torch.bool)
    first[1:] = found[1:] != found[:-1]
    return columns[order[first].sort().values]


def _ranked(overlaps: Tensor, iou_thr: float,
            max_anchors: int | None) -> tuple[Tensor, Tensor]:
    """Rank (k, ) and index (k, ) of the anchors on each box.

    Args:
        overlaps: IoU of m boxes with n anchors, shape (m, n).
        iou_thr: See :func:`anchors_on_boxes`.
        max_anchors: Likewise.

    Returns:
        tuple: The first box's anchors, the next box's, and so on.
    """
    best = overlaps.amax(dim=1, keepdim=True)
    rows, columns = torch.nonzero(
        (overlaps >= iou_thr) | ((overlaps == best) & (best > 0)),
        as_tuple=True)
    order = overlaps[rows, columns].argsort(descending=True, stable=True)
    order = order[rows[order].argsort(stable=True)]
    rows, columns = rows[order].contiguous(), columns[order]
    ranks = torch.arange(len(rows), device=rows.device)
    ranks = ranks - torch.searchsorted(rows, rows)
    if max_anchors is None:
        return ranks, columns
    return ranks[ranks < max_anchors], columns[ranks < max_anchors]
