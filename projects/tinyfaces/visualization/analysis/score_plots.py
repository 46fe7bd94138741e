"""Pre-sigmoid score against scale (RefineFace, Fig. 5)."""
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from ..text import plain
from .style import class_names, line_look, new_figure, numbers

_LOOKS = {
    'negatives': ('#1F5A85', '.', '--', 'false positives'),
    'positives': ('#D98200', '+', '-', 'true positives'),
}


def plot_score_by_scale(detectors: Mapping[str, dict], about: str) -> Figure:
    """A sample of detections with medians; how well the two separate.

    Args:
        detectors: Name -> analyses of one setting.
        about: Setting and images, for the title.

    Returns:
        Figure: One panel per detector, and one for the separation.
    """
    figure, axes = new_figure(
        1 + len(detectors),
        f'Score before the sigmoid against scale\n{about}',
        height=4.1)
    for axis, (name, analyses) in zip(axes[1:], detectors.items()):
        part = analyses['score_by_scale']
        edges = np.array(part['scale_edges'], float)
        # The last class is open, the first starts at 0: draw both as wide as
        # their neighbours on the log axis.
        bounds = np.array([edges[1] / 2, *edges[1:], edges[-1] * 2])
        middle = np.sqrt(bounds[:-1] * bounds[1:])
        for group, (colour, marker, style, label) in _LOOKS.items():
            sample = numbers(part[group]['sample']).reshape(-1, 2)
            total = sum(part[group]['count'])
            axis.plot(
                np.maximum(sample[:, 0], 1),
                sample[:, 1],
                marker,
                color=colour,
                markersize=2.5,
                alpha=0.35,
                label=f'{label}: {len(sample):,} of {total:,}')
            rows = numbers([
                row or [np.nan] * len(part['quantiles'])
                for row in part[group]['score_quantiles']
            ])
            axis.plot(
                middle,
                rows[:, part['quantiles'].index(0.5)],
                style,
                color='white',
                linewidth=4.5)
            axis.plot(
                middle,
                rows[:, part['quantiles'].index(0.5)],
                style,
                color=colour,
                linewidth=2.2,
                label=f'median of the {label}')
        _log_axis(axis, edges[1:])
        axis.set_title(plain(name), fontsize=10)
        axis.set(
            xlabel='scale of the detection, √(w h) (pixels, log scale)',
            ylabel='logit')
        axis.legend(fontsize=7.5, loc='upper left', markerscale=3)
    lowest = 1.
    for number, (name, analyses) in enumerate(detectors.items()):
        part = analyses['score_by_scale']
        values = numbers(part['separation'])
        lowest = np.nanmin([lowest, *values])
        axes[0].plot(
            range(len(part['scale_edges'])),
            values,
            label=plain(name),
            **line_look(number))
    axes[0].set_title('Do true positives score above false ones?', fontsize=10)
    axes[0].set(
        xlabel='scale of the detection, √(w h) (pixels)',
        ylabel='area under ROC (0.5 = chance)',
        xlim=(-0.5, len(part['scale_edges']) - 0.5),
        ylim=(min(0.45, lowest - 0.02), 1.01))
    axes[0].set_xticks(range(len(part['scale_edges'])))
    axes[0].set_xticklabels(
        class_names(part['scale_edges']), rotation=45, fontsize=8)
    axes[0].legend(fontsize=8.5, loc='lower right')
    return figure


def _log_axis(axis, ticks: np.ndarray) -> None:
    """Logarithmic x axis with the edges of the classes as its ticks."""
    axis.set_xscale('log')
    axis.set_xticks(ticks[::2])
    axis.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f'{value:g}'))
    axis.xaxis.set_minor_locator(NullLocator())
