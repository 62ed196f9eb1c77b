"""Rungs of counts that were recorded in steps: found, numbered, scored and drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skmade._table.column import learn_column
from skmade._table.grid import find_grid
from skmade._table.ladder import Ladder
from tests.configurations import quick
from tests.test_properties import SETTINGS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

WHOLE = np.arange(-60.0, 200.0)
LADDERS = {
    "steps": Ladder(10.0, 0.0, np.empty(0)),
    "odd steps": Ladder(7.0, 3.0, np.empty(0)),
    "an atom above a rung": Ladder(10.0, 0.0, np.array([51.0])),
    "atoms between": Ladder(10.0, 5.0, np.array([-7.0, 51.0, 52.0, 99.0])),
}


@pytest.mark.parametrize("ladder", LADDERS.values(), ids=LADDERS)
def test_neighbours_have_numbers_that_differ_by_one(ladder):
    rungs = np.unique(ladder.nearest(WHOLE))
    index = ladder.index(rungs)
    assert_array_equal(np.diff(index), 1)
    assert_array_equal(ladder.rung(index), rungs)
    assert_allclose(ladder.rung(index[:-1] + 0.5), (rungs[1:] + rungs[:-1]) / 2)


@pytest.mark.parametrize("ladder", LADDERS.values(), ids=LADDERS)
def test_each_number_goes_to_the_nearest_rung(ladder):
    rungs = np.unique(ladder.nearest(WHOLE))
    inside = WHOLE[(rungs[1] < WHOLE) & (rungs[-2] > WHOLE)]
    apart = np.abs(ladder.nearest(inside) - inside)
    assert_array_equal(apart, np.abs(inside[:, None] - rungs).min(axis=1))


@pytest.mark.parametrize("ladder", LADDERS.values(), ids=LADDERS)
@pytest.mark.parametrize(("low", "high"), [(-np.inf, np.inf), (0.0, 99.0), (1.0, 52.0)])
def test_every_number_beside_a_rung_is_counted_once(ladder, low, high):
    inside = WHOLE[(low <= WHOLE) & (high >= WHOLE)]
    rungs, counts = np.unique(ladder.nearest(inside, low, high), return_counts=True)
    whole = slice(None) if np.isfinite(high) else slice(1, -1)  # cut by what is looked at
    assert_array_equal(ladder.n_beside(rungs, low, high)[whole], counts[whole] - 1)


@settings(SETTINGS)
@given(st.integers(0, 2**32 - 1))
def test_a_step_is_found_where_few_numbers_are_off_it(seed):
    rng = np.random.RandomState(seed)
    prices = 100.0 * rng.randint(150, 5000, size=2000)
    prices[:90], prices[90:96] = 500_001, 14_999
    distinct, mass = np.unique(prices, return_counts=True)
    assert find_grid(distinct, mass.astype(float)) == (0, 100, 0)


@pytest.mark.parametrize(
    "values",
    [
        np.random.RandomState(0).randint(0, 1000, 2000),
        np.where(np.arange(2000) % 10 < 8, 10, 1)
        * np.random.RandomState(0).randint(1, 90, 2000),
        np.repeat([0, 2, 4, 1], [900, 80, 19, 1]),
    ],
    ids=["any", "heaped", "few"],
)
def test_no_step_is_found_where_there_is_none(values):
    distinct, mass = np.unique(values.astype(float), return_counts=True)
    assert find_grid(distinct, mass.astype(float)).multiple == 1


def weights(step, n_rows=400, top=None):
    """Whole numbers in steps, with or without an atom that is beside them."""
    X = step * np.rint(np.random.RandomState(0).normal(60, 12, size=(n_rows, 1)))
    X[:30] = X[:30] if top is None else top
    return X


def fitted(X, **parameters):
    kinds = ["count", *["continuous"] * (X.shape[1] - 1)]
    return quick(feature_types=kinds, random_state=0, **parameters).fit(X)


@pytest.mark.parametrize("top", [None, 2401.0], ids=["steps", "an atom beside"])
def test_masses_of_all_whole_numbers_sum_to_one(top):
    density = fitted(weights(25.0, top=top))
    masses = np.exp(density.score_samples(np.arange(0.0, 100_000.0)[:, None]))
    assert masses.sum() == pytest.approx(1, abs=1e-3 if top is None else 1e-8)
    beside = masses[np.setdiff1d(np.arange(100_000), np.append(25 * np.arange(4000), 2401))]
    assert 0 < beside.sum() < 0.5 / 400 + 1e-4


def test_steps_are_counted():
    X, share = weights(25.0), np.log1p(-0.5 / 400.5)
    scores = fitted(X).score_samples(X)
    assert_allclose(scores, fitted(X / 25).score_samples(X / 25) + share, atol=1e-9)


def test_rungs_are_drawn_and_atoms_exactly():
    X = weights(25.0, top=2401.0)
    drawn = fitted(X).sample(4000, random_state=0)[:, 0]
    on_rungs = drawn % 25 == 0
    assert set(drawn[~on_rungs]) == {2401.0}
    assert np.mean(~on_rungs) == pytest.approx(30 / 400, abs=0.015)


def test_conditional_of_steps_is_a_ratio_of_the_joint():
    X = weights(25.0, top=2401.0)
    X = np.column_stack([X, np.random.RandomState(1).normal(X[:, 0] / 300)])
    density = fitted(X)
    row, own = X[30:31].copy(), np.array([1475.0, 1480.0, 1500.0, 2401.0])
    row[0, 0] = np.nan
    given = density.conditional(row, 0)
    joint = density.score_samples(np.column_stack([own, np.repeat(row[0, 1], 4)]))
    rest = density.score_samples(row)
    apart = given.logpmf(own[None])[0] - joint
    assert_allclose(apart, apart[0], atol=1e-9)
    assert apart[0] == pytest.approx(-rest[0], abs=0.02)
    whole = np.arange(0.0, 3000.0)
    masses = np.exp(given.logpmf(whole[None])[0])
    assert given.cdf(np.array([[1499.0]]))[0, 0] == given.cdf(np.array([[1475.0]]))[0, 0]
    expected = masses[: 1475 + 13].sum()
    assert given.cdf(np.array([[1475.0]]))[0, 0] == pytest.approx(expected, abs=2e-3)
    assert set(given.ppf(np.linspace(0.05, 0.99, 40)[None])[0] % 25) <= {0.0, 1.0}
    assert masses @ whole == pytest.approx(given.mean()[0], rel=1e-3)


def test_regions_hold_the_rungs_within():
    density = fitted(weights(25.0, top=2401.0))
    masses = np.exp(density.score_samples(np.arange(0.0, 3001.0)[:, None]))
    for low, high in [(1490, 1510), (1500, 1500), (1501, 1600), (2390, 2401), (0, 3000)]:
        inside = masses[25 * np.arange(-(-low // 25), high // 25 + 1)].sum()
        inside += masses[2401] * (low <= 2401 <= high)
        found = density.log_probability({0: (low, high)})
        assert np.exp(found) == pytest.approx(inside, rel=0.02), (low, high)
    drawn = density.sample(200, given={0: (1490, 1560)}, random_state=0)[:, 0]
    assert set(drawn) == {1500.0, 1525.0, 1550.0}


def test_shares_of_rows_between_rungs_are_kept():
    X = weights(25.0, n_rows=4000)
    X[:12] += 3
    learned = learn_column(X[:, 0], np.ones(len(X)), "count")
    assert learned.ladder is not None
    assert learned.beside == pytest.approx(12 / 4000)


@pytest.mark.parametrize("share", [0.003, 0.02, 0.1])
@pytest.mark.parametrize("kind", ["count", "continuous"])
def test_what_recurs_beside_the_steps_is_an_atom(share, kind):
    X = weights(25.0, n_rows=4000)
    X[: int(4000 * share)] = 1512
    learned = learn_column(X[:, 0], np.ones(len(X)), kind)
    assert learned.grid.multiple == 25
    assert 1512 in learned.atoms


def test_codes_and_steps_of_one_have_no_rungs():
    rng = np.random.RandomState(0)
    for values in (25.0 * rng.randint(0, 4, 400), 1.0 * rng.randint(0, 400, 400)):
        assert learn_column(values, np.ones(400), "count").ladder is None


def test_rows_without_a_rung_between_are_completed_on_rungs():
    X = np.column_stack([weights(25.0), np.random.RandomState(1).normal(size=400)])
    X[::5, 0] = np.nan
    filled = fitted(X).impute(X, random_state=0)
    assert_array_equal(filled[:, 0] % 25, 0)


@settings(SETTINGS)
@given(st.integers(0, 2**32 - 1))
def test_any_ladder_is_climbed_in_order(seed):
    rng = np.random.RandomState(seed)
    atoms = np.where(rng.rand(4) < 0.5, np.nan, rng.randint(-50, 150, 4).astype(float))
    ladder = Ladder.of(rng.randint(2, 40), rng.randint(0, 2), atoms)
    rungs = np.unique(ladder.nearest(WHOLE))
    assert_array_equal(np.diff(ladder.index(rungs)), 1)
