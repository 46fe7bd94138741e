"""False positives, cut out of their pictures (HR, Fig. 18)."""
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Normal, Stroke
from PIL import Image

from ..text import plain

_COLUMNS = 5
# Sides of the crop: so many times the detection's longer side, and at least
# so many pixels; at most so many times the picture's longer side.
_CONTEXT, _LEAST, _MOST = 3.0, 96, 2
_TILE = 240
_FOUND, _FACE = '#FFE600', '#00E5FF'


def plot_top_false_positives(rows: Sequence[Mapping], paths: Mapping[str, str],
                             faces: Mapping[str,
                                            np.ndarray], title: str) -> Figure:
    """Draw each false positive with its surroundings.

    Args:
        rows: From ``top_false_positives``.
        paths: Image key -> its picture.
        faces: Image key -> (n, 4) x y w h of its annotated faces.
        title: Of the figure.

    Returns:
        Figure: One tile each: the detection (solid), the annotated faces
        (dashed, the one it is compared with thicker), kind, overlap and the
        share of detections with a lower score.

    Raises:
        ValueError: A picture cannot be read.
    """
    return _plot_tiles(
        rows, paths, faces, title, lambda row:
        (f'{row["rank"]}. {row["kind"]}, ov {row["overlap"]:.3f}\n'
         f'1−r {row["percent_below"]:.2f} %, score {row["score"]:.4g}'))


def plot_hard_negatives(rows: Sequence[Mapping], paths: Mapping[str, str],
                        title: str) -> Figure:
    """Draw each box of a harvest with its surroundings.

    Args:
        rows: ``rank``; ``image``; ``box``, x y w h; ``score``.
        paths: Image key -> its picture.
        title: Of the figure.

    Returns:
        Figure: One tile each.

    Raises:
        ValueError: A picture cannot be read.
    """
    return _plot_tiles(rows, paths, {}, title,
                       lambda row: f'{row["rank"]}. score {row["score"]:.4g}')


def _plot_tiles(rows: Sequence[Mapping], paths: Mapping[str, str],
                faces: Mapping[str, np.ndarray], title: str,
                describe: Callable[[Mapping], str]) -> Figure:
    """A tile for each row: crop, boxes, what is said of it, picture."""
    lines = max(math.ceil(len(rows) / _COLUMNS), 1)
    figure = Figure(figsize=(12.5, 3.1 * lines + 0.7), layout='constrained')
    FigureCanvasAgg(figure)
    figure.suptitle(plain(title), fontsize=11)
    axes = figure.subplots(lines, _COLUMNS, squeeze=False).ravel()
    for axis, row in zip(axes, rows):
        crop, origin, scale = _crop(paths[row['image']], row)
        axis.imshow(crop, extent=(0, _TILE, _TILE, 0))
        for face in faces.get(row['image'], np.zeros((0, 4))).tolist():
            compared = face == row['face']
            _draw(axis, face, origin, scale, _FACE, '--', 2 if compared else 1)
        _draw(axis, row['box'], origin, scale, _FOUND, '-', 2)
        axis.set(xlim=(0, _TILE), ylim=(_TILE, 0))
        axis.set_title(describe(row), fontsize=8.5)
        width, height = row['box'][2:]
        axis.set_xlabel(
            plain(f'{_shorten(row["image"])}\n'
                  f'{width:.0f}x{height:.0f} pixels'),
            fontsize=7)
        axis.set_xticks([])
        axis.set_yticks([])
    for spare in axes[len(rows):]:
        spare.remove()
    return figure


def check_pictures(paths: Iterable[str | os.PathLike]) -> None:
    """Read the headers of pictures, and the checksums of PNG files.

    Args:
        paths: Of the pictures.

    Raises:
        ValueError: One of them is no picture.
    """
    for path in paths:
        with _opened(path) as image:
            image.verify()


@contextmanager
def _opened(path: str | os.PathLike) -> Iterator[Image.Image]:
    """A picture; what is wrong with it as a ValueError that names it."""
    try:
        with Image.open(path) as image:
            yield image
    except (OSError, SyntaxError, ValueError,
            Image.DecompressionBombError) as error:
        raise ValueError(f'{os.fspath(path)}: not a readable picture '
                         f'({error}); copy or download it again') from error


def _crop(path: str, row: Mapping) -> tuple[np.ndarray, np.ndarray, float]:
    """Square around the detection: pixels, its corner, scale of the tile."""
    with _opened(path) as image:
        picture = image.convert('RGB')
    x, y, width, height = row['box']
    side = round(
        min(
            max(_CONTEXT * max(width, height), _LEAST),
            _MOST * max(picture.size)))
    corner = np.round([x + (width - side) / 2, y + (height - side) / 2])
    scale = _TILE / side
    # Beyond the picture the crop is black.
    tile = Image.new('RGB', (_TILE, _TILE))
    start = np.maximum(corner, 0)
    end = np.minimum(corner + side, picture.size)
    if (start < end).all():
        size = np.maximum(np.round((end - start) * scale), 1).astype(int)
        place = np.round((start - corner) * scale).astype(int)
        visible = picture.resize(
            size.tolist(),
            Image.Resampling.LANCZOS,
            box=(*start.tolist(), *end.tolist()))
        tile.paste(visible, tuple(place.tolist()))
    return np.asarray(tile), corner, scale


def _draw(axis, box: Sequence[float], origin: np.ndarray, scale: float,
          colour: str, style: str, width: float) -> None:
    """One x y w h box in the pixels of the tile, with a dark rim."""
    corner = (np.array(box[:2]) - origin) * scale
    axis.add_patch(
        Rectangle(
            corner,
            box[2] * scale,
            box[3] * scale,
            fill=False,
            edgecolor=colour,
            linestyle=style,
            linewidth=width,
            path_effects=[
                Stroke(linewidth=width + 1.6, foreground='black'),
                Normal()
            ]))


def _shorten(key: str) -> str:
    """The end of an image key."""
    name = key.split('/')[-1]
    return name if len(name) <= 34 else f'…{name[-33:]}'
