import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import stats

from skmade import _conditionals as c
from skmade import _special as special

TAIL = stats.t(4, scale=special.TAIL_SCALE)


def mixture_law(n_components, floor=(0.01, 0.5), recurring=((), ()), recurring_scale=((), ())):
    """Return a mixture law; features with fewer values that recur are filled up with NaN."""
    constants = [torch.tensor(c, dtype=torch.float64) for c in (recurring, recurring_scale)]
    return c.MixtureOfGaussians(
        n_components, torch.tensor(floor, dtype=torch.float64), *constants
    )


@pytest.fixture(params=[1, 3])
def mixture(request):
    """Return a mixture law for two features and random parameters for five rows."""
    law = mixture_law(request.param)
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
            * stats.norm(means[i], floor + np.log1p(np.exp(raw[i] + special.SOFTPLUS_ONE))).pdf(
                value
            )
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
        assert_allclose(law.mean(row)[..., 0], drawn.mean(dim=0), atol=0.1)


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
    tail = np.log(3 / (8 * special.TAIL_SCALE)) - 5 * np.log(
        abs(value) / (2 * special.TAIL_SCALE)
    )
    assert_allclose(logs, np.log(c.TAIL_WEIGHT) + tail, rtol=1e-6)


def test_scale_never_falls_below_its_floor():
    law = mixture_law(1, floor=(0.5,), recurring=((),), recurring_scale=((),))
    params = torch.tensor([[0.0, 0.0, -1e6]], dtype=torch.float64)
    peak = law.log_prob(params, torch.zeros(1, dtype=torch.float64)).exp()
    assert_allclose(peak, stats.norm(0, 0.5).pdf(0), rtol=1e-3)


def plain_log_prob(law, params, value):
    """Log-density by autograd's own formulas, feature by feature."""
    k, logs = law.n_components, []
    for feature in range(len(law.floor)):
        present = ~law.recurring[feature].isnan()
        own = params[:, feature, 3 * k :][:, present]
        logits, means, raw = params[:, feature, : 3 * k].split(k, dim=-1)
        scales = law.floor[feature] + torch.nn.functional.softplus(raw + special.SOFTPLUS_ONE)
        places = law.recurring[feature, present].expand_as(own)
        widths = law.recurring_scale[feature, present].expand_as(own)
        gaussians = torch.distributions.Normal(
            torch.cat([means, places], dim=-1), torch.cat([scales, widths], dim=-1)
        )
        x = value[:, feature]
        weights = torch.log_softmax(torch.cat([logits, own], dim=-1), dim=-1)
        body = torch.logsumexp(weights + gaussians.log_prob(x[:, None]), dim=-1)
        tail = special.student_log_prob(x) + np.log(c.TAIL_WEIGHT)
        logs.append(torch.logaddexp(body + np.log1p(-c.TAIL_WEIGHT), tail))
    return torch.stack(logs, dim=-1)


RECURRING = {
    "none": {},
    "of all": {
        "recurring": ((-1.0, 0.5), (2.0, 0.0)),
        "recurring_scale": ((0.01, 0.2), (0.05, 0.02)),
    },
    "of some": {
        "recurring": ((-1.0, 0.5), (2.0, np.nan)),
        "recurring_scale": ((0.01, 0.2), (0.05, np.nan)),
    },
    "of one": {
        "recurring": ((-1.0, 0.5), (np.nan, np.nan)),
        "recurring_scale": ((0.01, 0.2), (np.nan, np.nan)),
    },
}


@pytest.fixture(params=RECURRING.values(), ids=RECURRING.keys())
def recurring_mixture(request):
    """Return a mixture law for two features, with values that recur or without."""
    return mixture_law(3, **request.param)


@pytest.mark.parametrize("size", [0.1, 1.0, 8.0, 300.0, 1e6, 1e12])
def test_mixture_gradient_is_that_of_autograd(recurring_mixture, size):
    law, rng = recurring_mixture, np.random.RandomState(0)
    value = torch.from_numpy(rng.normal(scale=size, size=(40, 2)))
    value[:4] = torch.tensor([[-1.0, 2.0], [0.5, 0.0], [-1.003, 2.01], [0.0, 0.0]])
    params = torch.from_numpy(rng.normal(size=(40, 2, law.n_params))).requires_grad_()
    upstream = torch.from_numpy(rng.normal(size=(40, 2)))
    logs, expected = law.log_prob(params, value), plain_log_prob(law, params, value)
    assert_allclose(logs.detach(), expected.detach(), rtol=1e-10, atol=1e-12)
    (gradient,) = torch.autograd.grad(logs, params, upstream)
    (by_autograd,) = torch.autograd.grad(expected, params, upstream)
    assert_allclose(gradient, by_autograd, rtol=1e-8, atol=1e-10)


