import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import stats

from skmade import _conditionals as c

TAIL = stats.t(4, scale=c.TAIL_SCALE)


@pytest.fixture(params=[1, 3])
def mixture(request):
    """Return a mixture law for two features and random parameters for five rows."""
    law = c.MixtureOfGaussians(request.param, torch.tensor([0.01, 0.5], dtype=torch.float64))
    params = np.random.RandomState(0).normal(size=(5, 2, law.n_params))
    return law, torch.from_numpy(params)


def reference_density(law, params, value):
    """Density of one cell of the mixture, by scipy."""
    n = law.n_components
    logits, means, raw = np.split(np.asarray(params), 3)
    weights = np.exp(logits) / np.exp(logits).sum()
    return lambda floor: (
        (1 - c.TAIL_WEIGHT)
        * sum(
            weights[i]
            * stats.norm(means[i], floor + np.log1p(np.exp(raw[i] + c.SOFTPLUS_ONE))).pdf(value)
            for i in range(n)
        )
        + c.TAIL_WEIGHT * TAIL.pdf(value)
    )


def test_mixture_log_prob_is_that_of_scipy(mixture):
    law, params = mixture
    value = torch.linspace(-4, 4, 10, dtype=torch.float64).reshape(5, 2)
    logs = law.log_prob(params, value)
    for row, feature in np.ndindex(5, 2):
        density = reference_density(law, params[row, feature], float(value[row, feature]))
        assert_allclose(
            logs[row, feature], np.log(density(float(law.floor[feature]))), rtol=1e-10
        )


def test_mixture_distribution_function_is_the_integral_of_the_density(mixture):
    law, params = mixture
    grid = torch.linspace(-60, 60, 60001, dtype=torch.float64)[:, None].expand(-1, 2)
    for row in params:
        density = law.log_prob(row, grid).exp().numpy()
        cdf = law.cdf(row, grid).numpy()
        steps = np.diff(grid[:, 0])[:, None] * 0.5 * (density[1:] + density[:-1])
        assert_allclose(np.diff(cdf, axis=0), steps, atol=1e-6)


def test_mixture_draws_follow_the_distribution_function(mixture):
    law, params = mixture
    uniform = torch.from_numpy(np.random.RandomState(0).random_sample((20_000, 2)))
    for row in params:
        drawn = law.sample(row.expand(20_000, -1, -1), uniform)
        for column in law.cdf(row, drawn).numpy().T:
            assert stats.kstest(column, "uniform").pvalue > 1e-4
        assert_allclose(law.mean(row), drawn.mean(dim=0), atol=0.1)


def test_every_uniform_gives_a_finite_draw(mixture):
    law, params = mixture
    uniform = torch.tensor([0.0, 1e-300, 0.5, 1 - 1e-16], dtype=torch.float64)[:, None].expand(
        -1, 2
    )
    assert law.sample(params[:1].expand(4, -1, -1), uniform).isfinite().all()


def test_the_last_sliver_of_uniforms_draws_from_the_tail(mixture):
    law, params = mixture
    share = torch.tensor([0.001, 0.3, 0.999], dtype=torch.float64)
    uniform = (1 - c.TAIL_WEIGHT * (1 - share))[:, None].expand(-1, 2)
    drawn = law.sample(params[:1].expand(3, -1, -1), uniform)
    assert_allclose(drawn, np.repeat(TAIL.ppf(share)[:, None], 2, axis=1), rtol=1e-6)


@pytest.mark.parametrize("value", [1e5, 1e100, 1e300, -1e300])
def test_far_values_have_finite_log_density(mixture, value):
    law, params = mixture
    logs = law.log_prob(params, torch.full((5, 2), value, dtype=torch.float64))
    # Far out a Student t of 4 degrees of freedom falls with the fifth power.
    tail = np.log(3 / (8 * c.TAIL_SCALE)) - 5 * np.log(abs(value) / (2 * c.TAIL_SCALE))
    assert_allclose(logs, np.log(c.TAIL_WEIGHT) + tail, rtol=1e-6)


def test_scale_never_falls_below_its_floor():
    law = c.MixtureOfGaussians(1, torch.tensor([0.5], dtype=torch.float64))
    params = torch.tensor([[0.0, 0.0, -1e6]], dtype=torch.float64)
    peak = law.log_prob(params, torch.zeros(1, dtype=torch.float64)).exp()
    assert_allclose(peak, stats.norm(0, 0.5).pdf(0), rtol=1e-3)


def test_raw_scale_is_the_inverse():
    floor = torch.tensor([0.1], dtype=torch.float64)
    scale = torch.tensor([0.3, 2.0, 1e4], dtype=torch.float64)
    raw = c.raw_scale(scale, floor)
    assert_allclose(floor + torch.nn.functional.softplus(raw + c.SOFTPLUS_ONE), scale)
    assert c.raw_scale(floor / 2, floor).isfinite().all()


def test_bernoulli():
    law, logit = c.Bernoulli(), torch.tensor([[[0.7]], [[-40.0]]], dtype=torch.float64)
    zero, one = torch.zeros(2, 1, dtype=torch.float64), torch.ones(2, 1, dtype=torch.float64)
    assert_allclose(law.log_prob(logit, zero).exp() + law.log_prob(logit, one).exp(), one)
    assert_allclose(law.log_prob(logit, one), stats.logistic.logcdf(logit[..., 0]))
    assert_allclose(law.mean(logit), stats.logistic.cdf(logit[..., 0]))
    assert_allclose(law.cdf(logit, zero), stats.logistic.sf(logit[..., 0]))
    assert law.cdf(logit, zero - 1).tolist() == [[0.0], [0.0]]
    assert law.cdf(logit, one).tolist() == [[1.0], [1.0]]
    uniform = torch.from_numpy(np.random.RandomState(0).random_sample((20_000, 1)))
    share = law.sample(logit[:1].expand(20_000, -1, -1), uniform).mean()
    assert abs(share - stats.logistic.cdf(0.7)) < 0.015


def test_tail_is_a_student_t():
    value = torch.linspace(-50, 50, 101, dtype=torch.float64)
    assert_allclose(c.student_log_prob(value), TAIL.logpdf(value))
    assert_allclose(c.student_cdf(value), TAIL.cdf(value), rtol=1e-6)
    uniform = torch.linspace(0.001, 0.999, 101, dtype=torch.float64)
    assert_allclose(c.student_quantile(uniform), TAIL.ppf(uniform), atol=1e-12)
