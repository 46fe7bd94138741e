"""Ridge regression in closed form, its penalty chosen by cross-validation."""
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

ALPHAS = tuple(10.**exponent for exponent in range(-6, 2))
"""Penalties that :func:`choose_alpha` tries."""


class LinearMap(NamedTuple):
    """``(features - mean) / scale @ weights + bias``.

    Attributes:
        mean: Shape (d,), of the features.
        scale: Shape (d,), their standard deviation; 1 for a constant one.
        weights: Shape (d, k).
        bias: Shape (k,).
    """

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Apply the map to features of shape (n, d); gives (n, k)."""
        return (features - self.mean) / self.scale @ self.weights + self.bias


def fit_ridge(features: np.ndarray, targets: np.ndarray,
              alphas: Sequence[float]) -> list[LinearMap]:
    """Fit one map per penalty.

    Minimises ``mean_i |y_i - W z_i - b|^2 + alpha |W|^2`` over W and b, where
    z are the features brought to mean 0 and variance 1. The intercept b is
    not penalised. As the error is a mean, an alpha means the same whatever
    the number of pairs.

    Args:
        features: Shape (n, d), n >= 1.
        targets: Shape (n, k).
        alphas: Penalties, >= 0. With 0 a direction in which the features do
            not vary gets no weight.

    Returns:
        list[LinearMap]: In the order of ``alphas``.
    """
    mean, scale = features.mean(axis=0), features.std(axis=0)
    # Rounding leaves a constant feature a tiny deviation.
    scale = np.where(scale > 1e-9 * (1 + np.abs(mean)), scale, 1.)
    bias = targets.mean(axis=0)
    left, singular, right = np.linalg.svd(
        (features - mean) / scale, full_matrices=False)
    projected = left.T @ (targets - bias)
    varies = singular > 1e-10 * max(singular.max(initial=0), 1e-300)
    maps = []
    for alpha in alphas:
        gain = np.zeros_like(singular)
        kept = singular[varies]
        gain[varies] = kept / (kept**2 + alpha * len(features))
        maps.append(
            LinearMap(mean, scale, right.T @ (gain[:, None] * projected),
                      bias))
    return maps


def choose_alpha(features: np.ndarray,
                 targets: np.ndarray,
                 groups: np.ndarray,
                 alphas: Sequence[float] = ALPHAS,
                 parts: int = 5) -> float:
    """Choose the penalty with the least error on pairs held out.

    The error is the mean squared one, each target divided by its standard
    deviation. Among equally good penalties the largest wins.

    Args:
        features: Shape (n, d).
        targets: Shape (n, k).
        groups: Shape (n,) int; pairs of one group (one picture) are held out
            together. Group g belongs to part g modulo ``parts``.
        alphas: Penalties to try.
        parts: In how many parts to hold out.

    Raises:
        ValueError: All pairs fall into one part.
    """
    part = np.asarray(groups) % parts
    held_out = [part == number for number in np.unique(part)]
    if len(held_out) < 2:
        raise ValueError(
            'the training pairs come from too few pictures to choose alpha '
            'by cross-validation; give alpha')
    scale = targets.std(axis=0)
    scale = np.where(scale > 0, scale, 1.)
    error = np.zeros(len(alphas))
    for chosen in held_out:
        maps = fit_ridge(features[~chosen], targets[~chosen], alphas)
        error += [
            np.sum(((targets[chosen] - fitted(features[chosen])) / scale)**2)
            for fitted in maps
        ]
    best = error.min()
    return max(alpha for alpha, value in zip(alphas, error)
               if value <= best * (1 + 1e-9))
