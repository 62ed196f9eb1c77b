"""The background: a part of the density everywhere, and all of it beyond the edges."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate
from scipy.special import logsumexp

from skmade._prediction import background
from skmade._prediction.background import chance_of_background
from skmade._prediction.scoring import feature_log_density
from skmade._table.encoding import transform
from skmade._table.frame import UNKNOWN
from tests.ensembles import draw_table, make_ensemble
from tests.laws import MAX_BYTES, log_density


@pytest.fixture
def large_share(monkeypatch):
    """Give the background so large a share that mistakes in it can be seen."""
    monkeypatch.setattr(background, "LOG_SHARE", np.log(0.4))
    monkeypatch.setattr(background, "LOG_REST", np.log(0.6))


def background_of(ensemble, X):
    return background.background(ensemble.table, transform(ensemble.table, X))


@pytest.mark.usefixtures("large_share")
def test_density_with_a_background_integrates_to_one():
    ensemble = make_ensemble(1, columns_scale=37.0)

    def density(x):
        return np.exp(log_density(ensemble, x.reshape(-1, 1))).reshape(x.shape)

    # Both are near, and the background is alone far out.
    near = np.linspace(-200, 200, 20_001)
    parts = [integrate.simpson(density(near), x=near)]
    parts += [
        integrate.tanhsinh(density, *ends).integral for ends in ((-np.inf, -200), (200, np.inf))
    ]
    assert min(parts) > 1e-3
    assert_allclose(sum(parts), 1, atol=1e-6)


@pytest.mark.usefixtures("large_share")
@pytest.mark.parametrize("missing", [[], [0], [1, 2]])
@pytest.mark.parametrize("unknown", [False, True])
def test_masses_with_a_background_sum_to_one(missing, unknown):
    ensemble = make_ensemble(
        3, 1, levels=(3,), n_counts=1, unknown=unknown, order_agnostic=False, missing=0.2
    )
    values = {"binary": [0, 1], "categorical": [0, 1, 2], "count": range(-3000, 3000)}
    columns = [list(values[kind]) for kind in ensemble.table.kinds]
    if unknown:
        columns[int(ensemble.table.n_levels.argmax())].append(UNKNOWN)
        columns[int(np.argmax(ensemble.table.kinds == "binary"))].append(0.5)
    for column in missing:
        columns[column] = [np.nan]
    assert abs(logsumexp(log_density(ensemble, list(itertools.product(*columns))))) < 1e-5


@pytest.mark.usefixtures("large_share")
def test_parts_with_a_background_sum_to_the_log_density():
    ensemble = make_ensemble(5, 1, levels=(3,), n_counts=1, missing=0.3)
    rng = np.random.RandomState(0)
    X = draw_table(ensemble.table.kinds, ensemble.table.n_levels, 50, rng)
    X[:, ensemble.table.kinds == "continuous"] *= 10.0 ** rng.uniform(0, 5, size=(50, 1))
    X[rng.random_sample(X.shape) < 0.3] = np.nan
    parts = feature_log_density(ensemble, X, MAX_BYTES)
    assert_allclose(parts.sum(axis=1), log_density(ensemble, X), rtol=1e-9)
    assert_array_equal(parts[np.isnan(X)], 0)


def test_the_far_cell_is_to_blame():
    ensemble = make_ensemble(6, scale=0.1)
    rows = 1e3 * np.eye(6)
    parts = feature_log_density(ensemble, rows, MAX_BYTES)
    assert_array_equal(parts.argmin(axis=1), np.arange(6))


def test_scores_beyond_the_edges_fall_along_every_ray():
    ensemble = make_ensemble(4, scale=0.7, columns_scale=np.array([1e-3, 1.0, 50.0, 1e4]))
    table, rng = ensemble.table, np.random.RandomState(0)
    origin = np.ldexp(table.center, table.exponent)
    spread = np.ldexp(table.spread, table.exponent)
    # Of the 50 rows that columns were learned from, none is five spreads out.
    steps = np.concatenate([np.geomspace(8, 1e6, 300), 10.0 ** np.arange(10, 301, 10)])
    for direction in rng.normal(size=(100, 4)):
        direction /= np.abs(direction).max()
        scores = log_density(ensemble, origin + spread * steps[:, None] * direction)
        assert np.isfinite(scores).all()
        assert (np.diff(scores) <= 0).all()


def test_the_background_has_no_say_where_rows_were():
    ensemble = make_ensemble(3, scale=0.1)
    X = np.random.RandomState(0).normal(size=(200, 3))
    total = background_of(ensemble, X).sum(axis=1)
    assert chance_of_background(total, log_density(ensemble, X)).max() < 1e-4


def test_unseen_labels_have_the_mass_kept_for_them():
    ensemble = make_ensemble(2, levels=(3, 3), unknown=True)
    parts = background_of(ensemble, np.array([[UNKNOWN, 0.0], [1.0, np.nan]]))
    kept = ensemble.table.unseen_mass
    assert_allclose(parts[0, 0], np.log(kept[0]))
    assert_allclose(parts[1, 0], np.log((1 - kept[0]) / 3))
    assert parts[1, 1] == 0
