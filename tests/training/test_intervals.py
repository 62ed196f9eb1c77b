"""Masses in intervals, and how they change, in single and in double precision."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import stats

from skmade._network import special
from skmade._training import intervals
from tests.mixture_laws import log_masses

TAIL = stats.t(4, scale=special.TAIL_SCALE)


def test_tail_is_a_student_t():
    value = torch.linspace(-50, 50, 101, dtype=torch.float64)
    assert_allclose(intervals.student_log_prob(value), TAIL.logpdf(value))
    assert_allclose(intervals.student_cdf(value), TAIL.cdf(value), rtol=1e-6)


def interval(lower, upper, dtype=torch.float64):
    """Describe intervals between two edges, given as arrays."""
    edges = np.broadcast_arrays(lower, upper)
    below, above = (torch.tensor(np.array(edge), dtype=dtype) for edge in edges)
    return intervals.around(torch.zeros_like(below), -below, above)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_all_up_to_an_end_is_an_interval_with_an_infinite_side(dtype):
    ends = np.r_[np.linspace(-40, 40, 501), np.geomspace(50, 1e17, 30), 1e30, np.inf]
    ends = np.unique(np.r_[-ends, ends])
    end, one = torch.tensor(ends, dtype=dtype), torch.ones(len(ends), dtype=dtype)
    # What has all the mass changes by what rounding leaves of nothing.
    room = {"rtol": 1e-5 if dtype == torch.float32 else 1e-10, "atol": 1e-7}
    for side, asked, limits in (
        (one, end, (-np.inf, ends)),
        (-one, -end, (ends, np.inf)),  # from an end on
    ):
        found = intervals.up_to(asked, side)
        for own, other in zip(found, interval(*limits, dtype), strict=True):
            assert_allclose(own, other, **room)
    # One call may ask for both.
    sides = torch.where(torch.arange(len(ends)) % 2 == 0, one, -one)
    for own, up, on in zip(
        intervals.up_to(sides * end, sides),
        intervals.up_to(end, one),
        intervals.up_to(-end, -one),
        strict=True,
    ):
        assert_allclose(own, torch.where(sides > 0, up, on), rtol=1e-6)


@pytest.mark.parametrize("width", [1e-6, 1e-3, 0.5, 3.0, 1e3])
def test_log_interval_is_the_mass_between_two_points(width):
    middle = np.linspace(-12, 12, 97)
    found = interval(middle - width / 2, middle + width / 2)
    assert_allclose(found.log_mass, log_masses(middle, width), atol=2e-3)


def test_log_interval_from_or_to_infinity_is_that_of_scipy():
    end = np.linspace(-40, 40, 501)
    below, above = interval(-np.inf, end), interval(end, np.inf)
    assert_allclose(below.log_mass, stats.norm.logcdf(end), atol=1e-4)
    assert_allclose(above.log_mass, stats.norm.logsf(end), atol=1e-4)
    assert_allclose(below.by_mean, -above.by_mean.flip(0), rtol=1e-12)
    assert_allclose(below.by_scale, above.by_scale.flip(0), rtol=1e-12)


# Beyond `FAR` the series and its slopes are approximate.
@pytest.mark.parametrize(("reach", "rtol"), [(7.0, 1e-5), (40.0, 0.05)])
@pytest.mark.parametrize("width", [1e-3, 0.009, 0.02, 0.5, 3.0, 1e3, np.inf])
def test_changes_of_an_interval_are_difference_quotients(width, reach, rtol):
    lower, h = np.linspace(-reach, reach, 57), 1e-6
    lower = lower if np.isinf(width) else lower - width / 2
    upper = lower + width
    found = interval(lower, upper)

    def quotient(moved, grown):
        logs = [
            special.log_interval(
                (lower - moved * s * h) / (1 + grown * s * h),
                (upper - moved * s * h) / (1 + grown * s * h),
            )
            for s in (1, -1)
        ]
        return (logs[0] - logs[1]) / (2 * h)

    assert_allclose(found.by_mean, quotient(1, 0), rtol=rtol, atol=1e-3)
    assert_allclose(found.by_scale, quotient(0, 1), rtol=rtol, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_changes_far_out_are_those_of_a_gaussian(dtype):
    edge = np.array([-1e6, -1e3, -50.0])
    assert_allclose(interval(-np.inf, edge, dtype).by_mean, edge, rtol=1e-3)
    middle = np.array([-1e4, -100.0, 100.0, 1e4])
    found = interval(middle - 0.1, middle + 0.1, dtype)
    assert_allclose(found.by_mean, middle, rtol=5e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_intervals_are_finite_wherever_they_end(dtype):
    ends = np.r_[0.0, np.geomspace(1e-6, 1e30, 100), np.inf]
    ends = np.unique(np.r_[-ends, ends])
    lower, upper = (part.ravel() for part in np.meshgrid(ends, ends))
    some = (lower <= upper) & (lower < np.inf) & (upper > -np.inf)
    found = interval(lower[some], upper[some], dtype)
    for part in found:
        assert part.isfinite().all()


def test_mass_of_the_tail_is_that_of_the_other_twin():
    ends = np.r_[0.0, np.geomspace(1e-6, 1e18, 200)]
    ends = np.unique(np.r_[-ends, ends])
    lower, upper = (part.ravel() for part in np.meshgrid(ends, ends))
    lower, upper = lower[lower < upper], upper[lower < upper]
    ends = torch.from_numpy(lower), torch.from_numpy(upper)
    logs = intervals.student_log_interval(*ends, ends[1] - ends[0])
    assert_allclose(logs, special.student_log_interval(lower, upper), rtol=1e-9, atol=1e-12)


def test_the_tail_between_numbers_as_near_as_rounding_is_density_times_width():
    # Single precision tells no half step from none beside a large count.
    middle = torch.tensor([3e8, -2e9, 1e12, -1e12], dtype=torch.float32)
    width = torch.full_like(middle, 0.5)
    logs = intervals.student_log_interval(middle, middle, width)
    expected = TAIL.logpdf(middle.double().numpy()) + np.log(0.5)
    assert_allclose(logs, expected, rtol=1e-5)
