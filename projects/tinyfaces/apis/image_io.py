"""Reading any picture as 8-bit colour, upright and within known memory."""
import logging
import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

# Rows converted at a time: Pillow's own conversion to an array would hold
# the picture three times.
_ROWS = 256
_ORIENTATION = 0x0112
_TRANSPARENT = {'RGBA', 'RGBa', 'LA', 'La', 'PA'}


class UnreadableImageError(ValueError):
    """A file that cannot be read as a picture."""

    def __init__(self, path: str | os.PathLike, reason: str,
                 remedy: str) -> None:
        super().__init__(f'{os.fspath(path)}: {reason}; {remedy}')
        self.path = Path(path)


def load_image(path: str | os.PathLike,
               channel_order: str = 'rgb') -> np.ndarray:
    """Read a picture file.

    The EXIF orientation is applied, so pixel coordinates are those of the
    upright picture, as a viewer shows it. Grey pictures get three equal
    channels; transparent ones are laid on white; 16-bit ones are scaled
    (0..65535 to 0..255), not clipped; CMYK is converted without colour
    profile. Of several frames the first is read. Peak memory is about 7
    bytes per pixel: Pillow's 4 and the array's 3.

    Pillow's limit against decompression bombs holds: twice
    ``PIL.Image.MAX_IMAGE_PIXELS``, by default 179 million pixels. Between
    one and two times that number Pillow would warn; this function does not.

    Args:
        path: The file. Its content decides the format, not its name.
        channel_order: ``'rgb'`` or ``'bgr'`` (the order of OpenCV).

    Returns:
        np.ndarray: uint8 of shape (height, width, 3), C-contiguous for
        ``'rgb'``, a reversed view of it for ``'bgr'``.

    Raises:
        OSError: The file does not exist or may not be read.
        UnreadableImageError: It is no picture, is damaged or too large.
    """
    check_channel_order(channel_order)
    with open(path, 'rb') as stream:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore', Image.DecompressionBombWarning)
                with Image.open(stream) as picture:
                    picture.load()
                    pixels = _upright_pixels(picture, path)
        except UnreadableImageError:
            raise
        except Image.UnidentifiedImageError as error:
            raise UnreadableImageError(
                path, 'not a picture in a format that Pillow knows',
                'convert it to JPEG or PNG') from error
        except Image.DecompressionBombError as error:
            raise UnreadableImageError(
                path, f'too many pixels ({error})',
                'scale it down, or raise PIL.Image.MAX_IMAGE_PIXELS if you '
                'trust the file') from error
        # Pillow's readers let all kinds of errors out of a damaged file.
        except Exception as error:
            raise UnreadableImageError(
                path, f'cannot be decoded ({error})',
                'get a fresh copy if it is damaged or cut off, otherwise '
                'convert it to JPEG or PNG') from error
    return pixels if channel_order == 'rgb' else pixels[..., ::-1]


def check_channel_order(channel_order: str) -> None:
    """Raise ValueError unless the order is ``'rgb'`` or ``'bgr'``."""
    if channel_order not in ('rgb', 'bgr'):
        raise ValueError(
            f"channel_order is {channel_order!r}; use 'rgb' or 'bgr'")


def _upright_pixels(picture: Image.Image,
                    path: str | os.PathLike) -> np.ndarray:
    """Convert a loaded picture stripe by stripe into an upright array."""
    orientation = _orientation(picture, path)
    width, height = picture.size
    if orientation >= 5:
        pixels = np.empty((width, height, 3), np.uint8)
    else:
        pixels = np.empty((height, width, 3), np.uint8)
    stored = _as_stored(pixels, orientation)
    for top in range(0, height, _ROWS):
        bottom = min(top + _ROWS, height)
        stripe = picture.crop((0, top, width, bottom))
        stored[top:bottom] = _to_rgb(stripe, path)
    return pixels


def _orientation(picture: Image.Image, path: str | os.PathLike) -> int:
    """EXIF orientation 1..8; Pillow has already applied that of a TIFF."""
    try:
        orientation = picture.getexif().get(_ORIENTATION, 1)
    # The picture is fine without its EXIF block, so only say so.
    except Exception as error:
        logging.getLogger(__name__).warning(
            '%s: unreadable EXIF block (%s), taken as upright', path, error)
        return 1
    return orientation if orientation in range(1, 9) else 1


def _as_stored(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """View of an upright array in which the stored picture lies as stored.

    EXIF 2.3 table 4.6.4 A, tag 0x0112: orientations 5 to 8 swap the axes.
    """
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels.transpose(1, 0, 2) if orientation >= 5 else pixels


def _to_rgb(stripe: Image.Image, path: str | os.PathLike) -> np.ndarray:
    """Array of shape (h, w, 3) or (h, w, 1), values 0..255."""
    mode = stripe.mode
    if mode == 'RGB' and 'transparency' not in stripe.info:
        return np.asarray(stripe)
    if mode == 'I' or mode.startswith('I;16'):
        values = np.asarray(stripe).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise UnreadableImageError(
                path, 'grey values outside 0..65535',
                'convert it to 8 or 16 bits per channel')
        return ((values + 128) // 257)[..., None]
    if mode == 'F':
        raise UnreadableImageError(
            path, 'floating-point pixels have no stated range',
            'convert it to 8 or 16 bits per channel')
    if mode in _TRANSPARENT or 'transparency' in stripe.info:
        stripe = stripe.convert('RGBA')
        white = Image.new('RGBA', stripe.size, 'white')
        stripe = Image.alpha_composite(white, stripe)
    return np.asarray(stripe.convert('RGB'))
