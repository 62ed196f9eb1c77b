"""The laws of a density and of a masked network, on untrained random weights."""

import functools
import itertools
from dataclasses import replace

import numpy as np
import pytest
from conftest import components, draw_table, make_ensemble, quick
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.special import logsumexp

from skmade import _features, _scoring
from skmade._drawing import complete, draw, draw_given
from skmade._features import encode
from skmade._marginals import fit_marginals
from skmade._scoring import feature_log_density
from skmade._scoring import log_density as score

MAX_BYTES = 2**26
ALPHA = 1e-4  # of every statistical test; seeds are fixed


def log_density(ensemble, X):
    return score(ensemble, np.asarray(X, dtype=float), MAX_BYTES)


@pytest.mark.parametrize("n_features", [1, 2, 3, 8, 12])
def test_binary_probabilities_sum_to_one(n_features, configuration):
    ensemble = make_ensemble(n_features, n_features, **configuration)
    states = list(itertools.product([0, 1], repeat=n_features))
    assert abs(logsumexp(log_density(ensemble, states))) < 1e-10


def test_continuous_density_integrates_to_one_in_1d(configuration):
    ensemble = make_ensemble(1, columns_scale=37.0, **configuration)
    grid = quantile_grid(ensemble, 0, 20001)
    integral = np.trapezoid(np.exp(log_density(ensemble, grid[:, None])), grid)
    assert abs(integral - 1) < 1e-5


