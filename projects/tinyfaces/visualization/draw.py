"""Drawing detected faces into a picture."""
import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Scores 0, 0.5 and 1: orange, yellow, cyan. Bright on any photograph, and
# told apart by colour-blind people.
_COLOURS = np.array([[255, 140, 0], [255, 235, 60], [0, 229, 255]])
# In pixels: lower boxes get no label, which would be larger than the face.
_LABEL_FROM = 24


def draw_detections(image: np.ndarray,
                    boxes: np.ndarray,
                    scores: np.ndarray,
                    max_side: int | None = None,
                    ellipses: np.ndarray | None = None) -> Image.Image:
    """Draw boxes, coloured by score, and scores where there is room.

    The lines lie outside of the boxes and get thinner for small ones, so
    that tiny faces stay visible. Better boxes are drawn over worse ones.
    Ellipses, where there are any, are drawn instead of the boxes.

    Args:
        image: uint8 of shape (height, width, 3), RGB; not changed.
        boxes: Shape (n, 4), xyxy in pixels.
        scores: Shape (n,), 0 to 1.
        max_side: Scale a picture with a longer side down to this, before
            drawing. ``None`` to keep its size.
        ellipses: Shape (n, 5): half-axes in pixels, angle of the first one
            in radians, centre x and y.

    Returns:
        Image.Image: RGB.

    Raises:
        ValueError: ``boxes``, ``scores`` and ``ellipses`` differ in number,
            or ``max_side`` is not positive.
    """
    if len(boxes) != len(scores):
        raise ValueError(f'{len(boxes)} boxes but {len(scores)} scores')
    if ellipses is not None and len(ellipses) != len(boxes):
        raise ValueError(f'{len(boxes)} boxes but {len(ellipses)} ellipses')
    if max_side is not None and max_side < 1:
        raise ValueError(f'max_side is {max_side}; give at least 1')
    canvas = Image.fromarray(np.ascontiguousarray(image))
    if max_side is not None and max(canvas.size) > max_side:
        canvas.thumbnail((max_side, max_side), reducing_gap=2.)
    ratio = np.array(canvas.size * 2) / (image.shape[1::-1] * 2)
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4) * ratio
    outlines = [None] * len(boxes) if ellipses is None else [
        outline * ratio[:2] for outline in ellipse_outlines(ellipses)
    ]
    thickest = max(1, round(max(canvas.size) / 500))
    brush = ImageDraw.Draw(canvas)
    for i in np.argsort(scores, kind='stable'):
        _draw_face(brush, boxes[i], float(scores[i]), thickest, outlines[i])
    return canvas


def ellipse_outlines(ellipses: np.ndarray, points: int = 72) -> np.ndarray:
    """Points around ellipses.

    Args:
        ellipses: Shape (n, 5): half-axes, angle of the first one in radians,
            centre x and y.
        points: How many, evenly spaced in the angle of a circle.

    Returns:
        np.ndarray: Shape (n, points, 2), x and y.
    """
    first, second, angle, x, y = np.asarray(
        ellipses, dtype=np.float64).reshape(-1, 5, 1).transpose(1, 0, 2)
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    along, across = first * np.cos(turn), second * np.sin(turn)
    return np.stack((x + along * np.cos(angle) - across * np.sin(angle),
                     y + along * np.sin(angle) + across * np.cos(angle)),
                    axis=2)


def _draw_face(brush: ImageDraw.ImageDraw, box: np.ndarray, score: float,
               thickest: int, outline: np.ndarray | None) -> None:
    x1, y1, x2, y2 = box
    height = y2 - y1
    colour = tuple(
        round(np.interp(score, [0, 0.5, 1], channel))
        for channel in _COLOURS.T)
    line = min(thickest, max(1, round(height / 20)))
    if outline is None:
        brush.rectangle((round(x1) - line, round(y1) - line,
                         round(x2) + line - 1, round(y2) + line - 1),
                        outline=colour,
                        width=line)
    else:
        closed = [*map(tuple, outline), tuple(outline[0])]
        brush.line(closed, fill=colour, width=line, joint='curve')
    if height < _LABEL_FROM:
        return
    font = ImageFont.load_default(size=min(max(height / 5, 10), 32))
    text = f'{score:.2f}'
    left, top, right, bottom = brush.textbbox((0, 0), text, font=font)
    x, y = round(x1) - line, round(y1) - line
    # Above the box, or inside it at the top of the picture.
    if y >= bottom - top + 4:
        y -= bottom - top + 4
    brush.rectangle((x, y, x + right - left + 4, y + bottom - top + 4),
                    fill=colour)
    brush.text((x + 2 - left, y + 2 - top), text, fill='black', font=font)
