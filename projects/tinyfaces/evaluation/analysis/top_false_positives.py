"""The false positives with the highest scores (HR, Fig. 18)."""
from collections.abc import Callable

import numpy as np

from ..functional.wider_gt import WiderGroundTruth
from .matching import FALSE_KINDS, Labels, MatchedDetections

_NAMES = {kind: name for name, kind in FALSE_KINDS.items()}


def top_false_positives(
        matched: MatchedDetections,
        labels: Labels,
        truth: WiderGroundTruth,
        keep: np.ndarray,
        number: int = 20,
        chosen: Callable[[str], bool] = lambda key: True) -> list[dict]:
    """The false positives with the highest scores.

    Args:
        matched: The detections.
        labels: What they are in one setting.
        truth: The ground truth they were matched with.
        keep: (G,) bool, the faces that count.
        number: How many at most.
        chosen: Which images to take, by key.

    Returns:
        list[dict]: By rank: ``rank`` among the false positives of all images,
        from 1; ``image``; ``box``, x y w h; ``score``; ``kind``; ``overlap``,
        the IoU with the best face; ``percent_below``, the detections of the
        set with a lower score, in percent (HR's "1-r"); ``face``, x y w h of
        the best face, or of the nearest one (by centre) where the overlap is
        0; ``face_counts``, whether it counts in this setting.
    """
    ranked = matched.order[labels.is_false[matched.order]]
    ascending = np.sort(matched.scores)
    found = []
    for rank, at in enumerate(ranked.tolist(), 1):
        if len(found) == number:
            break
        key = truth.keys[matched.image[at]]
        if not chosen(key):
            continue
        face = int(matched.best[at])
        if matched.overlap[at] == 0:
            face = _nearest(truth, int(matched.image[at]), matched.boxes[at])
        below = np.searchsorted(ascending, matched.scores[at])
        found.append(
            dict(
                rank=rank,
                image=key,
                box=matched.boxes[at].tolist(),
                score=float(matched.scores[at]),
                kind=_NAMES[labels.kind[at]],
                overlap=float(matched.overlap[at]),
                percent_below=100 * float(below) / len(ascending),
                face=truth.boxes[face].tolist(),
                face_counts=bool(keep[face])))
    return found


def _nearest(truth: WiderGroundTruth, image: int, box: np.ndarray) -> int:
    """Index of the face of an image whose centre is nearest to a box's."""
    start, end = truth.offsets[image:image + 2]
    faces = truth.boxes[start:end]
    away = (faces[:, :2] + faces[:, 2:] / 2) - (box[:2] + box[2:] / 2)
    return int(start + np.hypot(*away.T).argmin())
