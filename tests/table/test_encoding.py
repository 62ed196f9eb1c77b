"""Rows as values that the network sees, and the way back."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmade._table.encoding import decode, encode, standardise, transform
from skmade._table.frame import UNKNOWN
from skmade._table.learning import learn_columns
from skmade._table.marginals import MAX_STANDARDISED
from tests.table.learned import column, learn


@pytest.mark.parametrize("scale", [1e-300, 1e-5, 1.0, 1e8, 1e300])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_images_are_standardised_at_any_scale(scale, offset):
    values = np.random.RandomState(0).normal(size=500) + offset
    X = column(values * min(scale, 1e300 / (offset + 1)))
    table = learn(X)
    images = encode(table, X)
    assert_allclose([images.mean(), images.std()], [0, 1], atol=0.05)
    assert_allclose(decode(table, images), X, rtol=1e-9)
    assert np.isfinite(table.log_jacobian).all()


def test_log_jacobian_is_minus_the_log_of_the_spreads():
    X = np.random.RandomState(0).normal(size=(200, 2)) * [1e-3, 40.0]
    table = learn(X)
    slopes = np.diff(encode(table, np.array([[0.0, 0.0], [1e-3, 1.0]])), axis=0)
    assert_allclose(table.log_jacobian, np.log(slopes[0] / [1e-3, 1.0]))


@pytest.mark.parametrize("kind", ["continuous", "count"])
def test_encoding_is_undone_and_its_slopes_are_counted(kind):
    rng = np.random.RandomState(0)
    X = np.c_[rng.poisson(3, size=400), np.rint(rng.lognormal(3, 1, size=400))]
    X = X if kind == "count" else X + 0.1 * rng.normal(size=X.shape)
    table = learn(X, feature_types=kind)
    assert_allclose(decode(table, encode(table, X)), X, rtol=1e-6, atol=1e-6)
    changed = (table.marginals.power != 1) | table.marginals.is_mixture
    if kind == "count":
        assert not changed.any()
        assert_array_equal(transform(table, X).log_factors, 0)
    else:
        assert changed.all()
        h = 1e-6
        slopes = (encode(table, X + h) - encode(table, X - h)) / (2 * h)
        assert_allclose(transform(table, X).log_factors, np.log(slopes), atol=1e-3)


def test_no_row_of_fit_is_beyond_an_edge_and_far_rows_are():
    X = np.random.RandomState(0).standard_cauchy((300, 2))
    table = learn(X, feature_types="continuous")
    assert not table.marginals.beyond_edge(encode(table, X)).any()
    assert table.marginals.beyond_edge(encode(table, X * 1e6)).all()
    counts = learn(np.rint(X), feature_types="count")
    assert not counts.marginals.beyond_edge(encode(counts, np.rint(X * 1e6))).any()


def test_binary_columns_are_their_own_images():
    X = column([0, 1, 1, 0])
    table = learn(X)
    assert_array_equal(encode(table, X), X)
    assert_array_equal(decode(table, X), X)
    assert_array_equal(table.log_jacobian, 0)


def test_far_values_stay_finite():
    table = learn(column([1e-300, 2e-300, 4e-300]))
    far = column([1e308, -1e308])
    assert_array_equal(standardise(table, far), column([MAX_STANDARDISED, -MAX_STANDARDISED]))
    assert np.isfinite(encode(table, far)).all()
    assert np.isfinite(transform(table, far).log_factors).all()
    assert np.isfinite(decode(learn(column([-1e308, 1e308])), column([1e10]))).all()


def test_missing_cells_stay_missing():
    values = np.random.RandomState(0).normal(size=(100, 2))
    values[60:, 1] = np.nan
    table = learn(values)
    cells = transform(table, values)
    for part in (cells.standardised, cells.values, decode(table, cells.values)):
        assert_array_equal(np.isnan(part), np.isnan(values))
    assert_array_equal(cells.missing, np.isnan(values))
    assert_array_equal(cells.log_factors[cells.missing], 0)
    assert not cells.unknown.any()


def test_counts_lie_on_integers_and_know_their_lowest():
    X = np.array([[0.0, -5], [3, 2], [7, 7]])
    table = learn(X, feature_types="count")
    assert table.lowest.tolist() == [0, -np.inf]
    assert_array_equal(decode(table, encode(table, X) + 1e-9), X)
    assert_array_equal(table.log_jacobian, 0)
    mean = decode(table, encode(table, X[:1] + 0.25), integers=False)
    assert_allclose(mean, X[:1] + 0.25)


def test_labels_that_fit_did_not_see_keep_some_mass():
    X = np.array([[0.0, 1.5], [1, 2.5], [1, 3.5]])
    kinds, n_levels = np.array(["categorical", "continuous"]), np.array([2, 0])
    table = learn_columns(X, np.ones(3), kinds, n_levels, smoothed=True)
    mass = 0.5 / (3 + 1.5)
    assert_allclose(table.unknown_mass, [mass, 0])
    rows = np.array([[0.0, 2.0], [UNKNOWN, 2.0], [np.nan, np.nan]])
    cells = transform(table, rows)
    assert_allclose(cells.log_factors[:, 0], [np.log(1 - mass), np.log(mass), 0])
    assert_allclose(cells.log_factors[:, 1], [table.log_jacobian[1]] * 2 + [0])
    assert np.isnan(cells.values[1, 0])
    assert_array_equal(cells.unknown, [[False, False], [True, False], [False, False]])
    assert_array_equal(cells.missing, np.isnan(rows))
