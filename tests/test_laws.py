"""The laws of a density, on untrained random weights: sums, integrals, averages.

Those of draws are in `test_draw_laws`, of transformed columns in `test_transform_laws`, and of
trained models in `test_trained_laws`.
"""

import functools
import itertools
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from scipy.integrate import simpson
from scipy.special import logsumexp

from skmade._prediction import scoring
from skmade._prediction.scoring import feature_log_density
from skmade._prediction.scoring import log_density as score
from skmade._table.encoding import transform
from tests.ensembles import CONSTANT, draw_table, make_ensemble
from tests.equations import paths
from tests.laws import ALPHA, MAX_BYTES, MIXED, discrete_ensemble, log_density, quantile_grid


@pytest.mark.parametrize("n_features", range(1, 13))
def test_binary_probabilities_sum_to_one(n_features, configuration):
    ensemble = make_ensemble(n_features, n_features, **configuration)
    states = list(itertools.product([0, 1], repeat=n_features))
    assert abs(logsumexp(log_density(ensemble, states))) < 1e-10


def test_probabilities_of_counts_sum_to_one(configuration):
    # The first of them is never negative, and its smallest value has all that is below it.
    ensemble = make_ensemble(2, n_counts=2, **configuration)
    lowest = np.maximum(ensemble.table.ends[0], -200)
    axes = [np.arange(low, 201) for low in lowest]
    states = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    assert sorted(lowest) == [-200, 0]
    assert abs(logsumexp(log_density(ensemble, states))) < 1e-6


@pytest.mark.parametrize("n_components", [1, 3])
def test_continuous_density_integrates_to_one_in_1d(configuration, n_components):
    ensemble = make_ensemble(1, columns_scale=37.0, n_components=n_components, **configuration)
    grid = quantile_grid(ensemble, 0, 20001)
    integral = np.trapezoid(np.exp(log_density(ensemble, grid[:, None])), grid)
    assert abs(integral - 1) < 1e-5


