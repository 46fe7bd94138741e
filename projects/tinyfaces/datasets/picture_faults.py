"""What is wrong with a picture file, and a grey picture in its place."""
import os
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmdet.structures import DetDataSample
from mmengine.dataset import Compose
from PIL import Image

from .jpeg_end import jpeg_is_whole

#: Side in pixels of the grey picture that a test gets for an unreadable one.
GREY_SIDE = 64
#: Name of the meta information of samples that an unreadable picture is
#: behind: a list of (path, reason).
UNREADABLE = 'unreadable'
#: Name of the meta information with the width and height that such a picture
#: had by its header; the sample itself has those of the grey one.
UNREADABLE_SIZE = 'unreadable_size'
_JPEGS = ('JPEG', 'MPO')


class UnreadablePictureError(ValueError):
    """A picture that a pipeline cannot load, or not as it was announced.

    Attributes:
        is_picture: Whether the file is at fault, not what comes behind it.
    """

    def __init__(self, reason: str, is_picture: bool = True) -> None:
        super().__init__(reason)
        self.is_picture = is_picture


def picture_fault(path: str,
                  size: tuple[int, int] | None = None) -> str | None:
    """Look for what is wrong with a picture before it is decoded.

    OpenCV before 4.12 fills what a truncated JPEG lacks with grey and says
    so on standard error only; so its end is looked for here.

    Args:
        path: The file.
        size: The width and height that it is to have.

    Returns:
        str | None: What is wrong; None if nothing was found.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            with Image.open(path) as image:
                found, kind = image.size, image.format
        if kind in _JPEGS and not jpeg_is_whole(path):
            return 'is cut off: a JPEG without its end'
    # Pillow's readers let all kinds of errors out of a damaged file.
    except Exception as error:
        return reason_of(path, error)
    if size is not None and found != tuple(size):
        return (f'has {found[0]}x{found[1]} pixels, and had '
                f'{size[0]}x{size[1]} when the dataset was made')
    return None


def reason_of(path: str, error: Exception) -> str:
    """An error's text without the path, which stands before it anyway."""
    if isinstance(error, FileNotFoundError):
        return 'is not there any more'
    if isinstance(error, Image.UnidentifiedImageError):
        if not os.path.getsize(path):
            return 'is empty'
        return 'is no picture in a format that Pillow knows'
    text = ' '.join(str(error).replace(repr(path), 'the file').split())
    return f'{type(error).__name__}: {text}' if text else type(error).__name__


def run_pipeline(pipeline: Compose, info: dict) -> Any:
    """Run a pipeline on one entry of a data list.

    A pipeline without ``LoadImageFromFile`` reads no picture: what it raises
    is left as it is.

    Args:
        pipeline: The transforms.
        info: The entry, which the pipeline changes: ``img_path``, and
            ``width`` and ``height`` in pixels if known.

    Returns:
        Any: What the pipeline gives.

    Raises:
        UnreadablePictureError: The picture cannot be loaded, has another
            size than in the data list, or makes a transform fail.
    """
    loader = _loader(pipeline)
    if loader is None:
        return pipeline(info)
    path, size = info['img_path'], _listed_size(info)
    reason = info.get(UNREADABLE) or picture_fault(path, size)
    if reason:
        raise UnreadablePictureError(reason)
    try:
        data = pipeline(info)
    except Exception as error:
        reason = _decoding_fault(loader, path)
        if reason is None:
            raise UnreadablePictureError(
                f'makes the pipeline fail: {reason_of(path, error)}',
                is_picture=False) from error
        raise UnreadablePictureError(reason) from error
    height, width = info.get('ori_shape', (None, None))[:2]
    if None not in (size, height) and (width, height) != size:
        raise UnreadablePictureError(
            f'is loaded with {width}x{height} pixels, but its header has '
            f'{size[0]}x{size[1]}: load it with color_type='
            "'color_ignore_orientation' if it has an EXIF orientation")
    return data


def grey_sample(pipeline: Compose, info: dict) -> Any:
    """What a test's pipeline makes of a grey picture.

    Args:
        pipeline: The transforms; has a ``LoadImageFromFile``.
        info: The entry of the data list of the picture that it stands for.

    Returns:
        Any: What the pipeline gives.
    """
    size = _listed_size(info)
    shape = GREY_SIDE, GREY_SIDE
    results = dict(
        info,
        img=np.full((*shape, 3), 128, np.uint8),
        img_shape=shape,
        ori_shape=shape,
        instances=[],
        height=GREY_SIDE,
        width=GREY_SIDE)
    loader = _loader(pipeline)
    for transform in pipeline.transforms:
        if transform is loader:
            if loader.to_float32:
                results['img'] = results['img'].astype(np.float32)
        else:
            results = transform(results)
    if size is not None:
        _add_meta(results, {UNREADABLE_SIZE: size})
    return results


def mark_unreadable(data: Any, faults: list[tuple[str, str]]) -> Any:
    """Note in a sample which pictures could not be read before it.

    Args:
        data: What a pipeline gave.
        faults: Path and reason of each.

    Returns:
        Any: ``data``.
    """
    if faults:
        _add_meta(data, {UNREADABLE: list(faults)})
    return data


def _add_meta(data: Any, values: dict) -> None:
    """Put meta information into all data samples, or into a plain dict."""
    if not isinstance(data, Mapping):
        return
    samples = data.get('data_samples')
    if isinstance(samples, DetDataSample):
        samples = [samples]
    if not samples:
        data.update(values)
        return
    for sample in samples:  # several of TestTimeAug
        sample.set_metainfo(values)


def _loader(pipeline: Compose) -> LoadImageFromFile | None:
    """The transform that reads the picture."""
    for transform in getattr(pipeline, 'transforms', ()):
        if isinstance(transform, LoadImageFromFile):
            return transform
    return None


def _listed_size(info: dict) -> tuple[int, int] | None:
    """Width and height by the data list; none where it has none."""
    if info.get(UNREADABLE) or 'width' not in info or 'height' not in info:
        return None
    return info['width'], info['height']


def _decoding_fault(loader: LoadImageFromFile, path: str) -> str | None:
    """What is wrong with a picture if it cannot be loaded."""
    try:
        if loader.transform(dict(img_path=path)) is not None:
            return None
        first = 'LoadImageFromFile gives nothing'
    except Exception as error:
        # OpenCV has no reasons, only None.
        first = ('cannot be decoded' if isinstance(error, AssertionError) else
                 reason_of(path, error))
    try:
        with Image.open(path) as image:
            image.load()
    except Exception as error:
        return f'cannot be decoded ({reason_of(path, error)})'
    return first
