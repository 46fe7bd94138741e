"""What the evaluations of AFW, PASCAL Face and MAFA return."""
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class VOCFaceCurve:
    """Precision and recall of one subset of the faces.

    Attributes:
        precision: (N,) after each detection, scores descending; NaN where
            only detections on ignored faces came so far.
        recall: (N,); NaN when the subset counts no face.
        ap: Area under the envelope, in [0, 1]; NaN when the subset counts no
            face.
        num_faces: Faces counted.
    """

    precision: np.ndarray
    recall: np.ndarray
    ap: float
    num_faces: int


@dataclass(frozen=True)
class VOCFaceResult:
    """Scores of one set of detections, with what they mean.

    Attributes:
        curves: Subset -> curve. AFW and PASCAL Face have ``all``, MAFA has
            ``whole``, ``masked`` and ``unignored``.
        protocol: One line that must stand beside the numbers.
        is_subset: Whether some images of the annotations were left out.
        num_images: Images scored.
        num_detections: Detections in them.
        num_scored: Detections left after the protocol's own size filter.
        missing: Images scored without any detection.
        num_left_out: Detections of other images, which were not asked for.
        inferred: Rules that no source states, as sentences.
        warnings: Sentences the user should read.
        details: More numbers for the JSON file.
    """

    curves: dict[str, VOCFaceCurve]
    protocol: str
    is_subset: bool
    num_images: int
    num_detections: int
    num_scored: int
    missing: tuple[str, ...]
    num_left_out: int = 0
    inferred: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)

    def ap(self, subset: str = 'all') -> float:
        """AP of one subset, in [0, 1]."""
        return self.curves[subset].ap
