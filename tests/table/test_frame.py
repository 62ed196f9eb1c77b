"""The user's table as a matrix of numbers and codes, and what is refused."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from skmade._table.frame import (
    UNKNOWN,
    check_types,
    column_words,
    learn_layout,
    open_frame,
    to_numbers,
    unknown_labels,
)
from skmade._table.layout import extended
from skmade._table.rebuild import to_table
from tests.mixed_table import one_column_of_each_dtype

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
        check_types(open_frame(table))


def test_numbers_of_any_type_pass():
    for table in (np.ones((2, 2)), [[1, None]], pd.DataFrame({"a": [1, 2]}, dtype="Int64")):
        check_types(open_frame(table))


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
    table = one_column_of_each_dtype()
    frame = open_frame(table)
    layout = learn_layout(frame, ["auto"] * 12)
    assert layout.container == "pandas"
    assert layout.names == list(table.columns)
    for name, levels in zip(layout.names, layout.levels, strict=True):
        assert levels == EXPECTED_LEVELS.get(name)
    numbers = to_numbers(layout, frame)
    assert_array_equal(np.isnan(numbers), table.isna())
    by_name = dict(zip(layout.names, numbers.T, strict=True))
    assert_array_equal(by_name["nullable"], [1, np.nan, 3])
    assert_array_equal(by_name["category"], [1, 0, np.nan])
    assert_array_equal(by_name["string"], [1, np.nan, 0])
    assert_array_equal(by_name["object"], [0, 1, np.nan])


def test_categories_of_polars_columns_are_their_own():
    first = pl.Series(["u", "v"], dtype=pl.Categorical)
    second = pl.Series(["p", "q"], dtype=pl.Categorical)
    frame = open_frame(pl.DataFrame({"a": first, "b": second}))
    layout = learn_layout(frame, ["auto"] * 2)
    assert layout.levels == [["u", "v"], ["p", "q"]]


def test_lists_with_text_keep_their_numbers():
    layout = learn_layout(open_frame([[1.5, "a"], [2.5, "b"]]), ["auto", "categorical"])
    assert_array_equal(to_numbers(layout, open_frame([[1.5, "b"]])), [[1.5, 1]])


def test_labels_without_a_code_are_found_and_kept():
    layout = learn_layout(open_frame(pd.DataFrame({"a": ["x", "y"]})), ["auto"])
    other = open_frame(pd.DataFrame({"a": ["y", "w", None, "v", "w"]}))
    numbers = to_numbers(layout, other)
    assert_array_equal(numbers[:, 0], [1, UNKNOWN, np.nan, UNKNOWN, UNKNOWN])
    unknown = unknown_labels(layout, numbers, other)
    assert unknown == {0: ["w", "v"]}
    more = extended(layout, unknown)
    assert more.levels == [["x", "y", "w", "v"]]
    assert to_table(more, np.array([[2.0]]))["a"].tolist() == ["w"]


def test_text_in_a_column_of_numbers_is_named():
    layout = learn_layout(open_frame(pd.DataFrame({"age": [1, 2]})), ["auto"])
    with pytest.raises(TypeError, match="column 'age' of X is not numeric: it holds 'old'"):
        to_numbers(layout, open_frame(pd.DataFrame({"age": ["old"]})))


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
        column_words(feature_types, 2, None, ("auto", "binary"))
