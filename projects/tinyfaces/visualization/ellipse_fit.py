"""What an ellipse regressor does to detected boxes, as a picture."""
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse, Rectangle

from tinyfaces.utils.files import atomic_write
from .text import plain

# Okabe and Ito's yellow, vermilion and sky blue: told apart by colour-blind
# readers, and bright on photographs.
_COLOURS = ('#F0E442', '#D55E00', '#56B4E9')
_NAMES = ('annotated', 'detected box', 'regressed ellipse')
_COLUMNS = 4
# Width of a panel in inches.
_PANEL = 3.


class FittedPicture(NamedTuple):
    """One picture to draw.

    Attributes:
        image: uint8 of shape (height, width, 3), RGB.
        annotated: Shape (m, 5), FDDB's ellipses.
        boxes: Shape (n, 4), xyxy in pixels.
        ellipses: Shape (n, 5), one for each box.
        title: What to write above it.
    """

    image: np.ndarray
    annotated: np.ndarray
    boxes: np.ndarray
    ellipses: np.ndarray
    title: str


def plot_ellipse_fit(pictures: Sequence[FittedPicture],
                     path: str | os.PathLike) -> None:
    """Draw annotated ellipses, boxes and regressed ellipses side by side.

    Args:
        pictures: What to draw, one panel each.
        path: PNG to write.

    Raises:
        ValueError: There is no picture.
    """
    if not pictures:
        raise ValueError('no pictures to draw')
    columns = min(_COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    figure = Figure(
        figsize=(columns * _PANEL, rows * _PANEL * 1.1 + 0.4),
        layout='constrained')
    FigureCanvasAgg(figure)
    axes = np.ravel(figure.subplots(rows, columns, squeeze=False))
    for axis in axes:
        axis.axis('off')
    for axis, picture in zip(axes, pictures):
        height, width = picture.image.shape[:2]
        axis.imshow(picture.image)
        axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
        axis.set_title(plain(picture.title), fontsize=8)
        for ellipse in picture.annotated:
            axis.add_patch(_outline(ellipse, _COLOURS[0]))
        for x1, y1, x2, y2 in picture.boxes:
            axis.add_patch(
                Rectangle((x1, y1),
                          x2 - x1,
                          y2 - y1,
                          fill=False,
                          color=_COLOURS[1],
                          linewidth=1))
        for ellipse in picture.ellipses:
            axis.add_patch(_outline(ellipse, _COLOURS[2]))
    figure.legend(
        handles=[
            Line2D([], [], color=colour, label=name)
            for colour, name in zip(_COLOURS, _NAMES)
        ],
        loc='outside lower center',
        ncols=3,
        frameon=False)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=110, format='png')


def _outline(ellipse: np.ndarray, colour: str) -> Ellipse:
    major, minor, angle, x, y = ellipse
    # The y axis points down here as in FDDB: angles have the same sense.
    return Ellipse((x, y),
                   2 * major,
                   2 * minor,
                   angle=np.degrees(angle),
                   fill=False,
                   color=colour,
                   linewidth=1.4)
