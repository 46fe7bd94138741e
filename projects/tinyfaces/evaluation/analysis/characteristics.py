"""Normalised AP by characteristics of the faces (HR, Figs. 16 and 17).

Sizes and aspect ratios are classed by percentile as Hoiem et al. do (ECCV
2012, section 4): the lowest 10 % of the counted faces, the next 20, 40, 20 and
10 %.
"""
import math
from collections.abc import Mapping

import numpy as np

from .attributes import VALUE_NAMES
from .matching import Labels, MatchedDetections
from .normalized_ap import Ranking

_CUTS = (0.1, 0.3, 0.7, 0.9)
_SIZES = ('XS', 'S', 'M', 'L', 'XL')
# Extra tall to extra wide.
_ASPECTS = ('XT', 'T', 'M', 'W', 'XW')


def percentile_classes(
        values: np.ndarray,
        valid: np.ndarray) -> tuple[np.ndarray, tuple[float, ...]]:
    """Class 0 to 4 by the 10th, 30th, 70th and 90th percentile.

    Args:
        values: (G,).
        valid: (G,) bool, the faces that count; the others get -1.

    Returns:
        tuple[np.ndarray, tuple[float, ...]]: (G,) int64, and the largest
        value of each class but the last; equal values share a class.
    """
    classes = np.full(len(values), -1, np.int64)
    ranked = np.sort(values[valid])
    if not len(ranked):
        return classes, ()
    # Half up, as MATLAB rounds.
    at = [max(math.floor(cut * len(ranked) + 0.5) - 1, 0) for cut in _CUTS]
    limits = ranked[at]
    classes[valid] = np.searchsorted(limits, values[valid], side='left')
    return classes, tuple(limits.tolist())


def size_groups(boxes: np.ndarray, keep: np.ndarray) -> dict[str, dict]:
    """Classes of area, height and aspect ratio of the counted faces.

    Args:
        boxes: (G, 4) x y w h in pixels.
        keep: (G,) bool, the faces that count. Those without an area are in
            no class.

    Returns:
        dict[str, dict]: Characteristic -> ``classes`` (G,) int64, ``names``
        of the classes, ``limits`` between them.
    """
    wide, high = boxes[:, 2], boxes[:, 3]
    valid = keep & (wide > 0) & (high > 0)
    # The divisor is 1 where it could be 0: not valid.
    measures = dict(
        area=(wide * high, _SIZES),
        height=(high, _SIZES),
        aspect=(wide / np.where(valid, high, 1), _ASPECTS))
    groups = {}
    for name, (values, names) in measures.items():
        classes, limits = percentile_classes(values, valid)
        groups[name] = dict(classes=classes, names=names, limits=limits)
    return groups


def characteristics(
        matched: MatchedDetections,
        labels: Labels,
        boxes: np.ndarray,
        keep: np.ndarray,
        constant: float,
        attributes: Mapping[str, np.ndarray] | None = None) -> dict:
    """AP_N of every value of every characteristic.

    Args:
        matched: The detections.
        labels: What they are in one setting.
        boxes: (G, 4) x y w h of the annotated faces.
        keep: (G,) bool, the faces that count.
        constant: N.
        attributes: Attribute -> (G,) values, -1 for unknown; None for none.

    Returns:
        dict: ``n``; ``overall`` AP_N and its ``stderr``; ``groups``,
        characteristic -> ``limits`` (sizes only), ``sensitivity`` (largest
        minus smallest AP_N of a value), ``impact`` (largest minus overall) and
        ``values``, a list of ``name``, ``num_faces``, ``ap_n``, ``stderr`` and
        ``ap``, the plain AP of the same ranking.
    """
    ranking = Ranking(matched, labels)
    overall = ranking.ap(keep, constant)
    groups = size_groups(boxes, keep)
    for name, values in (attributes or {}).items():
        groups[name] = dict(classes=values, names=VALUE_NAMES[name])
    result = dict(
        n=constant, overall=overall.value, stderr=overall.stderr, groups={})
    for name, group in groups.items():
        rows = []
        for at, value in enumerate(group['names']):
            faces = keep & (group['classes'] == at)
            found = ranking.ap(faces, constant)
            plain = ranking.ap(faces, max(found.num_faces, 1))
            rows.append(
                dict(
                    name=value,
                    num_faces=found.num_faces,
                    ap_n=found.value,
                    stderr=found.stderr,
                    ap=plain.value))
        known = [row['ap_n'] for row in rows if row['num_faces']]
        highest, lowest = max(
            known, default=math.nan), min(
                known, default=math.nan)
        entry = dict(
            sensitivity=highest - lowest,
            impact=highest - overall.value,
            values=rows)
        if 'limits' in group:
            entry['limits'] = list(group['limits'])
        result['groups'][name] = entry
    return result
