"""The gradients of log-probabilities, written by hand, and their values."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from skmade._network import special
from skmade._network.conditionals import Bernoulli, Categorical, DiscretisedMixture
from skmade._training import log_prob as gradients
from tests.mixture_laws import COUNTS, RECURRING, count_law, log_masses, mixture_law

TAIL = stats.t(4, scale=special.TAIL_SCALE)
FAR = 10.0 ** np.array([2, 4, 9, 14])


def twin(law, dtype=torch.float64):
    """Return the twin of a law that has gradients."""
    return gradients.trainable(law, lambda array: torch.tensor(array, dtype=dtype))


def log_prob(law, params, value):
    """Log-probabilities (n, F) by the twin, of parameters (n, F, n_params)."""
    return twin(law, params.dtype).log_prob(params.permute(2, 1, 0), value.T).T


def numbers(law):
    """Values of two features: near, those that recur and beside them, far."""
    near = np.linspace(-5, 5, 31)
    recurring = [-1.0, 0.5, 2.0, 0.0, -1.003, 2.01, 0.49]
    return np.tile(np.concatenate([near, recurring, FAR, -FAR]), (2, 1))


def integers(law):
    """Values of a count: from its lowest possible integer on, far ones too."""
    lowest = law.lowest[0] if np.isfinite(law.lowest[0]) else law.origin[0] - 40 * law.step[0]
    steps = np.concatenate([np.arange(60.0), [1000.0, 100_000.0], np.rint(FAR)])
    return lowest + steps[None] * law.step[0]


def codes(law):
    """Every code of two features."""
    return np.tile(np.arange(float(getattr(law, "n_levels", 2))), (2, 1))


LAWS = {
    "binary": (Bernoulli(), codes),
    "categorical": (Categorical(4), codes),
    "of many levels": (Categorical(100), codes),
    "one component": (mixture_law(1), numbers),
    **{f"recurring {k}": (mixture_law(3, **v), numbers) for k, v in RECURRING.items()},
    **{f"count {k}": (count_law(**v), integers) for k, v in COUNTS.items()},
}


@pytest.fixture(params=LAWS.values(), ids=LAWS.keys())
def law_and_values(request):
    """Return a law of any kind, and values of its features."""
    law, draw = request.param
    return law, draw(law)


def both(law, params, values, dtype):
    """Log-probabilities by the twin, and by the law of the same rounded numbers."""
    params, values = (torch.tensor(array, dtype=dtype) for array in (params, values))
    logs = twin(law, dtype).log_prob(params, values).numpy()
    return logs, law.log_prob(params.double().numpy(), values.double().numpy())


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0])
def test_twins_have_the_same_log_probabilities(law_and_values, scale):
    law, values = law_and_values
    params = scale * np.random.RandomState(0).normal(size=(law.n_params, *values.shape))
    twins, logs = both(law, params, values, torch.float64)
    assert np.isfinite(logs).all()
    assert_allclose(twins, logs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0])
def test_twins_in_single_precision_are_close(law_and_values, scale):
    law, values = law_and_values
    params = scale * np.random.RandomState(0).normal(size=(law.n_params, *values.shape))
    twins, logs = both(law, params, values, torch.float32)
    # A count's tail is a difference of two numbers close to one, up to where it is density
    # times width.
    cancels = (np.abs(values) > special.INPUT_BOUND) & (np.abs(values) < special.FAR_TAIL)
    near = ~cancels if isinstance(law, DiscretisedMixture) else np.ones(values.shape, bool)
    assert_allclose(twins[near], logs[near], rtol=1e-4, atol=1e-4)
    assert_allclose(twins, logs, rtol=1e-4, atol=0.06)


def test_twins_have_the_same_units(law_and_values):
    law, values = law_and_values
    values = np.where(np.arange(values.shape[1]) % 3 == 2, np.nan, values)
    assert_array_equal(twin(law).units(torch.from_numpy(values)), law.units(values))


def plain_log_prob(law, params, value):
    """Log-density by autograd's own formulas, feature by feature."""
    k, logs = law.n_components, []
    for feature in range(len(law.floor)):
        present = ~np.isnan(law.recurring[feature])
        own = params[:, feature, 3 * k :][:, present]
        logits, means, raw = params[:, feature, : 3 * k].split(k, dim=-1)
        scales = law.floor[feature] + torch.nn.functional.softplus(raw + special.SOFTPLUS_ONE)
        places = torch.from_numpy(law.recurring[feature, present]).expand_as(own)
        widths = torch.from_numpy(law.recurring_scale[feature, present]).expand_as(own)
        gaussians = torch.distributions.Normal(
            torch.cat([means, places], dim=-1), torch.cat([scales, widths], dim=-1)
        )
        x = value[:, feature]
        weights = torch.log_softmax(torch.cat([logits, own], dim=-1), dim=-1)
        body = torch.logsumexp(weights + gaussians.log_prob(x[:, None]), dim=-1)
        tail = gradients.student_log_prob(x) + np.log(special.TAIL_WEIGHT)
        logs.append(torch.logaddexp(body + np.log1p(-special.TAIL_WEIGHT), tail))
    return torch.stack(logs, dim=-1)


