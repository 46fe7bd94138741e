"""The pictures that a tool draws, of which some may not be at hand."""
import os
from collections.abc import Callable
from functools import cache

from tinyfaces.datasets.wider_annotations import IMAGE_SUFFIXES


def picture_finder(folder: str | None) -> Callable[[str], str | None]:
    """A function from image key to the path of its picture, or None.

    Args:
        folder: That the keys are relative to; None if there are no pictures.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    if folder and not os.path.isdir(folder):
        raise FileNotFoundError(
            f'{folder}: no such folder of pictures; give the one that holds '
            'the folders of the events')

    @cache
    def find(key: str) -> str | None:
        for suffix in IMAGE_SUFFIXES if folder else ():
            path = os.path.join(folder, key + suffix)
            if os.path.isfile(path):
                return path
        return None

    return find
