"""Which FDDB detections find which faces, at every score of a picture.

The benchmark pairs faces and detections one to one so that the sum of their
IoU is as large as it can be, anew for each score threshold. Pairs cannot
cross between groups of shapes that do not touch (connected components of
IoU > 0), so each group is solved alone, and only at the scores of its own
detections.
"""
import numpy as np
from scipy.optimize import linear_sum_assignment


def match_picture(
    overlaps: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Hits of one picture when only detections of a score and up count.

    Args:
        overlaps: (n, m) IoU of n >= 1 detections with m faces.
        scores: (n,).

    Returns:
        tuple: Four arrays with one value for each of the different scores,
        the highest first: the scores; pairs with IoU > 0.5 (int64); the sum
        of IoU of all pairs (float64); detections up to this score (int64).
    """
    thresholds, rank, counts = np.unique(
        -scores, return_inverse=True, return_counts=True)
    hits = np.zeros(len(thresholds), np.int64)
    total = np.zeros(len(thresholds))
    for rows, columns in _groups(overlaps > 0):
        part, ranks = overlaps[np.ix_(rows, columns)], rank[rows]
        if len(columns) == 1 or len(rows) == 1:
            # One pair is all there can be: the best so far.
            best = np.zeros(len(thresholds))
            np.maximum.at(best, ranks, part.max(axis=1))
            np.maximum.accumulate(best, out=best)
            hits += best > 0.5
            total += best
            continue
        changes = np.unique(ranks).tolist()
        for start, stop in zip(changes, [*changes[1:], len(thresholds)]):
            valid = part[ranks <= start]
            pairs = valid[linear_sum_assignment(valid, maximize=True)]
            hits[start:stop] += np.count_nonzero(pairs > 0.5)
            total[start:stop] += pairs.sum()
    return -thresholds, hits, total, np.cumsum(counts)


def _groups(touch: np.ndarray) -> list[tuple[list[int], list[int]]]:
    """Connected components of a bipartite graph that have an edge.

    Args:
        touch: bool (n, m).

    Returns:
        list: Rows and columns of each component, both ascending.
    """
    if touch.shape[1] == 1:
        rows = np.flatnonzero(touch[:, 0]).tolist()
        return [(rows, [0])] if rows else []
    groups: list[tuple[list[int], set[int]]] = []
    for row in np.flatnonzero(touch.any(axis=1)).tolist():
        rows, columns = [row], set(np.flatnonzero(touch[row]).tolist())
        apart = []
        for group in groups:
            if columns.isdisjoint(group[1]):
                apart.append(group)
            else:
                rows += group[0]
                columns |= group[1]
        groups = [*apart, (rows, columns)]
    return [(sorted(rows), sorted(columns)) for rows, columns in groups]
