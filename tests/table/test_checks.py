"""What is refused or warned of names the column, and the user's line."""

from functools import partial

import numpy as np
import pytest

from skmade._table.checks import (
    MANY_LEVELS,
    check_cells,
    check_kinds,
    check_known,
    check_present,
    warn_constant,
    warn_free_text,
    warn_user,
)
from skmade._table.numbers import Numbers, survey
from tests.table.learned import column, layout_of, learn


def test_infinite_cells_are_named():
    X = np.array([[0.0, 1.0], [np.nan, -np.inf]])
    with pytest.raises(ValueError, match=r"contains infinity in column 'size' \(1 rows\)"):
        check_cells(survey(Numbers(X)).n_infinite, layout_of(2, names=["age", "size"]))
    check_cells(np.zeros(2), layout_of(2))


def test_columns_without_any_cell_are_named():
    X = np.array([[0.0, np.nan], [1.0, np.nan]])
    with pytest.raises(ValueError, match="contains NaN in every row of column 1"):
        check_present(survey(Numbers(X)).n_observed, layout_of(2))
    check_present(np.array([2]), layout_of(1))


@pytest.mark.parametrize(
    ("kind", "value", "lowest", "message"),
    [
        ("binary", 2.0, -np.inf, "'b' is binary.* row 1 holds 2"),
        ("count", 0.5, -np.inf, "'b' is a count, but row 1 holds 0.5.*'continuous'"),
        ("count", -1.0, 0.0, "'b' is a count that was never negative in fit, but row 1"),
    ],
)
def test_values_that_a_kind_cannot_take_are_named(kind, value, lowest, message):
    kinds, layout = np.array(["continuous", kind]), layout_of(2, names=["a", "b"])
    lowest = np.array([-np.inf, lowest])
    check_kinds(kinds, np.array([[0.5, 1.0], [0.5, np.nan]]), layout, lowest)
    with pytest.raises(ValueError, match=message):
        check_kinds(kinds, np.array([[0.5, 1.0], [0.5, value]]), layout, lowest)
    with pytest.raises(ValueError, match=message.replace("row 1", "row 701")):
        check_kinds(kinds, np.array([[0.5, 1.0], [0.5, value]]), layout, lowest, 700)


def test_unknown_labels_are_named():
    layout = layout_of(1, [["a", "b"]], names=["size"])
    with pytest.raises(ValueError, match=r"'size' of X holds 'c'.*known: 'a', 'b'.*smoothed"):
        check_known("X", {0: ["c", "d"]}, layout)
    check_known("X", {}, layout)


def test_constant_columns_are_named():
    layout = layout_of(2, names=["age", "income"])
    table = learn([[0.5, 5.0], [1.5, 5.0], [2.5, 5.0]])
    with pytest.warns(UserWarning, match="Constant in fit: column 'income'\\. Their") as caught:
        warn_constant(table, layout)
    assert caught[0].filename == __file__
    warn_constant(learn(column([0.5, 1.5])), layout_of(1))


def test_free_text_is_named():
    levels = [["a", "b"], [f"name {number}" for number in range(MANY_LEVELS)]]
    layout = layout_of(2, levels, names=["group", "name"])
    with pytest.warns(UserWarning, match="column 'name' has 100 levels in 200 rows") as caught:
        warn_free_text(layout, 200)
    assert len(caught) == 1
    warn_free_text(layout, 201)


def called_from(modules, function):
    """Return a function that calls another one by way of modules, the last of them first."""
    for name in modules:
        namespace = {"__name__": name, "inner": function}
        exec(compile("def call():\n    inner()", f"{name}.py", "exec"), namespace)
        function = namespace["call"]
    return function


@pytest.mark.parametrize(
    "between", [[], ["skmade._fitting"], ["skmade", "sklearn.base", "joblib.parallel", "skops"]]
)
def test_warnings_are_at_the_line_of_the_user(between):
    warn = called_from(between, partial(warn_user, "Look here.", FutureWarning))
    with pytest.warns(FutureWarning, match="^Look here") as caught:
        warn()
    assert caught[0].filename == __file__


def test_modules_that_are_named_alike_are_of_the_user():
    warn = called_from(["skmade._fitting", "skmade_tools"], partial(warn_user, "Look here."))
    with pytest.warns(UserWarning, match="^Look here") as caught:
        warn()
    assert caught[0].filename == "skmade_tools.py"
