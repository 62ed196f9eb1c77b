import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import stats

from skmade import _special as special

TAIL = stats.t(4, scale=special.TAIL_SCALE)


def test_tail_is_a_student_t():
    value = torch.linspace(-50, 50, 101, dtype=torch.float64)
    assert_allclose(special.student_log_prob(value), TAIL.logpdf(value))
    assert_allclose(special.student_cdf(value), TAIL.cdf(value), rtol=1e-6)
    uniform = torch.linspace(0.001, 0.999, 101, dtype=torch.float64)
    assert_allclose(special.student_quantile(uniform), TAIL.ppf(uniform), atol=1e-12)


def test_raw_scale_is_the_inverse():
    floor = torch.tensor([0.1], dtype=torch.float64)
    scale = torch.tensor([0.3, 2.0, 1e4], dtype=torch.float64)
    raw = special.raw_scale(scale, floor)
    assert_allclose(floor + torch.nn.functional.softplus(raw + special.SOFTPLUS_ONE), scale)
    assert special.raw_scale(floor / 2, floor).isfinite().all()


def test_log_ndtr_is_that_of_scipy():
    value = torch.linspace(-40, 10, 501, dtype=torch.float64)
    assert_allclose(special.log_ndtr(value), stats.norm.logcdf(value), atol=1e-4)
    assert special.log_ndtr(torch.tensor([-1e300, 1e300], dtype=torch.float64)).isfinite().all()


@pytest.mark.parametrize("width", [1e-6, 1e-3, 0.5, 3.0, 1e3])
def test_log_interval_is_the_mass_between_two_points(width):
    middle = np.linspace(-12, 12, 97)
    lower, upper = middle - width / 2, middle + width / 2
    # On the side where neither distribution function is close to one.
    lower, upper = np.where(middle > 0, -upper, lower), np.where(middle > 0, -lower, upper)
    log_upper, log_lower = stats.norm.logcdf(upper), stats.norm.logcdf(lower)
    expected = log_upper + np.log(-np.expm1(log_lower - log_upper))
    logs = special.log_interval(
        torch.from_numpy(middle), torch.full((97,), width, dtype=torch.float64)
    )
    assert_allclose(logs, expected, atol=2e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_far_out_are_those_of_a_gaussian(dtype):
    value = torch.tensor([-1e6, -1e3, -50.0], dtype=dtype, requires_grad=True)
    special.log_ndtr(value).sum().backward()
    assert_allclose(value.grad, -value.detach(), rtol=1e-3)
    middle = torch.tensor([-1e4, -100.0, 100.0, 1e4], dtype=dtype, requires_grad=True)
    special.log_interval(middle, torch.full_like(middle.detach(), 0.2)).sum().backward()
    assert_allclose(middle.grad, -middle.detach(), rtol=5e-3)


def test_open_unit_keeps_off_the_ends():
    kept = special.open_unit(torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64))
    assert 0 < kept[0] < kept[1] == 0.5 < kept[2] < 1
