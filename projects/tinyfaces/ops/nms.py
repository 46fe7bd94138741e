"""Greedy non-maximum suppression with the semantics of mmcv's compiled op.

Two paths lead to the same indices: torchvision's kernel where it imports and
runs, and plain PyTorch. Both run on the device of the boxes.
"""
import logging
from functools import lru_cache
from typing import Callable, List, Optional

import numpy as np
import torch
from torch import Tensor

logger = logging.getLogger(__name__)

# Boxes decided at once, and box pairs compared at once. On a CPU the pairs
# of one step stay in the cache, and are so few (under 32,768) that torch does
# not share them among threads: waiting for those costs more than it gains
# whenever the machine is busy. On a GPU a step is large against its launch.
# Of a step, six float32 temporaries are alive together: 1 MiB and 200 MiB.
_CPU_BLOCK, _CPU_PAIRS = 128, (1 << 15) - 1
_GPU_BLOCK, _GPU_PAIRS = 1024, 1 << 23


@torch.no_grad()
def nms(boxes: Tensor, scores: Tensor, iou_threshold: float,
        offset: int) -> Tensor:
    """Indices of the boxes that greedy suppression keeps.

    The boxes are visited in the order of falling score; each one that is
    still there drops all later ones whose IoU with it is larger than (not
    equal to) ``iou_threshold``. Float32 input gives exactly the indices of
    mmcv's compiled op. Float16 and bfloat16, which that op refuses, are
    compared in float64.

    Memory beyond the input is bounded by a constant plus a few copies of
    the boxes; there is no N x N matrix.

    Args:
        boxes (Tensor): (N, 4) x1, y1, x2, y2, floating point.
        scores (Tensor): (N,).
        iou_threshold (float): Largest IoU at which both boxes stay.
        offset (int): 0 or 1, added to every width and height; 1 is for
            corners that are pixel indices, the last one included.

    Returns:
        Tensor: (K,) int64 indices into ``boxes`` in the order of falling
        score, on the device of ``boxes``.

    Raises:
        TypeError: The boxes are not floating point numbers.
    """
    if not boxes.is_floating_point():
        raise TypeError(f'nms needs floating point boxes, got {boxes.dtype}')
    if boxes.numel() == 0:
        return boxes.new_empty(0, dtype=torch.long)
    # The very call of the compiled op: equal scores fall into equal order.
    order = scores.sort(0, descending=True)[1].to(boxes.device)
    if boxes.dtype == torch.float32:
        # The compiled op compares with a threshold rounded to float32.
        iou_threshold = float(np.float32(iou_threshold))
    else:
        boxes = boxes.double()
    boxes = boxes[order]
    kernel = torchvision_nms(boxes.device.type) if offset == 0 else None
    if kernel is None:
        keep = _nms_sorted(boxes, iou_threshold, offset)
    else:
        # Scores that only say the order: torchvision's own sort is stable,
        # the one above need not be.
        ranks = torch.arange(
            len(boxes), 0, -1, dtype=boxes.dtype, device=boxes.device)
        keep = kernel(boxes, ranks, iou_threshold)
    return order[keep]


@lru_cache(maxsize=None)
def torchvision_nms(device_type: str) -> Optional[Callable[..., Tensor]]:
    """torchvision's kernel, if it can be used on this kind of device.

    It is used when torchvision imports and gives the right answer for two
    boxes. *Any* exception means that it is not: a CPU build of torch beside
    the torchvision of PyPI raises RuntimeError when it is imported, a CPU
    build of torchvision raises NotImplementedError for CUDA tensors.

    Args:
        device_type (str): ``torch.device.type``, for instance ``'cuda'``.

    Returns:
        callable or None: ``(boxes, scores, iou_threshold) -> indices``.
    """
    try:
        from torchvision.ops import nms as kernel
        box = torch.tensor([[0., 0., 2., 2.]], device=device_type)
        keep = kernel(box.repeat(2, 1), box.new_tensor([.5, 1.]), .5)
        if keep.tolist() != [1]:
            raise RuntimeError(f'two equal boxes gave {keep.tolist()}')
    except ModuleNotFoundError as error:
        if error.name != 'torchvision':
            logger.warning('torchvision is not used for NMS: %s', error)
        return None
    except Exception as error:
        logger.warning('torchvision is not used for NMS on %s: %s: %s',
                       device_type,
                       type(error).__name__, error)
        return None
    return kernel


