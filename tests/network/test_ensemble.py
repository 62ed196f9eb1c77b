"""The ensemble: its state, what members count, other orderings, and wider networks."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from skmade._network.ensemble import OFF, Ensemble, widened
from skmade._network.made import MaskList
from skmade._network.mixtures import MixtureOfGaussians
from skmade._prediction.drawing import complete, draw, draw_given
from skmade._prediction.scoring import feature_log_density, log_density
from skmade._table.numbers import Numbers
from skmade._training.loop import fit_network
from skmade._training.rows import Rows, open_source
from skmade._training.schedule import Schedule, TrainingState
from tests.ensembles import ensemble_of_each_law, make_ensemble


def test_state_makes_the_same_ensemble():
    ensemble = make_ensemble(4, 1)
    X = draw(ensemble, 20, np.random.RandomState(0))
    again = Ensemble.from_state(ensemble.to_state())
    assert_array_equal(log_density(again, X, 1e6), log_density(ensemble, X, 1e6))


def test_ensembles_are_told_apart_by_identity():
    # Prediction keeps what it prepared for one of them.
    ensemble, equal = make_ensemble(3), make_ensemble(3)
    assert ensemble != equal
    assert len({ensemble, equal, ensemble}) == 2


def test_members_nearest_to_what_was_trained_are_moved():
    ensemble = make_ensemble(5, n_members=2, n_masks=6)
    missing = np.array([False, True, True, False, True])
    moved = ensemble.moved_last(missing)
    assert moved.ranks.shape == (2, 1, 5)
    assert (moved.ranks[..., ~missing] <= 2).all()
    before = (ensemble.ranks[..., missing, None] < ensemble.ranks[..., None, ~missing]).sum(
        (2, 3)
    )
    worst = np.sort(before.ravel())[1]
    for ranks, weights in zip(moved.ranks[:, 0], moved.weights, strict=True):
        # The order among what is observed, and among what is missing, is a trained one.
        source = [
            (m, k)
            for m, k in np.ndindex(2, 6)
            if np.array_equal(
                np.argsort(ensemble.ranks[m, k][missing]), np.argsort(ranks[missing])
            )
            and np.array_equal(
                np.argsort(ensemble.ranks[m, k][~missing]), np.argsort(ranks[~missing])
            )
            and np.array_equal(ensemble.weights[m], weights)
        ]
        assert min(before[m, k] for m, k in source) <= worst
    assert ensemble.moved_last(np.zeros(5, dtype=bool)) is ensemble


SAMPLES = {
    "default": {"n_masks": 1},
    "order-agnostic": {"n_masks": 3, "order_agnostic": True},
    "connectivity-agnostic": {"n_masks": 2, "connectivity_agnostic": True},
}
MAX_BYTES = 2**26


@pytest.fixture(params=SAMPLES.values(), ids=SAMPLES.keys())
def of_each_law(request):
    """Return members for a column of each law, and rows, some with holes and some far away."""
    ensemble, X = ensemble_of_each_law(n_members=3, **request.param)
    X = X[:60].copy()
    rng = np.random.RandomState(0)
    X[20:40][rng.random_sample((20, X.shape[1])) < 0.4] = np.nan
    X[40:, 0] *= 1e4
    X[40:50, 4] += 1000
    return ensemble, X


@pytest.mark.parametrize("n_components", [4, 10])
def test_networks_of_more_components_score_the_same(of_each_law, n_components):
    ensemble, X = of_each_law
    wide = ensemble.with_components(n_components)
    assert wide.weights.shape[1] == wide.made.n_weights > ensemble.weights.shape[1]
    assert wide.architecture.n_components == n_components
    for score in (log_density, feature_log_density):
        expected = score(ensemble, X, MAX_BYTES)
        assert_allclose(score(wide, X, MAX_BYTES), expected, rtol=1e-12, atol=1e-12)


def test_networks_of_more_components_draw_the_same(of_each_law):
    ensemble, X = of_each_law
    wide = ensemble.with_components(10)

    def drawn(own):
        rng = np.random.RandomState(0)
        row = np.where(np.arange(X.shape[1]) % 3 == 0, X[0], np.nan)
        yield draw(own, 2000, rng)
        yield draw_given(own, row, 200, rng)[0]
        yield complete(own, X[20:40], rng, MAX_BYTES)[0]
        yield complete(own, X[20:40], None, MAX_BYTES)[0]

    for found, expected in zip(drawn(wide), drawn(ensemble), strict=True):
        assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_the_uppermost_level_is_drawn_from_a_component_that_has_a_share(of_each_law):
    ensemble, _ = of_each_law
    wide = ensemble.with_components(10)
    almost_one = np.full((1, 50), np.nextafter(1.0, 0))
    for (law, own, _), (wide_law, outputs, _) in zip(
        ensemble.made.by_feature(), wide.made.by_feature(), strict=True
    ):
        if not isinstance(law, MixtureOfGaussians):
            continue
        biases = [
            one.made.unflatten(one.weights[0].astype(np.float64))["bias2"][places]
            for one, places in ((ensemble, own), (wide, outputs))
        ]
        params = [np.tile(one[:, None, None], (1, 1, 50)) for one in biases]
        for level in (almost_one, np.full((1, 50), 1e-300)):
            expected = law.sample(params[0].copy(), level)
            assert_allclose(wide_law.sample(params[1].copy(), level), expected, rtol=1e-9)


def test_the_optimizer_of_a_widened_network_knows_nothing_of_new_components(of_each_law):
    ensemble, _ = of_each_law
    rng = np.random.RandomState(0)
    shape = ensemble.weights.shape
    optimizer = {
        "current": ensemble.weights + 1,
        "moments": [rng.uniform(1, 2, size=shape).astype(np.float32) for _ in range(2)],
        "n_steps": 3,
    }
    wide = replace(ensemble, optimizer=optimizer).with_components(6)
    assert wide.optimizer["n_steps"] == 3
    for before, after in zip(optimizer["moments"], wide.optimizer["moments"], strict=True):
        assert_array_equal(np.sort(after[after > 0]), np.sort(before.ravel()))
        assert (after == 0).sum() == after.size - before.size
    expected = widened(ensemble.made, wide.made, optimizer["current"], OFF)
    assert_array_equal(wide.optimizer["current"], expected)
    assert ensemble.with_components(3) is ensemble


def test_training_leaves_components_without_a_share_alone(of_each_law):
    ensemble, X = of_each_law
    wide = ensemble.with_components(5)
    rows = Rows(open_source(ensemble.table, Numbers(X[:40]), None, 0), 3)
    schedule = Schedule(20, 16, 0.01, 0.1, 5, 1e-4, dropout=0.2, jitter=0.3)
    trained = []
    for own in (ensemble, wide):
        masks = MaskList(own.ranks, own.degrees)
        state = fit_network(own.made, TrainingState(own.weights), masks, rows, schedule, 0)
        trained.append(replace(own, weights=state.average))
        moved = np.abs(state.average - own.weights).max(axis=1)
        assert (moved > 0.01).all()
    narrow, wide = trained
    for flat in wide.weights:
        parts = wide.made.unflatten(flat)
        off = parts["bias2"] == np.float32(OFF)
        assert off.sum() == 2 * sum(
            isinstance(law, MixtureOfGaussians) for law, _, _ in wide.made.by_feature()
        )
        assert np.abs(parts["weight2"][off]).max() < 1e-20
        assert np.abs(parts["direct"][off[: len(parts["direct"])]]).max() < 1e-20
    # It trains as the network that it was.
    expected = log_density(narrow, X, MAX_BYTES)
    assert_allclose(log_density(wide, X, MAX_BYTES), expected, rtol=1e-2, atol=0.05)


def test_members_count_in_a_mixture_of_densities(of_each_law):
    ensemble, X = of_each_law
    rows = X[:20]  # without holes: order-agnostic members use other orderings for these
    alone = [ensemble.of_members(slice(m, m + 1)) for m in range(3)]
    assert [own.shares.tolist() for own in alone] == [[1.0]] * 3
    logs = [log_density(own, rows, MAX_BYTES) for own in alone]
    expected = logsumexp(logs, axis=0, b=ensemble.shares[:, None])
    assert_allclose(log_density(ensemble, rows, MAX_BYTES), expected, rtol=1e-9)
    again = alone[0].joined_by(alone[1:], 7 * ensemble.shares)
    assert_allclose(again.shares, ensemble.shares)
    assert_allclose(log_density(again, X, MAX_BYTES), log_density(ensemble, X, MAX_BYTES))
    # A member that counts next to nothing changes next to nothing.
    negligible = alone[0].joined_by(alone[1:2], [1.0, 1e-14])
    assert_allclose(log_density(negligible, rows, MAX_BYTES), logs[0], atol=1e-9)


def test_shares_are_saved_and_were_equal_in_version_0_1():
    ensemble = make_ensemble(4, 1, n_members=3)
    state = ensemble.to_state()
    assert_array_equal(Ensemble.from_state(state).shares, ensemble.shares)
    del state["shares"]
    assert_allclose(Ensemble.from_state(state).shares, 1 / 3)


def test_odds_have_a_mean_of_one():
    ensemble = make_ensemble(4, n_members=3, n_masks=5)
    odds = np.exp(ensemble.log_odds)
    assert odds.shape == (15,)
    assert_allclose(odds.mean(), 1)
    assert_allclose(odds.reshape(3, 5) / odds.sum() * 5, np.tile(ensemble.shares, (5, 1)).T)
