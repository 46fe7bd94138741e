"""Normalised AP by characteristics of the faces (HR, Figs. 16 and 17)."""
from collections.abc import Mapping

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..text import plain
from .style import COLOURS, MARKERS, legend_below, new_figure, numbers

_HATCHES = ('', '///', '...', 'xxx', '\\\\\\', 'ooo', '+++')
_TITLES = dict(
    area='area (pixels²)',
    height='height (pixels)',
    aspect='aspect ratio, width / height')


def plot_normalized_ap(detectors: Mapping[str, dict], about: str) -> Figure:
    """AP_N of each value of each characteristic, with standard errors.

    Args:
        detectors: Name -> analyses of one setting, same N and groups.
        about: Setting and images, for the title.

    Returns:
        Figure: Sizes in the first row, attributes (where known) below; dashed
        lines are AP_N of all faces.
    """
    parts = {k: v['characteristics'] for k, v in detectors.items()}
    sample = next(iter(parts.values()))
    rows = [[g for g in sample['groups'] if g in _TITLES],
            [g for g in sample['groups'] if g not in _TITLES]]
    rows = [row for row in rows if row]
    figure = Figure(
        figsize=(12.5, 3.1 * len(rows) + 0.9), layout='constrained')
    FigureCanvasAgg(figure)
    figure.suptitle(
        f'Normalised AP, N = {sample["n"]:g} (bars: standard error; dashed: '
        f'all faces)\n{about}',
        fontsize=11)
    for line, (row, part) in enumerate(
            zip(rows,
                figure.subfigures(len(rows), 1, squeeze=False)[:, 0])):
        widths = [len(sample['groups'][group]['values']) for group in row]
        axes = part.subplots(
            1, len(row), sharey=True, squeeze=False, width_ratios=widths)[0]
        for axis, group in zip(axes, row):
            _draw_group(axis, parts, group)
        axes[0].set_ylabel('AP_N')
        if len(parts) > 1 and not line:
            axes[0].legend(fontsize=8)
    return figure


def _draw_group(axis, parts: Mapping[str, dict], group: str) -> None:
    """The values of one characteristic, detectors side by side."""
    content = next(iter(parts.values()))['groups'][group]
    values = content['values']
    place, wide = np.arange(len(values)), 0.8 / len(parts)
    for number, (name, part) in enumerate(parts.items()):
        rows = part['groups'][group]['values']
        heights = numbers([row['ap_n'] for row in rows])
        at = place + (number - (len(parts) - 1) / 2) * wide
        colour = COLOURS[number % len(COLOURS)]
        axis.bar(
            at,
            heights,
            wide,
            yerr=numbers([row['stderr'] for row in rows]),
            color=colour,
            hatch=_HATCHES[number % len(_HATCHES)],
            edgecolor='white',
            linewidth=0.5,
            label=plain(name),
            error_kw=dict(capsize=2, elinewidth=1))
        if len(parts) == 1:
            for x, height in zip(at, heights):
                if np.isfinite(height):
                    axis.text(
                        x,
                        height + 0.03,
                        f'{height:.3f}',
                        ha='center',
                        fontsize=7.5,
                        bbox=dict(color='white', pad=0.6))
        axis.axhline(
            np.nan if part['overall'] is None else part['overall'],
            color=colour if len(parts) > 1 else 'black',
            linestyle='--',
            linewidth=1)
    axis.set_xticks(place)
    axis.set_xticklabels([
        '\n'.join([row['name'], *limit, f'{row["num_faces"]:,}'])
        for row, limit in zip(values, _limits(content))
    ],
                         fontsize=7.5)
    axis.set_title(_TITLES.get(group, group), fontsize=10)
    axis.set_ylim(0, 1.08)
    axis.grid(axis='y', color='0.88', linewidth=0.7)
    axis.set_axisbelow(True)


def _limits(content: Mapping) -> list[list[str]]:
    """The largest value of each class of a size; nothing for attributes."""
    limits = content.get('limits')
    if not limits:
        return [[] for _ in content['values']]
    return [[f'≤ {limit:,.3g}' if limit < 100 else f'≤ {limit:,.0f}']
            for limit in limits] + [['above']]


def plot_sensitivity(detectors: Mapping[str, dict], about: str) -> Figure:
    """Lowest and highest AP_N of each characteristic.

    Args:
        detectors: Name -> analyses of one setting, same N and groups.
        about: Setting and images, for the title.

    Returns:
        Figure: One panel.
    """
    parts = {k: v['characteristics'] for k, v in detectors.items()}
    sample = next(iter(parts.values()))
    figure, (axis, ) = new_figure(
        1, 'Sensitivity: lowest and highest normalised AP '
        f'(N = {sample["n"]:g})\n{about}',
        width=8.5,
        height=3.8)
    groups = list(sample['groups'])
    for number, (name, part) in enumerate(parts.items()):
        colour = COLOURS[number % len(COLOURS)]
        overall = part['overall']
        axis.axhline(
            np.nan if overall is None else overall,
            color=colour,
            linestyle='--',
            linewidth=1)
        marker = MARKERS[number % len(MARKERS)]
        for at, group in enumerate(groups):
            known = numbers(
                [row['ap_n'] for row in part['groups'][group]['values']])
            known = known[np.isfinite(known)]
            if not len(known):
                continue
            x = at + (number - (len(parts) - 1) / 2) * 0.7 / len(parts)
            ends = [known.min(), known.max()]
            axis.plot([x, x],
                      ends,
                      '-',
                      marker=marker,
                      color=colour,
                      label=plain(name) if at == 0 else None)
            for value, offset in zip(ends, (-0.055, 0.025)):
                axis.text(
                    x,
                    value + offset,
                    f'{value:.3f}',
                    ha='center',
                    fontsize=7.5 if len(parts) == 1 else 6)
    axis.set_xticks(range(len(groups)))
    axis.set_xticklabels(groups)
    axis.set(
        ylabel='AP_N (dashed: all faces)',
        ylim=(-0.08, 1.06),
        xlim=(-0.6, len(groups) - 0.4))
    legend_below(axis, 3)
    return figure
