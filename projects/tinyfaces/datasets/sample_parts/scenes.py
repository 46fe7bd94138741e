"""Composing one scene: background, clutter, distractors, faces, camera."""
from dataclasses import dataclass, field

import cv2
import numpy as np

from .drawing import draw_background, draw_body, draw_clutter, draw_decoy
from .heads import Cut, Pose, cuts, level_for, paste, random_pose
from .sources import BACKGROUNDS, load

MIN_HEIGHT, SMALL, MAX_HEIGHT = 8, 32, 300
MAX_FACES = 12
_SIZES = ((640, 480), (480, 640), (720, 540), (560, 560), (768, 512), (540,
                                                                       720))


@dataclass
class Scene:
    """A finished picture and its faces.

    Attributes:
        image: (h, w, 3) uint8 RGB.
        quality: JPEG quality to store it with.
        boxes: (n, 4) int x, y, w, h in pixels, w = x2 - x1.
        blur: (n,) int, WIDER FACE's label: 0 clear, 1 normal, 2 heavy.
        illumination: (n,) int: 0 normal, 1 extreme.
    """
    image: np.ndarray
    quality: int
    boxes: np.ndarray
    blur: np.ndarray
    illumination: np.ndarray


@dataclass
class _Plan:
    """Where everything lies, so that nothing covers a face."""
    size: tuple[int, int]
    faces: list[np.ndarray] = field(default_factory=list)
    extents: list[np.ndarray] = field(default_factory=list)

    def fits(self, pose: Pose) -> bool:
        """The face lies in the picture, and no head covers a face."""
        inside = (pose.face[:2] >= 0).all() and (np.round(pose.face[2:])
                                                 <= self.size).all()
        return bool(inside) and not any(
            _overlap(pose.extent, face) for face in self.faces) and not any(
                _overlap(pose.face, extent) for extent in self.extents)

    def add(self, pose: Pose, is_face: bool) -> None:
        """Keep the place of a head or of a distractor."""
        self.extents.append(pose.extent)
        if is_face:
            self.faces.append(pose.face)


