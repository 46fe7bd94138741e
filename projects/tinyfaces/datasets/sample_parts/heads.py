"""Heads cut from the portraits, and pasting them at any size and angle.

Coordinates are continuous: pixel ``i`` covers ``[i, i + 1)``.
"""
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from .sources import PORTRAITS, Portrait, load_portrait

MAX_ROTATION = 20.0  # degrees
HALVINGS = 4


@dataclass(frozen=True)
class Cut:
    """A head with a soft mask, at several resolutions.

    Attributes:
        portrait: Where it comes from.
        levels: (rgb (h, w, 3), alpha (h, w)) pairs, float32, each half the
            size of the one before.
        centre: Face centre in pixels of level 0.
        half: Half width and half height of the face, likewise.
    """
    portrait: Portrait
    levels: tuple[tuple[np.ndarray, np.ndarray], ...]
    centre: np.ndarray
    half: np.ndarray


@dataclass(frozen=True)
class Pose:
    """How a cut lies in a scene: ``q = matrix @ p + shift``.

    Attributes:
        matrix: (2, 2) from level-0 pixels to scene pixels.
        shift: (2,) scene pixels.
        face: Tight box x1, y1, x2, y2 of the face in the scene.
        extent: Box x1, y1, x2, y2 of the whole cut in the scene.
    """
    matrix: np.ndarray
    shift: np.ndarray
    face: np.ndarray
    extent: np.ndarray


@lru_cache(maxsize=None)
def cuts() -> tuple[Cut, ...]:
    """All cuts: for each portrait one along its outline and one oval."""
    return tuple(
        _cut(portrait, oval) for portrait in PORTRAITS
        for oval in (False, True))


def _cut(portrait: Portrait, oval: bool) -> Cut:
    picture = load_portrait(portrait)
    height, width = picture.shape[:2]
    face = np.array(portrait.face, float)
    face_height = face[3] - face[1]
    # Feather: a few per cent of the face, more for the oval, whose edge runs
    # through the portrait's own backdrop.
    feather = face_height * (0.05 if oval else 0.02)
    alpha = np.zeros((height, width), np.float32)
    if oval:
        x, y, a, b = portrait.oval
        cv2.ellipse(alpha, (x, y), (round(a - feather), round(b - feather)), 0,
                    0, 360, 1.0, -1)
    else:
        cv2.fillPoly(alpha, [np.array(portrait.outline, np.int32)], 1.0)
        reach = 2 * round(feather / 2) + 1
        alpha = cv2.erode(alpha, np.ones((reach, reach), np.uint8))
    alpha = cv2.GaussianBlur(alpha, (0, 0), feather)
    rows, columns = np.nonzero(alpha > 1 / 512)
    x1, y1, x2, y2 = (columns.min(), rows.min(), columns.max() + 1,
                      rows.max() + 1)
    # A multiple of 2 ** HALVINGS keeps the halvings exact.
    spare = [(0, -length % 2**HALVINGS) for length in (y2 - y1, x2 - x1)]
    rgb = np.pad(picture[y1:y2, x1:x2], spare + [(0, 0)], mode='edge')
    alpha = np.pad(alpha[y1:y2, x1:x2], spare)
    levels = [(rgb, alpha)]
    for _ in range(HALVINGS):
        rgb, alpha = (
            cv2.resize(
                plane, (plane.shape[1] // 2, plane.shape[0] // 2),
                interpolation=cv2.INTER_AREA) for plane in levels[-1])
        levels.append((rgb, alpha))
    origin = np.array([x1, y1], float)
    return Cut(portrait, tuple(levels), (face[:2] + face[2:]) / 2 - origin,
               (face[2:] - face[:2]) / 2)


def ellipse_extent(matrix: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Half width and half height of an ellipse after a linear map.

    Args:
        matrix: (2, 2) linear map.
        half: (2,) half axes, along x and y, before the map.

    Returns:
        (2,) half sides of the tight upright box around the mapped ellipse.
    """
    return np.sqrt(((matrix * half)**2).sum(axis=1))


def random_pose(rng: np.random.Generator, cut: Cut, height: int,
                corner: np.ndarray) -> Pose:
    """Random flip, rotation, aspect and shear at a given face height.

    Args:
        rng: Source of chance.
        cut: What is placed.
        height: Height of the tight face box in the scene, in pixels.
        corner: (2,) top left corner of that box.

    Returns:
        Pose: Whose ``face`` has exactly the given height and corner.
    """
    flip = rng.choice([-1.0, 1.0])
    angle = np.deg2rad(np.clip(rng.normal(0, 9), -MAX_ROTATION, MAX_ROTATION))
    aspect = rng.uniform(0.9, 1.08)
    shear = rng.uniform(-0.08, 0.08)
    turn = np.array([[np.cos(angle), -np.sin(angle)],
                     [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[flip * aspect, shear], [0, 1]])
    matrix *= height / (2 * ellipse_extent(matrix, cut.half)[1])
    half = ellipse_extent(matrix, cut.half)
    shift = corner + half - matrix @ cut.centre
    rows, columns = cut.levels[0][1].shape
    corners = np.array([[0, 0], [columns, 0], [0, rows], [columns, rows]])
    corners = corners @ matrix.T + shift
    return Pose(matrix, shift, np.concatenate([corner, corner + 2 * half]),
                np.concatenate([corners.min(axis=0),
                                corners.max(axis=0)]))


def level_for(cut: Cut, pose: Pose) -> int:
    """The level whose pixels are between one and two per scene pixel."""
    scale = np.sqrt(abs(np.linalg.det(pose.matrix)))
    return int(np.clip(np.floor(-np.log2(scale)), 0, len(cut.levels) - 1))


def paste(canvas: np.ndarray,
          rgb: np.ndarray,
          alpha: np.ndarray,
          level: int,
          pose: Pose,
          blur: float = 0.0) -> None:
    """Blend a picture with a soft mask into a scene, in place.

    Args:
        canvas: (H, W, 3) float32 scene.
        rgb: (h, w, 3) float32 at the resolution of ``level``.
        alpha: (h, w) float32 mask in 0..1.
        level: Halvings between level 0 and ``rgb``.
        pose: Where it goes.
        blur: Sigma of a Gaussian blur in scene pixels.
    """
    margin = 1 + int(np.ceil(3 * blur))
    low = np.maximum(np.floor(pose.extent[:2]).astype(int) - margin, 0)
    high = np.minimum(
        np.ceil(pose.extent[2:]).astype(int) + margin,
        [canvas.shape[1], canvas.shape[0]])
    if (high <= low).any():
        return
    step = 2.0**level
    matrix = pose.matrix * step
    # From continuous coordinates to OpenCV's, where pixel centres are whole.
    shift = pose.shift - low + matrix @ [0.5, 0.5] - 0.5
    layer = cv2.warpAffine(
        np.dstack([rgb * alpha[..., None], alpha]),
        np.column_stack([matrix, shift]),
        tuple(int(n) for n in high - low),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT)
    if blur > 0:
        layer = cv2.GaussianBlur(layer, (0, 0), blur)
    region = canvas[low[1]:high[1], low[0]:high[0]]
    region *= 1 - layer[..., 3:]
    region += layer[..., :3]
