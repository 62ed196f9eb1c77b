import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from skmade._table import frame
from skmade._table.rebuild import to_table

DATES = pd.date_range("2020-01-01", periods=2)
WRONG_TYPES = {
    "text": (np.array([[1, "x"], [2, "y"]], dtype=object), "column 1 of X is not numeric.*'x'"),
    "text that parses": (np.array([["1", "2"]]), "column 0 of X is not numeric"),
    "bytes": (np.array([[b"1", b"2"]]), "column 0 of X is not numeric"),
    "text column": (pd.DataFrame({"a": [1], "b": ["01234"]}), "column 'b' of X is not numeric"),
    "dates": (pd.DataFrame({"a": [1, 2], "when": DATES}), "column 'when' of X holds dates"),
    "only dates": (pd.DataFrame({"when": DATES}), "column 'when' of X holds dates"),
    "date array": (DATES.to_numpy()[:, None], "column 0 of X holds dates"),
    "durations": ((DATES - DATES[0]).to_numpy()[:, None], "column 0 of X holds dates"),
    "huge integer": ([[1, 10**400]], "column 1 of X holds an integer too large"),
    "names that are numbers": (
        pd.DataFrame({7: [1], 8: ["x"]}),
        "column 8 of X is not numeric",
    ),
}


@pytest.mark.parametrize(("table", "message"), WRONG_TYPES.values(), ids=WRONG_TYPES.keys())
def test_text_and_dates_are_refused(table, message):
    with pytest.raises(TypeError, match=message):
        frame.check_types(table)


def test_numbers_of_any_type_pass():
    for table in (np.ones((2, 2)), [[1, None]], pd.DataFrame({"a": [1, 2]}, dtype="Int64")):
        frame.check_types(table)


def mixed_frame():
    """Return a DataFrame with a column of every dtype, and holes."""
    return pd.DataFrame(
        {
            "int": [1, 2, 3],
            "float32": np.array([0.5, np.nan, 1.5], dtype=np.float32),
            "nullable": pd.array([1, None, 3], dtype="Int64"),
            "bool": [True, False, True],
            "boolean": pd.array([True, None, False], dtype="boolean"),
            "str": ["x", None, "z"],
            "string": pd.array(["q", None, "p"], dtype="string"),
            "category": pd.Categorical(["u", "v", None], categories=["v", "u", "w"]),
            "ordered": pd.Categorical(["low", "high", None], ["low", "high"], ordered=True),
            "numbers": pd.Categorical([10, 20, None]),
            "object": np.array([1, "a", None], dtype=object),
            7: np.array([1, 2.5, None], dtype=object),
        }
    )


EXPECTED_LEVELS = {
    "bool": [False, True],
    "boolean": [False, True],
    "str": ["x", "z"],
    "string": ["p", "q"],
    "category": ["v", "u", "w"],
    "ordered": ["low", "high"],
    "numbers": [10, 20],
    "object": [1, "a"],
}


def test_columns_of_a_data_frame_become_numbers_and_codes():
    table = mixed_frame()
    layout = frame.learn_layout(table, ["auto"] * 12)
    assert layout.container == "pandas"
    assert layout.names == list(table.columns)
    for name, levels in zip(layout.names, layout.levels, strict=True):
        assert levels == EXPECTED_LEVELS.get(name)
    numbers = frame.to_numbers(layout, table)
    assert_array_equal(np.isnan(numbers), table.isna())
    by_name = dict(zip(layout.names, numbers.T, strict=True))
    assert_array_equal(by_name["nullable"], [1, np.nan, 3])
    assert_array_equal(by_name["category"], [1, 0, np.nan])
    assert_array_equal(by_name["string"], [1, np.nan, 0])
    assert_array_equal(by_name["object"], [0, 1, np.nan])


