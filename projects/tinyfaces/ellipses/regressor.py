"""A linear map from what is known of a detection to an ellipse."""
from dataclasses import dataclass

import numpy as np

from .coder import count_clamped, decode_ellipses, encode_ellipses
from .features import BOX_FEATURES
from .ridge import ALPHAS, LinearMap, choose_alpha, fit_ridge


@dataclass(frozen=True)
class FeatureSampling:
    """Where a detector's own features are read.

    Attributes:
        source: The submodule whose outputs are read: ``neck`` or
            ``backbone``.
        level_scale: The level is the one whose stride times this number is
            closest to the square root of a box's area.
        all_levels: All levels are read instead, one behind the other.
    """

    source: str
    level_scale: float
    all_levels: bool = False


@dataclass(frozen=True)
class LinearEllipseRegressor:
    """Bounding ellipse regression of HR ("Finding Tiny Faces", App. B).

    The targets of :func:`~.coder.encode_ellipses` as a linear map of
    features. A linear map knows nothing beyond what it was fitted on: box
    features and targets are kept within the range that they had there.

    Attributes:
        linear: The map from (n, d) features to (n, 5) targets.
        lowest: Shape (5,), the least value of each target in the fit.
        highest: Shape (5,), the largest one.
        box_lowest: Shape (2,), the least value of each box feature in the
            fit; these are the last columns of the features.
        box_highest: Shape (2,), the largest one.
        alpha: The penalty.
        num_images: Pictures that the pairs of the fit come from.
        num_pairs: Pairs of a detection and an annotated ellipse.
        num_clamped: Pairs with a major axis so close to horizontal that its
            target was clamped (see :func:`~.coder.encode_ellipses`).
        iou_thr: Overlap above which a detection was paired with an annotated
            ellipse; ``None`` where that is not known.
        sampling: How the detector's features are read that stand before the
            box features; ``None`` for box features only.
    """

    linear: LinearMap
    lowest: np.ndarray
    highest: np.ndarray
    box_lowest: np.ndarray
    box_highest: np.ndarray
    alpha: float
    num_images: int
    num_pairs: int
    num_clamped: int
    iou_thr: float | None = None
    sampling: FeatureSampling | None = None

    @property
    def num_features(self) -> int:
        """d, the number of features."""
        return len(self.linear.mean)

    def predict(self, features: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Give the ellipses of detections.

        Args:
            features: Shape (n, d), from :func:`~.features.join_features`.
            boxes: Shape (n, 4), xyxy in pixels.

        Returns:
            np.ndarray: float64 of shape (n, 5), FDDB's rows.

        Raises:
            ValueError: There are other features than in the fit, a number
                is not finite, or a box has no width or height.
        """
        features = np.array(features, dtype=np.float64)
        if features.ndim != 2 or features.shape[1] != self.num_features:
            raise ValueError(
                f'the regressor was fitted on {self.num_features} features '
                f'of each detection, but got an array of shape '
                f'{features.shape}; use it with the detector that it was '
                'fitted for')
        boxes_from = self.num_features - len(BOX_FEATURES)
        features[:, boxes_from:] = np.clip(features[:, boxes_from:],
                                           self.box_lowest, self.box_highest)
        targets = np.clip(self.linear(features), self.lowest, self.highest)
        return decode_ellipses(boxes, targets)


def fit_ellipse_regressor(
        features: np.ndarray,
        boxes: np.ndarray,
        ellipses: np.ndarray,
        alpha: float | None = None,
        groups: np.ndarray | None = None,
        sampling: FeatureSampling | None = None,
        iou_thr: float | None = None) -> LinearEllipseRegressor:
    """Fit a regressor by ridge regression.

    Args:
        features: Shape (n, d), one row per detection, from
            :func:`~.features.join_features`.
        boxes: Shape (n, 4), xyxy: the detections, not the annotations' own
            boxes, so that the map learns what this detector does.
        ellipses: Shape (n, 5), the annotated ellipse of each detection.
        alpha: The penalty (see :func:`~.ridge.fit_ridge`). ``None`` to
            choose it by cross-validation within these pairs.
        groups: Shape (n,) int, equal for pairs of one picture: these are
            held out together when alpha is chosen. ``None`` when every pair
            is from another picture.
        sampling: Kept with the regressor.
        iou_thr: Kept with the regressor.

    Returns:
        LinearEllipseRegressor: The fitted one.

    Raises:
        ValueError: There are fewer than two pairs, the arrays do not fit
            together, alpha is negative, or a number (alpha too) is not
            finite.
    """
    features = np.asarray(features, dtype=np.float64)
    targets = encode_ellipses(boxes, ellipses)
    if len(targets) < 2:
        raise ValueError(
            f'{len(targets)} pairs of a detection and an annotated ellipse '
            'are too few to fit a regressor; check that detections and '
            'annotations are of the same pictures')
    groups = np.arange(len(targets)) if groups is None else np.asarray(groups)
    if features.ndim != 2 or len(features) != len(targets) or \
            features.shape[1] < len(BOX_FEATURES) or \
            groups.shape != (len(targets), ):
        raise ValueError(
            f'{len(targets)} boxes but features of shape {features.shape} '
            f'and groups of shape {groups.shape}')
    if not np.isfinite(features).all():
        raise ValueError('a feature is not a finite number')
    if alpha is None:
        alpha = choose_alpha(features, targets, groups, ALPHAS)
    elif not 0 <= alpha < np.inf:
        raise ValueError(f'alpha is {alpha}; it must be finite, 0 or more')
    described = features[:, -len(BOX_FEATURES):]
    return LinearEllipseRegressor(
        linear=fit_ridge(features, targets, [alpha])[0],
        lowest=targets.min(axis=0),
        highest=targets.max(axis=0),
        box_lowest=described.min(axis=0),
        box_highest=described.max(axis=0),
        alpha=float(alpha),
        num_images=len(np.unique(groups)),
        num_pairs=len(targets),
        num_clamped=count_clamped(ellipses),
        iou_thr=iou_thr,
        sampling=sampling)
