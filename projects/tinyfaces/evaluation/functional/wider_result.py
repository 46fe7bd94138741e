"""What the WIDER FACE evaluation returns."""
from dataclasses import dataclass

import numpy as np

NUM_THRESHOLDS = 1000


@dataclass(frozen=True)
class PRCurve:
    """Precision and recall at the 1,000 thresholds, for one setting and IoU.

    Attributes:
        precision: (1000,), NaN where nothing is detected yet.
        recall: (1000,), NaN when the setting counts no face.
        ap: Area under the envelope; NaN when the setting counts no face.
        num_faces: Faces counted.
        fp_at_recall: recall -> number of false positives at the highest score
            (exact, not one of the thresholds) that reaches it; None when no
            score does.
    """

    precision: np.ndarray
    recall: np.ndarray
    ap: float
    num_faces: int
    fp_at_recall: dict[float, int | None]


@dataclass(frozen=True)
class WiderResult:
    """Scores of one prediction set, with what they mean.

    Attributes:
        curves: (setting, IoU threshold) -> curve.
        settings: In the order asked.
        iou_thrs: In the order asked.
        matlab_int32: Whether IoU was computed in int32.
        images: Which images were scored, e.g. ``all 3,226 images``.
        is_subset: Whether that is a part of the ground truth only.
        num_images: Images scored.
        num_detections: Detections in those images.
        missing: Keys of scored images without predictions: no detections.
        num_unknown: Images with predictions that were not scored.
        warnings: Sentences the user should read.
    """

    curves: dict[tuple[str, float], PRCurve]
    settings: tuple[str, ...]
    iou_thrs: tuple[float, ...]
    matlab_int32: bool
    images: str
    is_subset: bool
    num_images: int
    num_detections: int
    missing: tuple[str, ...]
    num_unknown: int
    warnings: tuple[str, ...]

    def ap(self, setting: str, iou_thr: float = 0.5) -> float:
        """AP of one setting at one IoU threshold."""
        return self.curves[setting, iou_thr].ap

    def mean_ap(self, setting: str) -> float:
        """AP averaged over the IoU thresholds, as COCO does."""
        return float(np.mean([self.ap(setting, t) for t in self.iou_thrs]))

    def protocol(self) -> str:
        """One line that must stand beside the numbers."""
        arithmetic = 'MATLAB int32 IoU' if self.matlab_int32 else 'true IoU'
        thrs = ', '.join(f'{t:g}' for t in self.iou_thrs)
        return (f'WIDER FACE protocol, {self.images}, {arithmetic} >= {thrs}, '
                f'{NUM_THRESHOLDS:,} score thresholds')
