"""Ground truth of the WIDER FACE evaluation: the official ``.mat`` files.

The toolbox of the benchmark holds four files: ``wider_face_val.mat`` (every
annotated box of the val split) and ``wider_{easy,medium,hard}_val.mat`` (which
of those boxes each setting counts). NumPy and SciPy only.
"""
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from pathlib import Path

import numpy as np
import scipy.io

from .image_subset import SubsetOfImages

SETTINGS = ('easy', 'medium', 'hard', 'all')


@dataclass(frozen=True)
class WiderGroundTruth(SubsetOfImages):
    """Boxes of a set of images and what each setting counts.

    Attributes:
        keys: Image keys ``<event>/<stem>``, in official order.
        boxes: (G, 4) float64, x y w h in pixels, image after image. Kept as
            annotated: the official val set has a few with w or h <= 0.
        offsets: (len(keys) + 1,) int64; the boxes of image i are
            ``boxes[offsets[i]:offsets[i + 1]]``.
        keep: setting -> (G,) bool, True where the box counts as a face. All
            other boxes are "ignore": a detection on one is neither right nor
            wrong. ``all`` counts every box.
        total_images: Images of the whole ground truth that this one was
            taken from.
    """

    keys: tuple[str, ...]
    boxes: np.ndarray
    offsets: np.ndarray
    keep: dict[str, np.ndarray]
    total_images: int

    @cached_property
    def key_set(self) -> frozenset[str]:
        """The keys, for membership tests."""
        return frozenset(self.keys)

    def num_faces(self, setting: str) -> int:
        """Number of boxes that ``setting`` counts."""
        return int(self.keep[setting].sum())

    def subset(self, images: Iterable[str]) -> 'WiderGroundTruth':
        """The same ground truth for some of its images only.

        Args:
            images: Image keys, in any order; repeated ones count once.

        Returns:
            WiderGroundTruth: In the order of this one.

        Raises:
            ValueError: An image is not in the ground truth, or none is given.
        """
        chosen = self.choose(images)
        sizes = np.diff(self.offsets)
        boxes = np.repeat(chosen, sizes)
        return WiderGroundTruth(
            keys=tuple(compress(self.keys, chosen)),
            boxes=self.boxes[boxes],
            offsets=np.concatenate([[0], np.cumsum(sizes[chosen])]),
            keep={
                name: flag[boxes]
                for name, flag in self.keep.items()
            },
            total_images=self.total_images)


def load_wider_gt(gt_dir: str | os.PathLike,
                  settings: Sequence[str] = SETTINGS,
                  images: Iterable[str] | None = None) -> WiderGroundTruth:
    """Read the official evaluation files.

    Args:
        gt_dir: Folder of ``wider_face_val.mat`` and, for the settings asked,
            ``wider_easy_val.mat``, ``wider_medium_val.mat``,
            ``wider_hard_val.mat``.
        settings: Any of ``easy``, ``medium``, ``hard``, ``all``.
        images: Keys of the images to score by themselves; None for all.

    Returns:
        WiderGroundTruth: With one ``keep`` entry for each setting.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A setting is unknown, or a file is not what its name says.
    """
    check_settings(settings)
    gt_dir = Path(gt_dir)
    path = gt_dir / 'wider_face_val.mat'
    content = _load_mat(path, ('event_list', 'file_list', 'face_bbx_list'))
    keys, arrays = [], []
    for event, files, faces in zip(content['event_list'].ravel(),
                                   content['file_list'].ravel(),
                                   content['face_bbx_list'].ravel()):
        folder = str(event.item())
        keys.extend(f'{folder}/{name.item()}' for name in files.ravel())
        arrays.extend(faces.ravel())
    if len(keys) != len(arrays):
        raise ValueError(f'{path}: {len(keys)} names but {len(arrays)} box '
                         'lists; fetch the file anew')
    # An image without a face is a (0, 0) array.
    sizes = np.array([len(a) if a.size else 0 for a in arrays], np.int64)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    filled = [a for a in arrays if a.size]
    boxes = (
        np.concatenate(filled).astype(np.float64) if filled else np.zeros(
            (0, 4)))
    keep = {}
    for setting in settings:
        if setting == 'all':
            keep[setting] = np.ones(len(boxes), bool)
        else:
            keep[setting] = _load_keep(gt_dir / f'wider_{setting}_val.mat',
                                       offsets)
    whole = WiderGroundTruth(tuple(keys), boxes, offsets, keep, len(keys))
    return whole if images is None else whole.subset(images)


def check_settings(settings: Sequence[str]) -> None:
    """Raise ValueError unless all are settings of the benchmark."""
    if isinstance(settings, str) or not settings:
        raise ValueError(f'settings must be a list of {SETTINGS}, got '
                         f'{settings!r}')
    for setting in settings:
        if setting not in SETTINGS:
            raise ValueError(f'unknown setting {setting!r}; the benchmark '
                             f'has {", ".join(SETTINGS)}')


def _load_keep(path: Path, offsets: np.ndarray) -> np.ndarray:
    """(G,) bool from the 1-based lists of one setting."""
    content = _load_mat(path, ('gt_list', ))
    lists = [
        item for event in content['gt_list'].ravel() for item in event.ravel()
    ]
    if len(lists) != len(offsets) - 1:
        raise ValueError(
            f'{path}: lists {len(lists)} images, wider_face_val.mat '
            f'{len(offsets) - 1}; the files do not belong together')
    # uint8 or uint16 in the files: minus one would wrap around.
    sizes = [item.size for item in lists]
    indices = np.concatenate([item.ravel() for item in lists]
                             or [np.zeros(0)]).astype(np.int64)
    indices -= 1
    starts = np.repeat(offsets[:-1], sizes)
    if (indices < 0).any() or (indices >= np.repeat(np.diff(offsets),
                                                    sizes)).any():
        raise ValueError(f'{path}: counts a box that wider_face_val.mat does '
                         'not have; the files do not belong together')
    keep = np.zeros(offsets[-1], bool)
    keep[starts + indices] = True
    return keep


def _load_mat(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The named variables of a ``.mat`` file."""
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} is missing; the folder must hold the files of '
            'eval_tools/ground_truth from the WIDER FACE site: '
            'wider_face_val.mat and wider_{easy,medium,hard}_val.mat')
    try:
        content = scipy.io.loadmat(path, variable_names=list(names))
    except Exception as error:  # SciPy raises whatever the bytes lead to.
        raise ValueError(f'{path}: not a readable MATLAB 5 file ({error}); '
                         'fetch it anew') from error
    for name in names:
        if name not in content:
            raise ValueError(f'{path}: has no variable {name!r}; is this the '
                             'official evaluation file?')
    return content
