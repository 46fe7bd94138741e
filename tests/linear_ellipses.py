"""An ellipse regressor with random numbers."""
import numpy as np

from tinyfaces.ellipses import (FeatureSampling, LinearEllipseRegressor,
                                LinearMap)


def random_regressor(
        num_features: int,
        sampling: FeatureSampling | None = None) -> LinearEllipseRegressor:
    """A map of so many features to ellipses not far from their boxes."""
    rng = np.random.default_rng(0)
    return LinearEllipseRegressor(
        LinearMap(
            rng.normal(size=num_features), np.full(num_features, 2.),
            rng.normal(0, .05, (num_features, 5)), rng.normal(0, .1, 5)),
        np.full(5, -9.),
        np.full(5, 9.),
        np.full(2, -9.),
        np.full(2, 9.),
        alpha=.1,
        num_images=1,
        num_pairs=2,
        num_clamped=0,
        sampling=sampling)
