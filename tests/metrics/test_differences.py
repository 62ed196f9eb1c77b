"""How far columns and pairs of two tables differ."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from skmade.metrics._differences import column_difference, pair_difference
from skmade.metrics._tables import read_together

from .conftest import NAMES, mixed_rows, shuffled

RNG = np.random.RandomState(0)


def read(real, drawn):
    """Return the columns of two tables by their names."""
    columns = read_together({"X_real": real, "X_drawn": drawn})
    return {column.name: column for column in columns}


def test_equal_tables_do_not_differ(real):
    columns = list(read(real, real).values())
    assert [column_difference(column).value for column in columns] == [0] * 5
    pairs = [pair_difference(one, other).value for one in columns for other in columns]
    assert pairs == [0] * 25


def test_columns_of_numbers_and_labels(real, other):
    columns = read(real, other)
    sizes = [table["size"].dropna() for table in (real, other)]
    expected = ks_2samp(*sizes).statistic
    assert column_difference(columns["size"]).value == pytest.approx(expected)
    shares = [table["colour"].value_counts(normalize=True) for table in (real, other)]
    expected = (shares[0] - shares[1]).abs().sum() / 2
    assert column_difference(columns["colour"]).value == pytest.approx(expected)


def test_columns_that_lie_apart_differ_by_one(real):
    columns = read(real, real.assign(n=real["n"] + 99, colour="pink"))
    assert column_difference(columns["n"]).value == 1
    assert column_difference(columns["colour"]).value == pytest.approx(1)


def test_pairs_of_numbers(real, other):
    columns = read(real, other)
    correlations = [table["size"].corr(table["n"]) for table in (real, other)]
    expected = abs(correlations[0] - correlations[1]) / 2
    assert pair_difference(columns["size"], columns["n"]).value == pytest.approx(expected)
    opposite = read(pd.DataFrame({"a": [1, 2], "b": [1, 2]}), [[1, 2], [2, 1]])
    assert pair_difference(*opposite.values()).value == pytest.approx(1)
    constant = read(pd.DataFrame({"a": [0.1] * 3, "b": [1, 2, 3]}), [[1, 1], [2, 2], [3, 3]])
    assert pair_difference(*constant.values()).value == pytest.approx(0.5)
    huge = read([[1e300, 1], [2e300, 2]], [[1, 1e-300], [2, 3e-300]])
    assert pair_difference(*huge.values()).value == pytest.approx(0, abs=1e-12)


def test_pairs_with_labels(real, other):
    columns = read(real, other)
    edges = np.linspace(real["n"].min(), real["n"].max(), 11)[1:-1]
    shares = [
        pd.crosstab(table["colour"], np.digitize(table["n"], edges), normalize=True)
        for table in (real, other)
    ]
    expected = shares[0].sub(shares[1], fill_value=0).abs().sum().sum() / 2
    for pair in (("colour", "n"), ("n", "colour")):
        found = pair_difference(*(columns[name] for name in pair)).value
        assert found == pytest.approx(expected)
    shares = [pd.crosstab(t["colour"], t["new"], normalize=True) for t in (real, other)]
    expected = (shares[0] - shares[1]).abs().sum().sum() / 2
    found = pair_difference(columns["colour"], columns["new"]).value
    assert found == pytest.approx(expected)


def test_shuffled_columns_differ_in_pairs_alone(real):
    columns = read(real, shuffled(real))
    assert [column_difference(columns[name]).value for name in NAMES] == [0] * 5
    for pair in (("size", "n"), ("size", "colour"), ("colour", "new")):
        value, chance = pair_difference(*(columns[name] for name in pair))
        assert value > 2.5 * chance


def test_chance_is_what_rows_of_one_distribution_differ_by():
    pairs = [read(mixed_rows(300, 2 * k), mixed_rows(200, 2 * k + 1)) for k in range(60)]
    for name in NAMES:
        found = np.array([column_difference(columns[name]) for columns in pairs])
        # The statistic of numbers with ties is smaller.
        bounds = (0.8, 1.2) if name in ("size", "colour", "new") else (0.4, 1.1)
        assert bounds[0] < found[:, 0].mean() / found[:, 1].mean() < bounds[1]
    for pair in (("size", "n"), ("size", "colour"), ("colour", "new")):
        found = np.array([pair_difference(*(columns[n] for n in pair)) for columns in pairs])
        assert 0.6 < found[:, 0].mean() / found[:, 1].mean() < 1.4


def test_columns_without_cells():
    columns = read(
        pd.DataFrame({"none": [np.nan] * 2, "one": [1.0, 2.0]}),
        pd.DataFrame({"none": [np.nan] * 2, "one": [np.nan] * 2}),
    )
    assert column_difference(columns["none"]) == (0, 0)
    assert column_difference(columns["one"]) == (1, 0)
    assert pair_difference(columns["none"], columns["one"]) == (0, 0)


def test_columns_of_numbers_differ_as_scipy_says():
    rng = np.random.RandomState(0)
    for n_real, n_drawn in ((1, 1), (1, 7), (50, 30)):
        real, drawn = (
            np.rint(rng.normal(size=n_real) * 9),
            np.rint(rng.normal(size=n_drawn) * 9),
        )
        columns = read(pd.DataFrame({"a": real}), pd.DataFrame({"a": drawn}))
        expected = ks_2samp(real, drawn, method="exact").statistic
        assert column_difference(columns["a"]).value == pytest.approx(expected)


def test_huge_numbers_beside_labels(recwarn):
    table = pd.DataFrame({"a": [1.7e308, -1.7e308] * 9, "b": ["x", "y"] * 9})
    columns = read(table, table.assign(b=["y", "x"] * 9))
    assert pair_difference(columns["a"], columns["b"]).value == 1
    assert not len(recwarn)
