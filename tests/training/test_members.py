"""Members of an ensemble: drawn, trained in stacks, and put back together."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skmade._table.numbers import Numbers
from skmade._training.members import (
    STACK_SIZE,
    draw_members,
    merge_histories,
    stacks,
    with_trained,
)
from skmade._training.rows import Rows, open_source
from skmade._training.schedule import TrainingState
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


def test_stacks_cover_all_members_once():
    ensemble = make_ensemble(3, n_members=STACK_SIZE + 2)
    parts = [part for part, _, _ in stacks(ensemble)]
    assert_array_equal(np.r_[tuple(parts)][: STACK_SIZE + 2], np.arange(STACK_SIZE + 2))
    starts = [start for _, start, _ in stacks(ensemble)]
    assert [len(start.average) for start in starts] == [STACK_SIZE, 2]
    merged = with_trained(ensemble, starts, keep_optimizer=False)
    assert_array_equal(merged.weights, ensemble.weights)


def test_optimizer_is_handed_on_by_member():
    ensemble = make_ensemble(3, n_members=STACK_SIZE + 1)
    trained = [
        TrainingState(
            start.average, start.average + 1, (start.average + 2, start.average + 3), 7
        )
        for _, start, _ in stacks(ensemble)
    ]
    resumed = with_trained(ensemble, trained, keep_optimizer=True)
    for (_, start, _), before in zip(stacks(resumed), trained, strict=True):
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
