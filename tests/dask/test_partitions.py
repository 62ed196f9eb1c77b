"""Functions over the partitions of tables of dask."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from skmade._dask import partitions

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")

ROWS = np.arange(40.0).reshape(10, 4)
FRAME = pd.DataFrame(ROWS, columns=list("abcd"))


@pytest.fixture(autouse=True)
def _in_this_thread():
    with dask.config.set(scheduler="sync"):
        yield


def tables():
    """Return the same rows in partitions of several shapes."""
    array = da.from_array(ROWS, chunks=(4, 4))
    return {
        "array": array,
        "columns apart": da.from_array(ROWS, chunks=(3, 2)),
        "sizes unknown": array[array[:, 0] >= 0],
        "both": da.from_array(ROWS, chunks=(3, 2))[array[:, 0] >= 0],
        "frame": dd.from_pandas(FRAME, npartitions=3),
    }


@pytest.mark.parametrize("name", tables())
def test_partitions_are_whole_rows_in_order(name):
    X = tables()[name]
    assert partitions.is_partitioned(X)
    parts = partitions.together(partitions.map_partitions(np.asarray, X))
    assert len(parts) == len(partitions.row_counts(X)) > 1
    assert_array_equal(np.concatenate(parts), ROWS)
    assert partitions.empty_like(X).shape == (0, 4)
    assert list(getattr(partitions.empty_like(X), "columns", "abcd")) == list("abcd")


@pytest.mark.parametrize("X", [ROWS, FRAME, [[1.0]], None, dask.delayed(ROWS)])
def test_tables_in_memory_have_no_partitions(X):
    assert not partitions.is_partitioned(X)


@pytest.mark.parametrize(
    "X", [da.from_array(ROWS[0]), dd.from_pandas(FRAME["a"], npartitions=2)]
)
def test_tables_have_two_dimensions(X):
    with pytest.raises(ValueError, match="got 1 dimension"):
        partitions.empty_like(X)


def test_columns_have_to_be_counted():
    X = da.from_array(ROWS, chunks=(4, 4))
    X = X[:, X[0] >= 0]
    with pytest.raises(ValueError, match=r"by X\.compute_chunk_sizes\(\)"):
        partitions.empty_like(X)
    assert partitions.empty_like(X.compute_chunk_sizes()).shape == (0, 4)


@pytest.mark.parametrize("name", tables())
def test_results_are_stacked_as_they_are_asked_for(name):
    X, calls = tables()[name], []

    def scaled_sum(partition, own, factor):
        calls.append(own)
        return factor * np.asarray(partition).sum(axis=1)

    n_partitions = len(partitions.row_counts(X))
    numbers = [(number,) for number in range(n_partitions)]
    parts = partitions.map_partitions(scaled_sum, X, 2.0, each=numbers)
    result = partitions.stacked(parts, X, np.empty(0))
    assert calls == []
    assert_array_equal(result.compute(), 2 * ROWS.sum(axis=1))
    assert sorted(calls) == list(range(n_partitions))
    known = not np.isnan(partitions.row_counts(X)).any()
    assert result.shape == (10,) if known else np.isnan(result.shape[0])


def test_frames_are_stacked_with_their_index():
    X = dd.from_pandas(FRAME.set_index(FRAME["a"] + 1), npartitions=3)
    parts = partitions.map_partitions(lambda partition: partition * 2, X)
    doubled = partitions.stacked(parts, X, FRAME.iloc[:0])
    assert doubled.divisions == X.divisions
    pd.testing.assert_frame_equal(doubled.compute(), 2 * X.compute())


def test_results_of_several_partitions_go_into_one_call():
    parts = partitions.map_partitions(np.sum, da.from_array(ROWS, chunks=(5, 4)))
    factor = partitions.shared(3.0)
    total = partitions.join(lambda sums, factor: factor * sum(sums), parts, factor)
    assert partitions.together([total]) == [3 * ROWS.sum()]


class Unusual(ValueError):
    """An error that takes more than a message."""

    def __init__(self, first, second):
        super().__init__(first, second)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("bad"), ValueError),
        (TypeError("bad"), TypeError),
        (Unusual(1, 2), ValueError),
    ],
)
def test_errors_name_the_partition(error, kind):
    def fails(partition, number):
        if number == 1:
            raise error

    X = da.from_array(ROWS, chunks=(4, 4))
    tasks = partitions.map_partitions(fails, X, each=[(0,), (1,), (2,)])
    with pytest.raises(kind, match=r"^Partition 1 of X: ") as told:
        partitions.together(tasks)
    assert told.value.__cause__ is error
