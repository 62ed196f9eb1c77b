"""Tables that are read together, whatever holds them."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import eye_array

from skmade.metrics._tables import read_together
from skmade.metrics._trees import MAX_LABELS, matrices

from .conftest import NAMES, as_array, in_other_types

NAN = np.nan


def read(one, other):
    return read_together({"X_real": one, "X_drawn": other})


def column(one, other):
    """Read two tables of one column."""
    (found,) = read(pd.DataFrame({"c": one}), pd.DataFrame({"c": other}))
    return found


def test_what_holds_a_table_is_no_information(real):
    expected = [column.cells[0] for column in read(real, real)]
    tables = [
        in_other_types(real)[NAMES],
        pl.from_pandas(real),
        pl.from_pandas(real).lazy(),
        pl.from_pandas(real).to_arrow(),
        as_array(real),
        as_array(real).tolist(),
    ]
    for table in tables:
        columns = read(real, table)
        assert [column.name for column in columns] == NAMES
        assert [column.labels is None for column in columns] == [True, False, True, False, True]
        for own, cells in zip(columns, expected, strict=True):
            assert_array_equal(own.cells[0], cells)
            assert_array_equal(own.cells[1], cells)


def test_the_order_of_columns_is_that_of_the_first(real):
    for found in read(real, in_other_types(real)):
        assert_array_equal(*found.cells)


@pytest.mark.parametrize(
    ("one", "other", "cells"),
    [
        ([1, 2], [1.5, NAN], [[1, 2], [1.5, NAN]]),
        ([True, False], [0.0, 1.0], [[1, 0], [0, 1]]),
        (pd.to_timedelta([1, None], unit="h"), [datetime.timedelta(hours=2)] * 2, 3600),
        ([datetime.time(1), None], [datetime.time(2)] * 2, 3600),
        (pd.array([1, None], dtype="Int64"), [2, 2], 1),
    ],
)
def test_numbers(one, other, cells):
    found = column(one, other)
    assert found.labels is None
    expected = [[cells, NAN], [2 * cells] * 2] if np.ndim(cells) == 0 else cells
    assert_array_equal(found.cells, expected)


@pytest.mark.parametrize(
    ("one", "other", "labels"),
    [
        (["a", "b"], pd.Categorical(["c", None]), ("a", "b", "c")),
        ([True, False], ["True", "no"], ("False", "True", "no")),
        ([True, False], [False, True], ("False", "True")),
        (pd.Categorical([1, 2]), [2.0, 3.0], ("1", "2", "3")),
        (pd.Categorical([1, 2]), ["2", "x"], ("1", "2", "x")),
        (["a", "b"], [None, None], ("a", "b")),
        (["a", "b"], [NAN, NAN], ("a", "b")),
    ],
)
def test_labels(one, other, labels):
    found = column(one, other)
    assert found.labels == labels
    known = [[label for label in own if not pd.isna(label)] for own in (one, other)]
    for cells, own in zip(found.cells, known, strict=True):
        texts = [labels[int(code)] for code in cells[~np.isnan(cells)]]
        assert texts == [str(int(c) if isinstance(c, float) else c) for c in own]


def test_times_in_zones_are_the_same_as_in_utc():
    utc = pd.to_datetime(["2020-01-01 12:00", None])
    zoned = utc.tz_localize("UTC").tz_convert("Asia/Tokyo")
    for other in (zoned, [zoned[0].to_pydatetime(), None]):
        assert_array_equal(*column(utc, other).cells)


def test_masked_cells_are_missing():
    masked = np.ma.masked_array(np.eye(2), mask=[[True, False], [False, False]])
    assert_array_equal(
        [found.cells[0] for found in read(masked, np.eye(2))], [[NAN, 0], [0, 1]]
    )


def test_decimals_that_are_no_number_are_missing():
    cells = column([Decimal("sNaN"), Decimal("NaN"), Decimal("0.5")], [1.0]).cells
    assert_array_equal(cells[0], [NAN, NAN, 0.5])


def test_lazy_tables_of_dask_are_told_by_their_names(real):
    dask = pytest.importorskip("dask.dataframe")
    lazy = dask.from_pandas(real[NAMES[::-1]], npartitions=2)
    for found in read(real, lazy):
        assert_array_equal(*found.cells)


def test_huge_numbers_have_finite_sums():
    huge = pd.DataFrame({"a": [1.7e308, -1.7e308, NAN], "b": [1.0, 2, 3]})
    (first, second) = matrices(read(huge, huge))
    assert np.isfinite(np.ptp(first[:2, 0]))
    assert_array_equal(first, second)
    assert_array_equal(first[:, 1], huge["b"])


def test_a_column_without_cells_is_numbers():
    assert column([None, None], [NAN, NAN]).labels is None


def test_rare_labels_share_a_code():
    common = [str(k) for k in range(200)] * 3
    rare = [f"rare {k}" for k in range(100)]
    found = column(common, rare + [None] * 500)
    common_codes, rare_codes = (matrix[:, 0] for matrix in matrices([found]))
    assert len(np.unique(common_codes)) == 200
    assert len(np.unique(rare_codes[:100])) == MAX_LABELS - 200
    assert np.isnan(rare_codes[100:]).all()
    assert max(common_codes.max(), rare_codes[:100].max()) == MAX_LABELS - 1


TABLE = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})


@pytest.mark.parametrize(
    ("one", "other", "kind", "problem"),
    [
        (TABLE, TABLE[["a"]], ValueError, r"X_drawn lacks \['b'\]"),
        (TABLE[["a"]], TABLE, ValueError, r"X_real lacks \['b'\]"),
        (TABLE, TABLE.to_numpy()[:, :1], ValueError, "numbers of columns, 2 and 1"),
        (np.eye(2), np.eye(3), ValueError, "numbers of columns, 2 and 3"),
        (TABLE, TABLE[["b", "b"]], ValueError, "X_drawn has several columns called 'b'"),
        (TABLE, TABLE[:0], ValueError, "X_drawn is empty: it has 0 rows and 2 columns"),
        (np.zeros((3, 0)), np.zeros((3, 0)), ValueError, "X_real is empty"),
        (TABLE["a"], TABLE, ValueError, "X_real must have rows and columns"),
        (eye_array(2).tocsr(), np.eye(2), TypeError, r"pass X_real.toarray\(\)"),
        (TABLE, TABLE.assign(a=[1, np.inf]), ValueError, "'a' of X_drawn has infinite cells"),
        (
            TABLE,
            TABLE.assign(a=["1", "2"]),
            ValueError,
            "'a' holds numbers in X_real, but text",
        ),
        (TABLE.assign(a=pd.Timestamp(0)), TABLE, ValueError, "'a' holds dates in X_real, but"),
        (TABLE.assign(b=True), TABLE.assign(b=pd.Timestamp(0)), ValueError, "truth values"),
        (
            TABLE,
            TABLE.assign(b=[3 + 1j, 1j]),
            TypeError,
            "'b' of X_drawn holds complex numbers",
        ),
        (
            pl.DataFrame({"l": [[1]]}),
            pl.DataFrame({"l": [[1]]}),
            TypeError,
            "'l' of X_real holds",
        ),
        *(
            (
                TABLE,
                TABLE.assign(b=[cell, cell]),
                TypeError,
                f"'b' of X_drawn holds cells of {of}",
            )
            for cell, of in (
                ([1], "type list"),
                (np.ones(2), "type ndarray"),
                ({}, "type dict"),
            )
        ),
        (
            TABLE,
            TABLE.assign(b=[10**400, 1]),
            TypeError,
            "'b' of X_drawn holds a number beyond those that floats can hold: convert it",
        ),
        (
            pd.DataFrame({"l": [b"a"]}),
            pd.DataFrame({"l": ["a"]}),
            ValueError,
            "'l' holds bytes in X_real, but text in X_drawn",
        ),
        (TABLE, [[1, 2], [3]], ValueError, "X_drawn is no table, as its rows are not of the"),
    ],
)
def test_refusals(one, other, kind, problem):
    with pytest.raises(kind, match=problem):
        read(one, other)
