"""Rows of fit are told by their cells."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmade._anomaly.seen import Seen, hashes


def test_equal_rows_have_equal_hashes():
    rows = np.array([[0.0, np.nan, 1.0], [-0.0, -np.nan, 1.0]])
    assert len(np.unique(hashes(rows))) == 1
    assert_array_equal(hashes(np.asfortranarray(rows)), hashes(rows))


def test_other_rows_have_other_hashes():
    """Small integers and their permutations too, whose bits are mostly zero."""
    grid = np.stack(np.meshgrid(*[np.arange(-3.0, 4)] * 5), axis=-1).reshape(-1, 5)
    assert len(np.unique(hashes(grid))) == len(grid)
    cells = np.random.RandomState(0).normal(size=(20_000, 2))
    assert len(np.unique(hashes(np.r_[cells, cells[:, ::-1]]))) == 40_000
    assert hashes(cells * (1 + 1e-6))[0] != hashes(cells)[0]


@pytest.mark.parametrize("magnitude", [1e-300, 1.0, 1e300])
def test_rounding_noise_makes_no_other_row(magnitude):
    cells = np.random.RandomState(0).normal(size=(500, 3)) * magnitude
    cells[0] = [0.0, np.nan, -1.0]
    expected = hashes(cells)
    assert len(np.unique(expected)) == 500
    for noisy in (cells * (1 + 2**-52), np.nextafter(cells, np.inf)):
        noisy = np.where(cells == 0, 0, noisy)
        assert (hashes(noisy) == expected).mean() > 0.99
    if magnitude == 1:
        assert_array_equal(hashes(cells.astype(np.float32).astype(np.float64)), expected)


def test_seen_rows_have_their_scores_and_others_keep_theirs():
    rows = np.arange(12.0).reshape(4, 3)
    seen = Seen.of(rows, np.array([1.0, 2.0, 3.0, 4.0]), np.ones(4))
    asked = np.r_[rows[::-1], rows + 0.5]
    expected = [4.0, 3.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert_allclose(seen.recalled(asked, np.zeros(8)), expected)


def test_equal_rows_share_the_mean_by_weight():
    seen = Seen.of(np.ones((3, 2)), np.array([0.0, 3.0, 6.0]), np.array([1.0, 1.0, 2.0]))
    assert_allclose(seen.recalled(np.ones((1, 2)), np.zeros(1)), 15 / 4)
    assert seen.weight.sum() == 4
