"""Draws agree with the density, on untrained random weights."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import stats
from scipy.special import logsumexp

from skmade import MADEDensity
from skmade._prediction import background
from skmade._prediction.drawing import _medians, complete, draw, draw_given
from skmade._table.encoding import encode
from tests.ensembles import draw_table, make_ensemble
from tests.equations import paths
from tests.laws import (
    ALPHA,
    MAX_BYTES,
    discrete_ensemble,
    goodness_of_fit,
    log_density,
    quantile_grid,
)


def test_draws_follow_the_exact_probabilities():
    ensemble = make_ensemble(8, 8, scale=0.5)
    states = np.array(list(itertools.product([0, 1], repeat=8)))
    expected = 20_000 * np.exp(log_density(ensemble, states))
    drawn = draw(ensemble, 20_000, np.random.RandomState(0))
    counts = np.bincount(drawn.astype(int) @ 2 ** np.arange(8)[::-1], minlength=256)
    assert goodness_of_fit(counts, expected) > ALPHA


def test_draws_of_labels_and_counts_follow_the_exact_probabilities():
    ensemble = make_ensemble(4, 1, levels=(3,), n_counts=2, scale=0.3, seed=3)
    table, axes = ensemble.table, []
    for column, kind in enumerate(table.kinds):
        first, last = (max(table.ends[0, column], -60), 60) if kind == "count" else (0, 1)
        axes.append(np.arange(first, last + 1 if kind != "categorical" else 3))
    states = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 4)
    expected = 20_000 * np.exp(log_density(ensemble, states)).reshape([len(a) for a in axes])
    edges = [np.append(axis - 0.5, axis[-1] + 0.5) for axis in axes]
    counts, _ = np.histogramdd(draw(ensemble, 20_000, np.random.RandomState(0)), bins=edges)
    assert expected.sum() > 19_900
    expected *= counts.sum() / expected.sum()
    assert goodness_of_fit(counts.ravel(), expected.ravel()) > ALPHA


def test_draws_reach_the_tail_as_often_as_the_density_says():
    ensemble = make_ensemble(1, hidden_layer_sizes=(4,), scale=0.05)
    n_draws = 2_000_000
    drawn = draw(ensemble, n_draws, np.random.RandomState(0))
    grid = quantile_grid(ensemble, 0, 20001)[:, None]
    density = np.exp(log_density(ensemble, grid))
    # No Gaussian reaches this far.
    near = np.abs(encode(ensemble.table, grid)[:, 0]) < 6
    share = 1 - np.trapezoid(density[near], grid[near, 0])
    n_far = int((np.abs(encode(ensemble.table, drawn)) > 6).sum())
    assert 15 < n_draws * share < 40
    assert stats.binomtest(n_far, n_draws, share).pvalue > ALPHA


def test_draws_have_uniform_probability_integral_transforms():
    ensemble = make_ensemble(4, n_members=1, n_masks=1, scale=0.3)
    (path,) = paths(ensemble)
    drawn = draw(ensemble, 50_000, np.random.RandomState(0))
    values = encode(ensemble.table, drawn)
    ((law, _),) = path.made.groups
    params = path.outputs(values).T.reshape(4, law.n_params, -1).swapaxes(0, 1)
    levels = law.cdf(params, values.T)
    for column in levels:
        assert stats.kstest(column, "uniform").pvalue > ALPHA
    # Joint uniformity: transforms of different columns are independent.
    correlation = np.corrcoef(levels) - np.eye(4)
    assert np.abs(correlation).max() < stats.norm.isf(ALPHA / 12) / np.sqrt(50_000)


def test_draws_fill_cells_as_the_density_says():
    ensemble = make_ensemble(2, scale=0.3)
    drawn = draw(ensemble, 50_000, np.random.RandomState(0))
    edges = [np.quantile(drawn[::2, column], np.linspace(0.05, 0.95, 10)) for column in (0, 1)]
    counts, _, _ = np.histogram2d(*drawn[1::2].T, bins=edges)
    nodes, weights = np.polynomial.legendre.leggauss(24)
    expected = np.empty_like(counts)
    for i, j in np.ndindex(*counts.shape):
        (a, b), (c, d) = edges[0][i : i + 2], edges[1][j : j + 2]
        x, y = (a + b) / 2 + (b - a) / 2 * nodes, (c + d) / 2 + (d - c) / 2 * nodes
        points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
        density = np.exp(log_density(ensemble, points)).reshape(24, 24)
        expected[i, j] = weights @ density @ weights * (b - a) * (d - c) / 4
    expected *= 25_000
    inside = counts.sum()
    chi2 = (((counts - expected) ** 2) / expected).sum() + (inside - expected.sum()) ** 2 / (
        25_000 - expected.sum()
    )
    assert stats.chi2.sf(chi2, counts.size) > ALPHA


CONDITIONED = {
    "orderings of their own": {"order_agnostic": False, "conditioning_weights": False},
    "order-agnostic": {"order_agnostic": True, "n_masks": 3},
}


def exact_conditional(ensemble, states, row):
    """Probabilities of the states given the cells of a row, by enumeration.

    Order-agnostic paths are those whose orderings put the given cells first.
    """
    missing = np.isnan(row)
    moved = ensemble.moved_last(missing) if ensemble.reorderable else ensemble
    agree = (states == row)[:, ~missing].all(axis=1)
    return np.where(agree, np.exp(log_density(moved, states)), 0.0) / np.exp(
        logsumexp(log_density(moved, states[agree]))
    )


@pytest.mark.parametrize("given", [[0], [1, 2], [0, 3, 4]])
@pytest.mark.parametrize("members", CONDITIONED.values(), ids=CONDITIONED.keys())
def test_draws_given_cells_follow_the_conditional_probabilities(members, given):
    ensemble, states = discrete_ensemble(**members)
    row = np.full(5, np.nan)
    row[given] = 1
    expected = 10_000 * exact_conditional(ensemble, states, row)
    drawn, n_effective = draw_given(ensemble, row, 10_000, np.random.RandomState(0))
    position = {tuple(state): i for i, state in enumerate(states)}
    counts = np.bincount([position[tuple(r)] for r in drawn], minlength=len(states))
    assert counts[expected == 0].sum() == 0
    likely = expected >= 5
    if ensemble.reorderable:
        assert n_effective == np.inf
        assert (
            stats.chisquare(
                counts[likely], expected[likely] * counts[likely].sum() / expected[likely].sum()
            ).pvalue
            > ALPHA
        )
    # Weighted draws repeat: their errors are those of the effective number.
    error = np.sqrt(expected * (1 + 10_000 / min(n_effective, 1e9)))
    assert (np.abs(counts - expected) < 5 * error + 1)[likely].all()


@pytest.mark.parametrize("members", CONDITIONED.values(), ids=CONDITIONED.keys())
def test_completed_cells_follow_the_conditional_probabilities(members):
    ensemble, states = discrete_ensemble(**members)
    row = np.array([1, np.nan, np.nan, 1, np.nan])
    expected = 2000 * exact_conditional(ensemble, states, row)
    filled, _ = complete(ensemble, np.tile(row, (2000, 1)), np.random.RandomState(0), MAX_BYTES)
    position = {tuple(state): i for i, state in enumerate(states)}
    counts = np.bincount([position[tuple(r)] for r in filled], minlength=len(states))
    likely = expected >= 5
    shares = expected[likely] * counts[likely].sum() / expected[likely].sum()
    assert stats.chisquare(counts[likely], shares).pvalue > ALPHA


@pytest.fixture
def with_large_background(monkeypatch):
    """Let the background take half of the density."""
    monkeypatch.setattr(background, "LOG_SHARE", np.log(0.5))
    monkeypatch.setattr(background, "LOG_REST", np.log(0.5))


@pytest.mark.usefixtures("with_large_background")
@pytest.mark.parametrize("members", CONDITIONED.values(), ids=CONDITIONED.keys())
def test_the_background_has_its_share_of_draws_given_cells(members):
    ensemble, states = discrete_ensemble(**members)
    row = np.array([1, np.nan, np.nan, 1, np.nan])
    expected = 4000 * exact_conditional(ensemble, states, row)
    position = {tuple(state): i for i, state in enumerate(states)}
    rng = np.random.RandomState(0)
    given, _ = draw_given(ensemble, row, 4000, rng)
    completed, _ = complete(ensemble, np.tile(row, (4000, 1)), rng, MAX_BYTES)
    for drawn in (given, completed):
        places = [position[tuple(r)] for r in np.where(np.isnan(row), drawn, row)]
        counts = np.bincount(places, minlength=len(states))
        likely = expected >= 5
        shares = expected[likely] * counts[likely].sum() / expected[likely].sum()
        error = np.sqrt(2 * shares)  # weighted draws repeat
        assert (np.abs(counts[likely] - shares) < 5 * error).all()
        # Half of the draws are of the background, or about: the members alone say otherwise.
        assert np.abs(counts - shares_of_members(ensemble, states, row)).sum() > 400


def shares_of_members(ensemble, states, row):
    """Return what the members alone expect of 4000 draws."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(background, "LOG_SHARE", -1e6)
        patch.setattr(background, "LOG_REST", 0.0)
        return 4000 * exact_conditional(ensemble, states, row)


