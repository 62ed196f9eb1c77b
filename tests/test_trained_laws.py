"""The laws of a density on trained models, by the methods of MADEDensity alone."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from scipy.integrate import cumulative_trapezoid
from scipy.special import logsumexp

from skmade import MADEDensity
from skmade.datasets import CorrelatedGaussian, TwoMoons
from tests.configurations import QUICK
from tests.laws import ALPHA, goodness_of_fit

WAYS = {
    "members": {"n_estimators": 2},
    "orderings": {"n_estimators": 1, "order_agnostic": True, "n_masks": 3},
    "connections": {"n_estimators": 1, "connectivity_agnostic": True, "n_masks": 3},
    "plain": {"n_estimators": 1, "residual": False, "direct_connections": False},
}


@pytest.fixture(scope="module", params=WAYS.values(), ids=WAYS.keys())
def way(request):
    """Return parameters of an estimator."""
    return request.param


def train(X, way, **parameters):
    """Fit for a few epochs."""
    return MADEDensity(**{**QUICK, "max_iter": 10, **way, **parameters}).fit(X)


def grid_around(column, n_points):
    """Points of a column, dense at its centre and 300 standard deviations far out."""
    return column.mean() + column.std() * 0.05 * np.sinh(np.linspace(-9.4, 9.4, n_points))


@pytest.fixture(scope="module")
def line(way):
    """Return a density of one column, and a grid for it."""
    X = 37 * CorrelatedGaussian(1).sample(300, random_state=0) + 100
    return train(X, way), grid_around(X[:, 0], 20_001)


def test_density_of_one_column_integrates_to_one(line):
    density, grid = line
    integral = np.trapezoid(np.exp(density.score_samples(grid[:, None])), grid)
    assert abs(integral - 1) < 1e-5


def test_draws_of_one_column_have_uniform_probability_integral_transforms(line):
    density, grid = line
    values = np.exp(density.score_samples(grid[:, None]))
    levels = cumulative_trapezoid(values, grid, initial=0)
    drawn = density.sample(50_000, random_state=0)[:, 0]
    assert stats.kstest(np.interp(drawn, grid, levels), "uniform").pvalue > ALPHA


@pytest.fixture(scope="module")
def plane(way):
    """Return a density of two columns in units whose product is not one."""
    return train(TwoMoons().sample(400, random_state=0) * [0.01, 300.0], way)


def test_density_of_two_columns_integrates_to_one(plane):
    X = TwoMoons().sample(400, random_state=0) * [0.01, 300.0]
    a, b = (grid_around(column, 701) for column in X.T)
    points = np.stack(np.meshgrid(a, b, indexing="ij"), axis=-1).reshape(-1, 2)
    values = np.exp(plane.score_samples(points)).reshape(701, 701)
    assert abs(np.trapezoid(np.trapezoid(values, b), a) - 1) < 1e-3


def test_draws_of_two_columns_fill_cells_as_the_density_says(plane):
    drawn = plane.sample(40_000, random_state=0)
    edges = [np.quantile(column[::2], np.linspace(0.1, 0.9, 9)) for column in drawn.T]
    counts, _, _ = np.histogram2d(*drawn[1::2].T, bins=edges)
    expected = 20_000 * masses_of_cells(plane, edges)
    outside = 20_000 - np.array([counts.sum(), expected.sum()])
    counts, expected = np.append(counts, outside[0]), np.append(expected, outside[1])
    assert goodness_of_fit(counts, expected) > ALPHA


def masses_of_cells(density, edges, n_nodes=40):
    """Integrate a density of two columns over the cells between edges."""
    nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
    points, sizes = zip(
        *(
            (
                ((e[1:] + e[:-1])[:, None] + np.diff(e)[:, None] * nodes).ravel() / 2,
                (np.diff(e)[:, None] / 2 * weights).ravel(),
            )
            for e in edges
        ),
        strict=True,
    )
    rows = np.stack(np.meshgrid(*points, indexing="ij"), axis=-1).reshape(-1, 2)
    values = np.exp(density.score_samples(rows)).reshape([len(p) for p in points])
    values = values * sizes[0][:, None] * sizes[1]
    n_cells = [len(e) - 1 for e in edges]
    return values.reshape(n_cells[0], n_nodes, n_cells[1], n_nodes).sum(axis=(1, 3))


def test_binary_states_have_probabilities_and_are_drawn_with_them(way):
    X = CorrelatedGaussian(6).sample(300, random_state=0) > 0
    density = train(X.astype(float), way)
    states = np.array(list(itertools.product([0, 1], repeat=6)))
    logs = density.score_samples(states)
    assert abs(logsumexp(logs)) < 1e-10
    drawn = density.sample(20_000, random_state=0).astype(int)
    counts = np.bincount(drawn @ 2 ** np.arange(6)[::-1], minlength=64)
    assert goodness_of_fit(counts, 20_000 * np.exp(logs)) > ALPHA
    # The probability of some cells is the sum over the others, where nothing is drawn.
    if not density.order_agnostic:
        natural = density.set_params(ordering="natural").fit(X.astype(float))
        logs = natural.score_samples(states).reshape(8, 8)
        firsts = states[::8].astype(float)
        firsts[:, 3:] = np.nan
        assert_allclose(natural.score_samples(firsts), logsumexp(logs, axis=1), atol=1e-9)


def mixed_table(n_rows, share_missing):
    """Return a number, a label of three levels and a count, which depend on each other."""
    rng = np.random.RandomState(0)
    label = rng.randint(3, size=n_rows).astype(float)
    count, number = rng.poisson(1 + 2 * label), 0.02 * rng.normal(size=n_rows) + label
    X = np.column_stack([number, label, count])
    X[rng.random_sample(X.shape) < share_missing] = np.nan
    return X


@pytest.mark.parametrize("observed", [[0], [1, 2], [0, 1, 2]], ids=str)
@pytest.mark.parametrize("share_missing", [0.0, 0.2])
def test_mixed_density_sums_and_integrates_to_one(way, share_missing, observed):
    X = mixed_table(300, share_missing)
    kinds = ["continuous", "categorical", "count"]
    density = train(X, way, feature_types=kinds)
    axes = [grid_around(np.linspace(-0.1, 2.1, 9), 801), np.arange(3.0), np.arange(40.0)]
    axes = [axis if i in observed else [np.nan] for i, axis in enumerate(axes)]
    rows = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    masses = np.exp(density.score_samples(rows.reshape(-1, 3))).reshape(rows.shape[:3])
    over_number = masses.sum(axis=(1, 2))
    total = np.trapezoid(over_number, axes[0]) if 0 in observed else over_number[0]
    assert abs(total - 1) < 1e-3


def test_importance_weights_average_to_one(way):
    gaussian = CorrelatedGaussian(6)
    density = train(gaussian.sample(300, random_state=0), way)
    proposal = stats.multivariate_t(np.zeros(6), 1.5 * gaussian.covariance, df=4, seed=0)
    X = proposal.rvs(40_000)
    ratio = np.exp(density.score_samples(X) - proposal.logpdf(X))
    error = ratio.std() / np.sqrt(len(ratio))
    assert abs(ratio.mean() - 1) < stats.norm.isf(ALPHA / 2) * error
    assert error < 0.03
