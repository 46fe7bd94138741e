"""What is drawn into a scene besides faces."""
import cv2
import numpy as np

from .heads import Cut, Pose, level_for, paste
from .sources import CAT, PORTRAITS, load, load_portrait

# Distractors that resemble a face are kept above the size at which nobody
# could tell them from one.
_MIN_LOOKALIKE = 20


def _patch(rng: np.random.Generator, texture: np.ndarray, width: int,
           height: int, zoom: tuple[float, float]) -> np.ndarray:
    """A random crop of a texture, mirrored by chance, at a given size."""
    rows, columns = texture.shape[:2]
    # The crop keeps the wanted aspect and covers 1/zoom of what is possible.
    scale = min(columns / width, rows / height) / rng.uniform(*zoom)
    w, h = max(int(width * scale), 2), max(int(height * scale), 2)
    x = rng.integers(0, max(columns - w, 0) + 1)
    y = rng.integers(0, max(rows - h, 0) + 1)
    crop = texture[y:y + h, x:x + w]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    shrinking = crop.shape[1] > width
    return cv2.resize(
        crop, (width, height),
        interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)


def _colour(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0, 1, 3).astype(np.float32)


def _skin(rng: np.random.Generator) -> np.ndarray:
    """A colour from a cheek, lighter or darker."""
    portrait = PORTRAITS[rng.integers(len(PORTRAITS))]
    x1, y1, x2, y2 = portrait.face
    x = rng.uniform(x1 + 0.25 * (x2 - x1), x2 - 0.25 * (x2 - x1))
    y = y1 + rng.uniform(0.6, 0.7) * (y2 - y1)
    cheek = load_portrait(portrait)[int(y) - 3:int(y) + 4,
                                    int(x) - 3:int(x) + 4]
    return cheek.mean(axis=(0, 1)) * np.float32(rng.uniform(0.6, 1.15))


def _tint(rng: np.random.Generator, picture: np.ndarray,
          strength: float) -> np.ndarray:
    """Change contrast, brightness and colour of a texture."""
    cast = 1 + strength * rng.uniform(-1, 1, 3)
    gain = rng.uniform(0.6, 1.2)
    lift = rng.uniform(-0.1, 0.2)
    return np.clip(
        picture * (cast * gain).astype(np.float32) + np.float32(lift), 0, 1)


def draw_background(rng: np.random.Generator, textures: list[np.ndarray],
                    width: int, height: int) -> np.ndarray:
    """A photograph of a texture, two of them, or a smooth wall.

    Args:
        rng: Source of chance.
        textures: (h, w, 3) float32 pictures to choose from.
        width: Width of the scene in pixels.
        height: Its height.

    Returns:
        (height, width, 3) float32 in 0..1.
    """

    def photo() -> np.ndarray:
        texture = textures[rng.integers(len(textures))]
        return _tint(rng, _patch(rng, texture, width, height, (1, 3)), 0.35)

    canvas = photo()
    kind = rng.random()
    if kind < 0.35:
        # Ground and sky: two textures with a soft edge between them.
        edge = rng.uniform(
            0.3, 0.7) + rng.uniform(-0.2, 0.2) * np.linspace(-1, 1, width)
        rows = np.linspace(0, 1, height)[:, None]
        mix = 1 / (1 + np.exp((rows - edge) * rng.uniform(20, 200)))
        mix = mix[..., None].astype(np.float32)
        canvas = canvas * (1 - mix) + photo() * mix
    elif kind < 0.55:
        # A smooth wall instead of a texture.
        ends = np.array([[_colour(rng), _colour(rng)],
                         [_colour(rng), _colour(rng)]])
        wall = cv2.resize(ends, (width, height))
        canvas = canvas * 0.15 + wall * 0.85
    return np.ascontiguousarray(canvas, np.float32)


def _blob(canvas: np.ndarray,
          centre: np.ndarray,
          half: np.ndarray,
          fill: np.ndarray,
          power: float,
          soft: float,
          opacity: float = 1.0) -> None:
    """Blend a superellipse into a scene, in place.

    Args:
        canvas: (H, W, 3) float32.
        centre: (2,) x, y.
        half: (2,) half axes.
        fill: (3,) colour, or a picture (h, w, 3) of at least 2 * (half + soft)
            + 2 pixels that starts at the blob's top left corner.
        power: 2 is an ellipse, more is boxier.
        soft: Width of the edge in pixels.
        opacity: 0..1.
    """
    corner = np.floor(centre - half - soft).astype(int)
    low = np.maximum(corner, 0)
    high = np.minimum(
        np.ceil(centre + half + soft).astype(int) + 1,
        [canvas.shape[1], canvas.shape[0]])
    if (high <= low).any():
        return
    x = np.abs(np.arange(low[0], high[0]) + 0.5 - centre[0]) / half[0]
    y = np.abs(np.arange(low[1], high[1]) + 0.5 - centre[1]) / half[1]
    radius = (x[None]**power + y[:, None]**power)**(1 / power)
    alpha = np.clip((1 - radius) * half.min() / soft + 0.5, 0, 1) * opacity
    alpha = alpha[..., None].astype(np.float32)
    region = canvas[low[1]:high[1], low[0]:high[0]]
    if fill.ndim == 3:
        (x1, y1), (x2, y2) = low - corner, high - corner
        fill = fill[y1:y2, x1:x2]
    region *= 1 - alpha
    region += alpha * fill


