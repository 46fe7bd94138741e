"""The hard negatives of several rounds in one file."""
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...datasets.hard_negative_file import (HardNegatives, read_hard_negatives,
                                            read_header, write_hard_negatives)

# The counts, which are written anew, and what only one harvest has.
_OWN = ('format', 'version', 'images', 'boxes', 'weights')


def merge_hard_negatives(paths: Sequence[Path], out: Path) -> None:
    """Write the union of several harvests.

    By section 3.2 of the paper, false positives "are then added to the
    training set and then the model is trained again", round after round, so
    that those of earlier rounds stay. Of boxes that are equal to the last
    digit one stays, with the highest of its scores.

    Args:
        paths: Harvests of the same pictures, with the same options.
        out: File to write, with the options of the harvests as its header.

    Raises:
        ValueError: A file is broken, the options differ, or a picture has
            different sizes.
        OSError: A file cannot be read or written.
    """
    headers = [{
        key: value
        for key, value in read_header(path).items() if key not in _OWN
    } for path in paths]
    for path, header in zip(paths, headers):
        if header != headers[0]:
            raise ValueError(
                f'{path} was harvested with {header}, and {paths[0]} with '
                f'{headers[0]}; harvest one of them again')
    union: dict[str | int, HardNegatives] = {}
    for path in paths:
        for key, entry in read_hard_negatives(path).items():
            union[key] = _joined(path, key, union[key],
                                 entry) if key in union else entry
    write_hard_negatives(out, union, headers[0])


def _joined(path: Path, key: str | int, first: HardNegatives,
            second: HardNegatives) -> HardNegatives:
    """The hard negatives of one picture from two files."""
    if (first.width, first.height) != (second.width, second.height):
        raise ValueError(
            f'{path}: picture {key!r} is {second.width} x {second.height} '
            f'pixels there, and was {first.width} x {first.height} in an '
            'earlier round; harvest both again')
    boxes = np.concatenate([first.boxes, second.boxes])
    scores = np.concatenate([first.scores, second.scores])
    order = np.argsort(-scores, kind='stable')
    boxes, scores = boxes[order], scores[order]
    # The first of equal rows has the highest score.
    _, kept = np.unique(boxes, axis=0, return_index=True)
    return first._replace(boxes=boxes[kept], scores=scores[kept])
