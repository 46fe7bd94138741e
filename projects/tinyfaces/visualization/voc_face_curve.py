"""Precision-recall curves of AFW, PASCAL Face and MAFA as a picture."""
import math
import os
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .pr_curve import draw_panels

if TYPE_CHECKING:
    # The metrics import this module: importing them here would be a circle.
    from tinyfaces.evaluation.functional import VOCFaceResult

# Letters of the heading that fit over one panel.
_LETTERS = 52


def plot_voc_face_curves(results: Mapping[str, 'VOCFaceResult'],
                         path: str | os.PathLike) -> None:
    """Draw one panel per subset with the curves of all detectors.

    The legend has AP in percent with two decimals, as published plots of AFW
    and PASCAL Face.

    Args:
        results: Name of the detector -> result; all scored alike.
        path: PNG to write.

    Raises:
        ValueError: There is no result, or they were scored by different
            protocols.
    """
    if not results:
        raise ValueError('no results to draw')
    sample = next(iter(results.values()))
    for name, result in results.items():
        if result.protocol != sample.protocol:
            raise ValueError(f'{name} was scored by another protocol: '
                             f'{result.protocol}; {sample.protocol}')
    panels = {
        f'{subset.capitalize()} ({curve.num_faces:,} faces)': {
            f'{name}: {_percent(result.ap(subset))}':
            (result.curves[subset].recall, result.curves[subset].precision)
            for name, result in results.items()
        }
        for subset, curve in sample.curves.items()
    }
    heading = textwrap.fill(sample.protocol, _LETTERS * len(panels))
    draw_panels(panels, heading, path)


def _percent(ap: float) -> str:
    """AP for the legend."""
    return 'no faces' if math.isnan(ap) else f'{100 * ap:.2f} %'
