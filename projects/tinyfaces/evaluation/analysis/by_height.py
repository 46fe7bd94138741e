"""Recall by height of the face, false positives by height of the detection."""
from collections.abc import Mapping, Sequence

import numpy as np

from ..functional.wider_gt import WiderGroundTruth
from .matching import (FALSE_KINDS, FOUND_IOU, Labels, MatchedDetections,
                       label_detections, match_detections)

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


def format_recall_by_height(
    predictions: Mapping[str, np.ndarray],
    truth: WiderGroundTruth,
    settings: Sequence[str],
    score_thrs: Sequence[float] = ()) -> str:
    """Recall per class of height as a plain text table.

    Args:
        predictions: As for :func:`~..functional.evaluate_wider`.
        truth: Loaded with these settings.
        settings: Those wanted.
        score_thrs: As of :func:`by_height`.

    Returns:
        str: For each setting the numbers of faces and a row per operating
        point, a dash where there is no face.

    Raises:
        ValueError: As :func:`~.matching.match_detections`.
    """
    matched = match_detections(predictions, truth)
    edges = [f'{edge:g}' for edge in HEIGHT_EDGES]
    names = [f'{low}-{high}' for low, high in zip(edges, edges[1:])]
    head = ''.join(f'{name:>9}' for name in [*names, f'>={edges[-1]}', 'all'])
    lines = [f'recall at IoU {FOUND_IOU:g} by height of the face in pixels']
    for setting in settings:
        keep = truth.keep[setting]
        part = by_height(matched, label_detections(matched, keep), truth.boxes,
                         keep, score_thrs)
        faces = [*part['num_faces'], sum(part['num_faces'])]
        lines += [
            f'{setting:25}{head}',
            f'{"faces":25}' + ''.join(f'{number:9,}' for number in faces)
        ]
        lines += [
            f'{point["name"]:25}' +
            ''.join(f'{"-":>9}' if np.isnan(value) else f'{value:9.4f}'
                    for value in [*point['recall'], point['total_recall']])
            for point in part['points']
        ]
    return '\n'.join(lines)


def _classes(heights: np.ndarray) -> np.ndarray:
    """Class of each height; annotated heights below 0 are in the first."""
    return np.maximum(
        np.searchsorted(HEIGHT_EDGES, heights, side='right') - 1, 0)
