"""Clusters of rows that have one covariance."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from scipy.special import logsumexp

from skmade._table.clusters import find_clusters, shrunk

SHARES = np.array([0.5, 0.3, 0.2])
CENTRES = np.array([[0.0, 0.0, 0.0], [6.0, -5.0, 0.0], [0.0, 6.0, 7.0]])
COVARIANCE = np.array([[1.0, 0.6, 0.0], [0.6, 1.0, -0.3], [0.0, -0.3, 1.0]])


def three_groups(n_samples, seed=0):
    """Draw from three Gaussians of one covariance; also return whose each row is."""
    rng = np.random.RandomState(seed)
    group = rng.choice(3, size=n_samples, p=SHARES)
    noise = rng.multivariate_normal(np.zeros(3), COVARIANCE, size=n_samples)
    return CENTRES[group] + noise, group


def equal(n_samples):
    return np.full(n_samples, 1 / n_samples)


def mixture_log_density(clusters, values):
    """Log-density of the rows by scipy, one column for each cluster."""
    parts = [
        stats.multivariate_normal(mean, clusters.covariance).logpdf(values) + np.log(share)
        for share, mean in zip(clusters.shares, clusters.means, strict=True)
    ]
    return np.column_stack(parts)


def n_params(clusters):
    return len(clusters.shares) * (clusters.means.shape[1] + 1)


def test_well_separated_clusters_are_found():
    values, group = three_groups(1500)
    clusters = find_clusters(values, equal(1500))
    assert len(clusters.shares) == 3
    order = np.argmin(
        np.square(clusters.means[:, None] - CENTRES).sum(axis=2), axis=0
    )  # of the clusters, the nearest to each centre
    assert_allclose(clusters.shares[order], np.bincount(group) / 1500, atol=0.005)
    assert_allclose(clusters.means[order], CENTRES, atol=0.2)
    assert_allclose(clusters.covariance, COVARIANCE, atol=0.1)
    assert (clusters.chances[:, order].argmax(axis=1) == group).mean() > 0.99


def test_a_gaussian_is_one_cluster():
    for seed in range(5):
        rng = np.random.RandomState(seed)
        values = rng.multivariate_normal(np.full(3, 5.0), COVARIANCE, size=500)
        assert len(find_clusters(values, equal(500)).shares) == 1


def test_a_gaussian_of_nearly_dependent_columns_is_one_cluster():
    z = np.random.RandomState(0).normal(size=(500, 2))
    values = np.column_stack([z[:, 0], z[:, 0] + 0.05 * z[:, 1]])
    assert len(find_clusters(values, equal(500)).shares) == 1


def test_one_cluster_has_about_the_moments_of_the_rows():
    rng = np.random.RandomState(0)
    values = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 3)) + [5, 0, -2]
    clusters = find_clusters(values, equal(300), n_most=1)
    assert_allclose(clusters.means, values.mean(axis=0, keepdims=True))
    sample = np.cov(values.T, ddof=0)
    assert_allclose(clusters.covariance, sample, rtol=0.05, atol=0.05)
    assert_allclose(clusters.chances, 1)


@pytest.mark.parametrize("n_most", [1, 2, 6])
def test_criterion_is_the_log_likelihood_less_the_penalty(n_most):
    values, _ = three_groups(400)
    share = np.random.RandomState(1).uniform(0.5, 1.5, size=400)
    share /= share.sum()
    clusters = find_clusters(values, share, n_most)
    log_likelihood = share @ logsumexp(mixture_log_density(clusters, values), axis=1)
    n_effective = 1 / np.square(share).sum()
    penalty = 0.5 * n_params(clusters) * np.log(n_effective) / n_effective
    assert_allclose(clusters.criterion, log_likelihood - penalty, rtol=1e-9)


@pytest.mark.parametrize("n_samples", [6, 19, 40])
def test_one_cluster_of_more_columns_than_rows_has_the_same_criterion(n_samples):
    values = np.random.RandomState(0).normal(size=(n_samples, 20)) * np.arange(1, 21) + 3
    clusters = find_clusters(values, equal(n_samples))
    log_likelihood = mixture_log_density(clusters, values).mean()
    penalty = 0.5 * n_params(clusters) * np.log(n_samples) / n_samples
    assert_allclose(clusters.criterion, log_likelihood - penalty, rtol=1e-9)


def test_chances_are_those_of_the_mixture():
    values, _ = three_groups(400)
    clusters = find_clusters(values, equal(400))
    logs = mixture_log_density(clusters, values)
    assert_allclose(
        clusters.chances, np.exp(logs - logsumexp(logs, axis=1, keepdims=True)), atol=1e-8
    )
    assert_allclose(clusters.shares.sum(), 1)


@pytest.mark.parametrize("n_most", [1, 2, 3, 6])
def test_there_are_no_more_clusters_than_asked_for(n_most):
    values, _ = three_groups(600)
    assert len(find_clusters(values, equal(600), n_most).shares) == min(n_most, 3)


@pytest.mark.parametrize("n_samples", [1, 2, 5, 12])
def test_few_rows_are_one_cluster_and_can_be_inverted(n_samples):
    values = np.random.RandomState(0).normal(size=(n_samples, 20))
    clusters = find_clusters(values, equal(n_samples))
    assert len(clusters.shares) == 1
    assert np.isfinite(clusters.criterion)
    assert np.linalg.eigvalsh(clusters.covariance).min() > 0


def test_rows_that_are_all_the_same_are_one_cluster():
    clusters = find_clusters(np.full((50, 3), 2.0), equal(50))
    assert len(clusters.shares) == 1
    assert np.isfinite(clusters.criterion)


def test_equal_columns_can_be_inverted():
    column = np.random.RandomState(0).normal(size=(200, 1))
    clusters = find_clusters(np.repeat(column, 3, axis=1), equal(200))
    assert np.isfinite(clusters.criterion)
    assert np.linalg.eigvalsh(clusters.covariance).min() > 0


def test_weights_count_rows():
    values, _ = three_groups(300)
    weight = np.random.RandomState(1).randint(1, 4, size=300)
    repeated = np.repeat(values, weight, axis=0)
    weighted = find_clusters(values, weight / weight.sum())
    expected = find_clusters(repeated, equal(len(repeated)))
    own, other = (np.argsort(c.shares) for c in (weighted, expected))
    assert_allclose(weighted.shares[own], expected.shares[other], atol=1e-3)
    assert_allclose(weighted.means[own], expected.means[other], atol=0.02)
    assert_allclose(weighted.covariance, expected.covariance, atol=0.05)


def test_clusters_move_with_the_rows():
    values, _ = three_groups(600)
    shift = np.array([10, 0, -4])
    here, there = (find_clusters(v, equal(600)) for v in (values, values + shift))
    assert_allclose(there.means, here.means + shift, atol=1e-4)
    assert_allclose(there.covariance, here.covariance, atol=1e-4)
    assert_allclose(there.criterion, here.criterion, atol=1e-6)


def test_shrinkage_is_that_of_scikit_learn():
    from sklearn.covariance import oas

    values = np.random.RandomState(0).normal(size=(15, 8)) * np.arange(1, 9)
    expected, _ = oas(values)
    assert_allclose(shrunk(np.cov(values.T, ddof=0), 15), expected, rtol=1e-6)