def test_numbers_become_the_same_data_frame():
    table = mixed_frame().ffill().bfill()
    layout = frame.learn_layout(table, ["auto"] * 12)
    again = to_table(layout, frame.to_numbers(layout, table), index=table.index)
    pd.testing.assert_frame_equal(again, table)


def test_draws_of_integers_are_rounded_into_their_dtype():
    table = pd.DataFrame(
        {"a": np.array([1, 2], dtype=np.int8), "b": pd.array([3, 4], dtype="UInt8")}
    )
    layout = frame.learn_layout(table, ["auto"] * 2)
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
    layout = frame.learn_layout(table, ["auto"] * 6)
    assert layout.levels[2:] == [["x", "y"], ["u", "v"], ["v", "u", "w"], [False, True]]
    again = to_table(layout, frame.to_numbers(layout, table))
    assert again.equals(table)
    assert again.schema == table.schema
    holes = table.with_columns(pl.when(pl.col("a") > 1).then(pl.col("c")).alias("c"))
    assert_array_equal(frame.to_numbers(layout, holes)[:, 2], [np.nan, 1, 0])


def test_categories_of_polars_columns_are_their_own():
    first = pl.Series(["u", "v"], dtype=pl.Categorical)
    second = pl.Series(["p", "q"], dtype=pl.Categorical)
    layout = frame.learn_layout(pl.DataFrame({"a": first, "b": second}), ["auto"] * 2)
    assert layout.levels == [["u", "v"], ["p", "q"]]


def test_labels_of_an_array_are_given_back():
    table = np.array([[1, "a"], [2, "b"], [3, None]], dtype=object)
    layout = frame.learn_layout(table, ["auto", "categorical"])
    numbers = frame.to_numbers(layout, table)
    assert_array_equal(numbers, [[1, 0], [2, 1], [3, np.nan]])
    assert to_table(layout, numbers[:2]).tolist() == [[1, "a"], [2, "b"]]
    codes = np.array([[10.0, 0.5], [20.0, 1.5]])
    layout = frame.learn_layout(codes, ["categorical", "auto"])
    again = to_table(layout, frame.to_numbers(layout, codes))
    assert again.dtype == np.float64
    assert_array_equal(again, codes)


def test_lists_with_text_keep_their_numbers():
    layout = frame.learn_layout([[1.5, "a"], [2.5, "b"]], ["auto", "categorical"])
    assert_array_equal(frame.to_numbers(layout, [[1.5, "b"]]), [[1.5, 1]])


def test_labels_without_a_code_are_found_and_kept():
    table = pd.DataFrame({"a": ["x", "y"]})
    layout = frame.learn_layout(table, ["auto"])
    other = pd.DataFrame({"a": ["y", "w", None, "v", "w"]})
    numbers = frame.to_numbers(layout, other)
    assert_array_equal(numbers[:, 0], [1, frame.UNKNOWN, np.nan, frame.UNKNOWN, frame.UNKNOWN])
    unknown = frame.unknown_labels(layout, numbers, other)
    assert unknown == {0: ["w", "v"]}
    more = frame.extended(layout, unknown)
    assert more.levels == [["x", "y", "w", "v"]]
    assert to_table(more, np.array([[2.0]]))["a"].tolist() == ["w"]


def test_text_in_a_column_of_numbers_is_named():
    layout = frame.learn_layout(pd.DataFrame({"age": [1, 2]}), ["auto"])
    with pytest.raises(TypeError, match="column 'age' of X is not numeric: it holds 'old'"):
        frame.to_numbers(layout, pd.DataFrame({"age": ["old"]}))


@pytest.mark.parametrize(
    ("feature_types", "message"),
    [
        (["auto"], "1 words for 2 columns"),
        (["auto", "counts"], "column 1 is 'counts'"),
        ({"z": "binary"}, "names 'z', which is no column"),
    ],
)
def test_wrong_feature_types_are_refused(feature_types, message):
    with pytest.raises(ValueError, match=message):
        frame.column_words(feature_types, 2, None, ("auto", "binary"))
