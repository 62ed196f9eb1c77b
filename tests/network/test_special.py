import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from scipy.special import logsumexp, softmax

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
    logs = special.student_log_interval(middle - width / 2, middle + width / 2)
    # The density changes within wide intervals far out, where they are density times width.
    assert_allclose(logs, np.log(expected), rtol=1e-3)
    below = special.student_log_interval(np.full(141, -np.inf), middle + width / 2)
    assert_allclose(below, TAIL.logcdf(middle + width / 2), rtol=1e-5, atol=0.01)
    above = special.student_log_interval(middle - width / 2, np.full(141, np.inf))
    assert_allclose(above, TAIL.logsf(middle - width / 2), rtol=1e-5, atol=0.01)


@pytest.mark.parametrize("interval", [special.log_interval, special.student_log_interval])
def test_intervals_may_be_infinite_far_and_mirrored(interval):
    ends = np.r_[0.0, np.geomspace(1e-6, 1e300, 400), np.inf]
    ends = np.unique(np.r_[-ends, ends])
    lower, upper = (part.ravel() for part in np.meshgrid(ends, ends))
    lower, upper = lower[lower < upper], upper[lower < upper]
    logs = interval(lower, upper)
    assert np.isfinite(logs).all()
    assert (logs <= 1e-12).all()
    assert_allclose(interval(-upper, -lower), logs, rtol=1e-12)
    assert_allclose(interval(np.array([-np.inf]), np.array([np.inf])), 0, atol=1e-12)


@pytest.mark.parametrize("interval", [special.log_interval, special.student_log_interval])
def test_a_longer_interval_has_more_mass(interval):
    for end in (-1e4, -60.0, -3.0, 0.0, 2.0, 49.9):
        upper = end + np.geomspace(1e-6, 1e6, 500)
        logs = interval(np.full(500, end), upper)
        # Two formulas that meet differ by less than this.
        assert (np.diff(logs) >= -5e-3).all()


@pytest.mark.parametrize("value", [1e10, 1e160, -1e300, 1.7e308])
def test_tail_is_finite_to_the_end_of_the_float_range(value):
    assert np.isfinite(special.student_log_prob(np.array([value]))).all()
    assert special.student_cdf(np.array([value])) == (value > 0)


def test_the_whole_tail_lies_between_infinite_ends():
    assert special.student_cdf(np.array([-np.inf, 0.0, np.inf])).tolist() == [0.0, 0.5, 1.0]


def test_raw_scale_is_the_inverse():
    floor, scale = np.array([0.1]), np.array([0.3, 2.0, 1e4])
    raw = special.raw_scale(scale, floor)
    assert_allclose(floor + np.logaddexp(0, raw + special.SOFTPLUS_ONE), scale)
    assert np.isfinite(special.raw_scale(floor / 2, floor)).all()


@pytest.mark.parametrize("width", [1e-6, 1e-3, 0.5, 3.0, 1e3])
def test_log_interval_is_the_mass_between_two_points(width):
    middle = np.linspace(-12, 12, 97)
    logs = special.log_interval(middle - width / 2, middle + width / 2)
    # A width below single precision is a difference of numbers that have lost digits.
    assert_allclose(logs, log_masses(middle, width), atol=2e-3)


def test_log_interval_from_or_to_infinity_is_that_of_scipy():
    end, infinite = np.linspace(-60, 60, 121), np.full(121, np.inf)
    assert_allclose(special.log_interval(-infinite, end), stats.norm.logcdf(end), rtol=1e-12)
    assert_allclose(special.log_interval(end, infinite), stats.norm.logsf(end), rtol=1e-12)


def test_an_interval_far_out_has_a_finite_log_mass():
    middle = np.array([-1e300, -1e5, 1e5, 1e300])
    for width in (1e-6, 0.5, 1e3):
        logs = special.log_interval(middle - width / 2, middle + width / 2)
        assert np.isfinite(logs).all()


