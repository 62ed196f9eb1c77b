import numpy as np
import pytest
from conftest import make_ensemble
from numpy.testing import assert_allclose, assert_array_equal

from skmade._drawing import draw
from skmade._ensemble import (
    STACK_SIZE,
    Ensemble,
    mean_log_jacobians,
    merge_histories,
    split_rows,
)
from skmade._scoring import log_density
from skmade._training import TrainingState


def split(n_samples, n_members, fraction, validation=None):
    values = np.arange(float(n_samples))[:, None]
    log_jacobian = -np.arange(float(n_samples))
    rng = np.random.RandomState(0)
    weight = np.ones(n_samples)
    return split_rows(values, log_jacobian, weight, validation, n_members, fraction, rng)


def test_members_hold_out_different_rows_and_train_on_the_rest():
    rows = split(100, 10, 0.1)
    assert rows.train.shape == (10, 90)
    assert_array_equal(np.sort(rows.held_out.ravel()), np.arange(100))
    for train, held_out in zip(rows.train, rows.held_out, strict=True):
        assert_array_equal(np.sort(np.r_[train, held_out]), np.arange(100))


def test_at_least_one_row_is_held_out():
    assert split(2, 3, 0.1).held_out.shape == (3, 1)


def test_without_a_fraction_all_rows_are_trained_on():
    rows = split(5, 2, None)
    assert rows.held_out is None
    assert_array_equal(rows.train, [np.arange(5)] * 2)


def test_given_validation_rows_are_held_out_by_all():
    rows = split(5, 2, 0.1, validation=(np.array([[70.0], [80.0]]), np.array([-70.0, -80.0])))
    assert_array_equal(rows.train, [np.arange(5)] * 2)
    assert_array_equal(rows.values[rows.held_out][..., 0], [[70, 80]] * 2)
    assert_array_equal(rows.log_jacobian[rows.held_out], [[-70, -80]] * 2)
    assert_array_equal(rows.weight[rows.held_out], 1)


def test_log_jacobians_are_averaged_by_weight_over_the_rows_of_each_kind():
    rng, log_jacobian = np.random.RandomState(0), np.arange(6.0) ** 2
    weight = np.arange(1.0, 7.0)
    rows = split_rows(np.zeros((6, 1)), log_jacobian, weight, None, 3, 1 / 3, rng)
    means = {
        key: np.mean([np.average(log_jacobian[own], weights=weight[own]) for own in members])
        for key, members in (("train", rows.train), ("validation", rows.held_out))
    }
    assert mean_log_jacobians(rows) == pytest.approx(means)
    rows = split_rows(np.zeros((6, 1)), log_jacobian, weight, None, 3, None, rng)
    expected = np.average(log_jacobian, weights=weight)
    assert mean_log_jacobians(rows) == pytest.approx({"train": expected, "validation": 0.0})


def test_weights_have_mean_one():
    rng = np.random.RandomState(0)
    weight = np.array([1.0, 2.0, 3.0, 10.0])
    rows = split_rows(np.zeros((4, 1)), np.zeros(4), weight, None, 1, None, rng)
    assert_allclose(rows.weight, [0.25, 0.5, 0.75, 2.5])


def test_values_fit_single_precision():
    far = np.array([[1e300], [-1e300]])
    rows = split_rows(far, np.zeros(2), np.ones(2), None, 1, None, None)
    assert np.isfinite(rows.values.astype(np.float32) ** 2).all()


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
    merged = merge_histories(
        [trained([1.0, 3.0]), trained([5.0], [8.0])], {"train": 10.0, "validation": 20.0}
    )
    assert merged == {"train": [13.0, 14.0], "validation": []}
