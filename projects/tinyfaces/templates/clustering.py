"""K-medoids of box shapes with the Jaccard distance.

"Finding Tiny Faces", section 4: the templates are the canonical shapes that
cover the boxes of a training set best, by the distance of Eq. 1.
"""
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

# A swap must save this share of the cost: rounding alone must not swap for
# ever.
_LEAST_GAIN = 1e-10


class Clusters(NamedTuple):
    """Medoids, by area from large to small.

    Attributes:
        shapes: float64 (k, 2), width and height in pixels.
        counts: float64 (k, ), sum of the weights of each cluster.
        distances: float64 (k, ), weighted mean of the distance of a
            cluster's members to its medoid.
    """
    shapes: np.ndarray
    counts: np.ndarray
    distances: np.ndarray

    @property
    def mean_distance(self) -> float:
        """Weighted mean of the distance to the nearest medoid."""
        return float(np.average(self.distances, weights=self.counts))


def jaccard_distance(shapes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """1 - IoU of boxes that are put on a common centre (Eq. 1).

    Args:
        shapes: (..., 2), width and height, all above 0.
        others: The same; leading axes broadcast.

    Returns:
        np.ndarray: (...), from 0 up to below 1.
    """
    common = np.minimum(shapes[..., 0], others[..., 0])
    common = common * np.minimum(shapes[..., 1], others[..., 1])
    areas = (shapes[..., 0] * shapes[..., 1] + others[..., 0] * others[..., 1])
    return 1 - common / (areas - common)


def unique_shapes(sizes: np.ndarray,
                  min_size: float = 0) -> tuple[np.ndarray, np.ndarray]:
    """The different shapes among boxes, and how often each occurs.

    Args:
        sizes: (n, 2), widths and heights in pixels.
        min_size: Boxes with a width or height below it are left out, as
            those are that have a width or height of 0 or below.

    Returns:
        tuple[np.ndarray, np.ndarray]: float64 (m, 2), sorted; int64 (m, ).
    """
    sizes = np.asarray(sizes, np.float64).reshape(-1, 2)
    kept = sizes[((sizes > 0) & (sizes >= min_size)).all(axis=1)]
    return np.unique(kept, axis=0, return_counts=True)


def k_medoids(shapes: np.ndarray,
              weights: np.ndarray,
              num: int,
              seed: int = 0,
              starts: int = 3,
              progress: bool = False) -> Clusters:
    """Choose the shapes with the least mean distance to all others.

    Each start draws its medoids as k-means++ does, though by the distance
    itself instead of its square, as that is what is minimised. A medoid is
    then swapped for another shape wherever this lowers the cost, until no
    swap of one medoid does (PAM; the best swap for a shape is found in one go
    and done at once, as in FasterPAM, Schubert and Rousseeuw 2021). Nothing
    is sampled, and memory is linear in the number of shapes.

    Args:
        shapes: (m, 2) different shapes, width and height, all above 0.
        weights: (m, ), above 0: how often each occurs.
        num: Medoids, from 1 to m.
        seed: Equal seeds give equal medoids.
        starts: How many starts; the best one counts.
        progress: Whether to show progress bars.

    Returns:
        Clusters: The best ones found.

    Raises:
        ValueError: ``num`` or ``starts`` is out of its range.
    """
    shapes = np.asarray(shapes, np.float64)
    weights = np.asarray(weights, np.float64)
    if not 1 <= num <= len(shapes):
        raise ValueError(f'{num} clusters of {len(shapes)} different shapes: '
                         'there must be at least 1 and no more than shapes')
    if starts < 1:
        raise ValueError(f'there must be at least 1 start, not {starts}')
    rng = np.random.default_rng(seed)
    best, least = None, np.inf
    for start in range(1, starts + 1):
        search = _Search(shapes, weights, _draw(shapes, weights, num, rng))
        order = rng.permutation(len(shapes))
        swapped, sweep = True, 0
        while swapped:
            sweep += 1
            swapped = False
            for shape in tqdm(
                    order,
                    f'Start {start} of {starts}, pass {sweep}',
                    leave=False,
                    disable=not progress):
                swapped |= search.try_swap(shape)
        if search.cost < least:
            best, least = search, search.cost
    return best.clusters()


def _draw(shapes: np.ndarray, weights: np.ndarray, num: int,
          rng: np.random.Generator) -> np.ndarray:
    """Indices (num, ) of different shapes, far from each other."""
    medoids = [rng.choice(len(shapes), p=weights / weights.sum())]
    nearest = np.full(len(shapes), np.inf)
    while len(medoids) < num:
        last = shapes[medoids[-1]]
        nearest = np.minimum(nearest, jaccard_distance(shapes, last))
        chances = weights * nearest
        medoids.append(rng.choice(len(shapes), p=chances / chances.sum()))
    return np.array(medoids)


class _Search:
    """Medoids, and what a swap would save."""

    def __init__(self, shapes: np.ndarray, weights: np.ndarray,
                 medoids: np.ndarray) -> None:
        self.shapes, self.weights, self.medoids = shapes, weights, medoids
        self._assign()

    def _assign(self) -> None:
        """Find each shape's nearest medoid, and the two least distances."""
        distances = jaccard_distance(self.shapes[self.medoids, None],
                                     self.shapes)
        columns = np.arange(len(self.shapes))
        self.nearest = distances.argmin(axis=0)
        self.first = distances[self.nearest, columns]
        distances[self.nearest, columns] = 1  # Farther than any shape.
        self.second = distances.min(axis=0)
        self.cost = self.weights @ self.first

    def try_swap(self, shape: int) -> bool:
        """Make a shape a medoid instead of another one, if that is better.

        The members of the medoid that goes move to the shape or to their
        second nearest medoid; all others move to the shape if it is nearer.
        """
        distances = jaccard_distance(self.shapes, self.shapes[shape])
        nearer = np.minimum(distances - self.first, 0)
        # What its members lose when a medoid goes
        farther = np.clip(distances, self.first, self.second) - self.first
        changes = self.weights @ nearer + np.bincount(
            self.nearest, self.weights * farther, len(self.medoids))
        goes = changes.argmin()
        if changes[goes] >= -_LEAST_GAIN * self.cost:
            return False
        self.medoids[goes] = shape
        self._assign()
        return True

    def clusters(self) -> Clusters:
        """The medoids with what belongs to them."""
        shapes = self.shapes[self.medoids]
        num = len(shapes)
        counts = np.bincount(self.nearest, self.weights, num)
        sums = np.bincount(self.nearest, self.weights * self.first, num)
        # Shapes of equal area in an order of their own, not of the search.
        order = np.lexsort((shapes[:, 0], shapes.prod(axis=1)))[::-1]
        return Clusters(shapes[order], counts[order], (sums / counts)[order])
