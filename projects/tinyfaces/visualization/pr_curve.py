"""Precision-recall curves as a picture; those of the WIDER FACE protocol."""
import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tinyfaces.utils.files import atomic_write
from .palette import COLOURS, LINES
from .text import plain

if TYPE_CHECKING:
    # The metrics import this module: importing them here would be a circle.
    from tinyfaces.evaluation.functional import WiderResult

# Side of a panel and space left of it, in inches.
_PANEL, _GAP = 3.6, 0.75


def truncate_ap(ap: float) -> str:
    """AP with three decimals, cut off as the official plots do.

    Their legend prints the first five characters, so .9629 reads 0.962.
    """
    if math.isnan(ap):
        return 'no faces'
    # .907 * 1000 is a little less than 907 in floating point.
    return f'{math.floor(ap * 1000 + 1e-9) / 1000:.3f}'


def plot_pr_curves(results: Mapping[str, 'WiderResult'],
                   path: str | os.PathLike,
                   iou_thr: float | None = None) -> None:
    """Draw one panel per setting with the curves of all detectors.

    Args:
        results: Name of the detector -> result; all scored alike.
        path: PNG to write.
        iou_thr: IoU threshold to draw; None for the first one evaluated.

    Raises:
        ValueError: There is no result, or ``iou_thr`` was not evaluated, or
            the results were scored by different protocols.
    """
    if not results:
        raise ValueError('no results to draw')
    sample = next(iter(results.values()))
    if iou_thr is None:
        iou_thr = sample.iou_thrs[0]
    for name, result in results.items():
        if iou_thr not in result.iou_thrs:
            raise ValueError(f'{name} was not evaluated at IoU {iou_thr:g}')
        if result.protocol() != sample.protocol():
            raise ValueError(f'{name} was scored by another protocol: '
                             f'{result.protocol()}; {sample.protocol()}')
    panels = {}
    for setting in sample.settings:
        faces = sample.curves[setting, iou_thr].num_faces
        curves = {
            name: result.curves[setting, iou_thr]
            for name, result in results.items()
        }
        panels[f'{setting.capitalize()} ({faces:,} faces)'] = {
            f'{name}: {truncate_ap(curve.ap)}': (curve.recall, curve.precision)
            for name, curve in curves.items()
        }
    arithmetic = 'MATLAB int32 IoU' if sample.matlab_int32 else 'true IoU'
    draw_panels(
        panels, f'WIDER FACE protocol, {sample.images}\n'
        f'{arithmetic} ≥ {iou_thr:g}; AP cut to three decimals', path)


def draw_panels(panels: Mapping[str, Mapping[str, tuple[np.ndarray,
                                                        np.ndarray]]],
                heading: str, path: str | os.PathLike) -> None:
    """Draw precision over recall, one panel beside the other.

    Args:
        panels: Title of the panel -> label of the curve -> (recall,
            precision), two (n,) arrays; points with NaN are left out. All
            panels have the same curves, in the same order.
        heading: What stands above the panels; may have several lines.
        path: PNG to write.
    """
    # Everything is placed in inches; legends stand below the panels, as a weak
    # detector's curve may run through any corner of its panel.
    legend = 0.2 * len(next(iter(panels.values()))) + 0.75
    above = 0.57 + 0.19 * (heading.count('\n') + 1)
    width = len(panels) * (_PANEL + _GAP) + 0.2
    height = legend + _PANEL + above
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    for column, (title, curves) in enumerate(panels.items()):
        left = _GAP + column * (_PANEL + _GAP)
        axis = figure.add_axes(
            (left / width, legend / height, _PANEL / width, _PANEL / height))
        for number, (label, (recall, precision)) in enumerate(curves.items()):
            drawn = np.isfinite(precision) & np.isfinite(recall)
            axis.plot(
                recall[drawn],
                precision[drawn],
                color=COLOURS[number % len(COLOURS)],
                linestyle=LINES[number // len(COLOURS) % len(LINES)],
                linewidth=1.8,
                label=plain(label))
        axis.set_title(plain(title), fontsize=10.5)
        axis.set(
            xlabel='Recall', ylabel='Precision', xlim=(0, 1), ylim=(0, 1.005))
        axis.set_xticks(np.linspace(0, 1, 6))
        axis.set_yticks(np.linspace(0, 1, 6))
        axis.grid(color='0.88')
        axis.set_axisbelow(True)
        axis.legend(
            loc='upper center',
            bbox_to_anchor=(0.5, -0.13),
            frameon=False,
            fontsize=9)
    figure.suptitle(plain(heading), fontsize=11, y=1 - 0.1 / height)
    with atomic_write(path) as temporary:
        figure.savefig(
            temporary,
            dpi=120,
            format='png',
            bbox_inches='tight',
            pad_inches=0.1)
