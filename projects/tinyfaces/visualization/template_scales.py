"""AP over target size for models of several resolutions: HR's Fig. 8."""
import os
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.ticker import NullLocator, StrMethodFormatter

from ..utils.files import atomic_write
from .analysis.style import legend_below, line_look, new_figure, render
from .text import plain

#: Heights in pixels where HR (section 4) changes the scale.
_REGIMES = (40, 140)


def plot_template_scales(sizes: Sequence[tuple[float, float]],
                         num_faces: Sequence[int],
                         ap: Mapping[float,
                                     Sequence[float]], best: Sequence[float],
                         about: str, path: str | os.PathLike) -> None:
    """Draw a curve per scale, and the numbers of faces on the right axis.

    Targets stand at equal distances in the order of their heights. The best
    scale of each has a ring; dotted lines stand where HR's rule changes the
    scale, at heights of 40 and 140 pixels.

    Args:
        sizes: Height and width of each target, in pixels.
        num_faces: Faces within 0.5 Jaccard distance of each.
        ap: Scale -> AP at each target; NaN is left out.
        best: Scale of each target.
        about: Setting and images, for the title.
        path: PNG to write.
    """
    order = sorted(range(len(sizes)), key=lambda at: sizes[at])
    place = np.arange(len(order))
    heights = [sizes[at][0] for at in order]
    figure, (axis, ) = new_figure(
        1, 'AP of single-resolution models by target size (faces beyond 0.5 '
        f'Jaccard distance ignored)\n{plain(about)}',
        width=max(8.5, .34 * len(order) + 1.5),
        height=4.6)
    count = axis.twinx()
    count.plot(place, np.array(num_faces)[order], color='0.6', linewidth=1.5)
    count.set_ylim(bottom=0)
    count.set_ylabel('faces within 0.5 Jaccard distance (grey)', color='0.35')
    count.yaxis.set_major_formatter(StrMethodFormatter('{x:,.0f}'))
    # The lines stand before those of the other axis.
    axis.set_zorder(count.get_zorder() + 1)
    axis.patch.set_visible(False)
    for number, (scale, values) in enumerate(ap.items()):
        look = line_look(number)
        values = np.array(values, np.float64)[order]
        axis.plot(place, values, label=f'σ = {scale:g}', markersize=4, **look)
        chosen = np.array(best)[order] == scale
        axis.plot(
            place[chosen],
            values[chosen],
            'o',
            markersize=10,
            fillstyle='none',
            color=look['color'])
    for height in _REGIMES:
        between = np.searchsorted(heights, height) - .5
        if 0 < between < len(order) - 1:
            axis.axvline(between, color='0.4', linestyle=':', linewidth=1)
            axis.annotate(
                f'{height} px', (between, 1.02), (2, 2),
                textcoords='offset points',
                fontsize=8,
                color='0.35',
                annotation_clip=False)
    axis.set(
        xlabel='target size, height x width (pixels)',
        ylabel='AP at IoU 0.5 (ring: best)',
        ylim=(0, 1.02))
    axis.set_xticks(place)
    axis.set_xticklabels(
        [f'{sizes[at][0]:.0f}x{sizes[at][1]:.0f}' for at in order],
        rotation=60,
        fontsize=8)
    axis.xaxis.set_minor_locator(NullLocator())
    legend_below(axis, min(len(ap), 6), -0.27)
    with atomic_write(path) as temporary:
        temporary.write_bytes(render(figure))
