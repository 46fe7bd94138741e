"""Soft-NMS (Bodla et al., ICCV 2017, equations 2 and 3) as mmcv has it."""
from typing import Tuple

import numpy as np
import torch
from torch import Tensor

_NAIVE, _LINEAR, _GAUSSIAN = 0, 1, 2
_X1, _Y1, _X2, _Y2, _AREA, _SCORE = range(6)


@torch.no_grad()
def softnms(boxes: Tensor, scores: Tensor, dets: Tensor, iou_threshold: float,
            sigma: float, min_score: float, method: int,
            offset: int) -> Tensor:
    """Lowers the scores of boxes that overlap better ones.

    The best box is taken, the scores of all others are multiplied by a
    weight that falls with their IoU with it, those below ``min_score`` are
    dropped, and so on. The weights are

    * 0, naive: 0 where IoU >= threshold, else 1 (hard NMS);
    * 1, linear: 1 - IoU where IoU >= threshold, else 1 (equation 2);
    * 2, gaussian: exp(-IoU ** 2 / sigma) (equation 3).

    Like the compiled op this runs on the CPU, whatever the device of the
    input; mmcv moves the boxes there itself. Float32 is computed in float32,
    every other type in float64.

    Args:
        boxes (Tensor): (N, 4) x1, y1, x2, y2.
        scores (Tensor): (N,).
        dets (Tensor): (N, 5), filled in place: its first K rows become the
            boxes taken with their lowered scores, in the order of taking.
        iou_threshold (float): For the methods 0 and 1.
        sigma (float): For the method 2.
        min_score (float): Boxes below it are dropped, but never the one
            that is taken first.
        method (int): 0, 1 or 2.
        offset (int): 0 or 1, added to every width and height.

    Returns:
        Tensor: (K,) int64 indices into ``boxes``, on their device.

    Raises:
        ValueError: There is no such method.
    """
    if method not in (_NAIVE, _LINEAR, _GAUSSIAN):
        raise ValueError(f'softnms has the methods 0 (naive), 1 (linear) and '
                         f'2 (gaussian), not {method}')
    if boxes.numel() == 0:
        return boxes.new_empty(0, dtype=torch.long)
    working = torch.float32
    if boxes.dtype != torch.float32:
        working = torch.float64
    taken, indices = _soft_nms(boxes.detach().to('cpu', working).numpy(),
                               scores.detach().to('cpu', working).numpy(),
                               iou_threshold, sigma, min_score, method, offset)
    dets[:len(indices)] = torch.from_numpy(taken).to(dets)
    return torch.from_numpy(indices).to(boxes.device)


def _soft_nms(boxes: np.ndarray, scores: np.ndarray, threshold: float,
              sigma: float, min_score: float, method: int,
              offset: int) -> Tuple[np.ndarray, np.ndarray]:
    """See :func:`softnms`; returns (K, 5) boxes with scores, (K,) indices.

    The boxes not taken yet are kept in the very order that the compiled op
    keeps them in, because equal scores are taken in that order: the best one
    changes places with the first, a dropped one is overwritten by the last.
    """
    # The compiled op takes its parameters as float32.
    threshold, sigma, min_score = np.array((threshold, sigma, min_score),
                                           boxes.dtype)
    offset = boxes.dtype.type(offset)
    x1, y1, x2, y2 = boxes.T
    areas = (x2 - x1 + offset) * (y2 - y1 + offset)
    columns = np.stack((x1, y1, x2, y2, areas, scores))
    indices = np.arange(len(boxes))
    start, end = 0, len(boxes)
    while start < end:
        best = start + _first_maximum(columns[_SCORE, start:end])
        columns[:, [start, best]] = columns[:, [best, start]]
        indices[[start, best]] = indices[[best, start]]
        box, rest = columns[:, start], columns[:, start + 1:end]
        _lower_scores(rest, box, threshold, sigma, method, offset)
        # Not "score >= min_score": a score that is NaN stays.
        low = rest[_SCORE] < min_score
        if low.any():
            stay = _fill_gaps(low)
            count = len(stay)
            rest[:, :count] = rest[:, stay]
            later = indices[start + 1:end]
            later[:count] = later[stay]
            end = start + 1 + count
        start += 1
    return columns[[_X1, _Y1, _X2, _Y2, _SCORE], :end].T, indices[:end]


def _first_maximum(scores: np.ndarray) -> int:
    """Position of the first largest score, NaN treated as the compiled op
    treats it: never larger than anything, and nothing larger than it.

    Scores become NaN where two boxes without area meet (IoU 0 / 0).
    """
    best = int(scores.argmax())
    if not np.isnan(scores[best]):
        return best
    if best == 0:
        return 0
    return int(np.where(np.isnan(scores), -np.inf, scores).argmax())


def _lower_scores(rest: np.ndarray, box: np.ndarray, threshold: np.floating,
                  sigma: np.floating, method: int,
                  offset: np.floating) -> None:
    """Multiplies the scores by their weights, in place.

    Args:
        rest (np.ndarray): (6, R) columns of the boxes not taken yet.
        box (np.ndarray): (6,) column of the box taken now.
        threshold, sigma, method, offset: See :func:`softnms`.
    """
    width = np.minimum(rest[_X2], box[_X2]) - np.maximum(rest[_X1], box[_X1])
    height = np.minimum(rest[_Y2], box[_Y2]) - np.maximum(rest[_Y1], box[_Y1])
    inter = np.maximum(width + offset, 0) * np.maximum(height + offset, 0)
    with np.errstate(divide='ignore', invalid='ignore'):
        iou = inter / (box[_AREA] + rest[_AREA] - inter)
        if method == _GAUSSIAN:
            exponent = -(iou * iou) / sigma
            # Rounded from float64: NumPy's float32 exponential is less
            # exact than the one of the C library.
            weight = np.exp(exponent.astype(np.float64)).astype(iou.dtype)
        else:
            weight = np.zeros_like(iou) if method == _NAIVE else 1 - iou
            weight[~(iou >= threshold)] = 1
    rest[_SCORE] *= weight


def _fill_gaps(low: np.ndarray) -> np.ndarray:
    """Positions that survive, in the order the compiled op leaves them in.

    It goes forward and overwrites each dropped box by the last one left:
    the gaps among the first M places (M survivors) are thus filled from the
    end backwards.

    Args:
        low (np.ndarray): (R,) bool, the boxes to be dropped.

    Returns:
        np.ndarray: (M,) positions.
    """
    count = len(low) - int(low.sum())
    stay = np.arange(count)
    gaps = low[:count].nonzero()[0]
    stay[gaps] = count + (~low[count:]).nonzero()[0][::-1]
    return stay
