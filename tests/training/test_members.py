"""Members of an ensemble: drawn, trained in stacks, and put back together."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmade._network.masks import draw_ranks
from skmade._table.numbers import Numbers
from skmade._training.members import (
    MAX_STACK_SIZE,
    Cohort,
    Drawing,
    Trained,
    draw_members,
    joined,
    merge_histories,
    put_in_place,
    recalled,
    shares_of_recipes,
    stack_bytes,
    stack_size,
    stacks,
    with_states,
)
from skmade._training.recipes import ROWS_BEFOREHAND, shares_of
from skmade._training.rows import Rows, open_source
from skmade._training.schedule import Schedule, TrainingState
from tests.ensembles import make_ensemble


def rows_of(ensemble, n_members, n_rows=80, **options):
    """Return rows for the table of an ensemble."""
    X = np.random.RandomState(0).normal(size=(n_rows, ensemble.table.n_features))
    return Rows(open_source(ensemble.table, Numbers(X), None, 0), n_members, **options)


def draw(ensemble, seeds, ranks, connectivity_agnostic=False):
    """Draw members for the table of an ensemble, all of them from the same rows."""
    rows, shape = rows_of(ensemble, len(seeds)), ensemble.architecture
    return draw_members(ensemble.table, rows, shape, ranks, seeds, connectivity_agnostic)


AGNOSTIC = [{}, {"order_agnostic": True}, {"connectivity_agnostic": True}]


@pytest.mark.parametrize("options", AGNOSTIC, ids=str)
def test_one_seed_makes_one_member_whatever_the_others_are(options):
    ensemble, seeds = make_ensemble(5), [4, 7, 4]
    ranks = draw_ranks(3, 5, np.random.RandomState(0), n_masks=3, **options)
    ranks[2] = ranks[0]
    connectivity_agnostic = options.get("connectivity_agnostic", False)
    together = draw(ensemble, seeds, ranks, connectivity_agnostic)
    alone = [
        draw(ensemble, [seed], own[None], connectivity_agnostic)
        for seed, own in zip(seeds, ranks, strict=True)
    ]
    joined = alone[0].joined_by(alone[1:], [1, 1, 1])
    assert_array_equal(together.ranks, ranks)
    assert_array_equal(together.ranks, joined.ranks)
    assert_array_equal(together.weights, joined.weights)
    assert_allclose(joined.shares, together.shares)
    assert_allclose(together.shares, 1 / 3)
    for layer, own in zip(together.degrees, joined.degrees, strict=True):
        assert_array_equal(layer, own)
    assert_array_equal(together.weights[0], together.weights[2])
    assert (together.weights[0] != together.weights[1]).any()


@pytest.mark.parametrize("connectivity_agnostic", [False, True])
@pytest.mark.parametrize("residual", [False, True])
def test_each_mask_of_agnostic_members_has_degrees_of_its_own(connectivity_agnostic, residual):
    ensemble = make_ensemble(5, residual=residual)
    ranks = draw_ranks(
        2, 5, np.random.RandomState(0), n_masks=4, connectivity_agnostic=connectivity_agnostic
    )
    drawn = draw(ensemble, [1, 2], ranks, connectivity_agnostic)
    first, second = drawn.degrees
    assert first.shape == second.shape == ((2, 4, 16) if connectivity_agnostic else (2, 1, 16))
    n_different = 8 if connectivity_agnostic else 1
    assert len(np.unique(first.reshape(-1, 16), axis=0)) == n_different
    # Skip connections join units of equal degree.
    assert (first == second).all() == (residual or not connectivity_agnostic)


def test_members_start_from_the_rows_that_they_train_on():
    ensemble = make_ensemble(3)
    rows = rows_of(ensemble, 2, fraction=0.5)
    ranks = np.array([[[1, 2, 3]], [[1, 2, 3]]])
    drawn = draw_members(ensemble.table, rows, ensemble.architecture, ranks, [1, 1])
    assert (drawn.weights[0] != drawn.weights[1]).any()
    swapped = draw_members(
        ensemble.table,
        rows.with_folds(np.array([1, 0])),
        ensemble.architecture,
        ranks,
        [1, 1],
    )
    assert_array_equal(swapped.weights, drawn.weights[::-1])


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
    parts, starts, masks = zip(*stacks(ensemble, SCHEDULE, n_members), strict=True)
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
    assert stack_size(small, SCHEDULE, 16) == MAX_STACK_SIZE
    sizes = [
        stack_size(large, replace(SCHEDULE, batch_size=batch_size), 16)
        for batch_size in (1, 16, 64, 256, 2**20)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (MAX_STACK_SIZE, 1)


def test_members_may_be_asked_to_train_in_one_stack():
    ensemble = make_ensemble(3, n_members=9)
    ((part, start, masks),) = stacks(ensemble, replace(SCHEDULE, together=True), 9)
    assert_array_equal(start.average, ensemble.weights)
    assert_array_equal(np.arange(9)[part], np.arange(9))
    assert_array_equal(masks.ranks, ensemble.ranks)


def test_memory_grows_with_members_of_a_stack_and_weights():
    small, large = (
        make_ensemble(3, n_members=8, hidden_layer_sizes=(width, width)) for width in (8, 64)
    )
    for ensemble in (small, large):
        size = stack_size(ensemble, SCHEDULE, 8)
        assert stack_bytes(ensemble, SCHEDULE) > size * 4 * ensemble.weights.shape[1]
    assert stack_bytes(large, SCHEDULE) > stack_bytes(small, SCHEDULE)


def test_some_of_the_members_leave_work_for_other_threads_too():
    some = make_ensemble(3, n_members=2)
    assert [part for part, *_ in stacks(some, SCHEDULE, 2)] == [slice(0, 1), slice(1, 2)]
    # Beside others they may train together.
    assert [part for part, *_ in stacks(some, SCHEDULE, 8)] == [slice(0, 2)]


def cohort_of(ensemble, recipe=0, first=0, folds=None, states=()):
    folds = np.arange(len(ensemble.weights)) if folds is None else np.array(folds)
    return Cohort(recipe, first, ensemble, folds, tuple(states))


def test_trained_weights_take_the_place_of_those_before():
    ensemble = make_ensemble(3, n_members=5)
    cohort, states = cohort_of(replace(ensemble, weights=ensemble.weights.copy())), []
    weights = cohort.ensemble.weights
    for part, start, _ in stacks(ensemble, SCHEDULE, 5):
        trained = TrainingState(start.average + 1, best_score=np.zeros(len(start.average)))
        states.append(put_in_place(cohort, part, trained))
        assert np.shares_memory(states[-1].average, weights)
        assert states[-1].best_score is trained.best_score
    assert_array_equal(weights, ensemble.weights + 1)


def stepped(ensemble, n_members):
    """Return the states of an ensemble's stacks after seven steps."""
    return [
        TrainingState(
            start.average, start.average + 1, (start.average + 2, start.average + 3), 7
        )
        for _, start, _ in stacks(ensemble, SCHEDULE, n_members)
    ]


