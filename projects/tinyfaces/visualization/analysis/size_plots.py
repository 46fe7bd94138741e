"""Figures over size: AP at one target size, recall by height."""
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, StrMethodFormatter

from ..text import plain
from .style import class_names, legend_below, line_look, new_figure, numbers


def plot_target_sizes(detectors: Mapping[str, dict], about: str) -> Figure:
    """AP over target height; bars on the right axis count the faces.

    Args:
        detectors: Name -> analyses of one setting, of the same sizes.
        about: Setting and images, for the title.

    Returns:
        Figure: One panel.
    """
    figure, (axis, ) = new_figure(
        1,
        'AP at one target size (faces beyond 0.5 Jaccard distance ignored)\n'
        f'{about}',
        width=8.5,
        height=4.3)
    sizes = next(iter(detectors.values()))['target_sizes']
    # Equal distances on the axis, as the sizes grow by a constant factor.
    place = np.arange(len(sizes['height']))
    count = axis.twinx()
    count.bar(
        place, sizes['num_faces'], width=0.75, color='0.86', label='faces')
    count.set_ylabel('faces within 0.5 Jaccard distance (grey bars)')
    count.yaxis.set_major_formatter(StrMethodFormatter('{x:,.0f}'))
    # The lines stand before the bars of the other axis.
    axis.set_zorder(count.get_zorder() + 1)
    axis.patch.set_visible(False)
    for number, (name, analyses) in enumerate(detectors.items()):
        axis.plot(
            place,
            numbers(analyses['target_sizes']['ap']),
            label=plain(name),
            **line_look(number))
    axis.set(
        xlabel='target size, height x width (pixels)',
        ylabel='AP at IoU 0.5',
        ylim=(0, 1.02))
    axis.set_xticks(place)
    axis.set_xticklabels([
        f'{high:g}x{wide:g}'
        for high, wide in zip(sizes['height'], sizes['width'])
    ],
                         rotation=45,
                         fontsize=8)
    axis.xaxis.set_minor_locator(NullLocator())
    legend_below(axis, 3, -0.3)
    return figure


def plot_recall_by_height(detectors: Mapping[str, dict], about: str) -> Figure:
    """Recall over height of the face at several operating points.

    Args:
        detectors: Name -> analyses of one setting.
        about: Setting and images, for the title.

    Returns:
        Figure: One panel per detector; under the classes, their faces.
    """
    figure, axes = new_figure(
        len(detectors),
        f'Recall by height of the face\n{about}',
        width=5.4,
        height=4.2)
    for axis, (name, analyses) in zip(axes, detectors.items()):
        heights = analyses['by_height']
        names = class_names(heights['height_edges'])
        place = np.arange(len(names))
        for number, point in enumerate(heights['points']):
            axis.plot(
                place,
                numbers(point['recall']),
                label=f'{point["name"].replace(">=", "≥")} '
                f'({_percent(point["total_recall"])})',
                markersize=4,
                **line_look(number))
        axis.set_title(plain(name), fontsize=10)
        axis.set(
            xlabel='height of the face (pixels); number of faces',
            ylabel='recall at IoU 0.5',
            xlim=(-0.5, len(names) - 0.5),
            ylim=(0, 1.02))
        axis.set_xticks(place)
        axis.set_xticklabels([
            f'{text}\n{faces:,}'
            for text, faces in zip(names, heights['num_faces'])
        ],
                             fontsize=6.5)
        axis.legend(fontsize=8, title='at (recall of all)', title_fontsize=8)
    return figure


def _percent(value: float | None) -> str:
    """A share as text."""
    return 'no faces' if value is None else f'{100 * value:.1f} %'