@pytest.mark.parametrize("size", [0.1, 1.0, 8.0, 300.0, 1e6, 1e12])
def test_mixture_gradient_is_that_of_autograd(recurring_mixture, size):
    law, rng = recurring_mixture, np.random.RandomState(0)
    value = torch.from_numpy(rng.normal(scale=size, size=(40, 2)))
    value[:4] = torch.tensor([[-1.0, 2.0], [0.5, 0.0], [-1.003, 2.01], [0.0, 0.0]])
    params = torch.from_numpy(rng.normal(size=(40, 2, law.n_params))).requires_grad_()
    upstream = torch.from_numpy(rng.normal(size=(40, 2)))
    logs, expected = log_prob(law, params, value), plain_log_prob(law, params, value)
    assert_allclose(logs.detach(), expected.detach(), rtol=1e-10, atol=1e-12)
    (gradient,) = torch.autograd.grad(logs, params, upstream)
    (by_autograd,) = torch.autograd.grad(expected, params, upstream)
    assert_allclose(gradient, by_autograd, rtol=1e-8, atol=1e-10)


def test_mixture_gradient_is_the_difference_quotient(recurring_mixture):
    law, rng = recurring_mixture, np.random.RandomState(1)
    value = torch.from_numpy(rng.normal(size=(6, 2)))
    params = torch.from_numpy(rng.normal(size=(6, 2, law.n_params))).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: log_prob(law, p, value), params)


def test_gradients_of_mixtures_are_finite_in_single_precision(recurring_mixture):
    far = torch.logspace(-3, 14, 60)
    value = torch.cat([far, -far, torch.tensor([-1.0, 0.0, 0.5, 2.0])])[:, None].expand(-1, 2)
    shape = (*value.shape, recurring_mixture.n_params)
    random = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    for params in (random, 10 * random, random * torch.tensor(100.0)):
        params = params.clone().requires_grad_()
        logs = log_prob(recurring_mixture, params, value)
        logs.sum().backward()
        assert logs.isfinite().all()
        assert params.grad.isfinite().all()


def test_without_gradients_the_mixture_has_the_same_value(recurring_mixture):
    law, value = (
        recurring_mixture,
        torch.linspace(-3, 3, 20, dtype=torch.float64).reshape(10, 2),
    )
    params = torch.from_numpy(np.random.RandomState(0).normal(size=(10, 2, law.n_params)))
    expected = log_prob(law, params.clone().requires_grad_(), value).detach()
    assert_allclose(log_prob(law, params, value), expected, rtol=1e-14)


def test_gradients_of_counts_are_finite_in_single_precision():
    law = count_law(5.0)
    steps = torch.cat([torch.arange(0, 50), torch.logspace(2, 12, 50)])[:, None]
    values = (torch.from_numpy(law.origin) + 0.2 * steps).float()
    params = torch.randn(100, 1, 9, generator=torch.Generator().manual_seed(0)).requires_grad_()
    log_prob(law, params, values).sum().backward()
    assert params.grad.isfinite().all()


def test_tail_is_a_student_t():
    value = torch.linspace(-50, 50, 101, dtype=torch.float64)
    assert_allclose(gradients.student_log_prob(value), TAIL.logpdf(value))
    assert_allclose(gradients.student_cdf(value), TAIL.cdf(value), rtol=1e-6)


def test_log_ndtr_is_that_of_scipy():
    value = torch.linspace(-40, 10, 501, dtype=torch.float64)
    assert_allclose(gradients.log_ndtr(value), stats.norm.logcdf(value), atol=1e-4)
    far = torch.tensor([-1e300, 1e300], dtype=torch.float64)
    assert gradients.log_ndtr(far).isfinite().all()


@pytest.mark.parametrize("width", [1e-6, 1e-3, 0.5, 3.0, 1e3])
def test_log_interval_is_the_mass_between_two_points(width):
    middle = np.linspace(-12, 12, 97)
    logs = gradients.log_interval(
        torch.from_numpy(middle), torch.full((97,), width, dtype=torch.float64)
    )
    assert_allclose(logs, log_masses(middle, width), atol=2e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_far_out_are_those_of_a_gaussian(dtype):
    value = torch.tensor([-1e6, -1e3, -50.0], dtype=dtype, requires_grad=True)
    gradients.log_ndtr(value).sum().backward()
    assert_allclose(value.grad, -value.detach(), rtol=1e-3)
    middle = torch.tensor([-1e4, -100.0, 100.0, 1e4], dtype=dtype, requires_grad=True)
    gradients.log_interval(middle, torch.full_like(middle.detach(), 0.2)).sum().backward()
    assert_allclose(middle.grad, -middle.detach(), rtol=5e-3)