def test_continuous_density_integrates_to_one_in_2d(configuration):
    ensemble = make_ensemble(
        2, columns_scale=np.array([0.01, 300.0]), scale=0.2, **configuration
    )
    a, b = quantile_grid(ensemble, 0, 301), quantile_grid(ensemble, 1, 301)
    points = np.stack(np.meshgrid(a, b, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(log_density(ensemble, points)).reshape(301, 301)
    assert abs(simpson(simpson(density, x=b), x=a) - 1) < 1e-3


@pytest.mark.parametrize("bounds", [(-60.0, 70.0), (-60.0, np.inf), (-np.inf, 70.0)])
def test_a_density_that_ends_integrates_to_one_between_its_bounds(configuration, bounds):
    ends = np.array([[bounds[0]], [bounds[1]]])
    ensemble = make_ensemble(1, columns_scale=20.0, bounds=ends, **configuration)
    low, high = np.clip(bounds, -1e5, 1e5)
    grid = np.sinh(np.linspace(-9, 9, 40_001)) * 10
    # Next to a bound the density may be steep.
    near = np.r_[0.0, np.geomspace(1e-9, 10, 4000)]
    grid = np.unique(np.r_[grid, low + near, high - near])
    density = np.exp(log_density(ensemble, grid[:, None]))
    inside = (grid >= low) & (grid <= high)
    assert abs(np.trapezoid(density[inside], grid[inside]) - 1) < 1e-4
    # Beyond them the background is alone.
    assert (density[~inside] < 1e-9).all()
    assert (density[~inside] > 0).all()


def test_a_constant_column_adds_nothing_and_excludes_every_other_value(configuration):
    ensemble = make_ensemble(3, 1, n_constant=1, scale=0.3, **configuration)
    (position,) = np.flatnonzero(ensemble.table.constant)
    X = draw_table(ensemble.table.kinds, ensemble.table.n_levels, 20, np.random.RandomState(0))
    X[:, position] = CONSTANT
    scores, holes, others = log_density(ensemble, X), X.copy(), X.copy()
    holes[:, position], others[:, position] = np.nan, CONSTANT + 1
    left_out = log_density(ensemble, holes)
    # The density of a column of numbers has its unit. Order-agnostic members answer for rows
    # with a hole by other orderings.
    unit = ensemble.table.log_jacobian[position]
    if not ensemble.reorderable:
        assert_allclose(scores - unit, left_out, atol=1e-6)
    assert (log_density(ensemble, others) < scores - 15).all()


# The three ways of marginalising, and what is neither left out nor moved: integrated.
MARGINALISED = {
    "integrated": {"order_agnostic": False, "conditioning_weights": False},
    "moved last": {"order_agnostic": True},
    "left out": {"order_agnostic": False, "missing": 0.2},
    "with unknown labels": {"order_agnostic": True, "unknown": True},
}


def total_probability(ensemble, missing, n_points):
    """Sum over the labels and integrate over the numbers of the cells that are observed."""
    table, axes, weights = ensemble.table, [], []
    for column, kind in enumerate(table.kinds):
        if missing[column]:
            points = np.array([np.nan])
        elif kind == "continuous":
            points = quantile_grid(ensemble, column, n_points)
        elif kind == "count":
            points = np.arange(max(table.ends[0, column], -100), 50)
        else:
            # -1 is an unknown label, or another number than zero and one.
            first = -1 if table.smoothed else 0
            points = np.arange(first, max(table.n_levels[column], 2))
        weight = np.ones(len(points))
        if kind == "continuous" and not missing[column]:
            weight = simpson(np.eye(n_points), x=points)
        axes.append(points)
        weights.append(weight)
    rows = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    return (
        np.exp(log_density(ensemble, rows))
        @ functools.reduce(np.multiply.outer, weights).ravel()
    )


def test_mixed_density_sums_and_integrates_to_one(configuration):
    ensemble = make_ensemble(4, **MIXED, scale=0.3, **configuration)
    assert abs(total_probability(ensemble, np.zeros(4, dtype=bool), 301) - 1) < 1e-4


# Cells that are missing: a few sets of them each time, all of them in the slow tests.
FEW_SETS = [(), (0,), (1, 2, 3), (0, 1, 2, 3)]
SETS = [
    pytest.param(
        pattern, marks=() if tuple(np.flatnonzero(pattern)) in FEW_SETS else pytest.mark.slow
    )
    for pattern in itertools.product([False, True], repeat=4)
]


@pytest.mark.parametrize("missing", SETS)
@pytest.mark.parametrize("way", MARGINALISED.values(), ids=MARGINALISED.keys())
def test_density_of_the_observed_cells_sums_to_one(way, missing, monkeypatch):
    # Whatever the number of draws: each of them gives a product of conditionals.
    monkeypatch.setattr(scoring, "N_DRAWS", 8)
    ensemble = make_ensemble(4, **MIXED, scale=0.3, **way)
    assert abs(total_probability(ensemble, np.array(missing), 401) - 1) < 1e-3


@pytest.mark.parametrize("missing", [[0], [1, 3], [0, 2, 4], [0, 1, 2, 3], [0, 1, 2, 3, 4]])
def test_integrated_cells_are_summed_over(missing, monkeypatch):
    monkeypatch.setattr(scoring, "N_DRAWS", 2**13)
    ensemble, states = discrete_ensemble(order_agnostic=False, conditioning_weights=False)
    holes = states.copy()
    holes[:, missing] = -9
    unique, group = np.unique(holes, axis=0, return_inverse=True)
    unique[:, missing] = np.nan
    exact = np.log(np.bincount(group.ravel(), weights=np.exp(log_density(ensemble, states))))
    assert_allclose(log_density(ensemble, unique), exact, atol=0.02)


@pytest.mark.parametrize("way", MARGINALISED.values(), ids=MARGINALISED.keys())
def test_parts_of_the_features_sum_to_the_log_density(way, monkeypatch):
    monkeypatch.setattr(scoring, "N_DRAWS", 32)
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


@pytest.mark.usefixtures("without_background")
def test_parts_of_one_path_are_its_conditionals():
    ensemble = make_ensemble(5, **MIXED, n_members=1, n_masks=1, order_agnostic=False)
    (path,) = paths(ensemble)
    rng = np.random.RandomState(0)
    X = draw_table(ensemble.table.kinds, ensemble.table.n_levels, 10, rng)
    cells = transform(ensemble.table, X)
    expected = path.feature_log_prob(cells.values) + cells.log_factors
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


@pytest.mark.usefixtures("without_background")
def test_average_is_of_probabilities(configuration):
    ensemble = make_ensemble(5, 2, n_members=3, **configuration)
    X = np.random.RandomState(0).normal(size=(20, 5))
    X[:, (ensemble.table.kinds == "binary")] = X[:, (ensemble.table.kinds == "binary")] > 0
    cells = transform(ensemble.table, X)
    alone = [path.feature_log_prob(cells.values).sum(axis=1) for path in paths(ensemble)]
    n_masks = ensemble.ranks.shape[1]
    shares = np.repeat(ensemble.shares, n_masks) / n_masks
    expected = logsumexp(alone, axis=0, b=shares[:, None]) + cells.log_factors.sum(axis=1)
    assert_allclose(log_density(ensemble, X), expected, rtol=1e-10)
    assert len(alone) == 3 * n_masks
    assert np.ptp(ensemble.shares) > 0.2


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
