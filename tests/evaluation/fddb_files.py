"""Pictures, faces and detections in FDDB's amount and form, made up."""
from pathlib import Path

import numpy as np


def make_faces(num_images=2845, num_faces=5171, seed=0):
    """Name -> ellipses, and name -> size; at least one face each."""
    rng = np.random.default_rng(seed)
    per_image = np.ones(num_images, int)
    extra = rng.zipf(1.6, num_faces * 4).clip(max=25)
    owners = rng.integers(0, num_images, len(extra))
    for owner, count in zip(owners, extra):
        count = min(count, num_faces - per_image.sum())
        per_image[owner] += max(count, 0)
    truth, sizes = {}, {}
    for at, count in enumerate(per_image):
        name = f'2002/{at % 12 + 1:02d}/big/img_{at}'
        width, height = sorted(rng.integers(270, 451,
                                            2))[::rng.choice([1, -1])]
        minor = rng.lognormal(3.6, .5, count).clip(8, 140)
        truth[name] = np.stack([
            minor * rng.uniform(1.2, 1.6, count), minor,
            rng.normal(np.pi / 2, .25, count),
            rng.uniform(0, width, count),
            rng.uniform(0, height, count)
        ], 1).round(6)
        sizes[name] = int(width), int(height)
    return truth, sizes


def make_detections(truth, sizes, total=30000, ellipses=False, seed=1):
    """Noisy copies of the faces, the rest anywhere; name -> rows."""
    rng = np.random.default_rng(seed)
    share = np.full(len(truth), total // len(truth))
    share[:total - share.sum()] += 1
    detections = {}
    for (name, faces), count in zip(truth.items(), share):
        width, height = sizes[name]
        near = faces[rng.integers(0, len(faces), count // 3)]
        near = near * rng.normal(1, .1, near.shape)
        minor = rng.lognormal(3.4, .6, count - len(near)).clip(6, 140)
        wrong = np.stack([
            minor * 1.4, minor,
            rng.uniform(0, np.pi, len(minor)),
            rng.uniform(0, width, len(minor)),
            rng.uniform(0, height, len(minor))
        ], 1)
        shapes = np.concatenate([near, wrong])
        scores = np.concatenate(
            [rng.beta(6, 2, len(near)),
             rng.beta(2, 6, len(wrong))])
        if not ellipses:
            a, b, _, x, y = shapes.T
            # Faces stand upright, more or less.
            shapes = np.stack([x - b, y - a, 2 * b, 2 * a], 1)
        rows = np.column_stack([shapes, scores])
        detections[name] = rows[np.argsort(-rows[:, -1])].round(6)
    return detections


def write_folds(folder, truth, num_folds=10):
    """Write the fold lists and ellipses; give the names by fold."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = list(truth)
    cuts = np.linspace(0, len(names), num_folds + 1).astype(int).tolist()
    folds = {}
    for fold, (start, stop) in enumerate(zip(cuts, cuts[1:]), 1):
        folds[fold] = names[start:stop]
        stem = folder / f'FDDB-fold-{fold:02d}'
        Path(f'{stem}.txt').write_text('\n'.join([*folds[fold], '']))
        Path(f'{stem}-ellipseList.txt').write_text(
            annotation_text({name: truth[name]
                             for name in folds[fold]}))
    return folds


def annotation_text(truth):
    """The content of an annotation file."""
    lines = []
    for name, faces in truth.items():
        lines += [name, str(len(faces))]
        lines += [' '.join(f'{v:.6f}' for v in face) + '  1' for face in faces]
    return '\n'.join([*lines, ''])


def write_sizes(path, sizes):
    """Write lines ``name width height``."""
    Path(path).write_text(''.join(f'{name} {width} {height}\n'
                                  for name, (width, height) in sizes.items()))
