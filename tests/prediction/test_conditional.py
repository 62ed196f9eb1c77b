"""Law 14: a conditional is a ratio of the joint, for every ordering, on random weights."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from scipy.special import logsumexp

from skmade._network.masks import ordering_to_ranks
from skmade._prediction.conditional import Question, comes_last, masses, values_of
from skmade._prediction.densities import densities, log_densities
from skmade._table.encoding import encode
from tests.configurations import quick
from tests.ensembles import OF_EACH_LAW, TRAININGS, ensemble_of_each_law, make_ensemble
from tests.laws import ALPHA, log_density

N_ROWS = 6
COLUMNS = list(OF_EACH_LAW)
NUMBERS = ["plain", "zeros", "positive", "positive, zeros"]


def without(X, column):
    X = X.copy()
    X[:, column] = np.nan
    return X


def with_last(ensemble, column):
    """Return the ensemble with a column after all others, in every path."""
    ranks = ensemble.ranks.copy()
    later = ranks > ranks[:, :, [column]]
    ranks[later] -= 1
    ranks[:, :, column] = ranks.shape[2]
    return replace(ensemble, ranks=ranks)


def each_law(**masks):
    masks = {"order_agnostic": False, "connectivity_agnostic": False, "n_masks": 1, **masks}
    ensemble, X = ensemble_of_each_law(**masks)
    return ensemble, X[:N_ROWS]


def of_numbers(ensemble, X, column):
    """Return the known densities, and the log-density of values (n, k)."""
    question = Question(ensemble, column, without(X, column))
    known = densities(question)
    return known, lambda values: log_densities(question, values, known)


def joint(ensemble, X, column, values):
    """Score rows with each of some values (n, k) in a column."""
    filled = np.repeat(X, values.shape[1], axis=0)
    filled[:, column] = values.ravel()
    return log_density(ensemble, filled).reshape(values.shape)


@pytest.mark.parametrize("agnostic", [False, True])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("name", ["count", "codes", "binary", "label", "constant"])
def test_probabilities_are_ratios_of_the_joint_and_sum_to_one(name, last, agnostic):
    ensemble, X = each_law(order_agnostic=agnostic, n_masks=2 if agnostic else 1)
    column = COLUMNS.index(name)
    ensemble = with_last(ensemble, column) if last else ensemble
    support = values_of(ensemble.table, column)
    found = masses(Question(ensemble, column, without(X, column)), support)
    assert_allclose(logsumexp(found.logs, axis=1), 0, atol=1e-12)
    expected = joint(ensemble, X, column, np.tile(support, (N_ROWS, 1)))
    total = logsumexp(expected, axis=1)
    assert_allclose(found.logs, expected - total[:, None], atol=1e-6)
    if last and not agnostic and name != "constant":
        # All counts together have a little more than those that are enumerated.
        atol = {"count": 1e-4, "codes": 1e-3}.get(name, 1e-6)
        assert_allclose(total, log_density(ensemble, without(X, column)), atol=atol)
    assert_allclose(found.log_rest, total, atol=1e-6)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("name", NUMBERS)
def test_densities_are_ratios_of_the_joint_and_integrate_to_one(name, last):
    ensemble, X = each_law()
    column = COLUMNS.index(name)
    ensemble = with_last(ensemble, column) if last else ensemble
    (known,), logs = of_numbers(ensemble, X, column)
    values = X[:, [column]] + np.linspace(-1, 1, 5)
    expected = joint(ensemble, X, column, values)
    rest = expected - logs(values)
    assert_allclose(rest, rest[:, :1] * np.ones(5), atol=1e-9)
    if last:
        assert_allclose(rest[:, 0], log_density(ensemble, without(X, column)), atol=1e-6)
    # Between two quantiles the mass is what the density integrates to.
    ends = known.quantile(np.tile([0.9, 0.97], (N_ROWS, 1)))
    images = known.images(ends)
    images = images[:, :1] + np.linspace(0, 1, 2001) * np.diff(images, axis=1)
    grid = known.cells(images)
    smooth = ~((ends[:, :1] <= known.atoms) & (known.atoms <= ends[:, 1:])).any(axis=1)
    assert smooth.sum() > 2
    found = np.trapezoid(np.exp(logs(grid)), grid, axis=1)
    assert_allclose(found[smooth], 0.07, atol=1e-3)


@pytest.mark.parametrize("training", list(TRAININGS))
def test_what_a_density_sums_to_is_what_fine_points_do(training):
    ensemble = make_ensemble(3, n_members=2, n_masks=2, scale=0.3, **TRAININGS[training])
    X = np.random.RandomState(1).normal(size=(N_ROWS, 3))
    (known,), logs = of_numbers(ensemble, X, 1)
    grid = known.cells(40 * np.sinh(np.linspace(-4, 4, 8001)) / np.sinh(4))
    total = np.trapezoid(np.exp(logs(np.tile(grid, (N_ROWS, 1)))), grid, axis=1)
    assert_allclose(total, 1, atol=1e-3)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("name", NUMBERS)
def test_quantiles_invert_the_distribution_function(name, last):
    ensemble, X = each_law()
    column = COLUMNS.index(name)
    ensemble = with_last(ensemble, column) if last else ensemble
    (known,), _ = of_numbers(ensemble, X, column)
    levels = np.random.RandomState(0).random_sample((N_ROWS, 50))
    found = known.quantile(levels)
    at_atom = np.isin(found, known.atoms)
    assert at_atom.any() == ("zeros" in name)
    assert_allclose(known.cdf(found)[~at_atom], levels[~at_atom], atol=1e-6)
    assert (known.cdf(found) >= levels - 1e-6).all()
    assert (known.cdf(found - 1e-9)[at_atom] <= levels[at_atom] + 1e-6).all()
    low, high = known.alone.ends[:, 0]
    assert (found >= low).all()
    assert (found <= high).all()


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("name", NUMBERS)
def test_moments_are_those_of_the_quantiles(name, last):
    ensemble, X = each_law()
    column = COLUMNS.index(name)
    ensemble = with_last(ensemble, column) if last else ensemble
    (known,), _ = of_numbers(ensemble, X, column)
    # Evenly spread in the middle, and far out into the tails.
    ends = stats.norm.cdf(np.linspace(-6, 6, 2001))
    values = known.quantile(np.tile((ends[1:] + ends[:-1]) / 2, (N_ROWS, 1)))
    expected = values @ np.diff(ends)
    mean, deviation = known.moments()
    assert_allclose(mean, expected, atol=0.003)
    squares = (values - expected[:, None]) ** 2 @ np.diff(ends)
    assert_allclose(deviation, np.sqrt(squares), rtol=0.03, atol=0.003)


def test_draws_of_quantiles_follow_the_joint():
    ensemble, X = each_law()
    (known,), _ = of_numbers(ensemble, X[:1], 0)
    drawn = known.quantile(np.random.RandomState(0).random_sample((1, 20_000)))[0]
    grid = np.linspace(-6, 6, 4001)
    density = np.exp(joint(ensemble, X[:1], 0, grid[None]))[0]
    upto = np.append(0, np.cumsum((density[1:] + density[:-1]) / 2)) * (grid[1] - grid[0])
    levels = np.interp(drawn, grid, upto / upto[-1])
    assert stats.kstest(levels, "uniform").pvalue > ALPHA


def test_a_narrow_peak_that_later_columns_make_is_found():
    ensemble = make_ensemble(
        2, n_members=1, n_masks=1, scale=0.0, **TRAININGS["direct"], n_components=1
    )
    ensemble = replace(ensemble, ranks=ordering_to_ranks(np.array([[[0, 1]]])))
    made, flat = ensemble.made, ensemble.weights.copy()
    weights = made.unflatten(flat[0])
    for name, part in weights.items():
        if not name.startswith("weight0"):
            part[:] = 0.0
    law, outputs, _ = made.by_feature()[1]
    own = np.arange(outputs.start, outputs.stop)
    weights["direct"][own[law.parameters.means], 0] = 1.0
    depth = len(made.hidden_layer_sizes)
    weights[f"bias{depth}"][own[law.parameters.raw_scales]] = -9.0  # a scale of its floor
    ensemble = replace(ensemble, weights=flat)
    X = np.array([[np.nan, 0.7], [np.nan, -1.3]])
    ((known,), _) = of_numbers(ensemble, X, 0)
    images = encode(ensemble.table, np.where(np.isnan(X), 0.0, X))[:, 1]
    found = encode(ensemble.table, np.c_[known.quantile(np.full((2, 1), 0.5)), X[:, 1]])[:, 0]
    assert_allclose(found, images, atol=1e-2)
    low, high = known.curve.quantile(np.array([[0.02, 0.98]] * 2)).T
    assert (high - low < 0.05).all()


@pytest.mark.parametrize("n_members", [1, 3])
def test_both_branches_of_a_later_column_are_found(n_members):
    a = np.random.RandomState(0).normal(size=400)
    X = np.column_stack([a, a**2 + 0.01 * np.random.RandomState(1).normal(size=400)])
    density = quick(ordering="natural", n_estimators=n_members, max_iter=40).fit(X)
    grid = np.linspace(-3.5, 3.5, 7001)
    rows = np.column_stack([np.tile(grid, 20), np.repeat(X[:20, 1], len(grid))])
    known = np.exp(density.score_samples(rows)).reshape(20, -1)
    upto = np.cumsum(known[:, 1:] + known[:, :-1], axis=1)
    expected = upto[:, 3499] / upto[:, -1]
    found = density.conditional(X[:20], 0).cdf(0.0)
    assert_allclose(found, expected, atol=0.02)


def test_close_atoms_keep_their_mass():
    rng = np.random.RandomState(0)
    a, price = rng.normal(size=600), rng.choice([31.275, 31.3875, 35.0], size=600)
    X = np.column_stack([a, np.where(rng.random_sample(600) < 0.6, price, np.exp(a + 3))])
    density = quick(ordering="natural", max_iter=20).fit(X)
    given = density.conditional(X[:5], 1)
    spikes = [atom + np.linspace(-0.2, 0.2, 8001) for atom in (31.275, 31.3875)]
    grid = np.unique(np.concatenate([np.linspace(0.01, 33, 20_001), *spikes]))
    grid = grid[grid <= 33]
    total = np.trapezoid(given.pdf(grid[None]), grid, axis=1) + given.cdf(0.01)
    assert_allclose(given.cdf(33.0), total, atol=0.01)


def test_a_column_is_last_where_nothing_observed_comes_after_it():
    ensemble = make_ensemble(3, n_members=2, n_masks=1, **TRAININGS["plain"])
    ranks = ordering_to_ranks(np.array([[[0, 1, 2]], [[1, 0, 2]]]))
    ensemble = replace(ensemble, ranks=ranks)
    values = np.array([[0.0, 0, 0], [0, 0, np.nan], [0, np.nan, np.nan]])
    assert comes_last(ensemble, values, 2).all()
    assert comes_last(ensemble, values, 1).tolist() == [False, False, False]
    assert comes_last(ensemble, values, 0).tolist() == [False, False, True]


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_rows_with_holes_have_ratios_too(missing):
    ensemble = make_ensemble(4, n_members=2, n_masks=1, missing=missing, **TRAININGS["direct"])
    ensemble = with_last(ensemble, 2)
    X = np.random.RandomState(0).normal(size=(N_ROWS, 4))
    X[::2, 0] = X[1::3, 3] = np.nan
    _, logs = of_numbers(ensemble, X, 2)
    values = np.linspace(-1, 1, 3) * np.ones((N_ROWS, 1))
    rest = log_density(ensemble, without(X, 2))[:, None]
    assert_allclose(rest + logs(values), joint(ensemble, X, 2, values), atol=1e-6)


def test_far_from_all_rows_a_column_follows_the_background():
    ensemble, X = each_law()
    column, far = COLUMNS.index("plain"), COLUMNS.index("zeros")
    X = X.copy()
    X[:3, far] = 1e9
    (known,), logs = of_numbers(ensemble, X, column)
    assert_allclose(known.chance, [1, 1, 1, 0, 0, 0], atol=1e-5)
    values = np.linspace(-30, 30, 7) * np.ones((N_ROWS, 1))
    expected = joint(ensemble, X, column, values)
    rest = expected - logs(values)
    assert_allclose(rest, rest[:, :1] * np.ones(7), atol=1e-9)
    levels = np.linspace(0.01, 0.99, 9) * np.ones((N_ROWS, 1))
    assert_allclose(known.cdf(known.quantile(levels)), levels, atol=1e-6)
    assert known.quantile(levels)[0, -1] > 4 > known.quantile(levels)[3, -1]
    support = values_of(ensemble.table, COLUMNS.index("label"))
    found = masses(Question(ensemble, COLUMNS.index("label"), X), support)
    assert_allclose(np.exp(found.logs[:3]), 1 / 3, atol=1e-6)
