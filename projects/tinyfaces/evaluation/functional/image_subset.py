"""Ground truth that may be of some of its images only."""
from collections.abc import Iterable

import numpy as np


class SubsetOfImages:
    """What the ground truths of several benchmarks share.

    Attributes:
        keys: Image keys, in official order.
        total_images: Images of the whole ground truth that these were taken
            from.
    """

    keys: tuple[str, ...]
    total_images: int

    @property
    def is_subset(self) -> bool:
        """Whether images of the whole ground truth are left out."""
        return len(self.keys) < self.total_images

    def describe(self) -> str:
        """Which images are scored: must stand beside every number."""
        if self.is_subset:
            return (f'subset: {len(self.keys):,} of '
                    f'{self.total_images:,} images')
        return f'all {self.total_images:,} images'

    def choose(self, images: Iterable[str]) -> np.ndarray:
        """Find images among the keys.

        Args:
            images: Image keys, in any order; repeated ones count once.

        Returns:
            np.ndarray: (len(keys),) bool, True for the images given.

        Raises:
            ValueError: An image is not in the ground truth, or none is given.
        """
        wanted = set(images)
        if not wanted:
            raise ValueError('the list of images to score is empty')
        unknown = sorted(wanted.difference(self.keys))
        if unknown:
            raise ValueError(
                f'{len(unknown):,} image(s) to score are not in the ground '
                f'truth, the first is {unknown[0]!r}; keys look like '
                f'{self.keys[0]!r}')
        return np.array([key in wanted for key in self.keys])
