"""Ground truth of AFW, PASCAL Face and MAFA for their evaluations."""
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress

import numpy as np

from tinyfaces.datasets.mat_files import picture_key
from tinyfaces.datasets.voc_face_annotations import parse_voc_face_annotations
from .image_subset import SubsetOfImages

_LIST_REMEDY = 'Give a text file with the name of one picture per line'


@dataclass(frozen=True)
class VOCFaceGroundTruth(SubsetOfImages):
    """Boxes of a set of images, and which of them each subset counts.

    Attributes:
        keys: Names of the images up to the first dot, in the order of the
            annotations.
        boxes: (G, 4) float64, x1 y1 x2 y2 in pixels, image after image.
        image: (G,) int64, the image of each box, as an index into ``keys``.
        counted: Subset -> (G,) bool, True where a box is a face to find. A
            detection on any other box is neither right nor wrong.
        total_images: Images of the annotations that these were taken from.
    """

    keys: tuple[str, ...]
    boxes: np.ndarray
    image: np.ndarray
    counted: dict[str, np.ndarray]
    total_images: int

    @classmethod
    def from_images(
            cls, keys: Sequence[str], boxes: Sequence[np.ndarray],
            counted: Mapping[str,
                             Sequence[np.ndarray]]) -> 'VOCFaceGroundTruth':
        """Join what is given image by image.

        Args:
            keys: Names of the images.
            boxes: One (n, 4) per image.
            counted: Subset -> one (n,) bool per image.
        """
        return cls(
            tuple(keys), np.concatenate([*boxes, np.zeros((0, 4))]),
            np.repeat(np.arange(len(keys)), [len(b) for b in boxes]), {
                name: np.concatenate([*flags, np.zeros(0, bool)])
                for name, flags in counted.items()
            }, len(keys))

    @cached_property
    def index(self) -> dict[str, int]:
        """Image -> its place in ``keys``."""
        return {key: at for at, key in enumerate(self.keys)}

    def subset(self, images: Iterable[str]) -> 'VOCFaceGroundTruth':
        """The same ground truth for some of its images only.

        Args:
            images: Image keys, in any order; repeated ones count once.

        Returns:
            VOCFaceGroundTruth: In the order of this one.

        Raises:
            ValueError: An image is not in the ground truth, or none is given.
        """
        chosen = self.choose(images)
        kept = chosen[self.image]
        return replace(
            self,
            keys=tuple(compress(self.keys, chosen)),
            boxes=self.boxes[kept],
            image=(np.cumsum(chosen) - 1)[self.image[kept]],
            counted={
                name: flags[kept]
                for name, flags in self.counted.items()
            })


def load_voc_face_gt(path: str | os.PathLike) -> VOCFaceGroundTruth:
    """Read the annotations of AFW or PASCAL Face.

    Args:
        path: One of the ``.mat`` files that
            :func:`~tinyfaces.datasets.parse_voc_face_annotations` knows.

    Returns:
        VOCFaceGroundTruth: With the subset ``all``, which counts every face
        that is not marked to be ignored. Small faces are a matter of
        :func:`~.voc_face.evaluate_voc_face`.

    Raises:
        FileNotFoundError, ValueError: As the parser does.
    """
    entries = parse_voc_face_annotations(path)
    return VOCFaceGroundTruth.from_images(
        [entry.key for entry in entries], [entry.boxes for entry in entries],
        dict(all=[~entry.ignore for entry in entries]))


def read_picture_list(path: str | os.PathLike) -> list[str]:
    """Image keys named by a text file, one picture per line.

    Args:
        path: Names with or without folders and suffix; blank lines are left
            out.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: It is a folder.
        ValueError: It is no text, a line has several words, or no picture is
            named.
    """
    if os.path.isdir(path):
        raise IsADirectoryError(f'{path}: a folder, no list of pictures. '
                                f'{_LIST_REMEDY}.')
    if not os.path.exists(path):
        raise FileNotFoundError(f'{path}: no such list of pictures. '
                                f'{_LIST_REMEDY}.')
    keys = []
    try:
        with open(path, encoding='utf-8-sig') as file:
            for number, line in enumerate(file, 1):
                words = line.split()
                if len(words) > 1:
                    raise ValueError(
                        f'{path}, line {number}: expected the name of one '
                        f'picture, found {line.strip()[:80]!r}. '
                        f'{_LIST_REMEDY}.')
                keys += map(picture_key, words)
    except UnicodeDecodeError as error:
        raise ValueError(f'{path}: not a text file ({error}). '
                         f'{_LIST_REMEDY}.') from None
    if not keys:
        raise ValueError(f'{path}: names no picture. {_LIST_REMEDY}.')
    return keys
