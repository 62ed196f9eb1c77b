"""Mixtures of Gaussians for single columns."""

import numpy as np
from numpy.testing import assert_allclose
from scipy import stats

from skmade._table.mixture1d import fit_mixtures

N_SAMPLES = 1000


def points_of(*columns):
    """Return columns as rows of points, and points' shares."""
    points = np.stack(columns)
    return points, np.full(points.shape, 1 / N_SAMPLES)


def two_modes(distance, seed=0):
    """Draw a column of two modes that are so many standard deviations from zero."""
    rng = np.random.RandomState(seed)
    side = np.where(rng.random_sample(N_SAMPLES) < 0.6, -1, 1)
    return distance * side + rng.normal(size=N_SAMPLES)


def test_mixtures_have_the_likelihood_of_their_densities():
    heavy_tailed = np.random.RandomState(1).standard_t(1.5, size=N_SAMPLES)
    points, share = points_of(two_modes(3), heavy_tailed)
    shares, means, scales, score = fit_mixtures(points, share, 3, np.array([0.03, 1.2]))
    assert_allclose(shares.sum(axis=1), 1)
    assert (scales >= [[0.03], [1.2]]).all()
    density = (
        shares[:, None]
        * stats.norm(means[:, None], scales[:, None]).pdf(points[..., None])
    ).sum(axis=2)  # fmt: skip
    assert_allclose(score, np.log(density).mean(axis=1), rtol=1e-8)


def test_two_modes_are_recovered():
    points, share = points_of(two_modes(30))
    shares, means, scales, _ = fit_mixtures(points, share, 2, np.array([1e-3]))
    left = points[0] < 0
    assert_allclose(shares[0], [left.mean(), 1 - left.mean()], atol=1e-6)
    assert_allclose(means[0], [points[0][left].mean(), points[0][~left].mean()], atol=1e-6)
    assert_allclose(scales[0], [points[0][left].std(), points[0][~left].std()], atol=1e-6)
