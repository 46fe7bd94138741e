"""Are a dataset's pictures there, and how large are they?

Both questions are answered before training starts, for all pictures at once
and without decoding any.
"""
import os
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image
from tqdm import tqdm

from .picture_faults import reason_of


def missing_images(root: str, file_names: Sequence[str]) -> list[str]:
    """Find the pictures that do not exist; reads each folder once.

    Args:
        root: The folder that the names are relative to.
        file_names: ``'<folder>/<name>'``, with forward slashes.

    Returns:
        list[str]: The names without a picture, in order.
    """
    present: dict[str, set[str]] = {}
    missing = []
    for file_name in file_names:
        folder, _, name = file_name.rpartition('/')
        if folder not in present:
            present[folder] = _list_folder(os.path.join(root, folder))
        if name not in present[folder]:
            missing.append(file_name)
    return missing


def require_images(root: str, file_names: Sequence[str], remedy: str) -> None:
    """Raise unless every picture exists.

    Args:
        root: The folder that the names are relative to.
        file_names: ``'<folder>/<name>'``, with forward slashes.
        remedy: What to do about missing pictures; ends the message.

    Raises:
        FileNotFoundError: Names all missing pictures by their paths and says
            how many they are.
    """
    missing = missing_images(root, file_names)
    if missing:
        paths = [os.path.join(root, name) for name in missing]
        raise FileNotFoundError(
            f'{len(missing)} of {len(file_names)} pictures are missing:\n'
            f'{_lines(paths)}\n{remedy}')


def read_image_sizes(paths: Sequence[str],
                     show_progress: bool = False) -> np.ndarray:
    """Read widths and heights from the headers of pictures.

    The sizes are those of the stored pixel grid: an EXIF orientation is not
    applied, so load the pictures with ``color_ignore_orientation``.

    Args:
        paths: The pictures.
        show_progress: Show a progress bar.

    Returns:
        np.ndarray: int64 (n, 2), width and height in pixels.

    Raises:
        ValueError: See :func:`require_headers`.
    """
    sizes, broken = scan_image_sizes(paths, show_progress)
    require_headers(paths, broken, 'Copy or download them again.')
    return sizes


def scan_image_sizes(
        paths: Sequence[str],
        show_progress: bool = False) -> tuple[np.ndarray, dict[int, str]]:
    """As :func:`read_image_sizes`, but say what cannot be read.

    Args:
        paths: The pictures.
        show_progress: Show a progress bar.

    Returns:
        tuple: int64 (n, 2), width and height in pixels, zeros where the
        header cannot be read; and index -> reason of those.
    """
    sizes = np.zeros((len(paths), 2), dtype=np.int64)
    broken = {}
    bar = tqdm(
        paths, 'Reading picture sizes', unit='', disable=not show_progress)
    for index, path in enumerate(bar):
        try:
            with Image.open(path) as image:
                sizes[index] = image.size
        # Pillow's readers let all kinds of errors out of a damaged file.
        except Exception as error:
            broken[index] = reason_of(path, error)
    return sizes, broken


def require_headers(paths: Sequence[str], broken: Mapping[int, str],
                    remedy: str) -> None:
    """Raise if any header cannot be read.

    Args:
        paths: The pictures.
        broken: Of :func:`scan_image_sizes`.
        remedy: What to do about them; ends the message.

    Raises:
        ValueError: Names all pictures whose header cannot be read, with the
            reasons, and says how many they are.
    """
    if broken:
        lines = [f'{paths[at]}: {reason}' for at, reason in broken.items()]
        raise ValueError(
            f'{len(broken)} of {len(paths)} pictures cannot be read:\n'
            f'{_lines(lines)}\n{remedy}')


def _list_folder(folder: str) -> set[str]:
    """Names in a folder; none if the folder does not exist."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries}
    except (FileNotFoundError, NotADirectoryError):
        return set()


def _lines(texts: list[str]) -> str:
    """One text a line, indented."""
    return '\n'.join(f'  {text}' for text in texts)
