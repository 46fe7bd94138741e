"""S3FD's fixed linear map from boxes to FDDB's ellipses.

The authors of S3FD publish it beside their test code (SFD, ``Fit.mat`` and
``fitting.m``); Group Sampling uses it too. It was fitted on FDDB as a whole,
without cross-validation.
"""
import os
from dataclasses import dataclass

import numpy as np

_SHAPES = dict(meanX=(4, 1), stdX=(4, 1), w=(5, 4), meanY=(5, 1), stdY=(5, 1))


@dataclass(frozen=True)
class S3FDEllipseMap:
    """``((x, y, w, h) - mean_in) / std_in @ weights * std_out + mean_out``.

    Attributes:
        mean_in: Shape (4,), of x, y, w, h.
        std_in: Shape (4,).
        weights: Shape (4, 5).
        mean_out: Shape (5,), of ra, rb, theta, cx, cy.
        std_out: Shape (5,).
    """

    mean_in: np.ndarray
    std_in: np.ndarray
    weights: np.ndarray
    mean_out: np.ndarray
    std_out: np.ndarray

    def predict(self, xywh: np.ndarray) -> np.ndarray:
        """Give the ellipses of boxes.

        The map is linear in pixels, position included: it fits pictures of
        FDDB's size, about 450 pixels a side. Half-axes are at least half a
        pixel.

        Args:
            xywh: Shape (n, 4): left, top, width and height in pixels. The
                map was fitted on w = x2 - x1 + 1, h = y2 - y1 + 1.

        Returns:
            np.ndarray: float64 of shape (n, 5) in FDDB's convention: ra >=
            rb (the map gives a longer second axis for wide boxes: the two
            are exchanged, and the angle turned by pi/2), theta in (-pi/2,
            pi/2].
        """
        xywh = np.asarray(xywh, dtype=np.float64).reshape(-1, 4)
        ellipses = (xywh - self.mean_in) / self.std_in @ self.weights
        ellipses = ellipses * self.std_out + self.mean_out
        ellipses[:, :2] = np.maximum(ellipses[:, :2], 0.5)
        exchange = ellipses[:, 0] < ellipses[:, 1]
        ellipses[exchange, :2] = ellipses[exchange, 1::-1]
        # Fitted on angles from vertical, as those jump nowhere near it.
        theta = ellipses[:, 2] + np.pi / 2 * ~exchange
        # The direction of the same axis in (-pi/2, pi/2].
        ellipses[:, 2] = theta - np.pi * np.ceil(theta / np.pi - .5)
        return ellipses


S3FD_MAP = S3FDEllipseMap(
    mean_in=np.array([156.139, 78.398, 84.931, 116.113]),
    std_in=np.array([100.313, 59.310, 44.335, 62.020]),
    weights=np.array([
        [-0.00386, 0.00169, 0.00772, 1.05155, 0.00255],
        [0.01273, 0.00777, 0.01826, 0.00030, 0.95432],
        [0.42953, 0.72043, -0.31514, 0.23822, -0.18104],
        [0.56578, 0.27453, 0.29616, -0.00610, 0.61168],
    ]),
    mean_out=np.array([70.912, 46.731, -0.0154, 198.482, 127.663]),
    std_out=np.array([37.423, 24.517, 0.1365, 95.606, 61.832]))
"""The numbers of ``Fit.mat`` in at most six digits: within .01 pixels and
.0001 radians of the file itself on FDDB's pictures."""


def read_fit_mat(path: str | os.PathLike) -> S3FDEllipseMap:
    """Read the original ``Fit.mat`` (MATLAB 7.3, which is HDF5).

    Args:
        path: The file.

    Returns:
        S3FDEllipseMap: The map in full precision.

    Raises:
        ImportError: The package h5py is not installed.
        FileNotFoundError: There is no such file.
        ValueError: The file is something else.
    """
    path = os.fspath(path)
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            f'reading {path} needs the package h5py: pip install h5py; '
            'without it use the built-in numbers') from error
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path} does not exist')
    try:
        with h5py.File(path, 'r') as file:
            numbers = {name: file[name][()] for name in _SHAPES}
    except (OSError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not S3FD's Fit.mat: {error}") from error
    for name, shape in _SHAPES.items():
        # HDF5 holds MATLAB's arrays transposed.
        if np.shape(numbers[name]) != shape:
            raise ValueError(f"{path} is not S3FD's Fit.mat: {name} has the "
                             f'shape {np.shape(numbers[name])}, not {shape}')
    return S3FDEllipseMap(
        mean_in=numbers['meanX'].ravel(),
        std_in=numbers['stdX'].ravel(),
        weights=numbers['w'].T,
        mean_out=numbers['meanY'].ravel(),
        std_out=numbers['stdY'].ravel())
