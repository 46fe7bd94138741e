"""One-to-one pairs at every score, against all pairings there are."""
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyfaces.evaluation.functional.fddb_matching import match_picture


@pytest.mark.parametrize(
    'overlaps, scores, hits, total, counts',
    [
        # One face and one detection.
        ([[.7]], [.9], [1], [.7], [1]),
        # Exactly one half is no hit, though it is a pair.
        ([[.5]], [.9], [0], [.5], [1]),
        ([[np.nextafter(.5, 1)]], [.9], [1], [.5], [1]),
        ([[0]], [.9], [0], [0], [1]),
        # A second detection of a face replaces the first where it is better.
        ([[.8], [.9]], [.9, .5], [1, 1], [.8, .9], [1, 2]),
        ([[.9], [.8]], [.9, .5], [1, 1], [.9, .9], [1, 2]),
        # In any order; equal scores count together.
        ([[.9], [.8], [.2]], [.5, .9, .5], [1, 1], [.8, .9], [1, 3]),
        # A detection has one face only.
        ([[.6, .7]], [.9], [1], [.7], [1]),
        # The sum is what matters: the best pair is given up for it...
        ([[.9, .8], [.8, 0]], [.9, .5], [1, 2], [.9, 1.6], [1, 2]),
        # ...and may take a hit away.
        ([[.6, .49], [.49, 0]], [.9, .5], [1, 0], [.6, .98], [1, 2]),
        # Two groups that do not touch, and a detection of nothing.
        ([[.7, 0, 0], [0, .6, .4], [0, .6, 0], [0, 0, 0]], [.9, .8, .7, .6],
         [1, 2, 2, 2], [.7, 1.3, 1.7, 1.7], [1, 2, 3, 4]),
    ])
def test_by_hand(overlaps, scores, hits, total, counts):
    found = match_picture(np.array(overlaps, float), np.array(scores))
    np.testing.assert_array_equal(found[0], sorted(set(scores), reverse=True))
    np.testing.assert_array_equal(found[1], hits)
    np.testing.assert_allclose(found[2], total, rtol=1e-12)
    np.testing.assert_array_equal(found[3], counts)


def test_picture_without_faces():
    found = match_picture(np.zeros((2, 0)), np.array([.5, .7]))
    assert [part.tolist() for part in found] == [[.7, .5], [0, 0], [0, 0],
                                                 [1, 2]]


def all_pairings(overlaps):
    """Largest sum of any one-to-one pairing, and the hits it may have."""
    table = np.zeros([max(overlaps.shape)] * 2)
    table[:overlaps.shape[0], :overlaps.shape[1]] = overlaps
    rows = np.arange(len(table))
    sums = {}
    for columns in permutations(rows):
        pairs = table[rows, list(columns)]
        sums.setdefault(round(pairs.sum(), 9),
                        set()).add(int((pairs > .5).sum()))
    best = max(sums)
    return best, sums[best]


# Coarse values give ties, zeros groups that do not touch.
IOU = st.one_of(
    st.sampled_from([0., 0., 0., .25, .5, .75, 1.]), st.floats(0, 1))


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 5), st.integers(1, 5))
def test_every_score_is_the_best_of_all_pairings(data, rows, columns):
    overlaps = np.array(
        data.draw(
            st.lists(IOU, min_size=rows * columns,
                     max_size=rows * columns))).reshape(rows, columns)
    scores = np.array(
        data.draw(
            st.lists(
                st.sampled_from([-1., 0., .5, .5000001, 9.]),
                min_size=rows,
                max_size=rows)))
    thresholds, hits, total, counts = match_picture(overlaps, scores)
    assert thresholds.tolist() == sorted(set(scores.tolist()), reverse=True)
    for at, threshold in enumerate(thresholds):
        valid = scores >= threshold
        best, possible = all_pairings(overlaps[valid])
        assert counts[at] == valid.sum()
        assert total[at] == pytest.approx(best, abs=1e-8)
        assert hits[at] in possible
