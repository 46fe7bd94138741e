"""What the FDDB evaluation returns."""
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

KINDS = ('disc', 'cont')


@dataclass(frozen=True)
class FDDBResult:
    """Counts at every score of a set, thresholds ascending.

    Attributes:
        thresholds: (T,) float64.
        true_positives: (T,) int64, pairs with IoU > 0.5.
        continuous: (T,) float64, sum of the IoU of all pairs.
        false_positives: (T,) int64, shared by both curves.
        num_faces: Faces in the scored pictures.
        num_images: Pictures scored.
        num_detections: Detections in them.
    """

    thresholds: np.ndarray
    true_positives: np.ndarray
    continuous: np.ndarray
    false_positives: np.ndarray
    num_faces: int
    num_images: int
    num_detections: int

    def tpr(self, kind: str = 'disc') -> np.ndarray:
        """(T,) true positive rates of the ``disc`` or the ``cont`` curve."""
        if kind not in KINDS:
            raise ValueError(f'kind must be one of {KINDS}, got {kind!r}')
        counts = self.true_positives if kind == 'disc' else self.continuous
        return counts / self.num_faces

    def tpr_at(self,
               fps: Iterable[int],
               kind: str = 'disc') -> dict[int, float]:
        """Largest true positive rate with at most so many false positives.

        A curve that ends at fewer false positives gives its largest rate;
        see :attr:`last_fp`. With none (0 detections, 0 false positives) the
        rate is 0.

        Args:
            fps: Numbers of false positives.
            kind: ``disc`` or ``cont``.

        Returns:
            dict[int, float]: Number -> rate.
        """
        return tpr_at(self.false_positives, self.tpr(kind), fps)

    def final(self, kind: str = 'disc') -> float:
        """True positive rate with all detections, the end of the curve."""
        return float(self.tpr(kind)[0])

    @property
    def last_fp(self) -> int:
        """Most false positives of the curve; it says nothing beyond."""
        return int(self.false_positives.max())


def tpr_at(false_positives: np.ndarray, tpr: np.ndarray,
           fps: Iterable[int]) -> dict[int, float]:
    """Largest of the rates whose false positives are at most so many.

    Args:
        false_positives: (T,).
        tpr: (T,), e.g. both as read by :func:`~.fddb_io.read_roc`.
        fps: Numbers of false positives.

    Returns:
        dict[int, float]: Number -> rate; 0 where no row has so few.
    """
    return {fp: float(tpr[false_positives <= fp].max(initial=0)) for fp in fps}
