"""Ellipse regressors as files."""
import json
import os
import zipfile
from dataclasses import asdict

import numpy as np

from ..utils.files import atomic_write
from .features import BOX_FEATURES
from .regressor import FeatureSampling, LinearEllipseRegressor
from .ridge import LinearMap

_FORMAT = 'tinyfaces ellipse regressor'
_VERSION = 2
_NUMBERS = ('mean', 'scale', 'weights', 'bias', 'lowest', 'highest',
            'box_lowest', 'box_highest')
_REMEDY = 'give a file that tools/fit_ellipse_regressor.py has written'


def save_ellipse_regressor(regressor: LinearEllipseRegressor,
                           path: str | os.PathLike) -> None:
    """Write a regressor as ``.npz``, as a whole or not at all.

    Args:
        regressor: What to write: numbers, counts and how features are read;
            nothing about where the data lay.
        path: The file; its name must end in ``.npz``.

    Raises:
        ValueError: The name ends otherwise.
        OSError: The file cannot be written.
    """
    if not os.fspath(path).endswith('.npz'):
        raise ValueError(f'{os.fspath(path)}: the name must end in .npz')
    about = dict(
        format=_FORMAT,
        version=_VERSION,
        alpha=regressor.alpha,
        num_images=regressor.num_images,
        num_pairs=regressor.num_pairs,
        num_clamped=regressor.num_clamped,
        iou_thr=regressor.iou_thr,
        sampling=regressor.sampling and asdict(regressor.sampling))
    with atomic_write(path) as temporary:
        np.savez(
            temporary,
            about=json.dumps(about),
            lowest=regressor.lowest,
            highest=regressor.highest,
            box_lowest=regressor.box_lowest,
            box_highest=regressor.box_highest,
            **regressor.linear._asdict())


def load_ellipse_regressor(path: str | os.PathLike) -> LinearEllipseRegressor:
    """Read a regressor. Nothing in the file is executed.

    Args:
        path: A file of :func:`save_ellipse_regressor`.

    Returns:
        LinearEllipseRegressor: The regressor.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: It is a folder.
        ValueError: The file is something else, of another version, or its
            arrays do not fit together.
    """
    path = os.fspath(path)
    try:
        # A plain .npy would come back as an array, not as an archive.
        with np.load(path, allow_pickle=False) as archive:
            about = json.loads(str(archive['about']))
            numbers = {name: archive[name] for name in _NUMBERS}
    except FileNotFoundError:
        raise FileNotFoundError(f'{path} does not exist; {_REMEDY}') from None
    except IsADirectoryError:
        raise IsADirectoryError(f'{path} is a folder; {_REMEDY}') from None
    except (ValueError, KeyError, AttributeError, TypeError, EOFError,
            zipfile.BadZipFile) as error:
        raise ValueError(
            f'{path} is no ellipse regressor; {_REMEDY}') from error
    if not isinstance(about, dict) or about.get('format') != _FORMAT:
        raise ValueError(f'{path} is no ellipse regressor; {_REMEDY}')
    if about.get('version') != _VERSION:
        raise ValueError(
            f'{path} is of version {about.get("version")}, this program '
            f'reads version {_VERSION}; fit the regressor again')
    dim = len(np.atleast_1d(numbers['mean']))
    shapes = dict(
        mean=(dim, ),
        scale=(dim, ),
        weights=(dim, 5),
        bias=(5, ),
        lowest=(5, ),
        highest=(5, ),
        box_lowest=(len(BOX_FEATURES), ),
        box_highest=(len(BOX_FEATURES), ))
    for name, shape in shapes.items():
        array = numbers[name]
        if array.shape != shape or array.dtype != np.float64 or \
                not np.isfinite(array).all():
            raise ValueError(
                f'{path}: "{name}" must be {shape} finite float64, but is '
                f'{array.shape} {array.dtype}; {_REMEDY}')
    try:
        sampling = about['sampling'] and FeatureSampling(**about['sampling'])
        counts = {
            name: about[name]
            for name in ('alpha', 'num_images', 'num_pairs', 'num_clamped',
                         'iou_thr')
        }
    except (KeyError, TypeError) as error:
        raise ValueError(f'{path}: the description is damaged ({error}); '
                         f'{_REMEDY}') from error
    linear = LinearMap(*map(numbers.pop, LinearMap._fields))
    return LinearEllipseRegressor(
        linear, sampling=sampling, **numbers, **counts)
