"""A tiny data set in FDDB's layout, made on the spot."""
from pathlib import Path

import numpy as np
from PIL import Image

# Fold -> name -> ellipses (major and minor half-axis, angle, cx, cy).
Folds = dict[int, dict[str, list[list[float]]]]


def random_folds(num_folds: int = 10,
                 pictures: int = 2,
                 size: tuple[int, int] = (64, 48),
                 seed: int = 0) -> Folds:
    """Folds of pictures with one or two faces, all inside the picture."""
    rng = np.random.default_rng(seed)
    width, height = size
    folds: Folds = {}
    for fold in range(1, num_folds + 1):
        folds[fold] = {}
        for number in range(pictures):
            faces = []
            for left in (0, width // 2)[:1 + number % 2]:
                major = rng.uniform(8, 11)
                faces.append([
                    major, major * .7,
                    rng.uniform(-1.6, 1.6), left + rng.uniform(12, 20),
                    rng.uniform(14, height - 14)
                ])
            folds[fold][f'2002/0{fold % 9 + 1}/big/img_{number}_{fold}'] = (
                np.round(faces, 6).tolist())
    return folds


def write_fddb(root: Path,
               folds: Folds | None = None,
               size: tuple[int, int] = (64, 48)) -> Folds:
    """Write fold lists, ellipses and pictures below ``root``.

    Faces are bright on dark noise. Every second picture is grey, as a few of
    FDDB's are.

    Returns:
        Folds: What was written.
    """
    folds = folds or random_folds(size=size)
    rng = np.random.default_rng(1)
    grid = np.stack(np.meshgrid(*map(np.arange, size)), -1)
    lists = root / 'FDDB-folds'
    lists.mkdir(parents=True, exist_ok=True)
    count = 0
    for fold, pictures in folds.items():
        lines = []
        for name, faces in pictures.items():
            lines += [name, str(len(faces))]
            image = rng.integers(0, 60, (size[1], size[0]), np.uint8)
            for face in faces:
                lines.append(' '.join(f'{x:.6f}' for x in face) + '  1')
                image[_inside(grid, face)] += 180
            path = root / 'originalPics' / f'{name}.jpg'
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(image)
            count += 1
            if count % 2:
                picture = picture.convert('RGB')
            picture.save(path)
        stem = f'FDDB-fold-{fold:02d}'
        (lists / f'{stem}.txt').write_text('\n'.join([*pictures, '']))
        (lists / f'{stem}-ellipseList.txt').write_text('\n'.join([*lines, '']))
    return folds


def _inside(grid: np.ndarray, face: list[float]) -> np.ndarray:
    """Mask of the pixels in an ellipse; grid (h, w, 2) of x and y."""
    major, minor, angle, x, y = face
    cos, sin = np.cos(angle), np.sin(angle)
    offset = grid - (x, y)
    along = offset @ (cos, sin) / major
    across = offset @ (-sin, cos) / minor
    return along**2 + across**2 <= 1