def _nms_sorted(boxes: Tensor, threshold: float, offset: int) -> Tensor:
    """Greedy suppression of boxes that are sorted by falling score.

    The best boxes of what is left form a block. Their own IoU matrix, one
    transfer to the host, says which of them stay; those then drop from the
    rest in one step on the device. The work is thus bounded by kept boxes
    times boxes, as in the sequential algorithm.

    Args:
        boxes (Tensor): (N, 4), float32 or float64.
        threshold (float): See :func:`nms`.
        offset (int): See :func:`nms`.

    Returns:
        Tensor: (K,) rising int64 indices.
    """
    on_cpu = boxes.device.type == 'cpu'
    block = _CPU_BLOCK if on_cpu else _GPU_BLOCK
    x1, y1, x2, y2 = boxes.unbind(1)
    areas = (x2 - x1 + offset) * (y2 - y1 + offset)
    left = torch.stack((x1, y1, x2, y2, areas))
    index = torch.arange(len(boxes), device=boxes.device)
    kept = []
    while len(index):
        head, left = left[:, :block], left[:, block:]
        head_index, index = index[:block], index[block:]
        overlap = _overlaps(head, head, threshold, offset)
        stay = torch.tensor(
            _first_come(overlap.cpu().numpy()), device=boxes.device)
        kept.append(head_index[stay])
        dropped = _overlaps_any(head[:, stay], left, threshold, offset)
        free = (~dropped).nonzero().squeeze(1)
        left, index = left[:, free], index[free]
    return torch.cat(kept)


def _first_come(overlap: np.ndarray) -> List[int]:
    """Positions left when each one, in order, drops those it overlaps.

    Args:
        overlap (np.ndarray): (B, B) bool, symmetric; only what is right of
            the diagonal matters.

    Returns:
        list[int]: Rising positions.
    """
    rows = np.packbits(overlap, axis=1, bitorder='little')
    dropped = 0
    stay = []
    for position, row in enumerate(rows):
        if not dropped >> position & 1:
            stay.append(position)
            dropped |= int.from_bytes(row.tobytes(), 'little')
    return stay


def _overlaps(first: Tensor, second: Tensor, threshold: float,
              offset: int) -> Tensor:
    """Whether the IoU of each pair is larger than the threshold.

    The operations and their order are those of the compiled op, so that
    every rounding is, too. Two boxes without area give 0 / 0, which is not
    larger than anything.

    Args:
        first (Tensor): (5, A) rows x1, y1, x2, y2, area.
        second (Tensor): (5, B) likewise.
        threshold (float): See :func:`nms`.
        offset (int): See :func:`nms`.

    Returns:
        Tensor: (A, B) bool.
    """
    x1, y1, x2, y2, area = first.unsqueeze(2)
    width = torch.minimum(x2, second[2]).sub_(torch.maximum(x1, second[0]))
    height = torch.minimum(y2, second[3]).sub_(torch.maximum(y1, second[1]))
    if offset:
        width, height = width.add_(offset), height.add_(offset)
    inter = width.clamp_(min=0).mul_(height.clamp_(min=0))
    union = (area + second[4]).sub_(inter)
    return inter.div_(union) > threshold


def _overlaps_any(first: Tensor, second: Tensor, threshold: float,
                  offset: int) -> Tensor:
    """Which of the second boxes overlap any of the first: (B,) bool.

    Arguments as in :func:`_overlaps`; memory is bounded by steps.
    """
    on_cpu = first.device.type == 'cpu'
    pairs = _CPU_PAIRS if on_cpu else _GPU_PAIRS
    step = max(1, pairs // first.shape[1])
    hits = [
        _overlaps(first, part, threshold, offset).any(0)
        for part in second.split(step, 1)
    ]
    return torch.cat(hits)
