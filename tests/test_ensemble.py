import numpy as np
from conftest import make_ensemble
from numpy.testing import assert_array_equal

from skmade._drawing import draw
from skmade._ensemble import (
    STACK_SIZE,
    Ensemble,
    merge_histories,
)
from skmade._scoring import log_density
from skmade._training import TrainingState


def test_state_makes_the_same_ensemble():
    ensemble = make_ensemble(4, 1)
    X = draw(ensemble, 20, np.random.RandomState(0))
    again = Ensemble.from_state(ensemble.to_state())
    assert_array_equal(log_density(again, X, 1e6), log_density(ensemble, X, 1e6))


def test_stacks_cover_all_members_once():
    ensemble = make_ensemble(3, n_members=STACK_SIZE + 2)
    parts = [part for part, _, _ in ensemble.stacks()]
    assert_array_equal(np.r_[tuple(parts)][: STACK_SIZE + 2], np.arange(STACK_SIZE + 2))
    stacks = [start for _, start, _ in ensemble.stacks()]
    assert [len(start.average) for start in stacks] == [STACK_SIZE, 2]
    merged = ensemble.with_trained(stacks, keep_optimizer=False)
    assert_array_equal(merged.weights, ensemble.weights)


def test_optimizer_is_handed_on_by_member():
    ensemble = make_ensemble(3, n_members=STACK_SIZE + 1)
    stacks = [
        TrainingState(
            start.average, start.average + 1, (start.average + 2, start.average + 3), 7
        )
        for _, start, _ in ensemble.stacks()
    ]
    resumed = ensemble.with_trained(stacks, keep_optimizer=True)
    for (_, start, _), before in zip(resumed.stacks(), stacks, strict=True):
        assert start.n_steps == 7
        assert_array_equal(start.current, before.current)
        assert_array_equal(start.moments, before.moments)


def test_histories_are_averaged_over_members():
    def trained(*epochs):
        history = {"train": [np.array(epoch) for epoch in epochs], "validation": []}
        return TrainingState(np.zeros((len(epochs[0]), 1)), np.zeros(1), history=history)

    # Two members that stop after one epoch, one that goes on.
    merged = merge_histories([trained([1.0, 3.0]), trained([5.0], [8.0])])
    assert merged == {"train": [3.0, 4.0], "validation": []}
