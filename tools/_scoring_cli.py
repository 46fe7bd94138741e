"""What the tools that score files of detections share."""
import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from tinyfaces.evaluation import functional

Truth = TypeVar('Truth', functional.WiderGroundTruth,
                functional.VOCFaceGroundTruth)


def _stem(path: str) -> str:
    """A file's name without folders and suffix."""
    return Path(path).stem


def add_names(parser: argparse.ArgumentParser) -> None:
    """Add ``--names``, which :func:`detector_names` completes."""
    parser.add_argument(
        '--names',
        nargs='+',
        metavar='NAME',
        help='names of the detectors; default: their file names')


def detector_names(parser: argparse.ArgumentParser,
                   names: Sequence[str] | None,
                   paths: Sequence[str],
                   metavar: str,
                   name_of: Callable[[str], str] = _stem) -> list[str]:
    """Give every detector a name of its own, or end with a usage error.

    Args:
        parser: Says what is wrong.
        names: From ``--names``; None if it is not given.
        paths: What the detectors found.
        metavar: What the usage calls one of ``paths``.
        name_of: Name of a detector by its path, where none is given.

    Returns:
        list[str]: One per path.
    """
    names = list(names or map(name_of, paths))
    if len(names) != len(paths):
        parser.error(f'--names must have one name per {metavar}')
    if len(set(names)) < len(names):
        parser.error(f'two {metavar} have the same name; give --names')
    return names


def listed_only(truth: Truth, images: Iterable[str], path: str) -> Truth:
    """The ground truth of the images that a file lists.

    Args:
        truth: Ground truth of all images.
        images: What the file lists.
        path: The file, for the message.

    Raises:
        ValueError: An image is not in the ground truth, or none is listed.
    """
    try:
        return truth.subset(images)
    except ValueError as error:
        raise ValueError(f'{path}: {error}. Correct the list, or give the '
                         'annotations that belong to it.') from None
