"""A matrix of numbers and codes becomes a table like the one of fit again."""

import numpy as np
import pandas as pd
import polars as pl
from numpy.testing import assert_array_equal

from skmade._table.frame import learn_layout, open_frame, to_numbers
from skmade._table.rebuild import to_table
from tests.mixed_table import one_column_of_each_dtype


def test_numbers_become_the_same_data_frame():
    table = one_column_of_each_dtype().ffill().bfill()
    layout = learn_layout(open_frame(table), ["auto"] * 12)
    again = to_table(layout, to_numbers(layout, open_frame(table)), index=table.index)
    pd.testing.assert_frame_equal(again, table)


def test_draws_of_integers_are_rounded_into_their_dtype():
    table = pd.DataFrame(
        {"a": np.array([1, 2], dtype=np.int8), "b": pd.array([3, 4], dtype="UInt8")}
    )
    layout = learn_layout(open_frame(table), ["auto"] * 2)
    drawn = to_table(layout, np.array([[1.6, -3.0], [400.0, 2.4]]))
    assert drawn["a"].tolist() == [2, 127]
    assert drawn["b"].tolist() == [0, 2]
    assert drawn.dtypes.tolist() == table.dtypes.tolist()


def test_polars_in_polars_out():
    table = pl.DataFrame(
        {
            "a": [1, 2, 3],
            "b": [0.5, 1.5, 2.5],
            "c": ["x", "y", "x"],
            "d": pl.Series(["u", "v", "u"], dtype=pl.Categorical),
            "e": pl.Series(["u", "v", "u"], dtype=pl.Enum(["v", "u", "w"])),
            "f": [True, False, True],
        }
    )
    layout = learn_layout(open_frame(table), ["auto"] * 6)
    assert layout.levels[2:] == [["x", "y"], ["u", "v"], ["v", "u", "w"], [False, True]]
    again = to_table(layout, to_numbers(layout, open_frame(table)))
    assert again.equals(table)
    assert again.schema == table.schema
    holes = table.with_columns(pl.when(pl.col("a") > 1).then(pl.col("c")).alias("c"))
    assert_array_equal(to_numbers(layout, open_frame(holes))[:, 2], [np.nan, 1, 0])


def test_labels_of_an_array_are_given_back():
    table = np.array([[1, "a"], [2, "b"], [3, None]], dtype=object)
    layout = learn_layout(open_frame(table), ["auto", "categorical"])
    numbers = to_numbers(layout, open_frame(table))
    assert_array_equal(numbers, [[1, 0], [2, 1], [3, np.nan]])
    assert to_table(layout, numbers[:2]).tolist() == [[1, "a"], [2, "b"]]
    codes = np.array([[10.0, 0.5], [20.0, 1.5]])
    layout = learn_layout(open_frame(codes), ["categorical", "auto"])
    again = to_table(layout, to_numbers(layout, open_frame(codes)))
    assert again.dtype == np.float64
    assert_array_equal(again, codes)
