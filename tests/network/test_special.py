import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.special import logsumexp

from skmade._network import special
from tests.mixture_laws import log_masses

TAIL = stats.t(4, scale=special.TAIL_SCALE)


def test_tail_is_a_student_t():
    value = np.linspace(-50, 50, 101)
    assert_allclose(special.student_log_prob(value), TAIL.logpdf(value))
    assert_allclose(special.student_cdf(value), TAIL.cdf(value), rtol=1e-6)
    uniform = np.linspace(0.001, 0.999, 101)
    assert_allclose(special.student_quantile(uniform), TAIL.ppf(uniform))


def test_quantiles_of_the_tail_undo_its_distribution_function():
    uniform = np.concatenate([np.geomspace(1e-12, 0.5, 101), [0.9, 1 - 1e-12]])
    quantile = special.student_quantile(uniform)
    # In closed form: a difference from one half, which loses digits far out on the left.
    assert_allclose(special.student_cdf(quantile), uniform, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("width", [1e-6, 0.05, 0.5, 3.0])
def test_mass_of_the_tail_is_that_of_an_interval(width):
    middle = np.linspace(-70, 70, 141)
    expected = np.diff(TAIL.cdf([middle - width / 2, middle + width / 2]), axis=0)[0]
    expected = np.where(width < 0.1, TAIL.pdf(middle) * width, expected)
    nowhere = np.zeros(141, dtype=bool)
    logs = special.student_log_mass(middle, np.full(141, width), nowhere)
    assert_allclose(logs, np.log(expected), rtol=1e-3)
    from_below = special.student_log_mass(middle, np.full(141, width), ~nowhere)
    assert_allclose(from_below, TAIL.logcdf(middle + width / 2), rtol=1e-5)


@pytest.mark.parametrize("value", [1e10, 1e160, -1e300, 1.7e308])
def test_tail_is_finite_to_the_end_of_the_float_range(value):
    assert np.isfinite(special.student_log_prob(np.array([value]))).all()
    assert special.student_cdf(np.array([value])) == (value > 0)


def test_raw_scale_is_the_inverse():
    floor, scale = np.array([0.1]), np.array([0.3, 2.0, 1e4])
    raw = special.raw_scale(scale, floor)
    assert_allclose(floor + np.logaddexp(0, raw + special.SOFTPLUS_ONE), scale)
    assert np.isfinite(special.raw_scale(floor / 2, floor)).all()


@pytest.mark.parametrize("width", [1e-6, 1e-3, 0.5, 3.0, 1e3])
def test_log_interval_is_the_mass_between_two_points(width):
    middle = np.linspace(-12, 12, 97)
    logs = special.log_interval(middle, np.full(97, width))
    assert_allclose(logs, log_masses(middle, width), atol=2e-3)


def test_an_interval_far_out_has_a_finite_log_mass():
    middle = np.array([-1e300, -1e5, 1e5, 1e300])
    for width in (1e-6, 0.5, 1e3):
        assert np.isfinite(special.log_interval(middle, np.full(4, width))).all()


def test_open_unit_keeps_off_the_ends():
    kept = special.open_unit(np.array([0.0, 0.5, 1.0]))
    assert 0 < kept[0] < kept[1] == 0.5 < kept[2] < 1


def test_softplus_is_that_of_the_definition():
    values = np.concatenate([np.linspace(-800, 800, 33), [-1e300, 0.0, 1e300]])
    assert_allclose(special.softplus(values), np.logaddexp(0, values), rtol=1e-14)


def test_sums_of_exponentials_are_those_of_scipy():
    logs = np.random.RandomState(0).normal(scale=300, size=(5, 4, 7))
    logs[1, 2] = -np.inf
    logs[:, 3, :2] = -np.inf  # no mass at all
    sums = special.log_sum_exp(logs)
    assert (sums[3, :2] == special.LOWEST).all()
    logs[:, 3, :2] = 0.0
    sums[3, :2] = np.log(5)
    assert_allclose(sums, logsumexp(logs, axis=0), rtol=1e-14)


@pytest.mark.parametrize("n_components", [1, 4])
def test_log_mixture_is_the_density_of_a_mixture(n_components):
    rng = np.random.RandomState(0)
    logits, distances = rng.normal(scale=10, size=(2, n_components, 3, 6))
    scales = np.exp(rng.normal(size=logits.shape))
    parts = logits - logsumexp(logits, axis=0) - np.log(scales) + stats.norm.logpdf(distances)
    before = [part.copy() for part in (logits, 1 / scales, distances)]
    log_density = special.log_mixture(logits, 1 / scales, distances)
    assert_allclose(log_density, logsumexp(parts, axis=0), rtol=1e-12)
    for part, kept in zip((logits, 1 / scales, distances), before, strict=True):
        assert_array_equal(part, kept)


def test_a_density_without_mass_has_that_of_the_tail():
    tail = TAIL.logpdf([0.0, 3.0])
    body = np.array([-np.inf, -1.0])
    expected = np.log(
        (1 - special.TAIL_WEIGHT) * np.exp(body) + special.TAIL_WEIGHT * np.exp(tail)
    )
    assert_allclose(special.with_tail(body, tail), expected, rtol=1e-12)
