"""The laws of single features: densities, masses, draws, units."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.special import softmax

from skmade._network import conditionals as c
from skmade._network import special
from tests.mixture_laws import COUNTS, count_law, mixture_law

TAIL = stats.t(4, scale=special.TAIL_SCALE)


@pytest.fixture(params=[1, 3])
def mixture(request):
    """Return a mixture law for two features and random parameters for five rows."""
    law = mixture_law(request.param)
    return law, np.random.RandomState(0).normal(size=(law.n_params, 2, 5))


def reference_log_prob(law, params, value, feature):
    """Log-density of one cell of the mixture, by scipy."""
    n = law.n_components
    logits, means, raw, own = np.split(params, [n, 2 * n, 3 * n])
    present = ~np.isnan(law.recurring[feature])
    weights = softmax(np.append(logits, own[present]))
    means = np.append(means, law.recurring[feature, present])
    scales = law.floor[feature] + np.log1p(np.exp(raw + special.SOFTPLUS_ONE))
    scales = np.append(scales, law.recurring_scale[feature, present])
    body = weights @ stats.norm(means, scales).pdf(value)
    return np.log((1 - c.TAIL_WEIGHT) * body + c.TAIL_WEIGHT * TAIL.pdf(value))


def test_mixture_log_prob_is_that_of_scipy(mixture):
    law, params = mixture
    value = np.linspace(-4, 4, 10).reshape(2, 5)
    logs = law.log_prob(params, value)
    for feature, row in np.ndindex(2, 5):
        expected = reference_log_prob(
            law, params[:, feature, row], value[feature, row], feature
        )
        assert_allclose(logs[feature, row], expected, rtol=1e-10)


def test_values_that_recur_are_components_of_their_own(recurring_mixture):
    law = recurring_mixture
    value = np.array([[-1.0, 0.5, -1.003, 0.0, 1.7], [2.0, 0.0, 2.01, 0.01, -0.4]])
    params = np.random.RandomState(0).normal(size=(law.n_params, 2, 5))
    logs = law.log_prob(params, value)
    for feature, row in np.ndindex(2, 5):
        expected = reference_log_prob(
            law, params[:, feature, row], value[feature, row], feature
        )
        assert_allclose(logs[feature, row], expected, rtol=1e-10)


def test_a_law_of_some_features_is_that_of_all(recurring_mixture):
    law, rng = recurring_mixture, np.random.RandomState(0)
    params, value = rng.normal(size=(law.n_params, 2, 5)), rng.normal(size=(2, 5))
    uniform = rng.random_sample((2, 5))
    for positions in ([1], [1, 0], slice(0, 1)):
        some, own = law.at(positions), params[:, positions]
        expected = law.log_prob(params, value)[positions]
        assert_allclose(some.log_prob(own, value[positions]), expected, rtol=1e-14)
        expected = law.sample(params, uniform)[positions]
        assert_allclose(some.sample(own, uniform[positions]), expected, rtol=1e-14)


def test_mixture_distribution_function_is_the_integral_of_the_density(mixture):
    law, params = mixture
    grid = np.linspace(-60, 60, 60001)
    steps = np.diff(grid) * 0.5
    for row in range(5):
        own = params[:, :, row, None]
        density = np.exp(law.log_prob(own, np.tile(grid, (2, 1))))
        cdf = law.cdf(own, np.tile(grid, (2, 1)))
        expected = steps * (density[:, 1:] + density[:, :-1])
        assert_allclose(np.diff(cdf, axis=1), expected, atol=1e-6)


def test_mixture_draws_follow_the_distribution_function(mixture):
    assert_draws_follow_the_distribution_function(*mixture)


def test_draws_of_values_that_recur_follow_the_distribution_function(recurring_mixture):
    law = recurring_mixture
    params = np.random.RandomState(0).normal(size=(law.n_params, 2, 5))
    assert_draws_follow_the_distribution_function(law, params)


def assert_draws_follow_the_distribution_function(law, params):
    uniform = np.random.RandomState(0).random_sample((2, 20_000))
    for row in range(5):
        own = np.repeat(params[:, :, row, None], 20_000, axis=2)
        for levels in law.cdf(own, law.sample(own, uniform)):
            assert stats.kstest(levels, "uniform").pvalue > 1e-4


def test_every_uniform_gives_a_finite_draw(mixture):
    law, params = mixture
    uniform = np.tile([0.0, 1e-300, 0.5, 1 - 1e-16], (2, 1))
    assert np.isfinite(law.sample(np.repeat(params[:, :, :1], 4, axis=2), uniform)).all()


def test_the_last_sliver_of_uniforms_draws_from_the_tail(mixture):
    law, params = mixture
    share = np.array([0.001, 0.3, 0.999])
    uniform = np.tile(1 - c.TAIL_WEIGHT * (1 - share), (2, 1))
    drawn = law.sample(np.repeat(params[:, :, :1], 3, axis=2), uniform)
    assert_allclose(drawn, np.tile(TAIL.ppf(share), (2, 1)), rtol=1e-6)


@pytest.mark.parametrize("value", [1e5, 1e100, 1e300, -1e300])
def test_far_values_have_finite_log_density(mixture, value):
    law, params = mixture
    logs = law.log_prob(params, np.full((2, 5), value))
    # Far out a Student t of 4 degrees of freedom falls with the fifth power.
    tail = np.log(3 / (8 * special.TAIL_SCALE)) - 5 * np.log(
        abs(value) / (2 * special.TAIL_SCALE)
    )
    assert_allclose(logs, np.log(c.TAIL_WEIGHT) + tail, rtol=1e-6)


@pytest.mark.parametrize("value", [1e5, 1e100, 1e300, -1e300])
def test_far_from_values_that_recur_the_log_density_is_finite(recurring_mixture, value):
    law = recurring_mixture
    params = np.random.RandomState(0).normal(size=(law.n_params, 2, 5))
    assert np.isfinite(law.log_prob(params, np.full((2, 5), value))).all()


def test_scale_never_falls_below_its_floor():
    law = mixture_law(1, floor=(0.5,), recurring=((),), recurring_scale=((),))
    params = np.array([0.0, 0.0, -1e6])[:, None, None]
    peak = np.exp(law.log_prob(params, np.zeros((1, 1))))
    assert_allclose(peak, stats.norm(0, 0.5).pdf(0), rtol=1e-3)


def test_units_of_numbers_are_bounded(mixture):
    law, _ = mixture
    value = np.array([[-1e300, 0.5, np.nan], [c.INPUT_BOUND + 1, -2.0, 1e300]])
    bound = c.INPUT_BOUND
    expected = [[[-bound, 0.5, np.nan]], [[bound, -2.0, bound]]]
    assert_array_equal(law.units(value), expected)


def test_bernoulli():
    law, logit = c.Bernoulli(), np.array([[[0.7, -40.0]]])
    zero, one = np.zeros((1, 2)), np.ones((1, 2))
    assert_allclose(np.exp(law.log_prob(logit, zero)) + np.exp(law.log_prob(logit, one)), one)
    assert_allclose(law.log_prob(logit, one), stats.logistic.logcdf(logit[0]))
    assert_allclose(law.cdf(logit, zero), stats.logistic.sf(logit[0]))
    assert law.cdf(logit, zero - 1).tolist() == [[0.0, 0.0]]
    assert law.cdf(logit, one).tolist() == [[1.0, 1.0]]
    uniform = np.random.RandomState(0).random_sample((1, 20_000))
    share = law.sample(np.full((1, 1, 20_000), 0.7), uniform).mean()
    assert abs(share - stats.logistic.cdf(0.7)) < 0.015
    assert law.units(one).tolist() == [[[1.0, 1.0]]]


def test_categorical():
    law = c.Categorical(4)
    logits = np.random.RandomState(0).normal(size=(4, 1, 2))
    probabilities = softmax(logits, axis=0)
    logs = [law.log_prob(logits, np.full((1, 2), float(level))) for level in range(4)]
    assert_allclose(np.exp(logs), probabilities)
    for level in range(4):
        expected = probabilities[: level + 1].sum(axis=0)
        assert_allclose(law.cdf(logits, np.full((1, 2), float(level))), expected)
    uniform = np.random.RandomState(0).random_sample((1, 20_000))
    drawn = law.sample(np.repeat(logits[:, :, :1], 20_000, axis=2), uniform)
    shares = np.bincount(drawn[0].astype(int), minlength=4) / 20_000
    assert_allclose(shares, probabilities[:, 0, 0], atol=0.015)
    edges = np.array([[0.0, 1 - 1e-17]])
    assert law.sample(logits, edges).tolist() == [[0.0, 3.0]]
    units = law.units(np.array([[2.0, np.nan]]))
    assert units[0].T.tolist() == [[0, 0, 1, 0], [0, 0, 0, 0]]


@pytest.fixture(params=COUNTS.values(), ids=COUNTS.keys())
def count(request):
    """Return the law of a count, random parameters, its integers and their values."""
    law = count_law(**request.param)
    lowest = request.param.get("lowest", 0.0)
    integers = np.arange(max(lowest, -100_000), 100_000.0)
    params = np.random.RandomState(0).normal(size=(law.n_params, 1, 1))
    return law, params, integers, (law.origin + integers * law.step)[None]


def repeated(params, n_rows):
    return np.repeat(params, n_rows, axis=2)


def test_masses_of_a_count_sum_to_one_over_the_integers(count):
    law, params, integers, values = count
    logs = law.log_prob(repeated(params, len(integers)), values)
    assert abs(np.exp(logs).sum() - 1) < 1e-6
    assert np.isfinite(logs).all()


def test_distribution_function_of_a_count_adds_up_its_masses(count):
    law, params, integers, values = count
    mass = np.exp(law.log_prob(repeated(params, len(integers)), values))
    assert_allclose(law.cdf(params, values), mass.cumsum(axis=1), atol=1e-5)
    between = values + 0.4 * law.step
    assert_allclose(law.cdf(params, between), law.cdf(params, values))


def test_draws_of_a_count_follow_its_masses(count):
    law, params, _, values = count
    uniform = np.random.RandomState(0).random_sample((1, 20_000))
    drawn = law.sample(repeated(params, 20_000), uniform)
    assert np.isin(drawn.round(6), values.round(6)).all()
    levels = law.cdf(params, values)[0]
    edges = np.searchsorted(levels, np.linspace(0.1, 0.9, 9))
    edges = np.unique(np.clip(edges, 0, len(levels) - 1))
    expected = np.diff(levels[edges], prepend=0, append=1)
    below = (drawn[0, :, None] <= values[0, edges] + law.step / 2).mean(axis=0)
    assert_allclose(np.diff(below, prepend=0, append=1), expected, atol=0.02)


def test_a_count_far_below_its_lowest_integer_is_that_integer(count):
    law, params, *_ = count
    far_below = params.copy()
    far_below[3:6] = max(float(law.lowest[0]), -1e3) - 50 * (1 + float(law.step[0]))
    far_below[9:] = -1e9
    if np.isfinite(law.lowest).all():
        mass = np.exp(law.log_prob(far_below, law.lowest[:, None]))
        assert 1 - c.TAIL_WEIGHT < mass[0, 0] <= 1
        uniform = np.linspace(0.01, 0.99, 9)[None]
        assert_allclose(law.sample(repeated(far_below, 9), uniform), law.lowest[0])


@pytest.mark.parametrize("value", [1e10, 1e100, 1e300])
def test_far_counts_have_finite_masses(value):
    law = count_law(2.0)
    params, far = np.zeros((law.n_params, 1, 1)), np.array([[value]])
    assert np.isfinite(law.log_prob(params, far)).all()
    assert law.log_prob(params, 2 * far) < law.log_prob(params, far)
