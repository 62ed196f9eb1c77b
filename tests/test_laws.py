"""The laws of a density and of a masked network, on untrained random weights."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import make_ensemble
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.special import logsumexp

from skmade._features import encode
from skmade._network import MaskList

MAX_BYTES = 2**26
ALPHA = 1e-4  # of every statistical test; seeds are fixed


def log_density(ensemble, X):
    return ensemble.log_density(np.asarray(X, dtype=float), MAX_BYTES)


def members_and_masks(ensemble):
    """Yield (shape, layers, ranks) of each member and mask, with a leading axis of one."""
    made = ensemble.architecture.build(ensemble.table)
    for m, k in itertools.product(range(len(ensemble.weights)), range(ensemble.ranks.shape[1])):
        flat = torch.from_numpy(ensemble.weights[m : m + 1]).double()
        masks = MaskList(
            made, ensemble.ranks[m : m + 1], [d[m : m + 1] for d in ensemble.degrees]
        )[k]
        yield (
            made,
            made.masked(made.unflatten(*made.split(flat)), made.gates(masks, flat)),
            ensemble.ranks[m, k],
        )


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


def quantile_grid(ensemble, column, n_points):
    """Points of one column, dense around its centre and far into the tail."""
    u = np.sinh(np.linspace(-9, 9, n_points)) * 0.05  # +-200 standard deviations
    spread = ensemble.table.spread[column] * 2.0 ** ensemble.table.exponent[column]
    center = ensemble.table.center[column] * 2.0 ** ensemble.table.exponent[column]
    return center + spread * u


def test_mixed_density_sums_and_integrates_to_one(configuration):
    ensemble = make_ensemble(4, 3, seed=3, **configuration)
    continuous = int(np.flatnonzero(~ensemble.table.binary)[0])
    grid = quantile_grid(ensemble, continuous, 8001)
    total = 0.0
    for state in itertools.product([0, 1], repeat=3):
        X = np.insert(np.tile(state, (len(grid), 1)).astype(float), continuous, grid, axis=1)
        total += np.trapezoid(np.exp(log_density(ensemble, X)), grid)
    assert abs(total - 1) < 1e-3


def test_importance_weights_average_to_one():
    # E_q[p / q] = 1 for any proposal q with the same support and heavier tails.
    ensemble = make_ensemble(6, scale=0.1, order_agnostic=True)
    proposal = stats.multivariate_t(np.zeros(6), 2 * np.eye(6), df=3, seed=0)
    X = proposal.rvs(200_000)
    ratio = np.exp(log_density(ensemble, X) - proposal.logpdf(X))
    error = ratio.std() / np.sqrt(len(ratio))
    assert abs(ratio.mean() - 1) < stats.norm.isf(ALPHA / 2) * error
    assert error < 0.02


def jacobian_of(made, layers, units):
    return torch.autograd.functional.jacobian(lambda u: made.outputs(layers, u)[0, 0], units)


@pytest.mark.parametrize(("n_features", "n_binary"), [(1, 0), (2, 1), (5, 2), (32, 10)])
def test_jacobian_is_zero_where_forbidden_and_not_where_allowed(
    n_features, n_binary, configuration
):
    sizes = [max(size, 40) for size in configuration.get("hidden_layer_sizes", (40, 40))]
    options = {**configuration, "hidden_layer_sizes": tuple(sizes), "activation": "softplus"}
    ensemble = make_ensemble(n_features, n_binary, **options)
    units = torch.randn(
        1, 1, n_features, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    for made, layers, ranks in members_and_masks(ensemble):
        jacobian = jacobian_of(made, layers, units)
        moved = np.zeros((n_features, n_features), dtype=bool)
        for feature, row in zip(made.output_features, jacobian[:, 0, 0], strict=True):
            moved[feature] |= (row != 0).numpy()
        assert_array_equal(moved, ranks[None, :] < ranks[:, None])


def test_average_is_of_probabilities(configuration):
    ensemble = make_ensemble(5, 2, n_members=3, **configuration)
    X = np.random.RandomState(0).normal(size=(20, 5))
    X[:, ensemble.table.binary] = X[:, ensemble.table.binary] > 0
    units = torch.from_numpy(encode(ensemble.table, X))[None]
    alone = [
        made.log_prob(layers, units)[0].numpy()
        for made, layers, _ in members_and_masks(ensemble)
    ]
    expected = logsumexp(alone, axis=0) - np.log(len(alone)) + ensemble.table.log_jacobian
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
    X[:, ensemble.table.binary] = X[:, ensemble.table.binary] > 0
    together = log_density(ensemble, X)
    alone = np.concatenate([log_density(ensemble, row[None]) for row in X])
    order = np.random.RandomState(1).permutation(300)
    small_chunks = ensemble.log_density(X, max_bytes=1)
    assert_allclose(alone, together, rtol=1e-7)
    assert_allclose(log_density(ensemble, X[order]), together[order], rtol=1e-7)
    assert_allclose(small_chunks, together, rtol=1e-7)


def test_scores_fall_along_rays_and_stay_finite():
    ensemble = make_ensemble(4, scale=0.3)
    rng = np.random.RandomState(0)
    distance = np.concatenate([np.geomspace(30, 1e6, 40), 10.0 ** np.arange(10, 301, 10)])
    for direction in rng.normal(size=(20, 4)):
        scores = log_density(ensemble, distance[:, None] * direction)
        assert np.isfinite(scores).all()
        assert (np.diff(scores) <= 1e-9).all()


def test_draws_follow_the_exact_probabilities():
    ensemble = make_ensemble(8, 8, scale=0.5)
    states = np.array(list(itertools.product([0, 1], repeat=8)))
    expected = 20_000 * np.exp(log_density(ensemble, states))
    drawn = ensemble.draw(20_000, np.random.RandomState(0))
    counts = np.bincount(drawn.astype(int) @ 2 ** np.arange(8)[::-1], minlength=256)
    # States expected fewer than five times share one cell.
    rare = expected < 5
    expected = np.append(expected[~rare], expected[rare].sum())
    counts = np.append(counts[~rare], counts[rare].sum())
    assert stats.chisquare(counts, expected).pvalue > ALPHA


def test_draws_have_uniform_probability_integral_transforms():
    ensemble = make_ensemble(4, n_members=1, n_masks=1, scale=0.3)
    ((made, layers, _),) = members_and_masks(ensemble)
    drawn = ensemble.draw(50_000, np.random.RandomState(0))
    units = torch.from_numpy(encode(ensemble.table, drawn))[None]
    params = made.outputs(layers, units).unflatten(-1, (4, made.law.n_params))
    levels = made.law.cdf(params, units)[0].numpy()
    for column in levels.T:
        assert stats.kstest(column, "uniform").pvalue > ALPHA
    # Joint uniformity: transforms of different columns are independent.
    correlation = np.corrcoef(levels.T) - np.eye(4)
    assert np.abs(correlation).max() < stats.norm.isf(ALPHA / 12) / np.sqrt(50_000)


def test_draws_fill_cells_as_the_density_says():
    ensemble = make_ensemble(2, scale=0.3)
    drawn = ensemble.draw(50_000, np.random.RandomState(0))
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
