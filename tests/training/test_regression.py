"""The classical start: linear regression, clusters, and what they are shared out to."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.special import expit, log_softmax, logsumexp, softmax

from skmade import MADEDensity
from skmade._network.ensemble import Ensemble
from skmade._network.masks import ordering_to_ranks
from skmade._table.clusters import find_clusters
from skmade._table.encoding import encode
from skmade._training import regression
from skmade._training.regression import (
    _clustered_start,
    _shared_out,
    fit_linear_start,
    shrunk_covariance,
)
from skmade.datasets import CorrelatedGaussian
from tests.ensembles import make_ensemble
from tests.equations import paths


def start_of(values, ordering, weight=None, n_components=1):
    weight = np.ones(len(values)) if weight is None else weight
    ranks = np.stack([ordering_to_ranks(np.array(o)) for o in ordering])
    return fit_linear_start(values, weight, ranks, np.arange(values.shape[1]), n_components)


def test_one_ordering_gives_least_squares_on_the_features_before():
    X = CorrelatedGaussian(4, 0.7).sample(5000, random_state=0)
    X -= X.mean(axis=0)
    start = start_of(X, [[2, 0, 3, 1]])
    expected = np.zeros((4, 4))
    for d, before in [(0, [2]), (3, [2, 0]), (1, [2, 0, 3])]:
        expected[d, before] = np.linalg.lstsq(X[:, before], X[:, d], rcond=None)[0]
    assert_allclose(start.coefficients, expected, atol=0.005)
    residual = X - X @ expected.T
    assert_allclose(start.scale[:, 0], residual.std(axis=0), rtol=0.01)
    assert start.gates is None


@pytest.mark.parametrize("labels_last", [False, True])
def test_regressions_of_one_ordering_are_those_of_each_target(labels_last):
    # Units 3 to 5 are of one column of labels; units 1 and 6 are no numbers either.
    rng = np.random.RandomState(0)
    units = rng.normal(size=(300, 7)) @ rng.normal(size=(7, 7)) + 2
    units[rng.random_sample(units.shape) < 0.1] = np.nan
    ranks, targets = np.array([[4, 2, 5, 1, 1, 1, 3]]), np.array([2, 0])
    ranks = np.where(ranks == 1, 9, ranks) if labels_last else ranks
    start = fit_linear_start(units, np.ones(300), ranks, targets, 1)
    present = ~np.isnan(units)
    covariance = shrunk_covariance(
        np.where(present, units - np.nanmean(units, axis=0), 0), np.full(300, 1 / 300)
    )
    expected = np.zeros((2, 7))
    for row, target in enumerate(targets):
        seen = np.flatnonzero(ranks[0] < ranks[0, target])
        expected[row, seen] = np.linalg.solve(
            covariance[np.ix_(seen, seen)], covariance[seen, target] / present[:, target].mean()
        )
    assert_allclose(start.coefficients, expected, atol=1e-9)
    assert_array_equal(start.shown, ranks < ranks[0, targets, None])


def test_regressions_of_many_units_and_orderings_are_approached(monkeypatch):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(100, 4)) @ rng.normal(size=(4, 40)) + rng.normal(size=(100, 40))
    orderings = [rng.permutation(40) for _ in range(3)]
    solved = start_of(X, orderings)
    monkeypatch.setattr(regression, "MAX_SOLVED_UNITS", 39)
    approached = start_of(X, orderings)
    size = np.abs(solved.coefficients).max()
    assert_allclose(approached.coefficients, solved.coefficients, atol=0.01 * size)
    assert (approached.coefficients != solved.coefficients).any()
    assert_allclose(approached.scale, solved.scale, rtol=0.001)


def test_units_that_nothing_shows_leave_the_marginals():
    X = CorrelatedGaussian(3, 0.9).sample(500, random_state=0)
    start = fit_linear_start(X, np.ones(500), np.ones((1, 3), dtype=int), np.arange(3), 4)
    assert_array_equal(start.coefficients, 0)
    assert_array_equal(start.shown, 0)
    variance = start.scale[:, 0] ** 2 + start.offsets.var(axis=1)
    assert_allclose(variance, X.var(axis=0), rtol=0.02)


def test_an_untrained_member_is_the_gaussian_of_the_covariance():
    gaussian = CorrelatedGaussian(5)
    X, test = gaussian.sample(3000, random_state=0), gaussian.sample(2000, random_state=1)
    density = MADEDensity(n_components=1, n_estimators=1, max_iter=1, learning_rate_init=1e-12)
    density.set_params(random_state=0, early_stopping=False).fit(X)
    fitted = stats.multivariate_normal(X.mean(axis=0), np.cov(X.T)).logpdf(test)
    assert abs(np.mean(fitted - density.score_samples(test))) < 0.01


def test_many_orderings_give_the_best_compromise():
    rng = np.random.RandomState(0)
    X = CorrelatedGaussian(4, 0.7).sample(2000, random_state=0)
    X -= X.mean(axis=0)
    orderings = [rng.permutation(4) for _ in range(5)]
    start = start_of(X, orderings)

    def loss(coefficients):
        total = 0
        for ordering in orderings:
            ranks = ordering_to_ranks(ordering)
            seen = ranks[None, :] < ranks[:, None]
            total += np.square(X - X @ (coefficients * seen).T).mean()
        return total

    base = loss(start.coefficients)
    for _ in range(20):
        assert loss(start.coefficients + rng.normal(scale=0.05, size=(4, 4))) > base


@pytest.mark.parametrize("conditioning_weights", [True, False])
def test_start_predicts_means_under_every_mask(conditioning_weights):
    # A binary column is not centred: what a mask hides must not be taken off.
    rng = np.random.RandomState(0)
    flag = (rng.random_sample(2000) < 0.9).astype(float)
    X = np.column_stack([flag, 3 * flag + rng.normal(size=2000)])
    density = MADEDensity(
        order_agnostic=True,
        n_masks=2,
        n_estimators=1,
        n_components=1,
        conditioning_weights=conditioning_weights,
        learning_rate_init=1e-30,
        max_iter=1,
        early_stopping=False,
        random_state=1,
    ).fit(X)
    assert len(np.unique(density.ordering_[0], axis=0)) == 2
    ensemble = Ensemble.from_state(density._state)
    values = encode(ensemble.table, X)
    errors = [(values[:, 1] - path.outputs(values)[:, 1]).mean() for path in paths(ensemble)]
    assert_allclose(errors if conditioning_weights else np.mean(errors), 0, atol=0.05)


def test_weights_count_rows():
    X = np.random.RandomState(0).normal(size=(60, 3))
    weight = np.random.RandomState(1).randint(1, 4, size=60)
    weighted = start_of(X, [[0, 1, 2]], weight.astype(float), n_components=4)
    repeated = start_of(np.repeat(X, weight, axis=0), [[0, 1, 2]], n_components=4)
    assert_allclose(weighted.coefficients, repeated.coefficients, atol=0.02)
    assert_allclose(weighted.offsets, repeated.offsets, atol=0.1)
    assert_allclose(weighted.scale, repeated.scale, rtol=0.1)


def test_shrinkage_keeps_few_rows_invertible_and_many_unchanged():
    rng = np.random.RandomState(0)
    few, many = rng.normal(size=(5, 20)), rng.normal(size=(20_000, 3)) @ rng.normal(size=(3, 3))
    assert np.linalg.cond(shrunk_covariance(few, np.full(5, 0.2))) < 1e3
    exact = many.T @ many / len(many)
    assert_allclose(shrunk_covariance(many, np.full(20_000, 1 / 20_000)), exact, atol=0.01)


def test_residual_mixture_has_the_residuals_moments():
    skewed = np.random.RandomState(0).exponential(size=(4000, 1)) - 1
    for n_components in (1, 10):
        start = start_of(skewed, [[0]], n_components=n_components)
        weights, offsets = softmax(start.logits[0]), start.offsets[0]
        mean = weights @ offsets
        assert_allclose(mean, skewed.mean(), atol=0.05)
        variance = weights @ ((offsets - mean) ** 2 + start.scale[0] ** 2)
        assert_allclose(variance, skewed.var(), rtol=0.1)
    third = weights @ ((offsets - mean) ** 3 + 3 * (offsets - mean) * start.scale[0] ** 2)
    assert third / variance**1.5 > 0.8


def two_groups(n_samples=1200):
    """Draw two groups of correlated rows, 0.65 and 0.35 of them."""
    rng = np.random.RandomState(0)
    second = rng.random_sample(n_samples) < 0.35
    noise = CorrelatedGaussian(3, 0.5).sample(n_samples, random_state=1)
    return noise + second[:, None] * np.array([4.0, -4.0, 3.0]) + [1, 2, 3]


ORDERING = np.array([2, 0, 1])


def linear_parts(start, X):
    """Log-odds and means of the components at each row (n, n_targets, n_components)."""
    centred = X - start.center
    logits = start.logits + np.einsum("tkd,nd->ntk", start.gates, centred)
    means = (start.intercept + centred @ start.coefficients.T)[..., None] + start.offsets
    return logits, means


def test_log_odds_of_components_are_those_of_the_clusters_given_the_units_before():
    X = two_groups()
    start = start_of(X, [ORDERING], n_components=5)
    clusters = find_clusters(X, np.full(len(X), 1 / len(X)), 2)
    cluster_of, sizes = _shared_out(clusters.shares, 5)
    assert sorted(sizes) == [2, 3]
    logits, _ = linear_parts(start, X)
    odds = np.stack([logsumexp(logits[..., cluster_of == k], axis=2) for k in (0, 1)])
    ranks = ordering_to_ranks(ORDERING)
    for target in range(3):
        seen = np.flatnonzero(ranks < ranks[target])
        expected = np.log(clusters.shares[:, None] * np.ones(len(X)))
        if len(seen):
            covariance = clusters.covariance[np.ix_(seen, seen)]
            expected += [
                stats.multivariate_normal(mean[seen], covariance).logpdf(X[:, seen])
                for mean in clusters.means
            ]
        gap = odds[0, :, target] - odds[1, :, target]
        assert_allclose(gap, expected[0] - expected[1], atol=1e-6)


@pytest.mark.parametrize(("n_components", "error"), [(2, 0.005), (4, 0.05), (10, 0.1)])
def test_the_start_is_the_mixture_of_the_clusters(n_components, error):
    X, share = two_groups(), np.full(1200, 1 / 1200)
    clusters = find_clusters(X, share, 2)
    ranks = ordering_to_ranks(ORDERING)
    start = _clustered_start(clusters, X, share, ranks, np.arange(3), n_components)
    logits, means = linear_parts(start, X)
    parts = log_softmax(logits, axis=2) + stats.norm(means, start.scale).logpdf(X[..., None])
    factors = logsumexp(parts, axis=2).sum(axis=1)
    joint = logsumexp(
        [
            stats.multivariate_normal(mean, clusters.covariance).logpdf(X) + np.log(share)
            for mean, share in zip(clusters.means, clusters.shares, strict=True)
        ],
        axis=0,
    )
    assert abs((factors - joint).mean()) < error
    assert np.abs(factors - joint).mean() < 3 * error


def test_clusters_that_no_unit_tells_apart_have_their_shares():
    X, share = two_groups(), np.full(1200, 1 / 1200)
    clusters = find_clusters(X, share, 2)
    start = fit_linear_start(X, np.ones(1200), np.ones((1, 3), dtype=int), np.arange(3), 4)
    assert not start.gates.any()
    assert not start.coefficients.any()
    cluster_of, _ = _shared_out(clusters.shares, 4)
    for k, share in enumerate(clusters.shares):
        assert_allclose(softmax(start.logits, axis=1)[:, cluster_of == k].sum(axis=1), share)
        centres = start.intercept + start.offsets[:, cluster_of == k].mean(axis=1)
        assert_allclose(centres, clusters.means[k], atol=0.3)


def test_clusters_are_found_only_for_one_ordering_of_complete_rows():
    X = two_groups()
    holed = X.copy()
    holed[0, 0] = np.nan
    ranks = ordering_to_ranks(ORDERING)[None]
    is_atom = np.zeros(X.shape, dtype=bool)
    is_atom[0, 0] = True
    weight, targets = np.ones(len(X)), np.arange(3)
    assert start_of(X, [ORDERING], n_components=4).gates.any()
    assert start_of(X[:, :1], [[0]], n_components=4).logits.any()
    for start in (
        start_of(X, [ORDERING], n_components=3),
        start_of(X, [ORDERING, ORDERING[::-1]], n_components=4),
        start_of(holed, [ORDERING], n_components=4),
        fit_linear_start(X, weight, ranks, targets[:2], 4),
        fit_linear_start(X, weight, ranks, targets, 4, is_atom),
    ):
        assert start.gates is None
        assert not start.logits.any()


def test_an_untrained_member_is_the_mixture_of_the_clusters():
    X = two_groups()
    density = MADEDensity(
        n_components=6, n_estimators=1, max_iter=1, learning_rate_init=1e-12,
        early_stopping=False, random_state=0,
    ).fit(X)  # fmt: skip
    clusters = find_clusters(X, np.full(len(X), 1 / len(X)), 2)
    joint = logsumexp(
        [
            stats.multivariate_normal(mean, clusters.covariance).logpdf(X) + np.log(share)
            for mean, share in zip(clusters.means, clusters.shares, strict=True)
        ],
        axis=0,
    )
    assert abs(joint.mean() - density.score_samples(X).mean()) < 0.06


def test_binary_outputs_start_at_smoothed_rates():
    ensemble = make_ensemble(
        3, 3, n_members=1, n_masks=1, scale=0.0, conditioning_weights=False
    )
    weights = ensemble.made.unflatten(ensemble.weights[0])
    rates = expit(weights["bias2"])
    assert ((rates > 0) & (rates < 1)).all()
    assert (weights["weight2"] == 0).all()


def test_the_start_has_the_frequencies_of_atoms():
    rng = np.random.RandomState(0)
    x = np.where(rng.random_sample(2000) < 0.6, 0, rng.poisson(50, size=2000))
    density = MADEDensity(
        n_estimators=1, max_iter=1, learning_rate_init=1e-12, early_stopping=False,
        feature_types="count", random_state=0,
    ).fit(x[:, None])  # fmt: skip
    assert_allclose(np.exp(density.score_samples([[0]])), np.mean(x == 0), atol=0.03)


def test_the_start_has_the_frequencies_of_the_labels():
    labels = np.repeat([5.0, 7.0, 9.0], [10, 30, 60])[:, None]
    density = MADEDensity(
        n_estimators=1, max_iter=1, learning_rate_init=1e-12, early_stopping=False,
        feature_types="categorical", random_state=0,
    ).fit(labels)  # fmt: skip
    expected = (np.array([10, 30, 60]) + 0.5) / 101.5
    assert_allclose(np.exp(density.score_samples([[5], [7], [9]])), expected, rtol=1e-5)


def test_holes_do_not_move_the_start_of_a_gaussian():
    gaussian = CorrelatedGaussian(4)
    X, test = gaussian.sample(3000, random_state=0), gaussian.sample(1000, random_state=1)
    holed = X.copy()
    holed[np.random.RandomState(0).random_sample(X.shape) < 0.1] = np.nan
    density = MADEDensity(
        n_components=1, n_estimators=1, max_iter=1, learning_rate_init=1e-12,
        early_stopping=False, random_state=0,
    ).fit(holed)  # fmt: skip
    gap = gaussian.score_samples(test) - density.score_samples(test)
    assert gap.mean() < 0.25