def test_mixture_gradient_is_the_difference_quotient(recurring_mixture):
    law, rng = recurring_mixture, np.random.RandomState(1)
    value = torch.from_numpy(rng.normal(size=(6, 2)))
    params = torch.from_numpy(rng.normal(size=(6, 2, law.n_params))).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: law.log_prob(p, value), params)


def test_gradients_of_mixtures_are_finite_in_single_precision(recurring_mixture):
    law = recurring_mixture._mapped(torch.Tensor.float)
    far = torch.logspace(-3, 14, 60)
    value = torch.cat([far, -far, torch.tensor([-1.0, 0.0, 0.5, 2.0])])[:, None].expand(-1, 2)
    shape = (*value.shape, law.n_params)
    random = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    for params in (random, 10 * random, random * torch.tensor(100.0)):
        params = params.clone().requires_grad_()
        logs = law.log_prob(params, value)
        logs.sum().backward()
        assert logs.isfinite().all()
        assert params.grad.isfinite().all()


def test_without_gradients_the_mixture_has_the_same_value(recurring_mixture):
    law, value = (
        recurring_mixture,
        torch.linspace(-3, 3, 20, dtype=torch.float64).reshape(10, 2),
    )
    params = torch.from_numpy(np.random.RandomState(0).normal(size=(10, 2, law.n_params)))
    expected = law.log_prob(params.clone().requires_grad_(), value).detach()
    assert_allclose(law.log_prob(params, value), expected, rtol=1e-14)


def test_bernoulli():
    law, logit = c.Bernoulli(), torch.tensor([[[0.7]], [[-40.0]]], dtype=torch.float64)
    zero, one = torch.zeros(2, 1, dtype=torch.float64), torch.ones(2, 1, dtype=torch.float64)
    assert_allclose(law.log_prob(logit, zero).exp() + law.log_prob(logit, one).exp(), one)
    assert_allclose(law.log_prob(logit, one), stats.logistic.logcdf(logit[..., 0]))
    assert_allclose(law.mean(logit), stats.logistic.cdf(logit))
    assert_allclose(law.cdf(logit, zero), stats.logistic.sf(logit[..., 0]))
    assert law.cdf(logit, zero - 1).tolist() == [[0.0], [0.0]]
    assert law.cdf(logit, one).tolist() == [[1.0], [1.0]]
    uniform = torch.from_numpy(np.random.RandomState(0).random_sample((20_000, 1)))
    share = law.sample(logit[:1].expand(20_000, -1, -1), uniform).mean()
    assert abs(share - stats.logistic.cdf(0.7)) < 0.015


def test_categorical():
    law = c.Categorical(4)
    logits = torch.from_numpy(np.random.RandomState(0).normal(size=(2, 1, 4)))
    probabilities = torch.softmax(logits, dim=-1)
    levels = torch.arange(4.0, dtype=torch.float64)
    logs = torch.stack([law.log_prob(logits, level.expand(2, 1)) for level in levels], dim=-1)
    assert_allclose(logs.exp(), probabilities)
    assert_allclose(law.mean(logits), probabilities)
    for level in range(4):
        expected = probabilities[..., : level + 1].sum(dim=-1)
        assert_allclose(law.cdf(logits, torch.full((2, 1), float(level))), expected)
    uniform = torch.from_numpy(np.random.RandomState(0).random_sample((20_000, 1)))
    drawn = law.sample(logits[:1].expand(20_000, -1, -1), uniform)
    shares = torch.bincount(drawn[:, 0].long(), minlength=4) / 20_000
    assert_allclose(shares, probabilities[0, 0], atol=0.015)
    edges = torch.tensor([[0.0], [1 - 1e-17]], dtype=torch.float64)
    assert law.sample(logits, edges).tolist() == [[0.0], [3.0]]
    units = law.units(torch.tensor([[2.0], [torch.nan]]))
    assert units[:, 0].tolist() == [[0, 0, 1, 0], [0, 0, 0, 0]]


