"""Positive and negative anchors of each scale as a picture."""
import math
import os
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from ..utils.files import atomic_write
from .palette import COLOURS
from .text import plain

_ROWS = dict(before='before sampling', after='after sampling')
_KINDS = 'positives', 'negatives'
_WIDTH = .38


def plot_anchor_distribution(detectors: Sequence[dict], about: str,
                             path: str | os.PathLike) -> None:
    """Draw Fig. 2 of Group Sampling: shares of all samples over scales.

    One column of panels per detector, before sampling above and after it
    below. Shares are on a logarithmic axis, as some differ by a factor of
    100,000; a share of zero has no bar.

    Args:
        detectors: Each with a ``name``, ``sampling`` (the sampler in words),
            ``tiling`` (a label for each scale) and, under ``before`` and
            ``after``, ``shares``: ``positives`` and ``negatives`` of each
            scale, from 0 to 1.
        about: Of what, for the title.
        path: PNG to write.

    Raises:
        ValueError: There is no detector, or none has any sample.
    """
    shares = [
        share for detector in detectors for stage in _ROWS
        for kind in _KINDS for share in detector[stage]['shares'][kind]
        if share > 0
    ]
    if not shares:
        raise ValueError('there are no samples to draw')
    figure = Figure(
        figsize=(max(6, 3 * len(detectors)), 5.6),
        dpi=110,
        layout='constrained')
    FigureCanvasAgg(figure)
    rows = figure.subplots(
        len(_ROWS), len(detectors), sharey=True, squeeze=False)
    # Room for the labels above bars of 100 %.
    limits = 10.**math.floor(math.log10(min(shares)) - .2), 5
    for (stage, title), panels in zip(_ROWS.items(), rows):
        for detector, axes in zip(detectors, panels):
            _draw(axes, detector[stage]['shares'], detector['tiling'])
            axes.set(yscale='log', ylim=limits)
        panels[0].set_ylabel(f'{title}\nshare of all samples')
        panels[0].yaxis.set_major_formatter(
            FuncFormatter(lambda share, _: f'{100 * share:g} %'))
    for detector, (above, below) in zip(detectors, rows.T):
        above.set_title(plain(detector['name']), fontsize=10)
        below.set_title(plain(detector['sampling']), fontsize=9)
        below.set_xlabel('anchor scale/stride, pixels')
    figure.legend(
        handles=[
            Patch(color=colour, label=kind)
            for kind, colour in zip(_KINDS, COLOURS)
        ],
        loc='outside upper right',
        ncols=2,
        frameon=False)
    figure.suptitle(plain(about), fontsize=11, x=.01, ha='left')
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format='png')


def _draw(axes: Axes, shares: dict[str, Sequence[float]],
          labels: Sequence[str]) -> None:
    """Two bars for each scale."""
    for kind, colour, away in zip(_KINDS, COLOURS, (-1, 1)):
        for place, share in enumerate(shares[kind]):
            if not share:
                continue
            axes.bar(place + away * _WIDTH / 2, share, _WIDTH, color=colour)
            # Away from the other bar, which may be higher.
            axes.annotate(
                f'{100 * share:.2g}', (place, share), (away, 1),
                textcoords='offset points',
                fontsize=7,
                ha='right' if away < 0 else 'left')
    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlim(-.75, len(labels) - .25)
    axes.grid(axis='y', color='.88', linewidth=.7)
    axes.set_axisbelow(True)