def draw_clutter(rng: np.random.Generator, canvas: np.ndarray,
                 textures: list[np.ndarray]) -> None:
    """Add shapes and lines of every size, some of them skin-coloured.

    Args:
        rng: Source of chance.
        canvas: (H, W, 3) float32, changed in place.
        textures: Pictures to cut pieces from.
    """
    height, width = canvas.shape[:2]
    for _ in range(rng.integers(4, 16)):
        size = np.exp(rng.uniform(np.log(10), np.log(200)))
        half = size * rng.uniform(0.3, 1, 2) / 2
        centre = rng.uniform(0, 1, 2) * [width, height]
        kind = rng.random()
        if kind < 0.25:
            ends = rng.uniform(0, 1, (2, 2)) * [width, height]
            (x1, y1), (x2, y2) = ends.astype(int).tolist()
            cv2.line(canvas, (x1, y1), (x2, y2),
                     _colour(rng).tolist(), int(rng.integers(1, 7)),
                     cv2.LINE_AA)
        elif kind < 0.55:
            texture = textures[rng.integers(len(textures))]
            w, h = (2 * half).astype(int) + 2
            x, y = (centre - half).astype(int).clip(0)
            patch = _tint(rng, _patch(rng, texture, int(w), int(h), (1, 6)),
                          0.5)
            region = canvas[y:y + h, x:x + w]
            region[:] = patch[:region.shape[0], :region.shape[1]]
        else:
            fill = _skin(rng) if kind > 0.85 else _colour(rng)
            _blob(canvas, centre, half, fill, rng.choice([2, 4, 20]),
                  rng.uniform(1, 3), rng.uniform(0.5, 1))


def draw_body(rng: np.random.Generator, canvas: np.ndarray, face: np.ndarray,
              textures: list[np.ndarray]) -> None:
    """Add shoulders under a head, of cloth, of a texture or of one colour.

    Args:
        rng: Source of chance.
        canvas: (H, W, 3) float32, changed in place.
        face: Box x1, y1, x2, y2 of the face above.
        textures: Pictures to make clothes from.
    """
    width, height = face[2:] - face[:2]
    half = np.array(
        [width * rng.uniform(0.85, 1.3), height * rng.uniform(0.9, 1.6)])
    centre = np.array([(face[0] + face[2]) / 2, face[3] + half[1]])
    soft = max(1.0, 0.03 * height)
    kind = rng.random()
    if kind < 0.5:
        fill = _colour(rng) * np.float32(0.8)
    else:
        cloth = textures[rng.integers(len(textures))]
        if kind < 0.8:
            portrait = PORTRAITS[rng.integers(len(PORTRAITS))]
            x1, y1, x2, y2 = portrait.clothes
            cloth = load_portrait(portrait)[y1:y2, x1:x2]
        w, h = np.ceil(2 * (half + soft)).astype(int) + 2
        fill = _tint(rng, _patch(rng, cloth, int(w), int(h), (1, 3)), 0.4)
    _blob(canvas, centre, half, fill, 2.6, soft)


def draw_decoy(rng: np.random.Generator, canvas: np.ndarray, cut: Cut,
               pose: Pose, textures: list[np.ndarray]) -> None:
    """Paste something that is no face behind the very same mask as a head.

    Args:
        rng: Source of chance.
        canvas: (H, W, 3) float32, changed in place.
        cut: The head whose mask is used.
        pose: Where it goes.
        textures: Pictures to fill it with.
    """
    level = level_for(cut, pose)
    alpha = cut.levels[level][1]
    rows, columns = alpha.shape
    tall = pose.face[3] - pose.face[1] >= _MIN_LOOKALIKE
    kind = rng.random()
    if kind < 0.2 and tall:
        filling = _tint(rng, _patch(rng, load(CAT), columns, rows, (1, 2.5)),
                        0.1)
    elif kind < 0.55 and tall:
        # A head without a face: skin, and by chance hair above.
        filling = np.empty((rows, columns, 3), np.float32)
        filling[:] = _skin(rng)
        side = np.linspace(-1, 1, columns, dtype=np.float32)[None, :, None]
        filling *= 1 + side * np.float32(rng.uniform(-0.25, 0.25))
        if rng.random() < 0.6:
            hair = int(rows * rng.uniform(0.2, 0.45))
            filling[:hair] = _colour(rng) * np.float32(0.5)
        filling = cv2.GaussianBlur(filling, (0, 0), 0.02 * rows)
    elif kind < 0.7:
        filling = np.empty((rows, columns, 3), np.float32)
        filling[:] = _colour(rng)
    else:
        texture = textures[rng.integers(len(textures))]
        filling = _tint(rng, _patch(rng, texture, columns, rows, (1, 6)), 0.5)
    paste(canvas, filling, alpha, level, pose)