def count_law(spread, center=3.7, lowest=0.0, n_components=3, n_recurring=0):
    """Return the law of one count whose integers are 1 / spread apart in units."""
    constants = [0.1 / spread, -center / spread, 1 / spread, (lowest - center) / spread]
    floor, *others = [torch.tensor([value], dtype=torch.float64) for value in constants]
    recurring = torch.tensor(
        [[(7 - center) / spread, torch.nan][:n_recurring]], dtype=torch.float64
    )
    return c.DiscretisedMixture(
        n_components, floor, recurring, 1e-3 / spread + 0 * recurring, *others
    )


COUNTS = {
    "wide": {"spread": 5.0},
    "wider than its components": {"spread": 0.2},
    "narrow": {"spread": 1000.0},
    "signed": {"spread": 5.0, "lowest": -np.inf},
    "with values that recur": {"spread": 5.0, "n_recurring": 2},
    "from minus ten": {"spread": 2.0, "lowest": -10.0},
}


@pytest.fixture(params=COUNTS.values(), ids=COUNTS.keys())
def count(request):
    """Return the law of a count, random parameters, its integers and their values."""
    law = count_law(**request.param)
    lowest = request.param.get("lowest", 0.0)
    integers = torch.arange(max(lowest, -100_000), 100_000, dtype=torch.float64)
    params = torch.from_numpy(np.random.RandomState(0).normal(size=(1, law.n_params)))
    return law, params, integers, law.origin + integers[:, None] * law.step


def test_masses_of_a_count_sum_to_one_over_the_integers(count):
    law, params, integers, values = count
    logs = law.log_prob(params.expand(len(integers), -1, -1), values)
    assert abs(logs.exp().sum() - 1) < 1e-6
    assert logs.isfinite().all()


def test_distribution_function_of_a_count_adds_up_its_masses(count):
    law, params, integers, values = count
    mass = law.log_prob(params.expand(len(integers), -1, -1), values).exp()
    assert_allclose(law.cdf(params, values), mass.cumsum(dim=0), atol=1e-5)
    between = values + 0.4 * law.step
    assert_allclose(law.cdf(params, between), law.cdf(params, values))


def test_draws_of_a_count_follow_its_masses(count):
    law, params, _, values = count
    uniform = torch.from_numpy(np.random.RandomState(0).random_sample((20_000, 1)))
    drawn = law.sample(params.expand(20_000, -1, -1), uniform)
    assert np.isin(drawn.numpy().round(6), values.numpy().round(6)).all()
    levels = law.cdf(params, values)[:, 0].numpy()
    edges = np.searchsorted(levels, np.linspace(0.1, 0.9, 9))
    edges = np.unique(np.clip(edges, 0, len(levels) - 1))
    expected = np.diff(levels[edges], prepend=0, append=1)
    below = (drawn[:, 0, None] <= values[edges, 0] + law.step / 2).numpy().mean(axis=0)
    assert_allclose(np.diff(below, prepend=0, append=1), expected, atol=0.02)


def test_mean_of_a_count_is_that_of_its_masses(count):
    law, params, integers, values = count
    mass = law.log_prob(params.expand(len(integers), -1, -1), values).exp()
    step = float(law.step)
    assert_allclose(law.mean(params)[0, 0], (mass * values).sum(), atol=0.03 * step + 1e-3)
    far_below = params.clone()
    far_below[..., 3:6] = float(law.lowest.clamp(min=-1e3)) - 50 * (1 + step)
    far_below[..., 9:] = -1e9
    if law.lowest.isfinite():  # all mass is at the lowest integer
        assert_allclose(law.mean(far_below)[0, 0], law.lowest[0], atol=0.01 * step + 1e-3)


@pytest.mark.parametrize("value", [1e10, 1e100, 1e300])
def test_far_counts_have_finite_masses(value):
    law = count_law(2.0)
    params = torch.zeros(1, law.n_params, dtype=torch.float64)
    far = torch.tensor([[value]], dtype=torch.float64)
    assert law.log_prob(params, far).isfinite().all()
    assert law.log_prob(params, 2 * far) < law.log_prob(params, far)


def test_gradients_of_counts_are_finite_in_single_precision():
    law = count_law(5.0)
    law = law._mapped(torch.Tensor.float)
    values = (
        law.origin
        + law.step * torch.cat([torch.arange(0, 50), torch.logspace(2, 12, 50)])[:, None]
    )
    params = torch.randn(100, 1, 9, generator=torch.Generator().manual_seed(0)).requires_grad_()
    law.log_prob(params, values).sum().backward()
    assert params.grad.isfinite().all()
