"""Rows with holes are walked through together as the equations say of each alone."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from skmade._prediction import holes, scoring
from skmade._prediction.holes import walk_rows
from skmade._prediction.prepared import network, same_networks, scorer
from skmade._prediction.scoring import all_paths, integrate, paths_of
from skmade._prediction.walk import feature_log_prob
from tests.ensembles import TRAININGS, draw_values, make_ensemble
from tests.equations import paths
from tests.laws import discrete_ensemble, log_density

KINDS = {"n_features": 8, "n_binary": 1, "levels": (3, 70), "n_counts": 1, "scale": 0.3}
PARTS = {
    "plain": {"residual": False, "direct_connections": False, "conditioning_weights": False},
    "direct": {"residual": False, "conditioning_weights": False},
    "residual": {"direct_connections": False},
    "one layer": {"hidden_layer_sizes": (20,)},
    "three layers": {"hidden_layer_sizes": (12, 16, 16), "activation": "softplus"},
    "a constant": {"n_constant": 1},
    "few degrees": {"hidden_layer_sizes": (3, 3), "connectivity_agnostic": False},
}


@pytest.fixture(params=PARTS.values(), ids=PARTS.keys())
def parts(request):
    return request.param


def by_equations(path, values, drawn, order, uniforms):
    """Fill in one row cell by cell: (D,) values, and log-probabilities."""
    path = replace(path, ranks=np.argsort(order) + 1)
    filled, log_probs = values.copy(), np.zeros(len(values))
    laws, numbers = path.made.by_feature(), iter(uniforms)
    for feature in order:
        law, outputs, _ = laws[feature]
        params = path.outputs(filled[None])[0, outputs][:, None, None]
        if drawn[feature]:
            filled[feature] = law.sample(params, np.full((1, 1), next(numbers)))[0, 0]
        elif not np.isnan(values[feature]):
            log_probs[feature] = law.log_prob(params, filled[None, None, feature])[0, 0]
    return filled, log_probs


@pytest.mark.parametrize("orderings", ["one", "many"])
def test_every_row_is_filled_and_scored_by_the_equations(parts, orderings, monkeypatch):
    monkeypatch.setattr(holes, "MIN_EFFECTIVE_SHARE", 0.0)
    monkeypatch.setattr(holes, "CHUNK_COLUMNS", 9)
    ensemble = make_ensemble(**KINDS, **parts)
    rng = np.random.RandomState(0)
    values = draw_values(ensemble, 12, rng, missing=0.4)
    values[0], values[1] = np.nan, draw_values(ensemble, 1, rng)
    # Some of what is missing is left out, and in one column all of it.
    drawn = np.isnan(values) & (rng.random_sample(values.shape) < 0.7)
    drawn[:, 2] = False
    values[2:, 2] = np.nan
    order = np.tile(rng.permutation(8), (12, 1))
    if orderings == "many":
        order = np.stack([rng.permutation(8) for _ in order])
    uniforms = rng.random_sample((12, 3, 8))
    filled, log_probs, log_weights, origins = walk_rows(
        network(ensemble, 1), values, drawn, order, uniforms, to_end=True
    )
    path = paths(ensemble)[1]
    for row, draw in np.ndindex(12, 3):
        expected = by_equations(path, values[row], drawn[row], order[row], uniforms[row, draw])
        assert_allclose(filled[row, draw], expected[0], rtol=1e-9, atol=1e-9)
        assert_allclose(log_probs[row, draw], expected[1], rtol=1e-9, atol=1e-9)
    assert_allclose(log_weights[..., 0], log_probs.sum(axis=2))
    assert (origins[drawn.any(axis=1), :, 0] == np.arange(3)).all()


def test_members_with_evidence_fill_and_score_rows_by_the_equations(monkeypatch):
    monkeypatch.setattr(holes, "MIN_EFFECTIVE_SHARE", 0.0)
    monkeypatch.setattr(holes, "CHUNK_COLUMNS", 9)
    ensemble = make_ensemble(6, n_counts=2, **TRAININGS["evidence"])
    rng = np.random.RandomState(0)
    values = draw_values(ensemble, 12, rng, missing=0.4)
    drawn = np.isnan(values) & (rng.random_sample(values.shape) < 0.7)
    uniforms = rng.random_sample((12, 3, 6))
    for position, path in enumerate(paths(ensemble)):
        order = np.argsort(path.ranks)
        filled, log_probs, *_ = walk_rows(
            network(ensemble, position),
            values,
            drawn,
            np.tile(order, (12, 1)),
            uniforms,
            to_end=True,
        )
        for row, draw in np.ndindex(12, 3):
            expected = by_equations(path, values[row], drawn[row], order, uniforms[row, draw])
            assert_allclose(filled[row, draw], expected[0], rtol=1e-9, atol=1e-9)
            assert_allclose(log_probs[row, draw], expected[1], rtol=1e-9, atol=1e-9)


def test_rows_that_move_holes_last_score_as_members_prepared_for_them(parts):
    ensemble = make_ensemble(**KINDS, **parts, n_masks=4, n_members=3)
    values = draw_values(ensemble, 20, np.random.RandomState(0), missing=0.4)
    values[0] = np.nan
    uniforms = np.full((3, 1, 1, 8), 0.5)
    found, *_ = integrate(
        ensemble, values, np.isnan(values), uniforms, paths_of(ensemble, values)
    )
    for row, own in enumerate(values[1:], start=1):
        moved = ensemble.moved_last(np.isnan(own))
        expected = [feature_log_prob(scorer(moved, path), own[None])[0] for path in range(3)]
        assert_allclose(found.log_probs[row], expected, rtol=1e-10, atol=1e-10)
        assert_allclose(found.log_density[row], log_mean(moved, expected), rtol=1e-10)
    assert_allclose(found.log_weights[0], np.log(3 * ensemble.shares), atol=1e-12)
    assert_allclose(found.log_density[0], 0.0, atol=1e-12)


def log_mean(moved, log_probs):
    """Log-density of one row, from what each member says of its features."""
    return logsumexp(np.log(moved.shares) + np.sum(log_probs, axis=1))


def test_what_no_observed_cell_depends_on_is_drawn_only_to_the_end(monkeypatch):
    monkeypatch.setattr(holes, "MIN_EFFECTIVE_SHARE", 0.0)
    ensemble = make_ensemble(5, n_masks=1, order_agnostic=False)
    values = draw_values(ensemble, 30, np.random.RandomState(0), missing=0.5)
    missing, every = np.isnan(values), all_paths(ensemble, 30)
    uniforms = np.random.RandomState(0).random_sample((2, 1, 4, 5))
    short, part, _ = integrate(ensemble, values, missing, uniforms, every)
    whole, filled, _ = integrate(ensemble, values, missing, uniforms, every, to_end=True)
    assert_allclose(short.log_weights, whole.log_weights, rtol=1e-12)
    assert not np.isnan(filled).any()
    assert np.isnan(part).any()
    there = ~np.isnan(part)
    assert_allclose(part[there], filled[there], rtol=1e-12)


def test_paths_with_equal_degrees_share_a_network():
    shared = make_ensemble(5, n_members=2, n_masks=3, connectivity_agnostic=False)
    assert_array_equal(same_networks(shared), [0, 0, 0, 3, 3, 3])
    assert_array_equal(same_networks(make_ensemble(5, n_members=2, n_masks=3)), np.arange(6))
    assert network(shared, 3) is network(shared, 3)


@pytest.fixture
def times_chosen(monkeypatch):
    """Count the draws that are given up."""
    calls, old = [], holes._Draws.choose

    def counting(self, rows, n_known):
        before = self.origins[0, rows].copy()
        old(self, rows, n_known)
        calls.append(int((self.origins[0, rows] != before).sum()))

    monkeypatch.setattr(holes._Draws, "choose", counting)
    return calls


def test_density_sums_to_one_where_draws_are_chosen(times_chosen, monkeypatch):
    monkeypatch.setattr(scoring, "N_DRAWS", 32)
    monkeypatch.setattr(holes, "MIN_EFFECTIVE_SHARE", 1.0)
    ensemble, states = discrete_ensemble(
        order_agnostic=False, connectivity_agnostic=False, conditioning_weights=False
    )
    ensemble = replace(ensemble, weights=4 * ensemble.weights)
    ensemble.ranks[:] = [[[2, 3, 1, 4, 5]], [[4, 2, 1, 5, 3]]]
    for missing in ([0, 1], [0, 3], [0, 2, 4]):
        observed = np.delete(np.arange(5), missing)
        rows = np.unique(states[:, observed], axis=0)
        holed = np.full((len(rows), 5), np.nan)
        holed[:, observed] = rows
        assert_allclose(np.exp(log_density(ensemble, holed)).sum(), 1.0, rtol=1e-10)
    assert sum(times_chosen) > 10


def test_draws_go_on_in_proportion_to_their_weights_where_few_count():
    rng, n_draws = np.random.RandomState(0), 40
    net = network(make_ensemble(3, n_masks=1, order_agnostic=False), 0)
    draws = holes._Draws.of(net, np.zeros((3, 5)), n_draws)
    for array in (draws.inputs, *draws.hidden, *draws.answers()[:2]):
        array[...] = rng.normal(size=array.shape)
    draws.origins[...] = draws.values[2] = np.arange(n_draws)
    draws.log_weights[0] = rng.normal(size=(5, n_draws)) * [[0.1], [3], [3], [30], [1e5]]
    before = holes._Draws(
        draws.inputs.copy(),
        draws.hidden,
        draws.evidence,
        *(array.copy() for array in draws.answers()),
    )
    draws.choose(
        np.array([0, 2, 3, 4]), [len(layer) for layer in (*draws.hidden, draws.inputs)]
    )
    for old, new in zip(before.answers(), draws.answers(), strict=True):
        assert_array_equal(new[:, :2], old[:, :2])  # most count, or it was not asked for
    chances = np.exp(before.log_weights[0] - logsumexp(before.log_weights[0], axis=1)[:, None])
    for row in (2, 3, 4):
        origins = draws.origins[0, row].astype(int)
        n_each = np.bincount(origins, minlength=n_draws)
        assert (np.abs(n_each - n_draws * chances[row]) < 1 + 1e-9).all()
        assert_array_equal(draws.values[2, row], origins)
        assert_array_equal(draws.inputs[:, row], before.inputs[:, row, origins])
        assert_allclose(
            logsumexp(draws.log_weights[0, row]), logsumexp(before.log_weights[0, row])
        )
        parts = (before.log_probs[:, row] * chances[row]).sum(axis=1)
        assert_allclose(draws.log_probs[:, row], np.tile(parts[:, None], n_draws))
