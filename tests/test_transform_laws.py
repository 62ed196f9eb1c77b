"""The laws of a density whose columns are transformed: integrals, draws, means."""

import numpy as np
import pytest
from scipy import stats

from skmade._table import learning
from skmade._table.marginals import fit_marginals
from tests.configurations import quick
from tests.laws import ALPHA

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
    monkeypatch.setattr(learning, "choose_marginals", fit_marginals)
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
    drawn_levels = np.interp(drawn, grid, levels)
    # Of a narrow part of the density around an atom, draws are the atom itself.
    for atom in density._state["table"]["atoms"].ravel():
        near = np.abs(drawn - atom) < 0.1
        assert (drawn[near] == atom).mean() > 0.9
        ends = np.interp([atom - 0.1, atom + 0.1], grid, levels)
        drawn_levels[near] = np.random.RandomState(0).uniform(*ends, size=near.sum())
    assert stats.kstest(drawn_levels, "uniform").pvalue > ALPHA


def test_imputed_means_are_those_of_the_table_and_not_of_its_images():
    rng = np.random.RandomState(0)
    table = np.exp(rng.normal(size=(500, 2)))
    density = quick(n_estimators=2, max_iter=3).fit(table)
    mean = density.impute([[1.0, np.nan]], strategy="mean")[0, 1]
    drawn = density.sample(20_000, random_state=0, given={0: 1.0})[:, 1]
    assert abs(mean - np.exp(0.5)) < 0.35
    assert abs(mean - np.minimum(drawn, np.quantile(drawn, 0.999)).mean()) < 0.2
