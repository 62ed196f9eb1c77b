"""The mixture of Gaussians of a table: how many it has, and which."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from skmade._table.gaussians import find_gaussians
from skmade.datasets import CorrelatedGaussian, Ring, ThreeGaussians, TwoMoons

FLOOR = 1e-3


def equal(X):
    return np.full(len(X), 1 / len(X))


def log_density(found, X):
    parts = zip(found.shares, found.means, found.covariances, strict=True)
    logs = [np.log(s) + multivariate_normal(m, c).logpdf(X) for s, m, c in parts]
    return logsumexp(logs, axis=0)


@pytest.mark.parametrize(
    ("truth", "n_found", "gap"),
    [
        (CorrelatedGaussian(3), 1, 0.01),
        (ThreeGaussians(), 3, 0.01),
        (TwoMoons(), None, 0.05),
        (Ring(), None, 0.05),
    ],
)
def test_as_many_are_found_as_there_are(truth, n_found, gap):
    X, test = truth.sample(2000, random_state=0), truth.sample(2000, random_state=1)
    found = find_gaussians(X, equal(X), 10, FLOOR)
    assert n_found is None or len(found.shares) == n_found
    assert len(found.shares) <= 10
    assert_allclose(found.shares.sum(), 1)
    assert (truth.score_samples(test) - log_density(found, test)).mean() < gap
    n_params = len(found.shares) * (1 + X.shape[1] * (X.shape[1] + 3) / 2) - 1
    penalty = 0.5 * n_params * np.log(2000) / 2000
    assert_allclose(found.criterion, log_density(found, X).mean() - penalty, atol=1e-3)


def test_weights_count_as_rows():
    X = ThreeGaussians().sample(300, random_state=0)
    weight = np.random.RandomState(0).randint(1, 4, size=300)
    weighted = find_gaussians(X, weight / weight.sum(), 5, FLOOR, n_rows=weight.sum())
    repeated = np.repeat(X, weight, axis=0)
    for one, other in zip(
        weighted, find_gaussians(repeated, equal(repeated), 5, FLOOR), strict=True
    ):
        assert_allclose(one, other, rtol=1e-6)


def test_neither_order_of_rows_nor_sign_of_columns_matters():
    X = TwoMoons().sample(500, random_state=0)
    found = find_gaussians(X, equal(X), 6, FLOOR).criterion
    for other in (X[::-1], -X, X[:, ::-1]):
        assert_allclose(find_gaussians(other, equal(X), 6, FLOOR).criterion, found, rtol=1e-4)


@pytest.mark.parametrize("n_rows", [2, 5, 40])
def test_few_or_equal_rows_make_no_spike(n_rows):
    X = np.random.RandomState(0).normal(size=(n_rows, 3))
    X[n_rows // 2 :] = X[-1]
    found = find_gaussians(X, equal(X), 10, 0.1)
    assert np.isfinite(found.criterion)
    assert len(found.shares) <= max(1, n_rows / 8)
    assert np.linalg.eigvalsh(found.covariances).min() >= 0.01 - 1e-9