@pytest.mark.filterwarnings("ignore:In column 0 there is")
@pytest.mark.parametrize("options", [{}, {"order_agnostic": True, "n_masks": 2}])
def test_given_a_cell_far_from_all_rows_draws_follow_the_density(options):
    rng = np.random.RandomState(0)
    a = rng.uniform(-4, 4, size=300)
    X = np.column_stack([a, 2 * a + rng.normal(size=300)])
    density = MADEDensity((8,), n_estimators=2, max_iter=2, random_state=0, **options).fit(X)
    grid = np.linspace(-400, 400, 400_001)
    for value in (60.0, -500.0, 1e9):
        logs = density.score_samples(np.column_stack([np.full(len(grid), value), grid]))
        levels = np.cumsum(np.exp(logs - logs.max()))
        levels /= levels[-1]
        drawn = density.sample(500, random_state=0, given={0: value})
        holes = np.column_stack([np.full(500, value), np.full(500, np.nan)])
        completed = density.impute(holes, random_state=1)
        for found in (drawn, completed):
            assert (found[:, 0] == value).all()
            ranks = np.interp(found[:, 1], grid, levels)
            assert stats.kstest(ranks, "uniform").pvalue > ALPHA
        mean = density.impute(holes[:1], strategy="mean")[0, 1]
        assert abs(mean - np.average(grid, weights=np.exp(logs - logs.max()))) < 1


