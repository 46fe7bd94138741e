"""What the figures of the error analysis share."""
import io
import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from ..palette import COLOURS, LINES

MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X')
#: Kind of false positive -> colour and hatch; dark, light and hatched.
KIND_LOOKS = {
    'localisation': ('#F0C24B', ''),
    'duplicate': ('#FFFFFF', '/////'),
    'background': ('#1F5A85', ''),
}
_COLUMNS = 3
_DPI = 100


def line_look(number: int) -> dict:
    """Colour, line style and marker of the number-th line."""
    return dict(
        color=COLOURS[number % len(COLOURS)],
        linestyle=LINES[number % len(LINES)],
        marker=MARKERS[number % len(MARKERS)])


def new_figure(panels: int,
               title: str,
               width: float = 4.6,
               height: float = 3.7) -> tuple[Figure, list[Axes]]:
    """A figure with panels side by side, three in a row at most.

    Args:
        panels: How many.
        title: Of the figure; may have several lines.
        width: Of a panel, in inches.
        height: Of a panel, in inches.

    Returns:
        tuple[Figure, list[Axes]]: The panels row after row.
    """
    columns = min(panels, _COLUMNS)
    rows = math.ceil(panels / columns)
    # A single panel is narrower than the title: give it room.
    figure = Figure(
        figsize=(max(columns * width, 6.2), rows * height + 0.5),
        layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for spare in axes[panels:]:
        spare.remove()
    figure.suptitle(title, fontsize=11)
    for axis in axes[:panels]:
        axis.grid(color='0.88', linewidth=0.7)
        axis.set_axisbelow(True)
    return figure, axes[:panels]


def legend_below(axis: Axes, columns: int = 1, below: float = -0.16) -> None:
    """Put the legend under a panel, where it hides no curve."""
    axis.legend(
        loc='upper center',
        bbox_to_anchor=(0.5, below),
        ncols=columns,
        frameon=False,
        fontsize=8.5)


def class_names(edges: Sequence[float]) -> list[str]:
    """``['<8', '8-12', ..., '>=256']`` of lower edges that start at 0."""
    inner = [f'{low:g}–{high:g}' for low, high in zip(edges[1:], edges[2:])]
    return [f'<{edges[1]:g}', *inner, f'≥{edges[-1]:g}']


def numbers(values: Sequence[float | None]) -> np.ndarray:
    """A list with None as float64 with NaN."""
    return np.array(values, np.float64)


def render(figure: Figure, form: str = 'png') -> bytes:
    """The file of a figure.

    Args:
        figure: From :func:`new_figure`.
        form: ``png``, or ``jpg`` for figures full of photographs.

    Returns:
        bytes: Of the file.
    """
    buffer = io.BytesIO()
    if form == 'jpg':
        figure.savefig(
            buffer, format=form, dpi=_DPI, pil_kwargs=dict(quality=80))
        return buffer.getvalue()
    figure.set_dpi(_DPI)
    figure.canvas.draw()
    # Drawings need few colours: with a palette the file is a third as large.
    drawing = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
    drawing.quantize(256, Image.Quantize.FASTOCTREE).save(
        buffer, 'png', optimize=True)
    return buffer.getvalue()
