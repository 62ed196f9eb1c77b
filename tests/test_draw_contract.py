"""What every configuration of MADEDensity owes its users: rows drawn, cells filled in."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.utils import _safe_indexing

from skmade import MADEDensity
from skmade.datasets import CorrelatedGaussian
from tests.configurations import cells, with_holes

pytestmark = [
    # Few epochs make few draws fit; how many do is tested elsewhere.
    pytest.mark.filterwarnings("ignore:Only about"),
    pytest.mark.filterwarnings("ignore:The missing cells of"),
]


def test_draws_have_the_form_of_the_table(fitted, table):
    drawn = fitted.sample(200, random_state=0)
    assert type(drawn) is type(table)
    assert drawn.shape == (200, table.shape[1])
    assert fitted.sample().shape == (1, table.shape[1])
    assert not np.asarray(pd.isna(drawn)).any()
    if isinstance(table, pd.DataFrame):
        assert drawn.dtypes.tolist() == table.dtypes.tolist()
        assert drawn.columns.tolist() == table.columns.tolist()
    else:
        assert drawn.dtype == np.float64
    assert np.isfinite(fitted.score_samples(drawn)).all()


def test_draws_lie_where_the_table_does(fitted, table):
    drawn = fitted.sample(400, random_state=0)
    for kind, own, of_table in zip(
        fitted.feature_types_, cells(drawn).T, cells(table).T, strict=True
    ):
        of_table = of_table[of_table != None]  # noqa: E711
        if kind in ("binary", "categorical"):
            assert set(own) <= set(of_table)
        else:
            low, high = np.quantile(of_table.astype(float), [0.1, 0.9])
            assert low < np.median(own.astype(float)) < high
            assert 0.4 < np.ptp(np.quantile(own.astype(float), [0.1, 0.9])) / (high - low) < 2.5


def test_draws_follow_the_seed(fitted):
    drawn = cells(fitted.sample(50, random_state=0))
    assert_array_equal(drawn, cells(fitted.sample(50, random_state=0)))
    assert not np.array_equal(drawn, cells(fitted.sample(50, random_state=1)))
    assert not np.array_equal(cells(fitted.sample(5)), cells(fitted.sample(5)))
    rng = np.random.RandomState(0)
    first, second = (cells(fitted.sample(50, random_state=rng)) for _ in range(2))
    assert_array_equal(first, drawn)
    assert not np.array_equal(second, drawn)


def test_draws_are_not_rows_of_the_table(fitted, table):
    own = fitted.feature_types_ == "continuous"
    drawn, of_table = (cells(t)[:, own].astype(float) for t in (fitted.sample(300, 0), table))
    assert len(np.unique(drawn, axis=0)) == 300
    assert not np.isin(drawn, of_table).any()


def test_given_cells_are_in_every_draw(fitted, table):
    row, names = cells(table)[0], getattr(table, "columns", range(table.shape[1]))
    for column, name in enumerate(names):
        drawn = cells(fitted.sample(40, random_state=0, given={name: row[column]}))
        assert (drawn[:, column] == row[column]).all()
        others = np.delete(drawn, column, axis=1)
        assert others.size == 0 or len(np.unique(others.astype(str), axis=0)) > 10
        alone = np.full(len(row), None, dtype=object)
        alone[column] = row[column]
        assert_array_equal(cells(fitted.sample(40, random_state=0, given=alone)), drawn)


@pytest.mark.parametrize("strategy", ["sample", "mean", "median"])
def test_cells_that_are_there_stay_and_the_others_are_filled_in(case, fitted, strategy):
    table = case.make_table(60, seed=1)
    holed = with_holes(table, 0.3)
    observed = np.asarray(pd.notna(holed))
    filled = fitted.impute(holed, strategy, random_state=0)
    assert type(filled) is type(table)
    assert_array_equal(cells(filled)[observed], cells(table)[observed])
    assert not np.asarray(pd.isna(filled)).any()
    assert np.isfinite(fitted.score_samples(filled)).all()
    again, other = (cells(fitted.impute(holed, strategy, random_state=seed)) for seed in (0, 1))
    assert_array_equal(cells(filled), again)
    assert np.array_equal(again, other) == (strategy != "sample")


def completions(fitted, holed):
    """Return the completed cells of equal rows, in turn, by their cells."""
    found = {}
    filled = cells(fitted.impute(holed, random_state=0))
    for row, own in zip(cells(holed).tolist(), filled.tolist(), strict=True):
        found.setdefault(str(row), []).extend(own)
    return found


def test_draws_follow_from_the_cells_of_a_row_whatever_is_beside_it(case, fitted):
    table = with_holes(case.make_table(60, seed=1), 0.4)
    holed = _safe_indexing(table, slice(40))
    expected = completions(fitted, holed)

    def agree(found):
        for row, own in found.items():
            size = min(len(own), len(expected[row]))  # of so many equal rows
            assert own[:size] == pytest.approx(expected[row][:size])

    order = np.random.RandomState(0).permutation(40)
    agree(completions(fitted, _safe_indexing(holed, order)))
    with config_context(working_memory=1e-3):
        agree(completions(fitted, holed))
    longer = completions(fitted, table)
    agree({row: longer[row] for row in expected})
    for row in range(5):
        agree(completions(fitted, _safe_indexing(holed, [row])))


def test_moments_of_drawn_rows():
    gaussian = CorrelatedGaussian(4)
    density = MADEDensity(n_estimators=2, hidden_layer_sizes=(32,), max_iter=15, random_state=0)
    density.fit(gaussian.sample(3000, random_state=0))
    drawn = density.sample(20_000, random_state=0)
    assert_allclose(drawn.mean(axis=0), 0, atol=0.08)
    assert_allclose(np.cov(drawn.T), gaussian.covariance, atol=0.1)
