"""Detections with the detector's own features, as files."""
import os
import zipfile
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..datasets.fddb_blocks import FARTHEST
from ..utils.files import atomic_write
from .regressor import FeatureSampling

_FORMAT = 'tinyfaces detections with features 1'
_REMEDY = 'give a file that tools/extract_fddb_features.py has written'


class DetectionFeatures(NamedTuple):
    """What a detector found, and what it saw there.

    Attributes:
        detections: Name of the picture -> float64 (n, 5), x y w h score.
        features: Name -> float32 (n, c).
        sampling: Where the features were read.
    """

    detections: dict[str, np.ndarray]
    features: dict[str, np.ndarray]
    sampling: FeatureSampling


def save_detection_features(detections: Mapping[str, np.ndarray],
                            features: Mapping[str, np.ndarray],
                            sampling: FeatureSampling,
                            path: str | os.PathLike) -> None:
    """Write detections and features as ``.npz``, as a whole or not at all.

    Args:
        detections: Name -> (n, 5), x y w h score; at least one picture.
        features: Name -> (n, c).
        sampling: Where they were read.
        path: The file; its name must end in ``.npz``.

    Raises:
        ValueError: The name ends otherwise.
        OSError: The file cannot be written.
    """
    if not os.fspath(path).endswith('.npz'):
        raise ValueError(f'{os.fspath(path)}: the name must end in .npz')
    names = list(detections)
    with atomic_write(path) as temporary:
        np.savez(
            temporary,
            format=_FORMAT,
            names=np.array(names),
            counts=np.array([len(detections[name]) for name in names]),
            detections=np.concatenate([detections[name] for name in names]),
            features=np.concatenate([features[name]
                                     for name in names]).astype(np.float32),
            source=sampling.source,
            level_scale=sampling.level_scale,
            all_levels=sampling.all_levels)


def load_detection_features(path: str | os.PathLike) -> DetectionFeatures:
    """Read a file of :func:`save_detection_features`.

    Args:
        path: The file. Nothing in it is executed.

    Returns:
        DetectionFeatures: Its content.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: It is a folder.
        ValueError: The file is something else, or damaged; or a number is
            not finite, a size negative or a coordinate beyond 1,000,000.
    """
    path = os.fspath(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            content = {name: archive[name] for name in archive.files}
        if str(content['format']) != _FORMAT:
            raise ValueError('another format')
        names, ends = content['names'], np.cumsum(content['counts'])[:-1]
        rows, features = content['detections'], content['features']
        total = content['counts'].sum()
        if len(names) != len(content['counts']) or \
                rows.shape != (total, 5) or len(features) != total:
            raise ValueError('counts and rows differ')
        if not np.isfinite(rows).all() or not np.isfinite(features).all():
            raise ValueError('a number is not finite')
        if (rows[:, 2:4] < 0).any() or (np.abs(rows[:, :4]) > FARTHEST).any():
            raise ValueError('a size is negative, or a number beyond '
                             f'{FARTHEST:,.0f} pixels')
        # Files written before there was a choice have one level.
        sampling = FeatureSampling(
            str(content['source']), float(content['level_scale']),
            bool(content.get('all_levels', False)))
    except FileNotFoundError:
        raise FileNotFoundError(f'{path} does not exist; {_REMEDY}') from None
    except IsADirectoryError:
        raise IsADirectoryError(f'{path} is a folder; {_REMEDY}') from None
    except (ValueError, KeyError, AttributeError, TypeError, EOFError,
            zipfile.BadZipFile) as error:
        raise ValueError(f'{path} is no file of detections with features '
                         f'({error}); {_REMEDY}') from error
    names = names.tolist()
    return DetectionFeatures(
        dict(zip(names, np.split(rows, ends))),
        dict(zip(names, np.split(features, ends))), sampling)
