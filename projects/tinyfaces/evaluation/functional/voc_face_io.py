"""Detections of AFW, PASCAL Face and MAFA, and their files.

One line per detection, ``name score x1 y1 x2 y2``: the format of the
face-eval toolbox. NumPy only.
"""
import math
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from tinyfaces.datasets.mat_files import picture_key
from tinyfaces.utils.file_names import fault_of_name
from tinyfaces.utils.files import atomic_write, remove_leftovers_of

#: Coordinates of pixels further off than this are mistakes, and powers of them
#: would leave float64.
MAX_COORDINATE = 1e9

_REMEDY = 'Write one line "name score x1 y1 x2 y2" per detection'
_NOT_FINITE = 'NaN or infinite number'
_TOO_FAR = f'coordinate beyond {MAX_COORDINATE:,.0f} pixels'
_CORNERS = 'x2 < x1 or y2 < y1 (corners are expected, not width and height)'


@dataclass(frozen=True)
class VOCFaceDetections:
    """Detections of a set of images, in the order that decides ties.

    Attributes:
        keys: Names of the images that have detections.
        image: (N,) int64, the image of each detection, an index into
            ``keys``.
        boxes: (N, 4) float64, x1 y1 x2 y2 in pixels.
        scores: (N,) float64.
        num_left_out: Detections that :meth:`restricted_to` took away.
    """

    keys: tuple[str, ...]
    image: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    num_left_out: int = 0

    @classmethod
    def from_dict(cls, found: Mapping[str, np.ndarray]) -> 'VOCFaceDetections':
        """Join detections given image by image, in the order given.

        Args:
            found: Image -> (n, 5) of x1 y1 x2 y2 in pixels and score.

        Raises:
            ValueError: An array has another shape, a value that is not
                finite, a coordinate beyond ``MAX_COORDINATE``, or a corner
                x2 < x1 or y2 < y1.
        """
        arrays = {
            key: np.asarray(rows, np.float64)
            for key, rows in found.items()
        }
        for key, rows in arrays.items():
            if rows.ndim != 2 or rows.shape[1] != 5:
                raise ValueError(f'detections of {key}: expected an array '
                                 f'(n, 5) of x1 y1 x2 y2 score, got shape '
                                 f'{rows.shape}')
            if not np.isfinite(rows).all():
                raise ValueError(f'detections of {key}: {_NOT_FINITE}')
            if (np.abs(rows[:, :4]) > MAX_COORDINATE).any():
                raise ValueError(f'detections of {key}: {_TOO_FAR}')
            if (rows[:, 2:4] < rows[:, :2]).any():
                raise ValueError(f'detections of {key}: {_CORNERS}')
        joined = np.concatenate([*arrays.values(), np.zeros((0, 5))])
        image = np.repeat(
            np.arange(len(arrays)), [len(rows) for rows in arrays.values()])
        return cls(tuple(arrays), image, joined[:, :4], joined[:, 4])

    def restricted_to(self, images: Iterable[str]) -> 'VOCFaceDetections':
        """The detections in some images only, in the same order.

        Args:
            images: Image keys; those without detections do not matter.

        Returns:
            VOCFaceDetections: ``num_left_out`` counts the others.
        """
        wanted = set(images)
        chosen = np.array([key in wanted for key in self.keys], bool)
        kept = chosen[self.image]
        return VOCFaceDetections(
            tuple(key for key in self.keys
                  if key in wanted), (np.cumsum(chosen) - 1)[self.image[kept]],
            self.boxes[kept], self.scores[kept],
            self.num_left_out + int(np.count_nonzero(~kept)))


class _Line(NamedTuple):
    """One line of a detection file."""

    key: str
    numbers: list[float]  # score x1 y1 x2 y2


