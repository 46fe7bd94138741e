"""Score-weighted box voting, which joins detections of several views."""
import numpy as np
import torch
from torch import Tensor


def box_voting(boxes: Tensor,
               scores: Tensor,
               iou_threshold: float = 0.5,
               max_num: int | None = 750,
               keep_singletons: bool = True) -> tuple[Tensor, Tensor]:
    """Replace each cluster of boxes by its score-weighted average.

    The best box that is left and all others left whose IoU with it is at
    least ``iou_threshold`` are a cluster. It becomes one box: the average of
    their corners, weighted by their scores, with the highest score. So do
    the public test programs of S3FD (threshold 0.3) and SRN (0.5), which
    count pixels inclusively (+1) where boxes here have real corners.

    Those two also discard every cluster of a single detection, as something
    that no second view confirms. False faces go that way, but so do true
    ones, such as tiny faces that only the largest scale shows, and of a
    single view nothing is left: so the default keeps such clusters. Use
    ``keep_singletons=False`` to repeat published numbers of those detectors.
    (SRN also rounds the scores to three decimals in the end. That only makes
    ties, and is left out.)

    Clusters form one after another, because each takes its boxes from the
    later ones, but a box is compared only with those whose left edge is near
    enough for that IoU. Everything happens in float64 on the CPU, whatever
    the device: no run differs from another.

    Args:
        boxes: (n, 4) x1, y1, x2, y2.
        scores: (n,), not negative. Of equal scores the first one goes first.
        iou_threshold: Smallest IoU with the best box, in (0, 1].
        max_num: Give only so many boxes, the best ones. ``None`` for all.
        keep_singletons: Keep clusters of one detection, unchanged.

    Returns:
        tuple[Tensor, Tensor]: Boxes (k, 4) and scores (k,) in the order of
        falling score, with type and device of the arguments.

    Raises:
        ValueError: The shapes do not fit each other, a number is out of its
            range, a score is negative, or something is not finite.
    """
    if not 0 < iou_threshold <= 1:
        raise ValueError(
            f'iou_threshold is {iou_threshold}; it must lie in (0, 1]')
    if max_num is not None and max_num < 1:
        raise ValueError(f'max_num is {max_num}; give at least 1, or None')
    if boxes.shape != (len(scores), 4) or scores.ndim != 1:
        raise ValueError('give boxes (n, 4) and scores (n,), not '
                         f'{tuple(boxes.shape)} and {tuple(scores.shape)}')
    corners = boxes.detach().cpu().double().numpy()
    weights = scores.detach().cpu().double().numpy()
    if not (np.isfinite(corners).all() and np.isfinite(weights).all()):
        raise ValueError('a box or score is not finite; the detector that '
                         'made it is broken')
    if (weights < 0).any():
        raise ValueError('a score is negative, and scores are weights here; '
                         'turn logits into probabilities')
    cluster, best = _find_clusters(corners, weights, iou_threshold, max_num,
                                   keep_singletons)
    inside = cluster >= 0
    cluster, corners = cluster[inside], corners[inside]
    # Nothing changes but a cluster of zeros: it gets the plain average.
    weights = np.maximum(weights[inside], np.finfo(np.float64).tiny)
    total = np.bincount(cluster, weights, len(best))
    voted = np.stack([
        np.bincount(cluster, weights * column, len(best)) / total
        for column in corners.T
    ], 1)
    return (torch.from_numpy(voted).to(boxes),
            scores[torch.from_numpy(best).to(scores.device)])


def _find_clusters(corners: np.ndarray, scores: np.ndarray,
                   iou_threshold: float, max_num: int | None,
                   keep_singletons: bool) -> tuple[np.ndarray, np.ndarray]:
    """Which cluster each box belongs to, and the best box of each cluster.

    Args:
        corners: (n, 4) float64.
        scores: (n,) float64.
        iou_threshold: See :func:`box_voting`, and so are the others.

    Returns:
        tuple[np.ndarray, np.ndarray]: Clusters (n,) int64, numbered by
        falling score, -1 for boxes in none; indices of the best boxes (k,).
    """
    by_left = np.argsort(corners[:, 0], kind='stable')
    x1, y1, x2, y2 = np.ascontiguousarray(corners[by_left].T)
    areas = (x2 - x1) * (y2 - y1)
    # The overlap is at least IoU times as wide as the wider box, which is at
    # most 1 / IoU times as wide as the other; and a little for rounding.
    reach = (x2 - x1) * (1 / iou_threshold - 1) * (1 + 1e-9) + 1e-6
    starts = np.searchsorted(x1, x1 - reach, 'left').tolist()
    stops = np.searchsorted(x1, x1 + reach, 'right').tolist()
    place = np.empty_like(by_left)
    place[by_left] = np.arange(len(by_left))
    by_score = place[np.argsort(-scores, kind='stable')]
    free = np.ones(len(x1), dtype=bool)
    cluster = np.full(len(x1), -1)
    best = []
    for leader in by_score.tolist():
        if not free[leader]:
            continue
        if max_num is not None and len(best) == max_num:
            break
        near = slice(starts[leader], stops[leader])
        width = np.minimum(x2[near], x2[leader]) - np.maximum(
            x1[near], x1[leader])
        height = np.minimum(y2[near], y2[leader]) - np.maximum(
            y1[near], y1[leader])
        inter = np.maximum(width, 0) * np.maximum(height, 0)
        union = areas[near] + areas[leader] - inter
        # Boxes without area overlap nothing, not even each other.
        overlaps = inter >= iou_threshold * union
        overlaps &= (inter > 0) & free[near]
        overlaps[leader - near.start] = True
        free[near] &= ~overlaps
        members = overlaps.nonzero()[0] + near.start
        if keep_singletons or len(members) > 1:
            cluster[members] = len(best)
            best.append(leader)
    return cluster[place], by_left[np.array(best, dtype=np.int64)]