def _overlap(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((np.minimum(a[2:], b[2:]) > np.maximum(a[:2], b[:2])).all())


def random_heights(rng: np.random.Generator, count: int) -> np.ndarray:
    """Face heights in pixels, tallest first, at least half under 32.

    Roughly log-uniform in 8..31 and in 32..300. A single face may have any
    size.

    Args:
        rng: Source of chance.
        count: How many.

    Returns:
        (count,) int.
    """
    small = (count + 1) // 2 if count > 1 else int(rng.random() < 0.6)
    # The power moves some weight away from the very smallest.
    low = MIN_HEIGHT * (SMALL / MIN_HEIGHT)**(rng.random(small)**0.8)
    high = SMALL * (MAX_HEIGHT / SMALL)**rng.random(count - small)
    heights = np.concatenate([np.floor(low), np.round(high)]).astype(int)
    return np.sort(heights)[::-1]


def compose(rng: np.random.Generator, split: str, faces: tuple[int,
                                                               int]) -> Scene:
    """Make one scene.

    Args:
        rng: Source of chance; the scene depends on nothing else.
        split: ``train`` or ``val``: which backgrounds.
        faces: Least and greatest number of faces; a face for which no free
            place is found is left out, but never the first.

    Returns:
        Scene: With at least one face.
    """
    width, height = _SIZES[rng.integers(len(_SIZES))]
    width, height = (
        int(side * rng.uniform(0.9, 1.1)) for side in (width, height))
    textures = [load(source) for source in BACKGROUNDS[split]]
    canvas = draw_background(rng, textures, width, height)
    draw_clutter(rng, canvas, textures)
    plan = _Plan((width, height))
    count = int(rng.integers(faces[0], faces[1] + 1))
    heads = _place(rng, plan, random_heights(rng, count), True)
    decoys = _place(rng, plan, random_heights(rng, int(rng.integers(3, 10))),
                    False)
    for _, pose in heads + decoys:
        if rng.random() < 0.6:
            draw_body(rng, canvas, pose.face, textures)
    for cut, pose in decoys:
        draw_decoy(rng, canvas, cut, pose, textures)
    scene_blur = rng.uniform(0.4, 0.9) if rng.random() < 0.25 else 0.0
    blur, light = [], []
    for cut, pose in heads:
        face_blur, extreme = _face(rng, canvas, cut, pose)
        face_height = pose.face[3] - pose.face[1]
        relative = np.hypot(face_blur, scene_blur) / face_height
        blur.append(int(np.digitize(relative, [0.01, 0.04])))
        light.append(int(extreme))
    image = _camera(rng, canvas, scene_blur)
    corners = np.array([np.round(pose.face) for _, pose in heads], int)
    boxes = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
    return Scene(image, int(rng.integers(60, 96)), boxes, np.array(blur),
                 np.array(light))


def _place(rng: np.random.Generator, plan: _Plan, heights: np.ndarray,
           is_face: bool) -> list[tuple[Cut, Pose]]:
    placed = []
    for height in heights:
        able = [cut for cut in cuts() if cut.portrait.max_height >= height]
        # Three in four along the outline, one in four oval: see cuts().
        weights = np.array([3, 1] * (len(able) // 2), float)
        for _ in range(40):
            cut = able[rng.choice(len(able), p=weights / weights.sum())]
            room = np.maximum(np.array(plan.size) - int(1.2 * height), 1)
            pose = random_pose(rng, cut, int(height), rng.integers(0, room))
            if plan.fits(pose):
                plan.add(pose, is_face)
                placed.append((cut, pose))
                break
    return placed


def _face(rng: np.random.Generator, canvas: np.ndarray, cut: Cut,
          pose: Pose) -> tuple[float, bool]:
    """Paste one face; gives its blur in pixels and if its light is extreme."""
    level = level_for(cut, pose)
    rgb, alpha = cut.levels[level]
    gain = np.exp(rng.normal(0, 0.15))
    gamma = np.exp(rng.normal(0, 0.2))
    cast = 1 + rng.uniform(-0.08, 0.08, 3)
    # Light from one side.
    rows, columns = alpha.shape
    across, down = rng.uniform(-0.25, 0.25, 2)
    light = (1 + across * np.linspace(-1, 1, columns)[None] +
             down * np.linspace(-1, 1, rows)[:, None])
    lit = np.power(rgb, np.float32(gamma))
    lit *= (light[..., None] * gain * cast).astype(np.float32)
    height = pose.face[3] - pose.face[1]
    blur = height * rng.uniform(0.005, 0.025) if rng.random() < 0.3 else 0.0
    paste(canvas, np.minimum(lit, 1), alpha, level, pose, blur)
    extreme = abs(np.log(gain)) > 0.3 or max(abs(across), abs(down)) > 0.22
    return blur, bool(extreme)


def _camera(rng: np.random.Generator, canvas: np.ndarray,
            blur: float) -> np.ndarray:
    """Light, lens and sensor: the whole picture at once."""
    image = np.clip(canvas, 0, 1)
    image = np.power(image, np.float32(np.exp(rng.normal(0, 0.15))))
    cast = rng.uniform(0.85, 1.1) * (1 + rng.uniform(-0.08, 0.08, 3))
    image = (image - 0.5) * np.float32(rng.uniform(0.8, 1.1)) + 0.5
    image = image * cast.astype(np.float32) + np.float32(
        rng.uniform(-0.06, 0.06))
    if rng.random() < 0.12:
        # A weighted sum, not a matrix product: BLAS libraries differ
        # in the last bit.
        red, green, blue = np.moveaxis(image, 2, 0)
        grey = (
            np.float32(0.299) * red + np.float32(0.587) * green +
            np.float32(0.114) * blue)
        image = np.repeat(grey[..., None], 3, axis=2)
    if blur > 0:
        image = cv2.GaussianBlur(image, (0, 0), blur)
    if rng.random() < 0.6:
        noise = rng.standard_normal(image.shape, np.float32)
        image = image + noise * np.float32(rng.uniform(0.004, 0.025))
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