def read_voc_face_detections(
        path: str | os.PathLike,
        known: Collection[str] | None = None) -> VOCFaceDetections:
    """Read a detection file.

    Args:
        path: Text, one line ``name score x1 y1 x2 y2`` per detection,
            separated by blanks. Names are cut at their first dot, so
            ``2007_000272.jpg`` and ``2007_000272`` are the same image. Blank
            lines are left out.
        known: Keys of the ground truth; None to accept any name. The
            official toolbox counts detections in images that it does not
            know as false positives; here that is an error.

    Returns:
        VOCFaceDetections: In the order of the file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is malformed, not finite, has a coordinate beyond
            ``MAX_COORDINATE``, x2 < x1 or y2 < y1, or is for an unknown
            image; the message names file and line.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path}: no such file of detections')
    index: dict[str, int] = {}
    image, rows = [], []
    unknown: list[tuple[int, str]] = []
    try:
        with open(path, encoding='utf-8-sig') as file:
            # A second of work shows nothing; a long one shows a bar.
            lines = tqdm(file, 'reading', delay=2, leave=False, disable=None)
            for number, text in enumerate(lines, 1):
                if not text.strip():
                    continue
                line = _parse(text, f'{path}, line {number}')
                if known is not None and line.key not in known:
                    unknown.append((number, line.key))
                image.append(index.setdefault(line.key, len(index)))
                rows.append(line.numbers)
    except UnicodeDecodeError as error:
        raise ValueError(f'{path}: not a text file ({error}). '
                         f'{_REMEDY}.') from None
    if unknown:
        raise ValueError(_unknown_images(path, unknown, len(rows), known))
    table = np.array(rows, np.float64).reshape(-1, 5)
    return VOCFaceDetections(
        tuple(index), np.array(image, np.int64), table[:, 1:], table[:, 0])


def check_detection_name(key: str, where: str) -> None:
    """Refuse the name of an image that a detection file cannot hold.

    Args:
        key: Name of the image.
        where: What names it, with which the message starts.

    Raises:
        ValueError: It has a blank or a dot, or a fault, see
            :func:`~tinyfaces.utils.file_names.fault_of_name`.
    """
    if len(key.split()) != 1 or picture_key(key) != key or fault_of_name(key):
        raise ValueError(f'{where}: the image name {key!r} cannot be written: '
                         'a detection file separates by blanks and cuts '
                         'folders and all after a dot')


def write_voc_face_detections(
    found: Mapping[str, np.ndarray],
    path: str | os.PathLike,
    outdated: Sequence[str | os.PathLike] = ()) -> None:
    """Write a detection file, as a whole or not at all.

    Numbers are written with the digits that give the same float64 back. What
    killed runs have left of the same file is removed first, so no other
    process may be writing it.

    Args:
        found: Image -> (n, 5) of x1 y1 x2 y2 in pixels and score, in the
            order to be written: it decides between equal scores.
        path: The file.
        outdated: Files that must not stand beside the new one, see
            :func:`~tinyfaces.utils.files.atomic_write`.

    Raises:
        ValueError: See :func:`check_detection_name`; or an array has another
            shape.
    """
    for key in found:
        check_detection_name(key, f'{path}')
    remove_leftovers_of(path)
    with atomic_write(path, outdated) as temporary, open(
            temporary, 'w', encoding='utf-8') as file:
        for key, rows in found.items():
            for row in np.asarray(rows, np.float64).tolist():
                x1, y1, x2, y2, score = row
                file.write(f'{key} {score!r} {x1!r} {y1!r} {x2!r} {y2!r}\n')


def _parse(text: str, where: str) -> _Line:
    """One line, or ValueError that starts with ``where``."""
    words = text.split()
    shown = repr(text.strip()[:80])
    if len(words) != 6:
        raise ValueError(f'{where}: expected 6 columns, found {len(words)} in '
                         f'{shown}. {_REMEDY}; names have no blanks.')
    try:
        # float() would take 1_000.
        numbers = [float(word.replace('_', 'x')) for word in words[1:]]
    except ValueError:
        raise ValueError(f'{where}: expected five numbers after the name, '
                         f'found {shown}. {_REMEDY}.') from None
    _, x1, y1, x2, y2 = numbers
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f'{where}: {_NOT_FINITE} in {shown}. {_REMEDY}.')
    if max(map(abs, numbers[1:])) > MAX_COORDINATE:
        raise ValueError(f'{where}: {_TOO_FAR} in {shown}. {_REMEDY}.')
    if x2 < x1 or y2 < y1:
        raise ValueError(f'{where}: {_CORNERS} in {shown}. {_REMEDY}.')
    return _Line(picture_key(words[0]), numbers)


def _unknown_images(path: str | os.PathLike, unknown: list[tuple[int, str]],
                    num_lines: int, known: Collection[str]) -> str:
    """The message about images that are not in the ground truth."""
    number, key = unknown[0]
    example = next(iter(known), '(no image)')
    if len(unknown) == num_lines:
        return (f'{path}, line {number}: none of the {num_lines:,} detections '
                f'is for an image of the ground truth; the file names {key!r},'
                f' the ground truth {example!r}. Give the annotations that '
                'belong to the detections.')
    return (f'{path}, line {number}: image {key!r} is not in the ground truth '
            f'({len(unknown):,} such lines of {num_lines:,}); images look '
            f'like {example!r}. Remove or correct these lines.')