def test_optimizer_is_handed_on_by_member():
    ensemble = make_ensemble(3, n_members=MAX_STACK_SIZE + 1, shares="equal")
    trained = stepped(ensemble, MAX_STACK_SIZE + 1)
    assert len(trained) > 1
    cohort = cohort_of(ensemble, states=trained)
    resumed, _ = joined([cohort], np.ones(1), keep_optimizer=True)
    for (_, start, _), before in zip(
        stacks(resumed, SCHEDULE, MAX_STACK_SIZE + 1), trained, strict=True
    ):
        assert start.n_steps == 7
        assert_array_equal(start.current, before.current)
        assert_array_equal(start.moments, before.moments)
    forgotten, _ = joined([cohort._replace(ensemble=resumed)], np.ones(1), keep_optimizer=False)
    assert forgotten.optimizer is None


def test_cohorts_are_joined_recipe_by_recipe_and_recalled():
    # Two recipes of one shape: three members of the first, in two rounds, two of the second.
    first, second, third = (
        make_ensemble(3, n_members=n, seed=n, shares="equal") for n in (1, 2, 4)
    )
    third = third.of_members(slice(0, 2))
    table = {"table": first.table}
    second, third = replace(second, **table), replace(third, **table)
    cohorts = [
        cohort_of(own, recipe, start, folds, stepped(own, 5))
        for own, recipe, start, folds in (
            (first, 0, 0, [0]),
            (second, 1, 1, [0, 1]),
            (third, 0, 3, [1, 2]),
        )
    ]
    together, told = joined(cohorts, np.array([0.3, 0.7]), keep_optimizer=True)
    assert told == Trained([0, 0, 0, 1, 1], [0, 1, 2, 0, 1], 5)
    assert_allclose(together.shares, [0.1, 0.1, 0.1, 0.35, 0.35])
    in_order = (first, third, second)
    assert_array_equal(together.weights, np.concatenate([own.weights for own in in_order]))
    assert_array_equal(together.ranks, np.concatenate([own.ranks for own in in_order]))
    assert recalled(together, told._asdict()) == told
    again = told.cohorts(together, n_recipes=2)
    assert [(own.recipe, own.first) for own in again] == [(0, 0), (1, 3)]
    assert [own.folds.tolist() for own in again] == [[0, 1, 2], [0, 1]]
    for own, place in zip(again, (slice(0, 3), slice(3, 5)), strict=True):
        assert_array_equal(own.ensemble.weights, together.weights[place])
        assert_array_equal(own.ensemble.ranks, together.ranks[place])
        for layer, whole in zip(own.ensemble.degrees, together.degrees, strict=True):
            assert_array_equal(layer, whole[place])
        optimizer = own.ensemble.optimizer
        assert_array_equal(optimizer["current"], together.weights[place] + 1)
        assert_array_equal(optimizer["moments"][1], together.weights[place] + 3)
        assert_allclose(own.ensemble.shares.sum(), 1)
    # A table that has grown may have fewer recipes.
    (one,) = told.cohorts(together, n_recipes=1)
    assert (one.recipe, one.folds.tolist()) == (0, [0, 1, 2, 0, 1])
    # Version 0.1 did not tell.
    assert recalled(together, None) == Trained([1] * 5, [0, 1, 2, 3, 4], 5)


