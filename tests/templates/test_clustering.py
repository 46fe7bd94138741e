"""K-medoids against brute force."""
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyfaces.templates import jaccard_distance, k_medoids, unique_shapes


def distance(one, other):
    """1 - IoU of two boxes with corners (-w/2, -h/2) and (w/2, h/2)."""
    overlap = 1.
    for a, b in zip(one, other):
        overlap *= min(a / 2, b / 2) - max(-a / 2, -b / 2)
    union = one[0] * one[1] + other[0] * other[1] - overlap
    return 1 - overlap / union


def cost(boxes, medoids):
    """Sum over all boxes, one by one."""
    return sum(min(distance(box, m) for m in medoids) for box in boxes)


SHAPE = st.tuples(st.integers(1, 30), st.integers(1, 40))
BOXES = st.lists(SHAPE, min_size=1, max_size=14)


@settings(max_examples=50, deadline=None)
@given(one=SHAPE, other=SHAPE)
def test_jaccard_distance(one, other):
    expected = distance(one, other)
    assert jaccard_distance(np.array(one), np.array(other)) == pytest.approx(
        expected, abs=1e-12)
    table = jaccard_distance(
        np.array([one, other])[:, None], np.array([one, other]))
    np.testing.assert_allclose(
        table, [[0, expected], [expected, 0]], atol=1e-12)


def test_unique_shapes():
    boxes = [[12, 10], [10, 12], [12, 10], [9, 50], [50, 9.5], [0, 20],
             [-3, -3], [10, 10]]
    shapes, weights = unique_shapes(np.array(boxes), 10)
    assert shapes.tolist() == [[10, 10], [10, 12], [12, 10]]
    assert weights.tolist() == [1, 1, 2]
    # Without a least size, only boxes without an area are left out.
    assert unique_shapes(np.array(boxes))[1].sum() == 6
    assert unique_shapes(np.empty((0, 2)))[0].shape == (0, 2)


@settings(max_examples=60, deadline=None)
@given(boxes=BOXES, num=st.integers(1, 4), seed=st.integers(0, 99))
def test_no_swap_is_better(boxes, num, seed):
    """On the boxes one by one: weights stand for repeated boxes."""
    shapes, weights = unique_shapes(np.array(boxes))
    num = min(num, len(shapes))
    found = k_medoids(shapes, weights, num, seed, starts=1)
    medoids = [tuple(m) for m in found.shapes]
    assert len(set(medoids)) == num and set(medoids) <= set(boxes)
    least = cost(boxes, medoids)
    for goes in medoids:
        for comes in set(boxes) - set(medoids):
            swapped = [comes if m == goes else m for m in medoids]
            assert cost(boxes, swapped) >= least - 1e-9

    # What it says of them
    assert found.mean_distance * len(boxes) == pytest.approx(least, abs=1e-9)
    assert found.counts.sum() == len(boxes)
    areas = found.shapes.prod(axis=1)
    assert (np.diff(areas) <= 0).all()
    nearest = [[distance(box, m) for m in medoids] for box in boxes]
    for n in range(num):
        least = min(row[n] == min(row) for row in nearest)
        at_most = sum(row[n] <= min(row) + 1e-12 for row in nearest)
        assert least <= found.counts[n] <= at_most


@pytest.mark.parametrize('seed', range(6))
def test_brute_force(seed):
    """The best of all choices of 3 of 12 shapes."""
    rng = np.random.default_rng(seed)
    shapes, _ = unique_shapes(rng.integers(5, 60, (12, 2)))
    weights = rng.integers(1, 9, len(shapes))
    boxes = np.repeat(shapes, weights, axis=0).tolist()
    best = min(
        cost(boxes, chosen) for chosen in combinations(shapes.tolist(), 3))
    found = k_medoids(shapes, weights, 3, seed, starts=10)
    assert found.mean_distance * len(boxes) == pytest.approx(best)


def test_clusters_by_hand():
    """Two heaps; in each the medoid is the shape that occurs most often."""
    sizes = [[10, 10]] * 5 + [[10, 11]] + [[100, 80]] + [[90, 80]] * 4
    found = k_medoids(*unique_shapes(np.array(sizes)), 2)
    assert found.shapes.tolist() == [[90, 80], [10, 10]]
    assert found.counts.tolist() == [5, 6]
    np.testing.assert_allclose(found.distances, [.1 / 5, (1 - 10 / 11) / 6])


def test_seeds():
    rng = np.random.default_rng(0)
    sizes = rng.lognormal(3, .8, (400, 2)).round() + 1
    shapes, weights = unique_shapes(sizes)
    results = [
        k_medoids(shapes, weights, 7, seed, starts=1).shapes.tolist()
        for seed in (0, 0, 1, 2, 3)
    ]
    assert results[0] == results[1]
    assert any(result != results[0] for result in results)
    # The order of boxes does not matter.
    again = unique_shapes(sizes[rng.permutation(len(sizes))])
    assert k_medoids(*again, 7, 0, starts=1).shapes.tolist() == results[0]


def test_more_starts_are_not_worse():
    rng = np.random.default_rng(1)
    data = unique_shapes(rng.integers(5, 80, (200, 2)))
    means = [
        k_medoids(*data, 6, 0, starts).mean_distance for starts in range(1, 6)
    ]
    assert means == sorted(means, reverse=True) and means[0] > means[-1]


def test_every_shape_a_medoid():
    shapes, weights = unique_shapes(np.array([[3, 4], [5, 6], [3, 4]]))
    found = k_medoids(shapes, weights, 2)
    assert found.shapes.tolist() == [[5, 6], [3, 4]]
    assert found.mean_distance == 0


def test_bad_input():
    shapes, weights = unique_shapes(np.array([[3, 4], [5, 6]]))
    for num in (0, 3):
        with pytest.raises(ValueError, match=f'{num} clusters of 2 '):
            k_medoids(shapes, weights, num)
    with pytest.raises(ValueError, match='at least 1 start'):
        k_medoids(shapes, weights, 1, starts=0)
