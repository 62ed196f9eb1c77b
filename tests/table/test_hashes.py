"""Hashes of rows."""

import numpy as np
from numpy.testing import assert_array_equal

from skmade._table.hashes import mixed, row_hashes


def test_equal_rows_have_equal_hashes():
    rows = np.array([[0.0, np.nan, 1.0], [-0.0, -np.nan, 1.0]])
    assert len(np.unique(row_hashes(rows))) == 1
    assert_array_equal(row_hashes(np.asfortranarray(rows)), row_hashes(rows))
    assert_array_equal(row_hashes(rows[:0]), [])


def test_other_rows_have_other_hashes():
    """Rows that differ in the last bit of one cell, or in which cells are missing, too."""
    cells = np.random.RandomState(0).normal(size=(20_000, 2))
    near = np.nextafter(cells, np.inf)
    rows = np.r_[cells, cells[:, ::-1], np.c_[near[:, 0], cells[:, 1]], near]
    rows = np.r_[rows, np.where([True, False], np.nan, cells), [[np.nan, np.nan]]]
    assert len(np.unique(row_hashes(rows))) == 100_001


def test_one_bit_changes_half_of_all():
    bits = np.random.RandomState(0).randint(2**64, size=2000, dtype=np.uint64)
    for place in range(64):
        changed = mixed(bits) ^ mixed(bits ^ np.uint64(1 << place))
        assert abs(np.bitwise_count(changed).mean() - 32) < 1
