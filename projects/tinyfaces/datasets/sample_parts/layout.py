"""Files in the layout of WIDER FACE's official download."""
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from ..wider_annotations import ATTRIBUTES
from .scenes import Scene

# Least box height, exclusive, of each setting. The official lists were made
# so: easy > 50, medium > 30, hard > 10 pixels, each holding the one before.
SETTINGS = {'easy': 50, 'medium': 30, 'hard': 10}
_ATTRIBUTES = tuple(ATTRIBUTES)


@dataclass(frozen=True)
class Entry:
    """The annotation of one picture.

    Attributes:
        event: Event folder.
        stem: File name without ``.jpg``.
        boxes: (n, 4) int x, y, w, h.
        attributes: (n, 6) int, in the order of the text format: blur,
            expression, illumination, invalid, occlusion, pose.
    """
    event: str
    stem: str
    boxes: np.ndarray
    attributes: np.ndarray


def write_picture(root: Path, split: str, event: str, stem: str,
                  scene: Scene) -> Entry:
    """Write one picture below ``WIDER_<split>/images``.

    Args:
        root: The data set's folder.
        split: ``train`` or ``val``.
        event: Event folder.
        stem: File name without ``.jpg``.
        scene: What to write.

    Returns:
        Entry: Its annotation. Expression, invalid, occlusion and pose are 0.
    """
    path = root / f'WIDER_{split}' / 'images' / event / f'{stem}.jpg'
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(scene.image).save(path, quality=scene.quality)
    attributes = np.zeros((len(scene.boxes), len(_ATTRIBUTES)), int)
    attributes[:, _ATTRIBUTES.index('blur')] = scene.blur
    attributes[:, _ATTRIBUTES.index('illumination')] = scene.illumination
    return Entry(event, stem, scene.boxes, attributes)


def write_text(root: Path, split: str, entries: list[Entry]) -> None:
    """Write ``wider_face_split/wider_face_<split>_bbx_gt.txt``."""
    lines = []
    for entry in entries:
        lines += [f'{entry.event}/{entry.stem}.jpg', str(len(entry.boxes))]
        rows = np.hstack([entry.boxes, entry.attributes])
        # The official files end each face with a space.
        lines += [' '.join(map(str, row)) + ' ' for row in rows.tolist()]
    path = root / 'wider_face_split' / f'wider_face_{split}_bbx_gt.txt'
    path.parent.mkdir(exist_ok=True)
    path.write_text('\n'.join(lines) + '\n', encoding='ascii', newline='\n')


def write_ground_truth(root: Path, entries: list[Entry]) -> None:
    """Write the four evaluation files below ``ground_truth``.

    Nested cells as in the official files of 31 Mar 2017: one cell per event
    (in lexicographic order), in it one cell per picture.
    """
    events = sorted({entry.event for entry in entries})
    groups = [[entry for entry in entries if entry.event == event]
              for event in events]

    def nest(value) -> np.ndarray:
        return _cells(
            [_cells([value(entry) for entry in group]) for group in groups])

    content = {
        'event_list': _cells(events),
        'file_list': nest(lambda entry: entry.stem),
        'face_bbx_list': nest(lambda entry: entry.boxes.astype(np.int32)),
    }
    for column, name in enumerate(_ATTRIBUTES):
        content[f'{name}_label_list'] = nest(
            lambda entry: entry.attributes[:, [column]].astype(np.uint8))
    folder = root / 'ground_truth'
    folder.mkdir()
    _write_mat(folder / 'wider_face_val.mat', content)
    for setting, least in SETTINGS.items():
        kept = nest(lambda entry: _keep(entry, least))
        _write_mat(folder / f'wider_{setting}_val.mat', {
            **content, 'gt_list': kept
        })


def _keep(entry: Entry, least: int) -> np.ndarray:
    """(k, 1) 1-based indices of the boxes taller than ``least``."""
    kept = np.flatnonzero(entry.boxes[:, 3] > least) + 1
    return kept[:, None].astype(
        np.uint16 if kept.max(initial=0) > 255 else np.uint8)


def _cells(items: list) -> np.ndarray:
    """A column cell array."""
    cells = np.empty((len(items), 1), object)
    for row, item in enumerate(items):
        cells[row, 0] = item
    return cells


def _write_mat(path: Path, content: dict[str, np.ndarray]) -> None:
    buffer = io.BytesIO()
    savemat(buffer, content)
    data = bytearray(buffer.getvalue())
    # SciPy puts the date and the machine into the 116 bytes of free text at
    # the start; the same seed must give the same bytes.
    data[:116] = b'MATLAB 5.0 MAT-file, made by tinyfaces'.ljust(116)
    path.write_bytes(data)
