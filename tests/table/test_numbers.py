"""Numbers of any type, read chunk by chunk, and a pass over all of them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmade._table.numbers import Numbers, survey


@pytest.fixture
def X():
    X = np.random.RandomState(0).normal(size=(100, 3))
    X[:, 1] = X[:, 1] > 0
    X[::5] = np.nan
    X[7, 2] = np.inf
    return X


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint64", "bool"])
def test_numbers_of_any_type_are_read_as_float64(dtype):
    array = np.arange(12).reshape(6, 2).astype(dtype)
    for own in (array, np.asfortranarray(array)):
        read = Numbers(own)[1:4]
        assert read.dtype == np.float64
        assert read.flags.c_contiguous
        assert_array_equal(read, array[1:4])


@pytest.mark.parametrize("kept", [None, np.array([3, 4, 50, 99])])
def test_chunks_are_all_rows_in_order(X, monkeypatch, kept):
    monkeypatch.setattr("skmade._table.numbers.CHUNK_ROWS", 3)
    numbers = Numbers(X, kept)
    parts = list(numbers.chunks())
    expected = X if kept is None else X[kept]
    assert_array_equal(np.concatenate([chunk for _, chunk in parts]), expected)
    assert_array_equal(np.concatenate([numbers[rows] for rows, _ in parts]), expected)
    assert max(len(chunk) for _, chunk in parts) == 3
    assert_array_equal(numbers.only(np.array([1, 2]))[:], expected[[1, 2]])


def test_chunks_keep_within_memory(X):
    sizes = {len(chunk) for _, chunk in Numbers(X).chunks(max_bytes=3 * 8 * 8 * 10)}
    assert sizes == {10}
    assert {len(chunk) for _, chunk in Numbers(X).chunks(max_bytes=1)} == {1}


@pytest.mark.parametrize("chunk_rows", [1, 7, 1000])
def test_a_survey_is_of_all_rows(X, monkeypatch, chunk_rows):
    monkeypatch.setattr("skmade._table.numbers.CHUNK_ROWS", chunk_rows)
    weight = np.random.RandomState(1).uniform(size=100)
    told = survey(Numbers(X), weight)
    assert told.n_infinite.tolist() == [0, 0, 1]
    assert told.n_observed.tolist() == [80] * 3
    assert_allclose(told.missing, np.average(np.isnan(X), axis=0, weights=weight))
    assert told.zero_one.tolist() == [False, True, False]
    expected = np.nanargmin(X, axis=0), np.nanargmax(X, axis=0)
    assert_array_equal(told.extremes, expected)


def test_without_weights_rows_count_the_same(X):
    assert_allclose(survey(Numbers(X)).missing, 0.2)
