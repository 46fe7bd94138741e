"""One random colour for all pixels of a picture."""
from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmdet.registry import TRANSFORMS

#: Variances along the principal components of red, green and blue in WIDER
#: FACE, from the authors' model of "Finding Tiny Faces".
EIGENVALUES = (295.6, 1407.9, 16932.4)
#: Their directions (a row each). The authors' are not published; these are
#: of 508 pictures of the training set, whose variances are 258, 1157, 15763.
EIGENVECTORS = ((.3383, -.8059, .4859), (-.7381, .0931, .6683), (.5838, .5847,
                                                                 .5633))


@TRANSFORMS.register_module()
class PCAColorOffset(BaseTransform):
    """Add a random colour, drawn along the principal components of colours.

    The augmentation of AlexNet, with which the released code of "Finding Tiny
    Faces" trains (the paper does not name it): each component is scaled by
    a number from N(0, std^2) times its standard deviation, and their sum is
    added to every pixel. The result is not clipped to [0, 255].

    Required Keys:

    - img

    Modified Keys:

    - img: float32

    Args:
        std: Of the random numbers. Defaults to .1.
        eigenvalues: Variances of the three components, at least 0.
        eigenvectors: Their directions in red, green and blue, a row each.
        channel_order: Of the picture, ``'bgr'``, as MMCV loads it, or
            ``'rgb'``.

    Raises:
        ValueError: An argument has a value outside of its range.
    """

    def __init__(self,
                 std: float = .1,
                 eigenvalues: Sequence[float] = EIGENVALUES,
                 eigenvectors: Sequence[Sequence[float]] = EIGENVECTORS,
                 channel_order: str = 'bgr') -> None:
        if std < 0:
            raise ValueError(f'std must be at least 0, not {std}')
        values = np.asarray(eigenvalues, np.float64)
        vectors = np.asarray(eigenvectors, np.float64)
        if values.shape != (3, ) or values.min() < 0:
            raise ValueError('eigenvalues must be three numbers, at least 0, '
                             f'not {eigenvalues}')
        if vectors.shape != (3, 3) or not np.allclose(
                vectors @ vectors.T, np.eye(3), atol=.01):
            raise ValueError('eigenvectors must be three orthogonal rows of '
                             f'length 1, not {eigenvectors}')
        if channel_order not in ('bgr', 'rgb'):
            raise ValueError("channel_order must be 'bgr' or 'rgb', not "
                             f'{channel_order!r}')
        self.std = std
        self.channel_order = channel_order
        axes = np.sqrt(values)[:, None] * vectors
        self._axes = axes[:, ::-1] if channel_order == 'bgr' else axes

    def transform(self, results: dict) -> dict:
        """Add the colour.

        Args:
            results (dict): Result dict of the pipeline; img (h, w, 3).

        Returns:
            dict: The same dict.

        Raises:
            ValueError: The picture has not three channels.
        """
        image = results['img']
        if image.ndim != 3 or image.shape[2] != 3:
            raise ValueError('PCAColorOffset needs three channels, but the '
                             f'picture is {image.shape}')
        results['img'] = np.add(image, self._random_offset(), dtype=np.float32)
        return results

    @cache_randomness
    def _random_offset(self) -> np.ndarray:
        """Draw a colour, float32 (3, ), in the picture's order."""
        numbers = np.random.normal(0, self.std, 3)
        return (numbers @ self._axes).astype(np.float32)

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(std={self.std}, '
                f'channel_order={self.channel_order!r})')
