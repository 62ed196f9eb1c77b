"""Generators draw from the density that they tell."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from skmade.datasets import CorrelatedGaussian, Ring, ThreeGaussians, TwoMoons

PLANES = [CorrelatedGaussian(2), TwoMoons(), Ring(), ThreeGaussians()]


@pytest.fixture(scope="module", params=PLANES, ids=lambda g: type(g).__name__)
def on_grid(request):
    """Return a generator of two columns, a grid, its log-density there, and a cell's size."""
    axis = np.linspace(-7, 7, 301)
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    logs = request.param.score_samples(points)
    return request.param, points, logs, (axis[1] - axis[0]) ** 2


def test_density_integrates_to_one(on_grid):
    _, _, logs, cell = on_grid
    assert_allclose(np.exp(logs).sum() * cell, 1, atol=1e-4)


def test_rows_follow_the_density(on_grid):
    # The entropy by sampling and by quadrature agree, and shares of a half plane do.
    generator, points, logs, cell = on_grid
    X = generator.sample(20_000, random_state=0)
    scores = generator.score_samples(X)
    error = scores.std() / np.sqrt(20_000)
    assert abs(scores.mean() - (np.exp(logs) * logs).sum() * cell) < 4 * error
    for column in (0, 1):
        below = (np.exp(logs) * (points[:, column] < 0.3)).sum() * cell
        assert abs((X[:, column] < 0.3).mean() - below) < 0.02


def test_gaussian_is_that_of_scipy():
    gaussian = CorrelatedGaussian(4, 0.3)
    X = gaussian.sample(50, random_state=0)
    expected = stats.multivariate_normal(np.zeros(4), gaussian.covariance).logpdf(X)
    assert_allclose(gaussian.score_samples(X), expected)


def test_seeds():
    first, again = (Ring().sample(5, random_state=3) for _ in range(2))
    assert_array_equal(first, again)
    rng = np.random.RandomState(3)
    assert_array_equal(Ring().sample(5, random_state=rng), first)
    assert (Ring().sample(5, random_state=rng) != first).any()
