"""Rows as values that the network sees, and the way back."""

from dataclasses import asdict

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmade._table.encoding import Table, decode, encode, standardise, transform
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
    assert not (cells.unseen | cells.outside).any()


def test_counts_lie_on_integers_and_know_their_lowest():
    X = np.array([[0.0, -5], [3, 2], [7, 7]])
    table = learn(X, feature_types="count")
    assert table.ends.tolist() == [[0, -np.inf], [np.inf, np.inf]]
    assert table.edges.tolist() == [[-0.5, -np.inf], [np.inf, np.inf]]
    assert_array_equal(decode(table, encode(table, X) + 1e-9), X)
    assert_array_equal(table.log_jacobian, 0)
    mean = decode(table, encode(table, X[:1] + 0.25), as_recorded=False)
    assert_allclose(mean, X[:1] + 0.25)
    far = decode(table, encode(table, X[:1] - 1000))
    assert_array_equal(far, [[0, -1005]])
    assert_array_equal(transform(table, far - 1).outside, [[True, False]])


def recorded(n_rows=400):
    """Columns as people write them: an atom at zero and one decimal, cents, inches, a count."""
    rng = np.random.RandomState(0)
    money = np.where(rng.random_sample(n_rows) < 0.5, 0, rng.lognormal(3, 1, n_rows)).round(1)
    cents, inches = (
        rng.normal(3, 1, n_rows).round(2),
        (2.54 * rng.randint(50, 90, n_rows)).round(2),
    )
    return np.column_stack([money, cents, inches, rng.poisson(9, n_rows)])


def test_what_was_recorded_comes_back_exactly():
    X = recorded()
    table = learn(X)
    assert table.kinds.tolist() == ["continuous"] * 3 + ["count"]
    assert_array_equal(decode(table, encode(table, X)), X)
    noise = 1e-3 * np.random.RandomState(1).normal(size=X.shape) * table.scale_floor
    assert_array_equal(decode(table, encode(table, X) + noise), X)


def test_draws_lie_on_the_grid_and_between_the_ends():
    X, rng = recorded(), np.random.RandomState(1)
    table = learn(X)
    drawn = decode(table, 3 * rng.normal(size=(5000, 4)))
    assert_array_equal(drawn[:, 0], drawn[:, 0].round(1))
    assert_array_equal(drawn[:, 1], drawn[:, 1].round(2))
    assert_allclose(drawn[:, 2] / 2.54, np.rint(drawn[:, 2] / 2.54))
    assert (drawn[:, [0, 3]] >= 0).all()
    means = decode(table, 3 * rng.normal(size=(5000, 4)), as_recorded=False)
    assert (means[:, 0] != means[:, 0].round(1)).any()
    assert (means[:, [0, 3]] >= 0).all()


def test_atoms_come_back_as_they_were_recorded():
    # A price that no grid holds.
    rng = np.random.RandomState(0)
    values = np.where(rng.random_sample(500) < 0.3, np.pi * 1e-5, rng.gamma(2, 1, size=500))
    table = learn(column(values))
    assert table.atoms.tolist() == [[np.pi * 1e-5]]
    assert decode(table, table.atom_images).tolist() == [[np.pi * 1e-5]]


def test_known_bounds_are_ends_and_edges():
    X = np.random.RandomState(0).gamma(2, 1, size=(300, 2))
    X[:, 1] = np.rint(5 * X[:, 1])
    high = X[:, 0].max() + 0.25
    bounds = np.array([[0.0, -0.5], [high, np.inf]])
    table = learn(X, feature_types=["continuous", "count"], bounds=bounds)
    assert table.ends.tolist() == [[0, 0], [high, np.inf]]
    assert table.edges.tolist() == [[0, -0.5], [high, np.inf]]
    rows = np.array([[0.0, 0], [high, 99], [-1e-6, -1], [high + 1e-3, 3], [np.nan, np.nan]])
    expected = [[0, 0], [0, 0], [1, 1], [1, 0], [0, 0]]
    assert_array_equal(transform(table, rows).outside, expected)
    images = table.edge_images
    assert_allclose(images[:, 0], encode(table, np.array([[0.0, 0], [high, 0]]))[:, 0])
    assert images[:, 1].tolist() == [-np.inf, np.inf]
    drawn = decode(table, np.array([[-1e9, -1e9], [1e9, 0]]))
    assert_allclose(drawn[:, 0], [0, high], rtol=1e-12)
    assert drawn[1, 0] <= high
    assert drawn[0, 1] == 0


