"""The ensemble: its state, and members with other orderings."""

import numpy as np
from numpy.testing import assert_array_equal

from skmade._network.ensemble import Ensemble
from skmade._prediction.drawing import draw
from skmade._prediction.scoring import log_density
from tests.ensembles import make_ensemble


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
