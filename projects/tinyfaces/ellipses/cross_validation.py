"""Ellipse regressors that never see the pictures they are applied to."""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from ..datasets.fddb_annotations import FDDBEntry
from .features import join_features
from .geometry import rectangles_to_boxes, widen_boxes
from .matching import match_detections
from .regressor import (FeatureSampling, LinearEllipseRegressor,
                        fit_ellipse_regressor)


class TrainingPairs(NamedTuple):
    """Detections and the ellipses that they were matched with.

    Attributes:
        features: Shape (n, d).
        boxes: Shape (n, 4), xyxy.
        ellipses: Shape (n, 5).
        images: Shape (n,), the index of the picture.
    """

    features: np.ndarray
    boxes: np.ndarray
    ellipses: np.ndarray
    images: np.ndarray


@dataclass(frozen=True)
class CrossValidation:
    """What :func:`cross_validate_ellipses` returns.

    Attributes:
        detections: Name of the picture -> (n, 6), ra rb theta cx cy score,
            by the regressor that was fitted without the picture's fold.
        regressors: Fold -> the regressor that was fitted without it.
        final: The regressor that was fitted on all folds, for other data.
    """

    detections: dict[str, np.ndarray]
    regressors: dict[int, LinearEllipseRegressor]
    final: LinearEllipseRegressor


def cross_validate_ellipses(detections: Mapping[str, np.ndarray],
                            folds: Mapping[int, Sequence[FDDBEntry]],
                            sizes: Mapping[str, tuple[int, int]],
                            detector_features: Mapping[str, np.ndarray]
                            | None = None,
                            sampling: FeatureSampling | None = None,
                            alpha: float | None = None,
                            iou_thr: float = 0.5) -> CrossValidation:
    """Hold out each fold in turn.

    The regressor for a fold is fitted on the detections in the other folds
    that match an annotated ellipse (:func:`~.matching.match_detections`);
    with ``alpha=None`` the penalty too is chosen within these.

    Args:
        detections: Name of the picture -> (n, 5), x y w h score.
        folds: Fold -> entries, from
            :func:`~tinyfaces.datasets.fddb_annotations.load_fddb`; at least
            two folds.
        sizes: Name -> width and height in pixels.
        detector_features: Name -> (n, c), beside the detections. ``None``
            for box features only.
        sampling: Where those features were read.
        alpha: The penalty, or ``None``.
        iou_thr: A pair needs an overlap above this, from 0 up to below 1.

    Returns:
        CrossValidation: Ellipses of all pictures, regressors of all folds.

    Raises:
        ValueError: ``iou_thr`` is out of its range; there is only one fold,
            or an empty one; a picture has no entry of detections, no size
            or no features; or too few detections match.
    """
    if not 0 <= iou_thr < 1:
        raise ValueError(f'iou_thr is {iou_thr}; it must be 0 or more and '
                         'less than 1')
    if len(folds) < 2:
        raise ValueError(f'cross-validation needs two folds or more, not '
                         f'{len(folds)}')
    for fold, entries in folds.items():
        if not entries:
            raise ValueError(f'fold {fold} has no pictures; leave it out')
    names = [entry.name for entries in folds.values() for entry in entries]
    needed = [('detections', detections), ('size', sizes)]
    if detector_features is not None:
        needed.append(('features', detector_features))
    for what, table in needed:
        missing = [name for name in names if name not in table]
        if missing:
            raise ValueError(
                f'no {what} for {len(missing):,} of {len(names):,} pictures, '
                f'the first is {missing[0]}; give all pictures of the folds')
    boxes = {
        name: widen_boxes(rectangles_to_boxes(detections[name]))
        for name in names
    }
    own = detector_features or {}
    features = {
        name: join_features(boxes[name], sizes[name], own.get(name))
        for name in names
    }
    pairs = {
        fold: _collect(entries, boxes, features, iou_thr)
        for fold, entries in folds.items()
    }
    options = dict(alpha=alpha, sampling=sampling, iou_thr=iou_thr)
    regressors, ellipses = {}, {}
    for fold, entries in tqdm(folds.items(), 'folds', leave=False, delay=2):
        others = [part for other, part in pairs.items() if other != fold]
        regressors[fold] = _fit(others, **options)
        for entry in entries:
            found = regressors[fold].predict(features[entry.name],
                                             boxes[entry.name])
            scores = np.asarray(detections[entry.name])[:, 4:5]
            ellipses[entry.name] = np.hstack((found, scores))
    return CrossValidation(ellipses, regressors,
                           _fit(list(pairs.values()), **options))


def _collect(entries: Sequence[FDDBEntry], boxes: Mapping[str, np.ndarray],
             features: Mapping[str,
                               np.ndarray], iou_thr: float) -> TrainingPairs:
    """The matched detections of one fold."""
    parts = []
    for number, (name, ellipses) in enumerate(entries):
        box, ellipse = match_detections(boxes[name], ellipses, iou_thr).T
        parts.append(
            TrainingPairs(features[name][box], boxes[name][box],
                          np.asarray(ellipses)[ellipse],
                          np.full(len(box), number)))
    return TrainingPairs(*(np.concatenate(column) for column in zip(*parts)))


def _fit(parts: Sequence[TrainingPairs], **options) -> LinearEllipseRegressor:
    """Fit on several folds together."""
    # Pictures of different folds must not share a number.
    first, images = 0, []
    for part in parts:
        images.append(part.images + first)
        first += part.images.max(initial=-1) + 1
    features, boxes, ellipses = (
        np.concatenate([part[column] for part in parts])
        for column in range(3))
    return fit_ellipse_regressor(
        features, boxes, ellipses, groups=np.concatenate(images), **options)
