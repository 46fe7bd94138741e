"""Recall by height of the face, false positives by height of the detection."""
from collections.abc import Sequence

import numpy as np

from .matching import FALSE_KINDS, Labels, MatchedDetections

#: Lower edges of the classes in pixels; the last class is open. 10, 30 and 50
#: are the limits of the hard, medium and easy faces.
HEIGHT_EDGES = (0, 10, 15, 20, 30, 50, 80, 120, 200, 300)
#: Numbers of false positives at which recall is read.
FP_COUNTS = (100, 1000, 10000)


def score_at_false_positives(matched: MatchedDetections, labels: Labels,
                             count: int) -> float:
    """Lowest score with at most ``count`` false positives at or above it.

    Args:
        matched: The detections.
        labels: What they are in one setting.
        count: Largest number of false positives.

    Returns:
        float: A score of the set; inf when even the highest one has more.
    """
    ranked = matched.order
    false = np.cumsum(labels.is_false[ranked])[matched.tie_end]
    within = np.searchsorted(false, count, side='right')
    return float(matched.scores[ranked[within - 1]]) if within else np.inf


def by_height(matched: MatchedDetections,
              labels: Labels,
              boxes: np.ndarray,
              keep: np.ndarray,
              score_thrs: Sequence[float] = ()) -> dict:
    """Recall and false positives per class of height at several scores.

    Args:
        matched: The detections.
        labels: What they are in one setting.
        boxes: (G, 4) x y w h of the annotated faces.
        keep: (G,) bool, the faces that count.
        score_thrs: Scores to cut at, besides those at fixed numbers of false
            positives and the end (all detections).

    Returns:
        dict: ``height_edges``; ``num_faces`` per class; ``points``, a list
        of ``name``, ``score`` (None at the end), ``total_recall``,
        ``total_false_positives``, and per class ``recall`` (NaN without a
        face) and ``false_positives``, kind -> numbers. Numbers of false
        positives that the set does not reach are left out.
    """
    classes = _classes(boxes[:, 3])
    found_classes = _classes(matched.boxes[:, 3])
    faces = np.bincount(classes[keep], minlength=len(HEIGHT_EDGES))
    total_false = int(labels.is_false.sum())
    cuts = [(f'{count:,} false positives',
             score_at_false_positives(matched, labels, count))
            for count in FP_COUNTS if count < total_false]
    cuts += [(f'score >= {thr:g}', thr) for thr in score_thrs]
    cuts.append(('all detections', -np.inf))
    found = labels.found_by >= 0
    points = []
    for name, score in cuts:
        above = matched.scores >= score
        faces_found = found.copy()
        faces_found[found] = above[labels.found_by[found]]
        numbers = np.bincount(
            classes[faces_found], minlength=len(HEIGHT_EDGES))
        with np.errstate(invalid='ignore'):
            recall = numbers / faces
        points.append(
            dict(
                name=name,
                score=score if np.isfinite(score) else None,
                total_recall=float(faces_found.sum() /
                                   keep.sum()) if keep.any() else np.nan,
                total_false_positives=int(
                    np.count_nonzero(above & labels.is_false)),
                recall=recall.tolist(),
                false_positives={
                    kind_name:
                    np.bincount(
                        found_classes[above & (labels.kind == kind)],
                        minlength=len(HEIGHT_EDGES)).tolist()
                    for kind_name, kind in FALSE_KINDS.items()
                }))
    return dict(
        height_edges=list(HEIGHT_EDGES),
        num_faces=faces.tolist(),
        points=points)


def _classes(heights: np.ndarray) -> np.ndarray:
    """Class of each height; annotated heights below 0 are in the first."""
    return np.maximum(
        np.searchsorted(HEIGHT_EDGES, heights, side='right') - 1, 0)
