"""Figures of the false positives: by kind and rank, by kind and height."""
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from ..text import plain
from .style import KIND_LOOKS, class_names, new_figure


def plot_error_modes(detectors: Mapping[str, dict], about: str) -> Figure:
    """Shares of the kinds among the top k false positives, over k.

    Args:
        detectors: Name -> analyses of one setting.
        about: Setting and images, for the title.

    Returns:
        Figure: One panel per detector.
    """
    figure, axes = new_figure(
        len(detectors), f'False positives by kind and rank\n{about}')
    for axis, (name, analyses) in zip(axes, detectors.items()):
        modes = analyses['error_modes']
        axis.set_title(
            plain(f'{name}: {modes["total"]:,} false positives'), fontsize=10)
        axis.set(
            xlabel='k highest-scoring false positives (log scale)',
            ylabel='share of each kind among them (%)',
            ylim=(0, 100))
        if not modes['total']:
            continue
        top = np.array(modes['top'])
        parts = [
            100 * np.array(modes['counts'][kind]) / top for kind in KIND_LOOKS
        ]
        areas = axis.stackplot(
            top,
            parts,
            labels=[
                f'{k} error' if k == 'localisation' else k for k in KIND_LOOKS
            ],
            colors=[colour for colour, _ in KIND_LOOKS.values()],
            edgecolor='black',
            linewidth=0.5)
        for area, (_, hatch) in zip(areas, KIND_LOOKS.values()):
            area.set_hatch(hatch)
        axis.set_xscale('log')
        # Shares of fewer than ten jump up and down.
        axis.set_xlim(min(10, top[-1]), max(top[-1], 11))
        ticks = [k for k in modes['table_top'][::2]] or [int(top[-1])]
        axis.set_xticks(ticks)
        axis.xaxis.set_major_formatter(FuncFormatter(_short))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.grid(False)
        axis.legend(
            loc='lower right', fontsize=8.5, framealpha=0.95, reverse=True)
    return figure


def plot_false_positives_by_height(detectors: Mapping[str, dict],
                                   about: str) -> Figure:
    """Kinds of false positives by height of the detection.

    Args:
        detectors: Name -> analyses of one setting.
        about: Setting and images, for the title.

    Returns:
        Figure: One panel per detector, at its highest fixed number of false
        positives (all of them, where the set has fewer than the lowest).
    """
    figure, axes = new_figure(
        len(detectors), f'False positives by height of the detection\n{about}')
    for axis, (name, analyses) in zip(axes, detectors.items()):
        heights = analyses['by_height']
        point = operating_point(heights['points'])
        names = class_names(heights['height_edges'])
        base = np.zeros(len(names))
        for kind, (colour, hatch) in KIND_LOOKS.items():
            counts = np.array(point['false_positives'][kind])
            axis.bar(
                names,
                counts,
                bottom=base,
                label=kind,
                color=colour,
                hatch=hatch,
                edgecolor='black',
                linewidth=0.5)
            base += counts
        shown = point['total_false_positives']
        axis.set_title(
            plain(f'{name}: the {shown:,} highest-scoring'), fontsize=10)
        axis.set(
            xlabel='height of the detection (pixels)',
            ylabel='false positives')
        axis.tick_params(axis='x', rotation=45, labelsize=8)
        axis.legend(fontsize=8.5, reverse=True)
    return figure


def operating_point(points: list[dict]) -> dict:
    """The point at the highest fixed number of false positives, or the end."""
    fixed = [p for p in points if p['name'].endswith('false positives')]
    return (fixed or points)[-1]


def _short(value: float, _: int) -> str:
    """1,600 as 1.6k."""
    return f'{value / 1000:g}k' if value >= 1000 else f'{value:g}'