@pytest.mark.parametrize("kind", ["continuous", "count"])
def test_every_other_value_is_outside_of_a_constant_column(kind):
    table = learn(column([3.0] * 20), feature_types=kind)
    assert table.constant.all()
    rows = column([3.0, np.nextafter(3.0, 4), 3.1, -3.0, 0.0, np.nan])
    cells = transform(table, rows)
    assert_array_equal(cells.outside[:, 0], [0, 0, 1, 1, 1, 0])
    assert_array_equal(decode(table, column([0.0, 0.7, -1e9])), column([3.0] * 3))


def test_an_old_state_is_read():
    X = recorded()
    X[::9] = np.nan
    state = asdict(learn(X, feature_types=["continuous"] * 3 + ["count"]))
    renamed = {
        "atom_images": "recurring",
        "atom_scales": "recurring_scale",
        "unseen_mass": "unknown_mass",
    }
    new = ("grids", "atoms", "codes", "ends", "edges", "constant", "absent", "smoothed")
    old = {renamed.get(name, name): value for name, value in state.items() if name not in new}
    old["lowest"] = np.array([-np.inf] * 3 + [0.0])
    before = {name: np.copy(value) for name, value in old.items() if name != "marginals"}
    table = Table.from_state(old)
    for name in renamed:
        assert_array_equal(getattr(table, name), state[name])
    assert table.ends.tolist() == [[-np.inf] * 3 + [0], [np.inf] * 4]
    assert table.edges.tolist() == [[-np.inf] * 3 + [-0.5], [np.inf] * 4]
    assert not table.constant.any()
    assert not table.smoothed
    assert_array_equal(encode(table, X), encode(Table.from_state(state), X))
    # It knew no grid: numbers come back but for rounding, counts exactly.
    again = decode(table, encode(table, X))
    assert_allclose(again, X, rtol=1e-6, atol=1e-6)
    assert_array_equal(again[:, 3], X[:, 3])
    for name, value in before.items():
        assert_array_equal(old[name], value)
    smoothed = Table.from_state({**old, "unknown_mass": np.array([0, 0, 0.1, 0])})
    assert smoothed.smoothed
    assert_allclose(np.exp(smoothed.log_unseen), [0, 0, 0.1, 0])


def test_a_state_makes_the_same_table():
    table = learn(recorded(), smoothed=True)
    again = Table.from_state(asdict(table))
    for name, value in asdict(table).items():
        if name != "marginals":
            assert_array_equal(getattr(again, name), value)


def test_labels_that_fit_did_not_see_keep_some_mass():
    X = np.array([[0.0, 1.5], [1, 2.5], [1, 3.5]])
    kinds, n_levels = np.array(["categorical", "continuous"]), np.array([2, 0])
    table = learn_columns(X, np.ones(3), kinds, n_levels, smoothed=True)
    mass = 0.5 / (3 + 0.5)  # half a row's
    assert_allclose(table.unseen_mass, [mass, 0])
    rows = np.array([[0.0, 2.0], [UNKNOWN, 2.0], [np.nan, np.nan]])
    cells = transform(table, rows)
    assert_allclose(cells.log_factors[:, 0], [np.log(1 - mass), np.log(mass), 0])
    assert_allclose(cells.log_factors[:, 1], [table.log_jacobian[1]] * 2 + [0])
    assert np.isnan(cells.values[1, 0])
    assert_array_equal(cells.unseen, [[False, False], [True, False], [False, False]])
    assert_array_equal(cells.missing, np.isnan(rows))


def test_declared_levels_and_others_share_half_a_row():
    X = np.array([[0.0, 0], [2, 1], [2, 1]])
    kinds, n_levels = np.array(["categorical", "binary"]), np.array([4, 0])
    declared = learn_columns(X, np.ones(3), kinds, n_levels)
    smoothed = learn_columns(X, np.ones(3), kinds, n_levels, smoothed=True)
    assert_array_equal(declared.absent, [[1, 3], [np.nan, np.nan]])
    mass = 0.5 / (3 + 0.5)
    rows = np.array([[1.0, 0], [3, 1], [UNKNOWN, 0.5], [0, 7]])
    for table, n_values in ((declared, 2), (smoothed, 3)):
        cells = transform(table, rows)
        assert_array_equal(cells.unseen, [[1, 0], [1, 0], [1, 1], [0, 1]])
        assert_allclose(cells.log_factors[:3, 0], np.log(mass / n_values))
        assert_allclose(cells.log_factors[3, 0], np.log1p(-mass))
        assert np.isnan(cells.values[:3, 0]).all()
    assert_allclose(transform(smoothed, rows).log_factors[2:, 1], np.log(mass))
    # Where nothing is kept, other numbers have no mass (they are refused before).
    assert_array_equal(transform(declared, rows).log_factors[2:, 1], -np.inf)
    assert_allclose(transform(declared, rows).log_factors[:2, 1], 0)
