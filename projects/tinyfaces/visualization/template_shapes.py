"""Templates of "Finding Tiny Faces" as a picture."""
import os
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from ..templates import Template
from ..utils.files import atomic_write
from .palette import COLOURS
from .text import plain

# Role -> colour and name.
_LOOKS = {
    'A': (COLOURS[0], 'A: at every scale'),
    'B': (COLOURS[1], 'B: where enlarged'),
    None: ('.45', 'no role'),
}
_BINS = 60


def plot_template_shapes(templates: Sequence[Template],
                         about: str,
                         path: str | os.PathLike,
                         shapes: np.ndarray | None = None,
                         weights: np.ndarray | None = None) -> None:
    """Draw which faces templates are for, and the templates themselves.

    The first panel has the faces' widths and heights in original pictures, on
    logarithmic axes, over the boxes of the data. The others have the
    outlines of the templates of one scale each, in pixels of the scaled
    picture, on a common centre.

    Args:
        templates: At least one.
        about: Of what, for the title.
        path: PNG to write.
        shapes: (m, 2) widths and heights of boxes, above 0; None: no boxes.
        weights: (m, ) how often each occurs; None: once.

    Raises:
        ValueError: There is no template.
    """
    if not templates:
        raise ValueError('there are no templates to draw')
    scales = sorted({template.scale for template in templates})
    figure = Figure(
        figsize=(4.6 + 3.2 * len(scales), 4.6), dpi=110, layout='constrained')
    FigureCanvasAgg(figure)
    faces, *panels = figure.subplots(
        1, 1 + len(scales), width_ratios=[4.6] + [3.2] * len(scales))
    if shapes is not None and len(shapes):
        _draw_boxes(faces, shapes, weights)
    _draw_faces(faces, templates)
    for axes, scale in zip(panels, scales):
        _draw_outlines(axes, [x for x in templates if x.scale == scale])
        axes.set_title(f'templates at {scale:g}x', fontsize=10)
    roles = {template.role for template in templates}
    figure.legend(
        handles=[
            Line2D([], [], color=colour, marker='o', label=name)
            for role, (colour, name) in _LOOKS.items() if role in roles
        ],
        loc='outside upper right',
        ncols=3,
        frameon=False)
    figure.suptitle(plain(about), fontsize=11, x=.01, ha='left')
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format='png')


def _draw_boxes(axes: Axes, shapes: np.ndarray,
                weights: np.ndarray | None) -> None:
    """How many boxes there are of each width and height."""
    # Sizes are whole pixels as a rule: edges between them leave no gaps.
    edges = np.geomspace(max(shapes.min(), 1), shapes.max() + 1, _BINS)
    edges = np.unique(np.rint(edges)) - .5
    edges = np.append(edges, shapes.max() + 1)
    counts, _, _ = np.histogram2d(*shapes.T, bins=edges, weights=weights)
    cells = np.outer(*2 * [np.diff(edges)])
    density = np.ma.masked_equal(counts / cells, 0)
    if density.count():
        mesh = axes.pcolormesh(
            edges, edges, density.T, cmap='Greys', norm=LogNorm())
        axes.figure.colorbar(
            mesh, ax=axes, pad=.01, label='boxes per square pixel')


def _draw_faces(axes: Axes, templates: Sequence[Template]) -> None:
    """Width and height of each template's faces."""
    for template in templates:
        axes.plot(
            *template.face_size,
            'o',
            markersize=6,
            color=_LOOKS[template.role][0],
            markeredgecolor='w')
    axes.set(xscale='log', yscale='log')
    for axis, name in ((axes.xaxis, 'width'), (axes.yaxis, 'height')):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(StrMethodFormatter('{x:g}'))
        axis.set_minor_formatter(NullFormatter())
        axis.set_label_text(f'{name} of the face, pixels')
    axes.set_title('faces in original pictures', fontsize=10)


def _draw_outlines(axes: Axes, templates: Sequence[Template]) -> None:
    """Rectangles on a common centre, in pixels of the scaled picture."""
    for width, height, _, role in templates:
        axes.add_patch(
            Rectangle((-width / 2, -height / 2),
                      width,
                      height,
                      fill=False,
                      linewidth=1.3,
                      edgecolor=_LOOKS[role][0]))
    reach = .55 * max(max(template[:2]) for template in templates)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect='equal')
    axes.set_xlabel('pixels of the scaled picture')
