"""Functions over the blocks of tables of dask."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from skmade._dask import partitions as _blocks

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
    """Return the same rows in blocks of several shapes."""
    array = da.from_array(ROWS, chunks=(4, 4))
    return {
        "array": array,
        "columns apart": da.from_array(ROWS, chunks=(3, 2)),
        "sizes unknown": array[array[:, 0] >= 0],
        "both": da.from_array(ROWS, chunks=(3, 2))[array[:, 0] >= 0],
        "frame": dd.from_pandas(FRAME, npartitions=3),
    }


@pytest.mark.parametrize("name", tables())
def test_blocks_are_whole_rows_in_order(name):
    X = tables()[name]
    assert _blocks.is_blocked(X)
    blocks = _blocks.together(_blocks.map_blocks(np.asarray, X))
    assert len(blocks) == len(_blocks.row_counts(X)) > 1
    assert_array_equal(np.concatenate(blocks), ROWS)
    assert _blocks.empty_like(X).shape == (0, 4)
    assert list(getattr(_blocks.empty_like(X), "columns", "abcd")) == list("abcd")


@pytest.mark.parametrize("X", [ROWS, FRAME, [[1.0]], None, dask.delayed(ROWS)])
def test_tables_in_memory_have_no_blocks(X):
    assert not _blocks.is_blocked(X)


@pytest.mark.parametrize(
    "X", [da.from_array(ROWS[0]), dd.from_pandas(FRAME["a"], npartitions=2)]
)
def test_tables_have_two_dimensions(X):
    with pytest.raises(ValueError, match="got 1 dimension"):
        _blocks.empty_like(X)


def test_columns_have_to_be_counted():
    X = da.from_array(ROWS, chunks=(4, 4))
    X = X[:, X[0] >= 0]
    with pytest.raises(ValueError, match=r"by X\.compute_chunk_sizes\(\)"):
        _blocks.empty_like(X)
    assert _blocks.empty_like(X.compute_chunk_sizes()).shape == (0, 4)


@pytest.mark.parametrize("name", tables())
def test_results_are_stacked_as_they_are_asked_for(name):
    X, calls = tables()[name], []

    def scaled_sum(block, own, factor):
        calls.append(own)
        return factor * np.asarray(block).sum(axis=1)

    n_blocks = len(_blocks.row_counts(X))
    parts = _blocks.map_blocks(scaled_sum, X, 2.0, each=[(i,) for i in range(n_blocks)])
    result = _blocks.stacked(parts, X, np.empty(0))
    assert calls == []
    assert_array_equal(result.compute(), 2 * ROWS.sum(axis=1))
    assert sorted(calls) == list(range(n_blocks))
    known = not np.isnan(_blocks.row_counts(X)).any()
    assert result.shape == (10,) if known else np.isnan(result.shape[0])


def test_frames_are_stacked_with_their_index():
    X = dd.from_pandas(FRAME.set_index(FRAME["a"] + 1), npartitions=3)
    parts = _blocks.map_blocks(lambda block: block * 2, X)
    doubled = _blocks.stacked(parts, X, FRAME.iloc[:0])
    assert doubled.divisions == X.divisions
    pd.testing.assert_frame_equal(doubled.compute(), 2 * X.compute())


def test_results_of_several_blocks_go_into_one_call():
    parts = _blocks.map_blocks(np.sum, da.from_array(ROWS, chunks=(5, 4)))
    total = _blocks.join(lambda sums, factor: factor * sum(sums), parts, _blocks.shared(3.0))
    assert _blocks.together([total]) == [3 * ROWS.sum()]


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
    def fails(block, number):
        if number == 1:
            raise error

    X = da.from_array(ROWS, chunks=(4, 4))
    tasks = _blocks.map_blocks(fails, X, each=[(0,), (1,), (2,)])
    with pytest.raises(kind, match=r"^Partition 1 of X: ") as told:
        _blocks.together(tasks)
    assert told.value.__cause__ is error
