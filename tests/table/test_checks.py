"""What is refused or warned of names the column, and the user's line."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from skmade._table.checks import (
    MANY_LEVELS,
    check_binary,
    check_cells,
    check_given,
    check_known,
    check_new_cells,
    check_present,
    warn_constant,
    warn_texts,
    warn_user,
)
from skmade._table.frame import UNKNOWN
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


KINDS = np.array(["continuous", "binary", "count", "continuous"])
LAYOUT = layout_of(4, names=["a", "b", "c", "d"])
BOUNDS = np.array([[-np.inf, -np.inf, 0, 0], [np.inf, np.inf, np.inf, 10]])


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (1, 2.0, "'b' is binary.* row 1 holds 2.*handle_unknown='smoothed'.*'continuous'"),
        (1, 0.5, "'b' is binary.* row 1 holds 0.5"),
        (2, 0.5, "'c' is a count, but row 1 holds 0.5.*'continuous'"),
        (2, -1.0, "'c' holds -1 in row 1, outside of its bounds.*Widen"),
        (3, -1e-9, "'d' holds -1e-09 in row 1, outside of its bounds"),
        (3, 10.5, "'d' holds 10.5 in row 1, outside of its bounds"),
    ],
)
def test_values_that_a_kind_or_bounds_exclude_are_named(column, value, message):
    rows = np.array([[0.5, 1.0, 3, 10], [0.5, 0, 0, 0], [np.nan] * 4])
    check_new_cells(KINDS, BOUNDS, rows, LAYOUT)
    rows[1, column] = value
    with pytest.raises(ValueError, match=message):
        check_new_cells(KINDS, BOUNDS, rows, LAYOUT)
    with pytest.raises(ValueError, match=message.replace("row 1", "row 701")):
        check_new_cells(KINDS, BOUNDS, rows, LAYOUT, 700)
    if "bounds" in message:
        check_new_cells(KINDS, None, rows, LAYOUT)


def test_labels_have_neither_kinds_of_numbers_nor_bounds():
    layout = layout_of(2, [["a", "b"], ["x", "y", "z"]])
    check_new_cells(
        np.array(["binary", "categorical"]), None, np.array([[UNKNOWN, 2.0]]), layout
    )


def test_numbers_beside_zero_and_one_are_named():
    layout = layout_of(2, [None, ["no", "yes"]], names=["a", "b"])
    unseen = np.array([[False, False], [False, True]])
    check_binary(unseen, np.array([[0.0, 1], [1, UNKNOWN]]), layout)
    unseen[1, 0] = True
    with pytest.raises(ValueError, match=r"'a' is binary.* row 8 holds 0\.25"):
        check_binary(unseen, np.array([[0.0, 1], [0.25, UNKNOWN]]), layout, 7)


def test_given_cells_that_no_row_can_have_are_named():
    rng = np.random.RandomState(0)
    money = np.where(rng.random_sample(200) < 0.4, 0, rng.gamma(2, 9, 200))
    X = np.column_stack(
        [money, rng.randint(0, 2, 200), rng.poisson(30, 200), np.full(200, 5.0)]
    )
    table = learn(X)
    assert table.kinds.tolist() == KINDS.tolist()
    check_given(table, np.array([[0.0, 1, 1000, 5], [999, 0, 0, np.nan]]), LAYOUT)
    for position, value, message in (
        (0, -3.0, "'a' is given as -3, .*it holds numbers from 0 to inf. Give another value"),
        (1, 2.0, "'b' is given as 2, which no row can be: it holds 0 or 1"),
        (2, -1.0, "'c' is given as -1, .*it holds whole numbers from 0 to inf"),
        (2, 7.5, "'c' is given as 7.5, .*it holds whole numbers"),
        (3, 5.5, "'d' is given as 5.5, .*it was 5 in every row of fit"),
    ):
        row = np.full((1, 4), np.nan)
        row[0, position] = value
        with pytest.raises(ValueError, match=message):
            check_given(table, row, LAYOUT)


def test_unknown_labels_are_named():
    layout = layout_of(1, [["a", "b"]], names=["size"])
    with pytest.raises(ValueError, match=r"'size' of X holds 'c'.*known: 'a', 'b'.*smoothed"):
        check_known("X", {0: ["c", "d"]}, layout)
    check_known("X", {}, layout)


def test_constant_columns_are_named():
    layout = layout_of(2, names=["age", "income"])
    table = learn([[0.5, 5.0], [1.5, 5.0], [2.5, 5.0]])
    with pytest.warns(UserWarning, match="Constant in fit: column 'income'\\. They") as caught:
        warn_constant(table, layout)
    assert caught[0].filename == __file__
    warn_constant(learn(column([0.5, 1.5])), layout_of(1))


def warn_of(levels, n_rows, ordered=False, n_absent=0):
    """Warn of a column of labels, each of which is in some row but for the last ones."""
    dtypes = [["category", None, True]] if ordered else ["str"]
    layout = replace(layout_of(1, [levels], names=["name"]), dtypes=dtypes)
    cells = np.arange(n_rows) % (len(levels) - n_absent)
    table = learn(column(cells), feature_types="categorical", n_levels=np.array([len(levels)]))
    warn_texts(layout, ["auto"], table, np.array([n_rows]))


NAMES = [f"name {number}" for number in range(MANY_LEVELS)]


@pytest.mark.parametrize(("n_levels", "n_rows"), [(100, 200), (20, 20), (17, 20), (40, 50)])
def test_labels_of_nearly_each_row_are_named(n_levels, n_rows):
    told = rf"column 'name' has {n_levels} levels in {n_rows} rows. .* drop it: draws hold"
    with pytest.warns(UserWarning, match=told) as caught:
        warn_of(NAMES[:n_levels], n_rows)
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("levels", "n_rows", "options"),
    [
        (NAMES, 201, {}),
        (NAMES[:19], 19, {}),
        (NAMES[:15], 20, {}),
        (NAMES[:20], 20, {"ordered": True}),
        (NAMES[:30], 30, {"n_absent": 10}),
        (list(range(20)), 20, {}),
    ],
    ids=["many rows", "few rows", "shared", "in an order", "unused", "numbers"],
)
def test_other_labels_are_not_named(levels, n_rows, options):
    warn_of(levels, n_rows, **options)


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
