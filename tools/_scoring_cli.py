"""What the tools that score files of detections share."""
from collections.abc import Iterable
from typing import TypeVar

from tinyfaces.evaluation import functional

Truth = TypeVar('Truth', functional.WiderGroundTruth,
                functional.VOCFaceGroundTruth)


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
