"""Normalised average precision (Hoiem et al., ECCV 2012, section 4).

Precision depends on how many faces there are to find: of two groups found
equally well the rarer one has the lower AP. Hoiem et al. therefore replace
the number of positives by a constant N: with recall R and F false positives
at a score, P_N = R N / (R N + F). AP_N is the area under its monotone
envelope, that is the mean of the envelope over all faces, missed ones at 0.
Their N is 0.15 times the number of images.
"""
import math
from typing import NamedTuple

import numpy as np

from .matching import Labels, MatchedDetections

#: N per image of Hoiem et al.
N_PER_IMAGE = 0.15


class NormalizedAP(NamedTuple):
    """AP_N of a group of faces.

    Attributes:
        value: In [0, 1]; NaN for an empty group.
        stderr: Standard error of that mean over the faces; NaN for fewer
            than two faces.
        num_faces: Faces of the group.
    """

    value: float
    stderr: float
    num_faces: int


class Ranking:
    """The counts that AP_N of any group of faces is computed from.

    False positives are those of the whole set, for every group; detections
    that find a face of another group are neither right nor wrong. Equal
    scores enter together.

    Args:
        matched: The detections.
        labels: What they are in one setting.
    """

    def __init__(self, matched: MatchedDetections, labels: Labels) -> None:
        self._false = np.cumsum(labels.is_false[matched.order])
        rank = np.empty(len(matched.order), np.int64)
        rank[matched.order] = np.arange(len(rank))
        self._found = labels.found_by >= 0
        # Last rank that enters together with the one that finds the face.
        self._end = np.zeros(len(self._found), np.int64)
        self._end[self._found] = matched.tie_end[rank[labels.found_by[
            self._found]]]

    def ap(self, faces: np.ndarray, constant: float) -> NormalizedAP:
        """AP_N of some faces.

        Args:
            faces: (G,) bool, counted faces.
            constant: N, above 0; the number of ``faces`` gives plain AP (of
                the ranking, not of the protocol's 1,000 thresholds).

        Returns:
            NormalizedAP: See there.

        Raises:
            ValueError: N is not above 0.
        """
        if not constant > 0:
            raise ValueError(f'N must be above 0, got {constant}')
        count = int(faces.sum())
        if not count:
            return NormalizedAP(math.nan, math.nan, 0)
        end = np.sort(self._end[faces & self._found])
        recall = np.searchsorted(end, end, side='right') / count
        right = recall * constant
        precision = right / (right + self._false[end])
        envelope = np.zeros(count)
        envelope[:len(end)] = np.maximum.accumulate(precision[::-1])[::-1]
        stderr = (
            envelope.std(ddof=1) / math.sqrt(count) if count > 1 else math.nan)
        return NormalizedAP(float(envelope.mean()), float(stderr), count)