def test_members_of_recipes_without_a_share_are_left_out():
    ensembles = [make_ensemble(3, n_members=n, shares="equal") for n in (2, 3, 2)]
    cohorts = [
        cohort_of(own, recipe, states=stepped(own, 7)) for recipe, own in enumerate(ensembles)
    ]
    together, told = joined(cohorts, np.array([0.4, 0.0, 0.6]), keep_optimizer=True)
    assert told == Trained([0, 0, 2, 2], [0, 1, 0, 1], 7)
    expected = np.concatenate([ensembles[0].weights, ensembles[2].weights])
    assert_array_equal(together.weights, expected)
    assert_array_equal(together.optimizer["current"], expected + 1)
    assert_allclose(together.shares, [0.2, 0.2, 0.3, 0.3])
    again = told.cohorts(together, n_recipes=3)
    assert [(own.recipe, own.first, len(own.folds)) for own in again] == [(0, 0, 2), (2, 2, 2)]


def test_each_recipe_goes_on_with_its_folds():
    ensemble = make_ensemble(3)
    few = replace(ensemble.architecture, n_components=1)
    rows, ranks = rows_of(ensemble, 6, fraction=0.1), np.tile([1, 2, 3], (6, 1, 1))
    shapes, gaussians = [ensemble.architecture, few], [False, False]
    drawing = Drawing(ensemble.table, rows, shapes, gaussians, ranks, np.arange(6))
    assert drawing.n_left == 6
    first, second = drawing.cohorts([2, 1])
    assert drawing.n_left == 3
    (third,) = drawing.cohorts([0, 3])
    assert drawing.n_left == 0
    assert [own.recipe for own in (first, second, third)] == [0, 1, 1]
    assert [own.first for own in (first, second, third)] == [0, 2, 3]
    assert [own.folds.tolist() for own in (first, second, third)] == [[0, 1], [0], [1, 2, 3]]
    assert first.ensemble.architecture.n_components == 3
    assert third.ensemble.architecture.n_components == 1
    # Each starts from the rows that it trains on.
    expected = draw_members(
        ensemble.table, rows.with_folds(np.array([1, 2, 3])), few, ranks[3:], [3, 4, 5]
    )
    assert_array_equal(third.ensemble.weights, expected.weights)