def test_continuous_density_integrates_to_one_in_2d(configuration):
    ensemble = make_ensemble(
        2, columns_scale=np.array([0.01, 300.0]), scale=0.2, **configuration
    )
    a, b = quantile_grid(ensemble, 0, 901), quantile_grid(ensemble, 1, 901)
    points = np.stack(np.meshgrid(a, b, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(log_density(ensemble, points)).reshape(901, 901)
    assert abs(np.trapezoid(np.trapezoid(density, b), a) - 1) < 1e-3


SHAPES = {
    "skewed": lambda rng: rng.gamma(0.7, size=400),
    "skewed to the left": lambda rng: -np.exp(rng.normal(size=400)),
    "two modes": lambda rng: rng.choice([-2.0, 3.0], size=400) + 0.2 * rng.normal(size=400),
    "heavy tails": lambda rng: rng.standard_t(2, size=400),
    "zeros": lambda rng: np.where(rng.uniform(size=400) < 0.4, 0.0, rng.gamma(2, size=400)),
}


@pytest.fixture(params=SHAPES.values(), ids=SHAPES.keys())
def shaped(request, monkeypatch):
    """Return a fitted density of one column that is far from Gaussian, and a grid for it."""
    # Clusters would do for one column: the transforms are what is tested.
    monkeypatch.setattr(_features, "choose_marginals", fit_marginals)
    column = 7.0 * request.param(np.random.RandomState(0))
    density = quick(n_estimators=2, max_iter=3).fit(column[:, None])
    marginals = density._state["table"]["marginals"]
    assert marginals["power"] != 1 or (marginals["shares"] > 0).sum() > 1
    tail = np.sinh(np.linspace(-25, 25, 100_001))
    points = [np.linspace(column.min() - 20, column.max() + 20, 200_001), 50 * tail]
    return density, np.unique(np.concatenate([*points, np.linspace(-0.5, 0.5, 40_001)]))


def test_density_of_transformed_columns_integrates_to_one(shaped):
    density, grid = shaped
    integral = np.trapezoid(np.exp(density.score_samples(grid[:, None])), grid)
    assert abs(integral - 1) < 2e-3


def test_draws_of_transformed_columns_have_their_density(shaped):
    density, grid = shaped
    steps = np.exp(density.score_samples(grid[:, None]))
    levels = np.append(0.0, np.cumsum(np.diff(grid) * 0.5 * (steps[1:] + steps[:-1])))
    drawn = density.sample(5000, random_state=0)[:, 0]
    assert stats.kstest(np.interp(drawn, grid, levels), "uniform").pvalue > ALPHA


def test_imputed_means_are_those_of_the_table_and_not_of_its_images():
    rng = np.random.RandomState(0)
    table = np.exp(rng.normal(size=(500, 2)))
    density = quick(n_estimators=2, max_iter=3).fit(table)
    mean = density.impute([[1.0, np.nan]], strategy="mean")[0, 1]
    drawn = density.sample(20_000, random_state=0, given={0: 1.0})[:, 1]
    assert abs(mean - np.exp(0.5)) < 0.35
    assert abs(mean - np.minimum(drawn, np.quantile(drawn, 0.999)).mean()) < 0.2


def quantile_grid(ensemble, column, n_points):
    """Points of one column, dense around its centre and far into the tail."""
    u = np.sinh(np.linspace(-9, 9, n_points)) * 0.05  # +-200 standard deviations
    spread = ensemble.table.spread[column] * 2.0 ** ensemble.table.exponent[column]
    center = ensemble.table.center[column] * 2.0 ** ensemble.table.exponent[column]
    return center + spread * u


MIXED = {"levels": (3,), "n_counts": 1, "n_binary": 1, "seed": 3}  # and a continuous column
# The three ways of marginalising, and what is neither left out nor moved: integrated.
MARGINALISED = {
    "integrated": {"order_agnostic": False, "conditioning_weights": False},
    "moved last": {"order_agnostic": True},
    "left out": {"order_agnostic": False, "missing": 0.2},
    "with unknown labels": {"order_agnostic": True, "unknown": True},
}


def total_probability(ensemble, missing):
    """Sum over the labels and integrate over the numbers of the cells that are observed."""
    table, axes, weights = ensemble.table, [], []
    for column, kind in enumerate(table.kinds):
        if missing[column]:
            points = np.array([np.nan])
        elif kind == "continuous":
            points = quantile_grid(ensemble, column, 601)
        elif kind == "count":
            points = np.arange(table.lowest[column], 70)
        else:
            first = -1 if table.unknown_mass[column] else 0  # -1 is an unknown label
            points = np.arange(first, max(table.n_levels[column], 2))
        weight = np.ones(len(points))
        if kind == "continuous" and not missing[column]:
            # The trapezoidal rule.
            weight = np.diff(points, prepend=points[0], append=points[-1])
            weight = (weight[1:] + weight[:-1]) / 2
        axes.append(points)
        weights.append(weight)
    rows = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    return (
        np.exp(log_density(ensemble, rows))
        @ functools.reduce(np.multiply.outer, weights).ravel()
    )


def test_mixed_density_sums_and_integrates_to_one(configuration):
    ensemble = make_ensemble(4, **MIXED, scale=0.3, **configuration)
    assert abs(total_probability(ensemble, np.zeros(4, dtype=bool)) - 1) < 1e-3


@pytest.mark.parametrize("missing", list(itertools.product([False, True], repeat=4)))
@pytest.mark.parametrize("way", MARGINALISED.values(), ids=MARGINALISED.keys())
def test_density_of_the_observed_cells_sums_to_one(way, missing, monkeypatch):
    # Whatever the number of draws: each of them gives a product of conditionals.
    monkeypatch.setattr(_scoring, "N_DRAWS", 16)
    ensemble = make_ensemble(4, **MIXED, scale=0.3, **way)
    assert abs(total_probability(ensemble, np.array(missing)) - 1) < 1e-3


def discrete_ensemble(**options):
    """Return members of five columns with 2, 2, 3, 4 and 2 labels, and all their states."""
    ensemble = make_ensemble(5, 3, levels=(3, 4), n_members=2, scale=0.4, **options)
    sizes = np.maximum(ensemble.table.n_levels, 2)
    return ensemble, np.array(list(itertools.product(*map(range, sizes))), dtype=float)


@pytest.mark.parametrize("missing", [[0], [1, 3], [0, 2, 4], [0, 1, 2, 3], [0, 1, 2, 3, 4]])
def test_integrated_cells_are_summed_over(missing, monkeypatch):
    monkeypatch.setattr(_scoring, "N_DRAWS", 2**13)
    ensemble, states = discrete_ensemble(order_agnostic=False, conditioning_weights=False)
    holes = states.copy()
    holes[:, missing] = -9
    unique, group = np.unique(holes, axis=0, return_inverse=True)
    unique[:, missing] = np.nan
    exact = np.log(np.bincount(group.ravel(), weights=np.exp(log_density(ensemble, states))))
    assert_allclose(log_density(ensemble, unique), exact, atol=0.02)


@pytest.mark.parametrize("way", MARGINALISED.values(), ids=MARGINALISED.keys())
def test_parts_of_the_features_sum_to_the_log_density(way, monkeypatch):
    monkeypatch.setattr(_scoring, "N_DRAWS", 32)
    ensemble = make_ensemble(4, **MIXED, **way)
    rng = np.random.RandomState(0)
    X = draw_table(ensemble.table.kinds, ensemble.table.n_levels, 60, rng)
    counts = ensemble.table.kinds == "count"
    X[:, counts] = np.abs(X[:, counts])
    X[::2][rng.random_sample((30, 4)) < 0.4] = np.nan
    parts = feature_log_density(ensemble, X, MAX_BYTES)
    assert_allclose(parts.sum(axis=1), log_density(ensemble, X), atol=1e-9)
    assert (parts[np.isnan(X)] == 0).all()
    assert (parts[~np.isnan(X)] != 0).all()


def test_parts_of_one_component_are_its_conditionals():
    ensemble = make_ensemble(5, **MIXED, n_members=1, n_masks=1, order_agnostic=False)
    (component,) = components(ensemble)
    rng = np.random.RandomState(0)
    X = draw_table(ensemble.table.kinds, ensemble.table.n_levels, 10, rng)
    values = encode(ensemble.table, X)
    expected = component.feature_log_prob(values) + ensemble.table.log_jacobian
    assert_allclose(feature_log_density(ensemble, X, MAX_BYTES), expected)


def test_importance_weights_average_to_one():
    # E_q[p / q] = 1 for any proposal q with the same support and heavier tails.
    ensemble = make_ensemble(6, scale=0.1, order_agnostic=True)
    proposal = stats.multivariate_t(np.zeros(6), 2 * np.eye(6), df=3, seed=0)
    X = proposal.rvs(200_000)
    ratio = np.exp(log_density(ensemble, X) - proposal.logpdf(X))
    error = ratio.std() / np.sqrt(len(ratio))
    assert abs(ratio.mean() - 1) < stats.norm.isf(ALPHA / 2) * error
    assert error < 0.02


def test_average_is_of_probabilities(configuration):
    ensemble = make_ensemble(5, 2, n_members=3, **configuration)
    X = np.random.RandomState(0).normal(size=(20, 5))
    X[:, (ensemble.table.kinds == "binary")] = X[:, (ensemble.table.kinds == "binary")] > 0
    values = encode(ensemble.table, X)
    alone = [
        component.feature_log_prob(values).sum(axis=1) for component in components(ensemble)
    ]
    expected = logsumexp(alone, axis=0) - np.log(len(alone)) + ensemble.table.log_jacobian.sum()
    assert_allclose(log_density(ensemble, X), expected, rtol=1e-10)
    assert len(alone) == 3 * ensemble.ranks.shape[1]


def test_log_jacobian_is_that_of_the_columns_units():
    ensemble = make_ensemble(2, columns_scale=np.array([1e-5, 1e5]))
    X = np.random.RandomState(0).normal(size=(10, 2)) * [1e-5, 1e5]
    factors = np.array([8.0, 0.25])
    table = replace(ensemble.table, exponent=ensemble.table.exponent + np.array([3, -2]))
    scaled = replace(ensemble, table=table)
    expected = log_density(ensemble, X) - np.log(factors).sum()
    assert_allclose(log_density(scaled, X * factors), expected, rtol=1e-12)


def test_row_alone_in_batch_and_permuted_score_the_same(configuration):
    ensemble = make_ensemble(6, 2, **configuration)
    X = np.random.RandomState(0).normal(size=(300, 6))
    X[:, (ensemble.table.kinds == "binary")] = X[:, (ensemble.table.kinds == "binary")] > 0
    together = log_density(ensemble, X)
    alone = np.concatenate([log_density(ensemble, row[None]) for row in X])
    order = np.random.RandomState(1).permutation(300)
    small_chunks = score(ensemble, X, max_bytes=1)
    assert_allclose(alone, together, rtol=1e-7)
    assert_allclose(log_density(ensemble, X[order]), together[order], rtol=1e-7)
    assert_allclose(small_chunks, together, rtol=1e-7)


def test_scores_fall_along_rays_and_stay_finite():
    ensemble = make_ensemble(4, scale=0.3)
    rng = np.random.RandomState(0)
    distance = np.concatenate([np.geomspace(30, 1e6, 40), 10.0 ** np.arange(10, 301, 10)])
    for direction in rng.normal(size=(20, 4)):
        direction /= np.abs(direction).min()  # every column is far out
        scores = log_density(ensemble, distance[:, None] * direction)
        assert np.isfinite(scores).all()
        assert (np.diff(scores) <= 1e-9).all()


def test_draws_follow_the_exact_probabilities():
    ensemble = make_ensemble(8, 8, scale=0.5)
    states = np.array(list(itertools.product([0, 1], repeat=8)))
    expected = 20_000 * np.exp(log_density(ensemble, states))
    drawn = draw(ensemble, 20_000, np.random.RandomState(0))
    counts = np.bincount(drawn.astype(int) @ 2 ** np.arange(8)[::-1], minlength=256)
    # States expected fewer than five times share one cell.
    rare = expected < 5
    expected = np.append(expected[~rare], expected[rare].sum())
    counts = np.append(counts[~rare], counts[rare].sum())
    assert stats.chisquare(counts, expected).pvalue > ALPHA


def test_draws_have_uniform_probability_integral_transforms():
    ensemble = make_ensemble(4, n_members=1, n_masks=1, scale=0.3)
    (component,) = components(ensemble)
    drawn = draw(ensemble, 50_000, np.random.RandomState(0))
    values = encode(ensemble.table, drawn)
    ((law, _),) = component.made.groups
    params = component.outputs(values).T.reshape(4, law.n_params, -1).swapaxes(0, 1)
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

    Order-agnostic components are those whose orderings put the given cells first.
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


def test_means_are_those_of_the_draws():
    for members in CONDITIONED.values():
        ensemble = make_ensemble(4, n_counts=2, scale=0.2, **members)
        row = draw_table(
            ensemble.table.kinds, ensemble.table.n_levels, 1, np.random.RandomState(1)
        )
        row[0, [0, 2]] = np.nan
        drawn, _ = complete(
            ensemble, np.tile(row, (4000, 1)), np.random.RandomState(0), MAX_BYTES
        )
        (mean,), _ = complete(ensemble, row, None, MAX_BYTES)
        error = drawn.std(axis=0) * (5 / np.sqrt(4000) + 0.05)
        assert (np.abs(mean - drawn.mean(axis=0)) <= error)[[0, 2]].all()
        assert_array_equal(mean[[1, 3]], row[0, [1, 3]])
