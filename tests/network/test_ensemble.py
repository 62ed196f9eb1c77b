from dataclasses import replace

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from skmade._network.ensemble import (
    STACK_SIZE,
    Ensemble,
    merge_histories,
)
from skmade._prediction.drawing import draw
from skmade._prediction.scoring import log_density
from skmade._prediction.walk import feature_log_prob
from skmade._training.schedule import TrainingState
from tests.ensembles import draw_values, make_ensemble
from tests.equations import components


def test_state_makes_the_same_ensemble():
    ensemble = make_ensemble(4, 1)
    X = draw(ensemble, 20, np.random.RandomState(0))
    again = Ensemble.from_state(ensemble.to_state())
    assert_array_equal(log_density(again, X, 1e6), log_density(ensemble, X, 1e6))


def test_components_are_counted_member_by_member():
    ensemble = make_ensemble(4, 1, n_members=3, n_masks=2)
    values = draw_values(ensemble, 10, np.random.RandomState(0))
    assert ensemble.n_components == 6
    for position, component in enumerate(components(ensemble)):
        expected = component.feature_log_prob(values)
        for walk in (ensemble.scorer(position), ensemble.sampler(position)):
            assert_allclose(feature_log_prob(walk, values), expected, rtol=1e-9, atol=1e-9)


def test_another_ensemble_has_walks_of_its_own():
    ensemble = make_ensemble(4, 1)
    first = ensemble.scorer(0), ensemble.sampler(0)
    assert ensemble.scorer(0) is first[0]
    assert ensemble.sampler(0) is first[1]
    missing = np.array([True, False, True, False])
    others = (replace(ensemble, weights=-ensemble.weights), ensemble.moved_last(missing))
    values = draw_values(ensemble, 10, np.random.RandomState(0))
    for other in others:
        (expected, *_) = (part.feature_log_prob(values) for part in components(other))
        for walk in (other.scorer(0), other.sampler(0)):
            assert_allclose(feature_log_prob(walk, values), expected, rtol=1e-9, atol=1e-9)


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