def scored(logs, weight):
    """Return the state of a stack of members that held out rows (M, n)."""
    logs = np.asarray(logs, dtype=float)
    return TrainingState(
        np.zeros((len(logs), 1)), held_out=logs, held_out_weight=np.asarray(weight, dtype=float)
    )


def test_recipes_are_compared_by_rows_that_members_of_all_held_out():
    rng = np.random.RandomState(0)
    logs, weight = rng.normal(size=(2, 3, 20)), rng.uniform(0.5, 2, size=(3, 20))
    ensemble, rows = make_ensemble(2), rows_of(make_ensemble(2), 6, fraction=0.1)

    def cohort(recipe, folds, logs, weight):
        return cohort_of(ensemble, recipe, 0, folds, [scored(logs, weight)])

    one = cohort(0, [0, 1], logs[0, :2], weight[:2])
    # The second recipe had its folds in two rounds, and one that the first never held out.
    other = cohort(1, [0], logs[1, :1], weight[:1]), cohort(1, [1, 2], logs[1, 1:], weight[1:])
    found = shares_of_recipes([one, *other], 3, rows)
    expected = shares_of(logs[:, :2].reshape(2, -1), weight[:2].ravel())
    assert_allclose(found, [*expected, 0])
    assert np.abs(expected - 0.5).max() > 0.01
    # Those of whom nothing is known count the same.
    unknown = [own._replace(states=(TrainingState(np.zeros((1, 1))),)) for own in (one, *other)]
    assert_allclose(shares_of_recipes(unknown, 3, rows), [0.5, 0.5, 0])
    assert_allclose(shares_of_recipes([one], 3, rows), [1, 0, 0])


def test_recipes_are_compared_by_given_rows_as_averages_of_their_members():
    rng = np.random.RandomState(0)
    logs, weight = rng.normal(size=(2, 2, 20)), np.tile(rng.uniform(0.5, 2, size=20), (2, 1))
    ensemble = make_ensemble(2)
    rows = rows_of(ensemble, 4)
    rows = replace(rows, validation=rows.source)
    cohorts = [
        cohort_of(ensemble, recipe, 2 * recipe, [0, 1], [scored(logs[recipe], weight)])
        for recipe in range(2)
    ]
    expected = shares_of(np.log(np.exp(logs).mean(axis=1)), weight[0])
    assert_allclose(shares_of_recipes(cohorts, 2, rows), expected)
    assert ROWS_BEFOREHAND > 0


def test_states_come_back_to_their_cohorts():
    ensembles = [make_ensemble(3, n_members=n) for n in (3, 2)]
    cohorts = [cohort_of(own, i, 3 * i) for i, own in enumerate(ensembles)]
    places = [(cohorts[0], slice(0, 2)), (cohorts[0], slice(2, 4)), (cohorts[1], slice(0, 2))]
    first, second, third = (TrainingState(np.full((1, 1), value)) for value in range(3))
    found = with_states(cohorts, places, [first, second, third])
    assert [own.states for own in found] == [(first, second), (third,)]
    assert [own.ensemble for own in found] == ensembles


def test_histories_are_averaged_over_members():
    def trained(*epochs):
        history = {"train": [np.array(epoch) for epoch in epochs], "validation": []}
        return TrainingState(np.zeros((len(epochs[0]), 1)), history=history)

    # Two members that stop after one epoch, one that goes on.
    merged = merge_histories([trained([1.0, 3.0]), trained([5.0], [8.0])])
    assert merged == {"train": [3.0, 4.0], "validation": []}
