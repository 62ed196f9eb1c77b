"""Random numbers that follow from the cells of rows."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

from skmade._prediction import streams
from skmade._prediction.streams import PRECISION, Streams
from tests.laws import ALPHA


def rows_that_hardly_differ(n_rows):
    """Return small integers, with a missing cell in each row."""
    X = np.full((n_rows, 4), np.nan)
    X[:, :3] = np.stack(np.unravel_index(np.arange(n_rows), (n_rows // 16, 4, 4)), axis=1)
    return X


def numbers_of(X, seed=0, size=40):
    return Streams.of(X, np.random.RandomState(seed)).uniforms(0, size)


def test_numbers_are_those_of_splitmix64():
    """The first ones after a seed of 1234567, as its authors' program prints them."""
    numbers = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    expected = ((np.array(numbers, dtype=np.uint64) >> np.uint64(12)) + 0.5) / 2**52
    own = Streams(np.array([1234567], dtype=np.uint64))
    assert_array_equal(own.uniforms(0, 3)[0], expected)


def test_numbers_are_uniform():
    numbers = numbers_of(rows_that_hardly_differ(1600))
    assert stats.kstest(numbers.ravel(), "uniform").pvalue > ALPHA
    p_values = [stats.kstest(own, "uniform").pvalue for own in (*numbers, *numbers.T)]
    assert min(p_values) > ALPHA / len(p_values)
    assert stats.kstest(p_values[:1600], "uniform").pvalue > ALPHA


@pytest.mark.parametrize("between", ["places", "rows", "seeds", "equal rows"])
def test_numbers_are_independent(between):
    """Of the places of a stream, of rows that hardly differ, of seeds, of equal rows."""
    X = rows_that_hardly_differ(64)
    if between == "places":
        numbers = numbers_of(rows_that_hardly_differ(16_000), size=64).T
    elif between == "rows":
        numbers = numbers_of(X, size=16_000)
    elif between == "seeds":
        numbers = np.stack([numbers_of(X, seed, 250).ravel() for seed in range(64)])
    else:
        numbers = numbers_of(np.repeat(X[:1], 64, axis=0), size=16_000)
    correlations = np.corrcoef(numbers)[np.triu_indices(64, 1)] * np.sqrt(numbers.shape[1])
    assert stats.kstest(correlations, "norm").pvalue > ALPHA
    assert np.abs(correlations).max() < stats.norm.isf(ALPHA / 2 / len(correlations))
    # Neighbours fall into the cells of a grid equally often.
    for one, other in ((numbers[:-1], numbers[1:]), (numbers[:, :-1], numbers[:, 1:])):
        counts = np.histogram2d(one.ravel(), other.ravel(), 16, [[0, 1], [0, 1]])[0]
        assert stats.chisquare(counts.ravel()).pvalue > ALPHA


@pytest.mark.parametrize("bits", [0, 2**64 - 1])
def test_numbers_are_between_zero_and_one(monkeypatch, bits):
    monkeypatch.setattr(streams, "mixed", lambda own: np.full_like(own, bits))
    numbers = Streams(np.zeros(2, dtype=np.uint64)).uniforms(0, 3)
    assert ((numbers > 0) & (numbers < 1)).all()
    assert_array_equal(np.abs(numbers - (bits > 0)), 0.5 / 2**PRECISION)


def test_a_stream_follows_from_the_row_and_not_from_its_place(monkeypatch):
    X = rows_that_hardly_differ(160)
    expected, order = numbers_of(X), np.random.RandomState(1).permutation(160)
    assert_array_equal(numbers_of(X[order]), expected[order])
    assert_array_equal(numbers_of(X[7:8]), expected[7:8])
    own = Streams.of(X, np.random.RandomState(0))
    assert_array_equal(own.of_rows(order[:9]).uniforms(5, 7), expected[order[:9], 5:12])
    assert own.uniforms(0, 0).shape == (160, 0)
    for size in (1, 100, 10**6):
        monkeypatch.setattr(streams, "CHUNK_NUMBERS", size)
        assert_array_equal(own.uniforms(0, 40), expected)


def test_equal_rows_have_streams_of_their_own_in_turn():
    X = rows_that_hardly_differ(32)
    several = numbers_of(np.r_[X, X, X[:3]])
    assert len(np.unique(several)) == several.size
    assert_array_equal(several[:32], numbers_of(X))
    # Whatever else is between them, the second of equal rows is the second.
    assert_array_equal(numbers_of(np.r_[X[:1], X[5:9], X[:1]])[-1], several[32])


def test_seeds_are_drawn():
    X, rng = rows_that_hardly_differ(32), np.random.RandomState(0)
    first, second = (Streams.of(X, rng).uniforms(0, 40) for _ in range(2))
    assert_array_equal(first, numbers_of(X))
    assert len(np.unique([first, second, numbers_of(X, 1)])) == 3 * first.size
