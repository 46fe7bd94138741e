"""Pre-sigmoid score against scale (RefineFace, Fig. 5).

The paper plots, for all detections, the score before the sigmoid over the
scale sqrt(w h) of the detection, positives and negatives in two colours: where
the two mix, faces and background cannot be told apart. Here a positive is a
true positive and a negative a false positive of any kind; ignored detections
are left out.
"""
import numpy as np
import scipy.stats

from .matching import Kind, Labels, MatchedDetections

#: Scores this close to 0 or 1 get the logit of this distance, +-16.6: it is
#: half of float32's step below 1, so only exact 0 and 1 are nearer.
CLIP = 2.**-24
#: Edges of the scale classes in pixels; the last class is open.
SCALE_EDGES = (0, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_SAMPLE = 3000


class NotProbabilities(ValueError):
    """Scores lie outside [0, 1], so no sigmoid can be undone."""


def to_logits(scores: np.ndarray) -> tuple[np.ndarray, int]:
    """Undo the sigmoid.

    Args:
        scores: (n,) in [0, 1].

    Returns:
        tuple[np.ndarray, int]: (n,) log(s / (1 - s)), and how many scores
        were within ``CLIP`` of 0 or 1 and so moved to that distance.

    Raises:
        NotProbabilities: A score lies outside [0, 1].
    """
    if len(scores) and (scores.min() < 0 or scores.max() > 1):
        raise NotProbabilities(
            f'scores from {scores.min():g} to {scores.max():g} are no '
            'probabilities')
    clipped = np.clip(scores, CLIP, 1 - CLIP)
    return np.log(clipped / (1 - clipped)), int((clipped != scores).sum())


def separation(positives: np.ndarray, negatives: np.ndarray) -> float:
    """How often a positive scores above a negative (area under the ROC).

    Args:
        positives: (n,) scores.
        negatives: (m,) scores.

    Returns:
        float: 1 when all do, 0.5 for chance, ties count half; NaN when there
        are none of one kind.
    """
    count = len(positives)
    if not count or not len(negatives):
        return np.nan
    ranks = scipy.stats.rankdata(np.concatenate([positives, negatives]))
    below = ranks[:count].sum() - count * (count + 1) / 2
    return float(below / (count * len(negatives)))


def score_by_scale(matched: MatchedDetections,
                   labels: Labels,
                   is_logit: bool = False) -> dict:
    """Quantiles of the score per class of scale, and a sample of points.

    Args:
        matched: The detections.
        labels: What they are in one setting.
        is_logit: The scores of the file are logits already.

    Returns:
        dict: ``clipped`` (see :func:`to_logits`), ``scale_edges``,
        ``quantiles``; for ``positives`` and ``negatives``: ``count`` and
        ``score_quantiles`` per class (None where it is empty) and ``sample``,
        at most 3,000 points [scale, score] drawn with a fixed seed;
        ``separation`` per class, see :func:`separation`.

    Raises:
        NotProbabilities: As :func:`to_logits`.
    """
    scores, clipped = ((matched.scores,
                        0) if is_logit else to_logits(matched.scores))
    scale = np.sqrt(matched.boxes[:, 2] * matched.boxes[:, 3])
    classes = np.searchsorted(SCALE_EDGES, scale, side='right') - 1
    random = np.random.default_rng(0)
    result = dict(
        clipped=clipped,
        scale_edges=list(SCALE_EDGES),
        quantiles=list(QUANTILES),
        separation=[])
    groups = dict(
        positives=labels.kind == Kind.TRUE, negatives=labels.is_false)
    for name, chosen in groups.items():
        parts = [
            scores[chosen & (classes == at)] for at in range(len(SCALE_EDGES))
        ]
        where = np.flatnonzero(chosen)
        if len(where) > _SAMPLE:
            where = np.sort(random.choice(where, _SAMPLE, replace=False))
        points = np.stack([scale[where], scores[where]], axis=1)
        result[name] = dict(
            count=[len(part) for part in parts],
            score_quantiles=[
                np.quantile(part, QUANTILES).tolist() if len(part) else None
                for part in parts
            ],
            sample=points.round(3).tolist())
    for at in range(len(SCALE_EDGES)):
        result['separation'].append(
            separation(*(scores[chosen & (classes == at)]
                         for chosen in groups.values())))
    return result
