"""Mixtures of Gaussians for single columns."""

import numpy as np
from numpy.testing import assert_allclose
from scipy import stats

from skmade._table.mixture1d import MAX_IMAGE, N_KNOTS, Mixture, fit_mixtures, spread_knots

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


def test_a_mixture_is_given_up_only_where_its_score_is_out_of_reach():
    skewed = np.random.RandomState(1).exponential(size=N_SAMPLES)
    points, share = points_of(two_modes(3), skewed, two_modes(1))
    least_scale = np.full(3, 0.03)
    full = fit_mixtures(points, share, 3, least_scale)
    score = full[-1]
    some = fit_mixtures(points, share, 3, least_scale, score + np.array([0, 10, 0]))
    for expected, found in zip(full, some, strict=True):
        assert_allclose(found[[0, 2]], expected[[0, 2]], rtol=1e-12)
    assert some[-1][1] == -np.inf
    assert (some[0][1] == 0).all()
    for parts in fit_mixtures(points, share, 3, least_scale, score + 10):
        assert len(parts) == 3


def test_knots_have_evenly_spread_images():
    shares = np.array([0.5, 0.3, 0.19, 0.01])
    means, scales = np.array([-8.0, 0.0, 8.0, 0.0]), np.array([0.03, 1.0, 0.5, 2.0])
    knots = spread_knots(Mixture(shares, means, scales, np.empty(0)))
    assert (np.diff(knots) > 0).all()
    images = np.linspace(-MAX_IMAGE, MAX_IMAGE, N_KNOTS)
    below = stats.norm(means, scales).cdf(knots[:, None]) @ shares
    above = stats.norm(means, scales).sf(knots[:, None]) @ shares
    reached = np.where(below < above, stats.norm.ppf(below), stats.norm.isf(above))
    assert_allclose(reached, images, atol=1e-9)