def test_a_cell_far_from_all_rows_is_told_of():
    X = pd.DataFrame(np.random.RandomState(0).normal(size=(100, 2)), columns=["a", "b"])
    density = MADEDensity((4,), n_estimators=1, max_iter=1, random_state=0).fit(X)
    with pytest.warns(UserWarning, match=r"column 'b' there is 700.* beyond -.* and "):
        density.sample(2, given={"b": 700.0})
    holes = pd.DataFrame({"a": [0.0, np.nan, 1e3], "b": [np.nan, -900.0, 1.0]})
    with pytest.warns(UserWarning, match=r"column 'b' there is -900") as caught:
        density.impute(holes)
    assert len(caught) == 1  # nothing is drawn in the row without holes
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        density.sample(2, given={"b": X["b"].max()})


def test_a_cell_beyond_the_end_of_its_column_is_told_of():
    rng = np.random.RandomState(0)
    money = np.where(rng.random_sample(200) < 0.3, 0.0, rng.exponential(size=200))
    X = pd.DataFrame({"money": money, "visits": rng.poisson(3, size=200).astype(float)})
    X["b"] = money + rng.normal(size=200)
    density = MADEDensity((4,), n_estimators=1, max_iter=1, random_state=0).fit(X)
    for name, value in (("money", -50.0), ("visits", -4.0)):
        row = X.head(1).assign(b=np.nan, **{name: value})
        told = rf"column '{name}' there is {value:g}, .* beyond -?0 and "
        with pytest.warns(UserWarning, match=told):
            density.impute(row, random_state=0)


@pytest.mark.parametrize("members", CONDITIONED.values(), ids=CONDITIONED.keys())
def test_most_probable_labels_are_those_of_the_conditional(members):
    ensemble, states = discrete_ensemble(**members)
    for missing in ([1], [0, 2], [1, 2, 4]):
        row = np.ones(5)
        row[missing] = np.nan
        conditional = exact_conditional(ensemble, states, row)
        (filled,), _ = complete(ensemble, row[None], None, MAX_BYTES)
        for column in missing:
            mass = np.bincount(states[:, column].astype(int), weights=conditional)
            assert mass[int(filled[column])] > mass.max() - 0.05


def test_medians_are_those_of_the_draws():
    values = np.array([[[3.0], [1.0], [2.0]], [[5.0], [5.0], [7.0]]])
    weights = np.array([[0.2, 0.5, 0.3], [0.2, 0.2, 0.6]])
    assert_array_equal(_medians(weights, values)[:, 0], [1.0, 7.0])
    ensemble = make_ensemble(4, n_counts=2, scale=0.2, **CONDITIONED["order-agnostic"])
    row = draw_table(ensemble.table.kinds, ensemble.table.n_levels, 1, np.random.RandomState(1))
    row[0, [0, 2]] = np.nan
    drawn, _ = complete(ensemble, np.tile(row, (800, 1)), np.random.RandomState(0), MAX_BYTES)
    (median,), _ = complete(ensemble, row, None, MAX_BYTES, medians=True)
    for column in (0, 2):
        low, high = np.quantile(drawn[:, column], [0.4, 0.6])
        assert low <= median[column] <= high
    counts = ensemble.table.kinds == "count"
    assert_array_equal(median[counts], np.rint(median[counts]))
    assert_array_equal(median[[1, 3]], row[0, [1, 3]])


@pytest.mark.slow
def test_means_are_those_of_the_draws():
    for members in CONDITIONED.values():
        ensemble = make_ensemble(4, n_counts=2, scale=0.2, **members)
        row = draw_table(
            ensemble.table.kinds, ensemble.table.n_levels, 1, np.random.RandomState(1)
        )
        row[0, [0, 2]] = np.nan
        drawn, _ = complete(
            ensemble, np.tile(row, (1500, 1)), np.random.RandomState(0), MAX_BYTES
        )
        (mean,), _ = complete(ensemble, row, None, MAX_BYTES)
        error = drawn.std(axis=0) * (5 / np.sqrt(1500) + 0.05)
        assert (np.abs(mean - drawn.mean(axis=0)) <= error)[[0, 2]].all()
        assert_array_equal(mean[[1, 3]], row[0, [1, 3]])
