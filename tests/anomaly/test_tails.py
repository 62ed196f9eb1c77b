"""Tails of ordinary rows, thresholds, and p-values."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import expon, kstest

from skmade._anomaly.tails import SHARE_OF_TAIL, Tail, conformal_p_values

ONES = np.ones(2000)


def test_shares_are_those_of_new_rows():
    rng = np.random.RandomState(0)
    tail = Tail.of(rng.exponential(3, size=2000), ONES)
    shares = np.exp(tail.log_share(rng.exponential(3, size=2000)))
    assert kstest(shares, "uniform").pvalue > 1e-4


def test_the_tail_goes_on_beyond_all_ordinary_rows():
    tail = Tail.of(np.random.RandomState(0).exponential(3, size=2000), ONES)
    far = np.array([20.0, 40.0, 80.0])
    assert_allclose(tail.log_share(far), expon.logsf(far, scale=3), rtol=0.1)
    assert (np.diff(tail.log_share(np.geomspace(1, 1e12, 50))) < 0).all()


def test_the_tail_is_continuous_and_never_rises():
    tail = Tail.of(np.random.RandomState(0).normal(size=300), np.ones(300))
    logs = tail.log_share(np.linspace(-5, 5, 20_001))
    assert (np.diff(logs) <= 0).all()
    assert np.diff(logs).min() > -0.05
    assert_allclose(tail.log_share(tail.oddities[-1:]), np.log(SHARE_OF_TAIL))


def test_weights_count_as_repeated_rows():
    rng = np.random.RandomState(0)
    oddities, weight = rng.normal(size=400), rng.randint(1, 4, size=400)
    repeated = np.repeat(oddities, weight)
    by_weight = Tail.of(oddities, weight.astype(float))
    by_rows = Tail.of(repeated, np.ones(len(repeated)))
    rows = np.linspace(-3, 5, 50)
    assert_allclose(by_weight.log_share(rows), by_rows.log_share(rows), rtol=0.03, atol=3e-3)
    scores = np.sort(-oddities)[::40]
    assert_allclose(
        conformal_p_values(scores, -oddities, weight.astype(float)),
        conformal_p_values(scores, -repeated, np.ones(len(repeated))),
    )


@pytest.mark.parametrize("oddities", [np.zeros(50), np.repeat([0.0, 1.0], [40, 10])])
def test_equal_rows_have_finite_shares_and_anything_odder_is_rare(oddities):
    tail = Tail.of(oddities, np.ones(50))
    logs = tail.log_share(np.array([0.0, 2.0, 1e6]))
    assert np.isfinite(logs).all()
    assert logs[1] < -3 or oddities.any()
    assert logs[2] < logs[1] < logs[0] <= 0


def test_p_values_of_one_more_row_are_uniform():
    """Of n rows and one more, each rank is as likely: exact, for any n."""
    rng = np.random.RandomState(0)
    for n_rows in (1, 4, 19):
        rows = rng.normal(size=(4000, n_rows + 1))
        ranks = [conformal_p_values(r[:1], r[1:], np.ones(n_rows))[0] for r in rows]
        counts = np.bincount(np.rint(np.array(ranks) * (n_rows + 1)).astype(int))[1:]
        assert len(counts) == n_rows + 1
        expected = 4000 / (n_rows + 1)
        assert (np.abs(counts - expected) < 4.5 * np.sqrt(expected)).all()