@pytest.mark.parametrize(
    "ends",
    [(-1.0, 2.0), (-np.inf, 0.3), (-0.3, np.inf), (3.0, 5.0), (-8.0, -7.5), (20.0, np.inf),
     (-np.inf, np.inf), (-30.0, 30.0)],
)  # fmt: skip
def test_gaussian_quantiles_between_ends_undo_the_distribution_function(ends):
    level = np.linspace(0.001, 0.999, 101)
    lower, upper = (np.full(101, end) for end in ends)
    quantile = special.gaussian_quantile(level, lower, upper)
    assert ((quantile >= lower) & (quantile <= upper)).all()
    # On the side where neither distribution function is close to one.
    if sum(ends) > 0:
        lower, quantile, upper, level = -upper, -quantile, -lower, 1 - level
    below, reached, above = stats.norm.cdf([lower, quantile, upper])
    assert_allclose((reached - below) / (above - below), level, rtol=1e-9)


@pytest.mark.parametrize(
    "ends", [(50.0, np.inf), (-np.inf, -50.0), (-1e300, -1e299), (1e9, 2e9), (40.0, 41.0)]
)
def test_gaussian_quantiles_between_far_ends_lie_there(ends):
    level = np.array([0.0, 1e-300, 0.5, 1 - 1e-16, 1.0])
    lower, upper = (np.full(5, end) for end in ends)
    quantile = special.gaussian_quantile(level, lower, upper)
    assert np.isfinite(quantile).all()
    assert ((quantile >= lower) & (quantile <= upper)).all()


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


@pytest.mark.parametrize("shift", [0.0, 1e3, -1e3])
def test_exponentials_have_the_shares_of_softmax(shift):
    logits = shift + np.random.RandomState(0).normal(scale=10, size=(5, 3, 6))
    expected = softmax(logits, axis=0)
    parts = logits[:2], logits[2:]
    total = special.exponentials(*parts)
    assert_allclose(np.concatenate(parts) / total, expected, rtol=1e-12)


def test_log_gaussian_is_that_of_scipy():
    rng = np.random.RandomState(0)
    distances, scales = rng.normal(scale=10, size=(3, 6)), np.exp(rng.normal(size=(3, 6)))
    expected = stats.norm.logpdf(distances * scales, scale=scales)
    assert_allclose(special.log_gaussian(distances, scales), expected, rtol=1e-12)


@pytest.mark.parametrize("widest", [1e-3, 0.7, 3.0])
def test_mass_between_two_numbers_is_that_of_scipy(widest):
    rng = np.random.RandomState(0)
    middle, half = rng.normal(scale=4, size=(4, 50)), widest * rng.random_sample((4, 50)) / 2
    left, right = -np.abs(middle) - half, -np.abs(middle) + half
    expected = stats.norm.cdf(right) - stats.norm.cdf(left)
    for lower, upper in ((left, right), (-right, -left)):
        mass = special.gaussian_mass(lower, upper)
        assert_allclose(mass, expected, rtol=1e-9, atol=1e-14)


def test_mass_beside_infinite_ends_is_that_of_scipy():
    ends = np.full((2, 9), -np.inf), np.linspace(-3, 3, 18).reshape(2, 9)
    expected = stats.norm.cdf(ends[1])
    assert_allclose(special.gaussian_mass(*ends), expected, rtol=1e-12)
    assert_allclose(special.gaussian_mass(-ends[1], -ends[0]), expected, rtol=1e-12)
    some = ends[0].copy()
    some[:, 1:] = ends[1][:, 1:] - 0.1  # the infinite ends are few
    expected = expected - stats.norm.cdf(some)
    assert_allclose(special.gaussian_mass(some, ends[1]), expected, rtol=1e-11)


def test_a_density_without_mass_has_that_of_the_tail():
    tail = TAIL.logpdf([0.0, 3.0])
    body = np.array([-np.inf, -1.0])
    expected = np.log(
        (1 - special.TAIL_WEIGHT) * np.exp(body) + special.TAIL_WEIGHT * np.exp(tail)
    )
    assert_allclose(special.with_tail(body, tail), expected, rtol=1e-12)
