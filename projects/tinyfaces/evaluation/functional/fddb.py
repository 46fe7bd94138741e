"""Discrete and continuous ROC curves by the protocol of FDDB.

Faces and detections are compared as sets of pixels (:mod:`.fddb_masks`), and
paired anew at every score of a picture (:mod:`.fddb_matching`). A pair with
IoU above 0.5 (not at it) is a hit of the discrete curve; the continuous one
sums the IoU of all pairs. Detections that are no hit are false positives of
both curves. Counts are summed over the pictures at every score of the set;
dividing by the number of faces gives true positive rates.

Protocol: Jain and Learned-Miller, UM-CS-2010-009, sections 5 and 6, and the
evaluation program of the benchmark.
"""
from collections.abc import Mapping

import numpy as np
from tqdm import tqdm

from tinyfaces.datasets.fddb_blocks import FARTHEST
from .fddb_detections import check_fddb_detections
from .fddb_result import FDDBResult

# The score that the official program gives to a picture without detections.
NO_DETECTION = float(np.finfo(np.float64).max)
_NAMED = 5


def evaluate_fddb(detections: Mapping[str, np.ndarray],
                  truth: Mapping[str, np.ndarray],
                  sizes: Mapping[str, tuple[int, int]],
                  only_given: bool = False) -> FDDBResult:
    """Score one set of detections.

    Args:
        detections: Name of the picture -> (n, 5) x y w h score, or (n, 6)
            half-axis, half-axis, angle, cx, cy and score; pixels and
            radians. All pictures in the same form, in any order.
        truth: Name -> (m, 5) ellipses as in
            :class:`~tinyfaces.datasets.fddb_annotations.FDDBEntry`.
        sizes: Name -> width and height in pixels.
        only_given: Score only the pictures of ``detections``, instead of
            refusing a set that lacks some of ``truth``.

    Returns:
        FDDBResult: Both curves.

    Raises:
        ValueError: Pictures are missing or unknown; a size is missing, or
            is not the picture's: an annotated centre lies outside; an array
            has another shape, NaN or infinite values or negative sizes;
            forms are mixed; or there is no face to find.
    """
    # OpenCV and scipy.optimize take a while to load, and the other protocols
    # do not need them.
    from .fddb_masks import overlap_matrix
    from .fddb_matching import match_picture
    _check_pictures(detections, truth, only_given)
    names = [name for name in truth if name in detections]
    lost = [name for name in names if name not in sizes]
    if lost:
        raise ValueError(f'no size for {_some(lost, len(names))}; give the '
                         'width and height of every picture')
    faces = {name: _check_faces(name, truth[name]) for name in names}
    _check_sizes(faces, sizes)
    num_faces = sum(map(len, faces.values()))
    if not num_faces:
        raise ValueError('the pictures to score have no face; check the '
                         'annotations and the selected folds')
    parts: list[tuple[np.ndarray, ...]] = []
    columns = num_detections = 0
    # A second of work shows nothing; a long one shows a bar.
    for name in tqdm(names, 'scoring', delay=2, leave=False, disable=None):
        found = _check_detections(name, detections[name])
        if not len(found):
            parts.append((np.array([NO_DETECTION]), np.zeros(1, np.int64),
                          np.zeros(1), np.zeros(1, np.int64)))
            continue
        if found.shape[1] != (columns or found.shape[1]):
            raise ValueError(f'detections of {name} have {found.shape[1]} '
                             f'columns, those before {columns}; give '
                             'rectangles only or ellipses only')
        columns = found.shape[1]
        num_detections += len(found)
        width, height = sizes[name]
        overlaps = overlap_matrix(found, faces[name],
                                  (int(width), int(height)))
        parts.append(match_picture(overlaps, found[:, -1]))
    return FDDBResult(
        *_merge(parts),
        num_faces=num_faces,
        num_images=len(names),
        num_detections=num_detections)


def _merge(parts: list[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
    """Sum the pictures at every score of the set.

    At a threshold a picture contributes what it has at its own smallest score
    that is not below it. So each of its scores adds a difference to all
    thresholds from there downwards.
    """
    thresholds = np.concatenate([part[0] for part in parts])
    order = np.argsort(-thresholds, kind='stable')
    thresholds = thresholds[order]
    last = np.append(thresholds[1:] != thresholds[:-1], True)
    hits, total, passed = (
        np.cumsum(
            np.concatenate(
                [np.diff(part[column], prepend=0)
                 for part in parts])[order])[last][::-1]
        for column in (1, 2, 3))
    return thresholds[last][::-1], hits, total, passed - hits


def _check_pictures(detections: Mapping[str, np.ndarray],
                    truth: Mapping[str, np.ndarray], only_given: bool) -> None:
    """Raise ValueError unless both are about the same pictures."""
    unknown = [name for name in detections if name not in truth]
    if unknown:
        raise ValueError(
            f'unknown pictures: {_some(unknown, len(detections))}; names '
            'must be those of the fold lists, without extension, e.g. '
            f'{next(iter(truth), "none")}')
    missing = [name for name in truth if name not in detections]
    if missing and not only_given:
        raise ValueError(
            f'no detections for {_some(missing, len(truth))}; add an entry '
            'with 0 detections for each picture where nothing was found, or '
            'ask to score only the given pictures')
    if not detections:
        raise ValueError('there are no detections for any picture')


def _check_sizes(faces: Mapping[str, np.ndarray],
                 sizes: Mapping[str, tuple[int, int]]) -> None:
    """Raise ValueError where a face's centre is not in its picture.

    FDDB has no such face (but some at 0 or at the width). Shapes are cut off
    at the borders of the picture, so wrong sizes give plausible wrong scores.
    """
    wrong = []
    for name, ellipses in faces.items():
        centres = ellipses[:, 3:]
        if ((centres < 0) | (centres > sizes[name])).any():
            wrong.append(name)
    if wrong:
        width, height = sizes[wrong[0]]
        raise ValueError(
            f'annotated faces have their centre outside the picture in '
            f'{_some(wrong, len(faces))}; the first is said to have {width} x '
            f'{height} pixels: give the sizes of the annotated pictures, '
            'width before height')


def _check_detections(name: str, found: np.ndarray) -> np.ndarray:
    """(n, 5) or (n, 6) float64, or ValueError."""
    check_fddb_detections({name: found})
    found = np.asarray(found, np.float64)
    return found if found.size else np.zeros((0, 5))


def _check_faces(name: str, faces: np.ndarray) -> np.ndarray:
    """(m, 5) float64, or ValueError."""
    faces = np.asarray(faces, np.float64)
    if faces.ndim != 2 or faces.shape[1] != 5:
        if not faces.size:
            return np.zeros((0, 5))
        raise ValueError(f'faces of {name}: expected ellipses (m, 5), got '
                         f'{faces.shape}')
    if not (np.abs(faces) <= FARTHEST).all() or (faces[:, :2] < 0).any():
        raise ValueError(f'faces of {name}: NaN, a negative half-axis, or a '
                         f'number beyond {FARTHEST:,.0f} pixels')
    return faces


def _some(names: list[str], total: int) -> str:
    """How many, and the first of them by name."""
    rest = ', ...' if len(names) > _NAMED else ''
    return (f'{len(names):,} of {total:,} pictures '
            f'({", ".join(names[:_NAMED])}{rest})')
