import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyfaces.ellipses import ALPHAS, choose_alpha, fit_ridge


def data(seed, n, d, k=5, noise=0.):
    rng = np.random.default_rng(seed)
    features = rng.normal(3, 2, (n, d)) * rng.uniform(.1, 10, d)
    truth = rng.normal(size=(d, k))
    offset = rng.normal(size=k)
    targets = features @ truth + offset + noise * rng.normal(size=(n, k))
    return features, targets, truth, offset


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 999), st.integers(3, 40), st.integers(1, 8),
    st.floats(1e-4, 100))
def test_equals_least_squares_on_augmented_rows(seed, n, d, alpha):
    features, targets, *_ = data(seed, n, d, noise=1)
    fitted, = fit_ridge(features, targets, [alpha])
    # sqrt(n alpha) w = 0 as further rows; the column of ones is not in them.
    z = (features - features.mean(0)) / features.std(0)
    rows = np.vstack((np.hstack((z, np.ones(
        (n, 1)))), np.hstack((np.sqrt(n * alpha) * np.eye(d), np.zeros(
            (d, 1))))))
    solution = np.linalg.lstsq(
        rows, np.vstack((targets, np.zeros((d, 5)))), rcond=None)[0]
    np.testing.assert_allclose(fitted.weights, solution[:-1], atol=1e-7)
    np.testing.assert_allclose(fitted.bias, solution[-1], atol=1e-7)


def test_recovers_a_planted_map():
    features, targets, truth, offset = data(0, 50, 4)
    fitted, = fit_ridge(features, targets, [0.])
    np.testing.assert_allclose(fitted(features), targets, atol=1e-9)
    new = np.random.default_rng(1).normal(size=(9, 4)) * 30
    np.testing.assert_allclose(fitted(new), new @ truth + offset, atol=1e-7)


def test_penalty_shrinks_weights_but_not_the_mean():
    features, targets, *_ = data(3, 40, 4, noise=.5)
    norms = []
    for fitted in fit_ridge(features, targets, [0, .1, 1, 10, 1e9]):
        norms.append(np.linalg.norm(fitted.weights))
        np.testing.assert_allclose(
            fitted(features).mean(0), targets.mean(0), atol=1e-9)
    assert norms == sorted(norms, reverse=True) and norms[-1] < 1e-6


def test_penalty_means_the_same_for_more_pairs():
    features, targets, *_ = data(3, 40, 4, noise=.5)
    once, = fit_ridge(features, targets, [.3])
    thrice, = fit_ridge(
        np.tile(features, (3, 1)), np.tile(targets, (3, 1)), [.3])
    np.testing.assert_allclose(once.weights, thrice.weights)


def test_features_that_do_not_vary_get_no_weight():
    features, targets, *_ = data(5, 30, 2)
    constant = np.full((30, 1), .1)
    copy = features[:, :1]
    fitted, = fit_ridge(np.hstack((features, constant, copy)), targets, [0.])
    assert np.abs(fitted.weights[2]).max() < 1e-9
    np.testing.assert_allclose(
        fitted(np.hstack((features, constant, copy))), targets, atol=1e-9)
    nothing, = fit_ridge(np.zeros((30, 0)), targets, [1.])
    np.testing.assert_allclose(
        nothing(np.zeros((2, 0))), np.tile(targets.mean(0), (2, 1)))


def test_alpha_by_brute_force():
    features, targets, *_ = data(7, 60, 25, noise=40)
    groups = np.arange(60) // 2
    scale = targets.std(0)
    errors = []
    for alpha in ALPHAS:
        error = 0
        for part in range(5):
            out = groups % 5 == part
            fitted, = fit_ridge(features[~out], targets[~out], [alpha])
            error += (((fitted(features[out]) - targets[out]) /
                       scale)**2).sum()
        errors.append(error)
    best = ALPHAS[int(np.argmin(errors))]
    # Neither end of the list, so that the choice means something.
    assert ALPHAS[0] < best < ALPHAS[-1] or len(set(errors)) > 1
    assert choose_alpha(features, targets, groups) == best


def test_alpha_noise_wants_much_and_a_clean_map_little():
    features, targets, *_ = data(0, 80, 5)
    groups = np.arange(80)
    assert choose_alpha(features, targets, groups) == ALPHAS[0]
    noise = np.random.default_rng(1).normal(size=(80, 5))
    assert choose_alpha(features, noise, groups) == ALPHAS[-1]


def test_pairs_of_one_picture_are_held_out_together():
    # Each picture twice, targets pure noise: a map that has seen the twin
    # would do well with a small alpha.
    rng = np.random.default_rng(2)
    features = np.repeat(rng.normal(size=(30, 25)), 2, axis=0)
    targets = np.repeat(rng.normal(size=(30, 5)), 2, axis=0)
    together = choose_alpha(features, targets, np.repeat(np.arange(30), 2))
    apart = choose_alpha(features, targets, np.arange(60))
    assert together == ALPHAS[-1] and apart < together


def test_too_few_pictures():
    with pytest.raises(ValueError, match='too few pictures'):
        choose_alpha(np.ones((4, 2)), np.ones((4, 5)), np.zeros(4, int))
