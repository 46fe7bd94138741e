"""ROC curves of the FDDB protocol as a picture."""
import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, StrMethodFormatter

from tinyfaces.utils.files import atomic_write
from .palette import COLOURS, LINES
from .text import plain

if TYPE_CHECKING:
    from tinyfaces.evaluation.functional.fddb_io import ROCPair
    from tinyfaces.evaluation.functional.fddb_result import FDDBResult

# Published curves are told apart by their dashes.
_GREY = '0.45'
_DASHES: tuple = ((0, (5, 2)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)),
                  (0, (9, 2)), (0, (3, 1, 1, 1, 1, 1)))
_KINDS = ('disc', 'cont')
_TITLES = ('Discrete score (IoU > 0.5)', 'Continuous score (sum of IoU)')
# What the legends report at.
_AT = 1000
# Left part of the panel where curves may rise from below its border.
_STEEP = 0.01
# A panel, the space left of it, and a legend row, in inches.
_WIDTH, _HEIGHT, _GAP, _ROW = 4.6, 3.8, 0.8, 0.2


def plot_roc_curves(results: Mapping[str, 'FDDBResult'],
                    path: str | os.PathLike,
                    published: Mapping[str, 'ROCPair'] | None = None,
                    max_fp: int = 2000) -> None:
    """Draw the discrete and the continuous curves side by side.

    A curve shows the largest rate with at most so many false positives.
    Legends give the true positive rate with at most 1,000 false positives
    (unless the curve ends before), then the rate at the end of the curve and
    the false positives there. A vertical axis starts below the steep part of
    its curves, not at 0.

    Args:
        results: Name of the detector -> result.
        path: PNG to write.
        published: Name -> rows (rate, false positives, ...) of the discrete
            and of the continuous curve, None where one is not known; drawn
            in grey.
        max_fp: False positives at the right border; fewer where all curves
            end before.

    Raises:
        ValueError: There is nothing to draw, ``max_fp`` is not positive, or a
            published curve has the name of a result.
    """
    published = published or {}
    if not results and not published:
        raise ValueError('no results to draw')
    if max_fp <= 0:
        raise ValueError(f'max_fp must be above 0, got {max_fp}')
    # The metrics import this package: importing them above would be a circle.
    from tinyfaces.evaluation.functional.fddb_report import curves
    drawn = {kind: curves(results, published, kind) for kind in _KINDS}
    last = max(
        float(fps.max()) for part in drawn.values()
        for fps, _ in part.values())
    right = max(min(max_fp, last), 1)
    # Everything is placed in inches; legends stand below the panels.
    rows = len(results) + len(published)
    legend = _ROW * rows + 0.75
    width = 2 * (_WIDTH + _GAP) + 0.2
    height = legend + _HEIGHT + 0.65
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    for column, kind in enumerate(_KINDS):
        left = _GAP + column * (_WIDTH + _GAP)
        axis = figure.add_axes(
            (left / width, legend / height, _WIDTH / width, _HEIGHT / height))
        _draw_panel(axis, drawn[kind], list(results), list(published), right)
        axis.set_title(_TITLES[column], fontsize=10.5)
    figure.suptitle(_heading(results), fontsize=11, y=1 - 0.12 / height)
    with atomic_write(path) as temporary:
        figure.savefig(
            temporary,
            dpi=120,
            format='png',
            bbox_inches='tight',
            pad_inches=0.1)


def _draw_panel(axis: Axes, drawn: Mapping[str, tuple[np.ndarray, np.ndarray]],
                ours: Sequence[str], published: Sequence[str],
                right: float) -> None:
    """Curves of one kind, published ones below ours, and their legend."""
    from tinyfaces.evaluation.functional.fddb_report import summary
    lowest = 1.
    for name, (fps, rates) in drawn.items():
        row = summary(fps, rates, [_AT])
        label = f'{name}: '
        if not row['ended'][str(_AT)]:
            label += f'{row["tpr_at"][str(_AT)]:.3f} at {_AT:,}, '
        label += f'ends with {row["final"]:.3f} at {row["last_fp"]:,}'
        if name in ours:
            number = ours.index(name)
            look = dict(
                color=COLOURS[number % len(COLOURS)],
                linestyle=LINES[number // len(COLOURS) % len(LINES)],
                linewidth=2,
                zorder=3)
        else:
            look = dict(
                color=_GREY,
                linestyle=_DASHES[published.index(name) % len(_DASHES)],
                linewidth=1.2,
                zorder=2)
        order = np.lexsort((rates, fps))
        fps, rates = fps[order], np.maximum.accumulate(rates[order])
        # To the right of this the curve shall be seen.
        seen = np.searchsorted(fps, right * _STEEP, side='right')
        lowest = min(lowest, rates[max(seen - 1, 0)])
        axis.plot(fps, rates, label=plain(label), **look)
        if row['last_fp'] < right:
            # A dot where the curve ends, so that nobody extends it.
            axis.plot(
                fps[-1],
                rates[-1],
                'o',
                ms=4,
                color=look['color'],
                zorder=look['zorder'])
    # A panel without any curve has its whole axis.
    lowest = lowest if drawn else 0.
    bottom = max(math.floor(lowest * 10) / 10 - 0.1, 0)
    axis.set(
        xlabel='False positives',
        ylabel='True positive rate',
        xlim=(0, right),
        ylim=(bottom, 1.005))
    axis.xaxis.set_major_formatter(StrMethodFormatter('{x:,.0f}'))
    axis.yaxis.set_major_locator(
        MultipleLocator(0.1 if bottom < 0.4 else 0.05))
    axis.grid(color='0.88')
    axis.set_axisbelow(True)
    if drawn:
        axis.legend(
            loc='upper center',
            bbox_to_anchor=(0.5, -0.12),
            frameon=False,
            fontsize=9,
            handlelength=3)


def _heading(results: Mapping[str, 'FDDBResult']) -> str:
    """What was scored."""
    counts = {(r.num_images, r.num_faces) for r in results.values()}
    text = '; '.join(f'{images:,} pictures, {faces:,} faces'
                     for images, faces in sorted(counts))
    return 'FDDB protocol' + (f', {text}' if text else '')
