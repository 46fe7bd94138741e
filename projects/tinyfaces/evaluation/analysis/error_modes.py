"""False positives by kind and rank (RefineFace, Fig. 1; HR, Fig. 15).

Both papers show what Hoiem et al.'s tool draws: among the k false positives
with the highest scores, which share is of which kind, for growing k (that
tool takes k = 25, 50, 100, ... 3,200).
"""
import numpy as np

from .matching import FALSE_KINDS, Labels, MatchedDetections

# Where the tool of Hoiem et al. starts doubling.
_FIRST = 25
_POINTS = 80


def error_modes(matched: MatchedDetections, labels: Labels) -> dict:
    """Count the kinds among the top k false positives.

    Args:
        matched: The detections.
        labels: What they are in one setting.

    Returns:
        dict: ``total`` false positives; ``top``, the values of k, ascending,
        up to ``total``; ``counts``, kind -> number among the top k, cumulative
        over ranks; ``table_top``, those of the k that double from 25.
    """
    ranked = labels.kind[matched.order]
    ranked = ranked[labels.is_false[matched.order]]
    total = len(ranked)
    doubled = _FIRST * 2**np.arange(40)
    doubled = doubled[doubled <= total]
    spread = np.geomspace(1, max(total, 1), _POINTS).round().astype(np.int64)
    top = np.union1d(doubled, spread[spread <= total])
    return dict(
        total=total,
        top=top.tolist(),
        counts={
            name: np.cumsum(ranked == kind)[top - 1].tolist()
            for name, kind in FALSE_KINDS.items()
        },
        table_top=doubled.tolist())
