"""Members of an ensemble: drawn, trained in stacks, and put back together."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skmade._table.numbers import Numbers
from skmade._training.members import (
    MAX_STACK_SIZE,
    draw_members,
    merge_histories,
    put_in_place,
    stack_bytes,
    stack_size,
    stacks,
    with_trained,
)
from skmade._training.rows import Rows, open_source
from skmade._training.schedule import Schedule, TrainingState
from tests.ensembles import make_ensemble


def draw(ensemble, seeds, **options):
    """Draw members for the table of an ensemble, all of them from the same rows."""
    X = np.random.RandomState(0).normal(size=(80, ensemble.table.n_features))
    rows = Rows(open_source(ensemble.table, Numbers(X), None, 0), len(seeds))
    options = {"n_masks": 3, **options}
    return draw_members(ensemble.table, rows, ensemble.architecture, seeds, **options)


AGNOSTIC = [{}, {"order_agnostic": True}, {"connectivity_agnostic": True}]


@pytest.mark.parametrize("options", AGNOSTIC, ids=str)
def test_one_seed_makes_one_member_whatever_the_others_are(options):
    ensemble = make_ensemble(5)
    together = draw(ensemble, [4, 7, 4], **options)
    alone = [draw(ensemble, [seed], **options) for seed in (4, 7, 4)]
    joined = alone[0].joined_by(alone[1:])
    assert_array_equal(together.ranks, joined.ranks)
    assert_array_equal(together.weights, joined.weights)
    for layer, own in zip(together.degrees, joined.degrees, strict=True):
        assert_array_equal(layer, own)
    assert_array_equal(together.weights[0], together.weights[2])
    assert (together.weights[0] != together.weights[1]).any()


def test_members_start_from_the_rows_that_they_train_on():
    ensemble = make_ensemble(3)
    X = np.random.RandomState(0).normal(size=(60, 3))
    source = open_source(ensemble.table, Numbers(X), None, 0)
    drawn = draw_members(
        ensemble.table, Rows(source, 2, fraction=0.5), ensemble.architecture, [1, 1], n_masks=1
    )
    assert_array_equal(drawn.ranks[0], drawn.ranks[1])
    assert (drawn.weights[0] != drawn.weights[1]).any()


SCHEDULE = Schedule(
    max_iter=5,
    batch_size=64,
    learning_rate_init=0.01,
    dropout=0.2,
    alpha=0.01,
    n_iter_no_change=2,
    tol=1e-4,
)


@pytest.mark.parametrize("n_members", range(1, 11))
def test_stacks_cover_all_members_once(n_members):
    ensemble = make_ensemble(3, n_members=n_members)
    parts, starts, masks = zip(*stacks(ensemble, SCHEDULE), strict=True)
    positions = np.concatenate([np.arange(n_members)[part] for part in parts])
    assert_array_equal(positions, np.arange(n_members))
    assert_array_equal(np.concatenate([s.average for s in starts]), ensemble.weights)
    assert_array_equal(np.concatenate([own.ranks for own in masks]), ensemble.ranks)
    for layer, own in zip(
        ensemble.degrees, zip(*[m.degrees for m in masks], strict=True), strict=True
    ):
        assert_array_equal(np.concatenate(own), layer)
    sizes = [len(start.average) for start in starts]
    assert max(sizes) <= MAX_STACK_SIZE
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes[:-1])) <= 1
    assert n_members == 1 or len(sizes) > 1  # work for another thread


def test_stacks_of_much_work_are_small():
    small, large = (
        make_ensemble(3, n_members=16, hidden_layer_sizes=(width, width)) for width in (8, 256)
    )
    assert stack_size(small, SCHEDULE) == MAX_STACK_SIZE
    sizes = [
        stack_size(large, replace(SCHEDULE, batch_size=batch_size))
        for batch_size in (1, 16, 64, 256, 2**20)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (MAX_STACK_SIZE, 1)


def test_members_may_be_asked_to_train_in_one_stack():
    ensemble = make_ensemble(3, n_members=9)
    ((part, start, masks),) = stacks(ensemble, replace(SCHEDULE, together=True))
    assert_array_equal(start.average, ensemble.weights)
    assert_array_equal(np.arange(9)[part], np.arange(9))
    assert_array_equal(masks.ranks, ensemble.ranks)


def test_memory_grows_with_members_of_a_stack_and_weights():
    small, large = (
        make_ensemble(3, n_members=8, hidden_layer_sizes=(width, width)) for width in (8, 64)
    )
    for ensemble in (small, large):
        size = stack_size(ensemble, SCHEDULE)
        assert stack_bytes(ensemble, SCHEDULE) > size * 4 * ensemble.weights.shape[1]
    assert stack_bytes(large, SCHEDULE) > stack_bytes(small, SCHEDULE)


def test_trained_weights_take_the_place_of_those_before():
    ensemble = make_ensemble(3, n_members=5)
    weights, states = ensemble.weights.copy(), []
    for part, start, _ in stacks(ensemble, SCHEDULE):
        trained = TrainingState(start.average + 1, best_score=np.zeros(len(start.average)))
        states.append(put_in_place(weights, part, trained))
        assert np.shares_memory(states[-1].average, weights)
        assert states[-1].best_score is trained.best_score
    assert_array_equal(weights, ensemble.weights + 1)


def test_optimizer_is_handed_on_by_member():
    ensemble = make_ensemble(3, n_members=MAX_STACK_SIZE + 1)
    trained = [
        TrainingState(
            start.average, start.average + 1, (start.average + 2, start.average + 3), 7
        )
        for _, start, _ in stacks(ensemble, SCHEDULE)
    ]
    assert len(trained) > 1
    resumed = with_trained(ensemble, trained, keep_optimizer=True)
    for (_, start, _), before in zip(stacks(resumed, SCHEDULE), trained, strict=True):
        assert start.n_steps == 7
        assert_array_equal(start.current, before.current)
        assert_array_equal(start.moments, before.moments)
    assert with_trained(resumed, trained, keep_optimizer=False).optimizer is None


def test_histories_are_averaged_over_members():
    def trained(*epochs):
        history = {"train": [np.array(epoch) for epoch in epochs], "validation": []}
        return TrainingState(np.zeros((len(epochs[0]), 1)), history=history)

    # Two members that stop after one epoch, one that goes on.
    merged = merge_histories([trained([1.0, 3.0]), trained([5.0], [8.0])])
    assert merged == {"train": [3.0, 4.0], "validation": []}
