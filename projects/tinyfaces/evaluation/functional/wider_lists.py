"""Text files that name WIDER FACE images: annotations and plain lists."""
import os
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from tinyfaces.datasets.wider_annotations import (IMAGE_SUFFIXES,
                                                  parse_wider_annotations)
from .wider_gt import WiderGroundTruth, check_settings


def load_wider_annotations(
    path: str | os.PathLike, settings: Sequence[str] = ('all', )
) -> WiderGroundTruth:
    """Read ``wider_face_*_bbx_gt.txt`` as ground truth of setting ``all``.

    For a split whose ``.mat`` files do not exist. Every listed box counts,
    as in :func:`~.wider_gt.load_wider_gt`.

    Args:
        path: The official annotation file.
        settings: Must be ``('all',)``: the text file does not say which
            faces the easy, medium and hard settings count.

    Returns:
        WiderGroundTruth: The images in the order of the file.

    Raises:
        ValueError: Another setting is asked, a line is malformed, or there
            is no face.
    """
    check_settings(settings)
    if tuple(settings) != ('all', ):
        raise ValueError(
            f'{path} has no easy/medium/hard lists, only the setting "all" '
            'can be scored with it; give the folder of the official .mat '
            'files for the others')
    entries = parse_wider_annotations(path)
    boxes = np.concatenate([entry.boxes for entry in entries])
    if not len(boxes):
        raise ValueError(f'{path} lists no face, so there is nothing to score '
                         'against; give a wider_face_*_bbx_gt.txt')
    sizes = [len(entry.boxes) for entry in entries]
    return WiderGroundTruth(
        tuple(entry.key for entry in entries), boxes,
        np.concatenate([[0], np.cumsum(sizes)]),
        {'all': np.ones(len(boxes), bool)}, len(entries))


def read_image_list(path: str | os.PathLike) -> list[str]:
    """Image keys named by a text file.

    Args:
        path: One image per line (key or path, its last two parts count), or
            an official ``*_bbx_gt.txt``, whose other lines hold numbers only.

    Returns:
        list[str]: Keys ``<event>/<stem>``.

    Raises:
        ValueError: A line is neither, or no image is named.
    """
    keys = []
    with open(path, encoding='utf-8-sig') as file:
        for number, line in enumerate(file, 1):
            if '/' in line:
                keys.append(image_key(line, f'{path}, line {number}'))
            elif line.strip():
                try:
                    [float(word) for word in line.split()]
                except ValueError:
                    raise ValueError(
                        f'{path}, line {number}: expected <event>/<image>, '
                        f'found {line.strip()!r}') from None
    if not keys:
        raise ValueError(f'{path}: names no image; expected one '
                         '<event>/<image> per line')
    return keys


def image_key(name: str, where: str) -> str:
    """``<event>/<stem>`` of an image path (POSIX separators).

    Raises:
        ValueError: ``name`` has no folder; the message starts with ``where``.
    """
    parts = PurePosixPath(name.strip()).parts[-2:]
    if len(parts) < 2 or parts[0] == '/':
        raise ValueError(f'{where}: expected <event>/<image>, found '
                         f'{name.strip()!r}')
    stem, suffix = os.path.splitext(parts[1])
    return f'{parts[0]}/' + (
        stem if suffix.lower() in IMAGE_SUFFIXES else parts[1])
