"""How weights change in training: which rows, which masks, how long and how fast."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skmade._network.made import MaskList
from skmade._training import loop
from skmade._training import schedule as schedule_module
from skmade._training.loop import N_RISING_STEPS, ROUND_ROWS, _Stack, check_device, fit_network
from skmade._training.rows import Encoded, InMemory, Rows
from skmade._training.schedule import Schedule, TrainingState
from skmade.datasets import CorrelatedGaussian
from tests.ensembles import make_ensemble

SCHEDULE = Schedule(
    max_iter=5,
    batch_size=50,
    learning_rate_init=0.01,
    dropout=0.2,
    alpha=0.01,
    n_iter_no_change=2,
    tol=1e-4,
    decay=False,
)


def in_memory(values, weight=None):
    """Return a source of values that the network sees as they are."""
    weight = np.ones(len(values)) if weight is None else weight
    single = np.asarray(values, dtype=np.float32), np.asarray(weight, dtype=np.float32)
    return InMemory(Encoded(single[0], np.zeros(len(values)), single[1]))


def prepare(n_members=2, n_masks=3, fraction=0.2, seed=0, **options):
    """Return the arguments of `fit_network` for a small Gaussian table."""
    ensemble = make_ensemble(3, n_members=n_members, n_masks=n_masks, scale=0.1, **options)
    values = CorrelatedGaussian(3).sample(200, random_state=seed)
    rows = Rows(in_memory(values), n_members, fraction=fraction)
    masks = MaskList(ensemble.ranks, ensemble.degrees)
    return ensemble.made, TrainingState(ensemble.weights), masks, rows


def test_training_raises_the_log_likelihood(configuration):
    made, start, masks, rows = prepare(**configuration)
    trained = fit_network(made, start, masks, rows, SCHEDULE, seed=0)
    history = np.array(trained.history["train"])
    assert history.shape[1] == 2
    assert (history[-1] > history[0]).all()


def test_same_seed_same_weights_and_another_seed_others():
    first, again, other = (
        fit_network(*prepare(), SCHEDULE, seed=seed).average for seed in (1, 1, 2)
    )
    assert_array_equal(first, again)
    assert (first != other).any()


def test_every_mask_of_the_list_is_trained():
    # Weights that only one mask lets through move only if that mask is used.
    made, start, masks, rows = prepare(n_members=1, n_masks=4, fraction=None)
    used = []

    class Recording(list):
        def __getitem__(self, k):
            used.append(k)
            return super().__getitem__(k)

    fit_network(made, start, Recording(masks), rows, replace(SCHEDULE, max_iter=1), seed=0)
    assert set(used) == {0, 1, 2, 3}


def matrices_and_masks(made, weights, masks):
    """Return a member's matrices with what some mask of its list shows, and its biases."""
    named = list(made.unflatten(weights[0]).values())
    by_mask = [[mask[0] for mask in made.masks(*own)] for own in masks]
    shown = [np.any(of_one, axis=0) for of_one in zip(*by_mask, strict=True)]
    matrices, biases = named[: made.n_matrices], named[made.n_matrices :]
    return list(zip(matrices, shown, strict=True)), biases


# Without weight decay a masked weight has no reason to change at all.
STILL = replace(SCHEDULE, alpha=0.0)

# Weights are divided by their strides, and multiplied when they come back.
ROUNDED = {"rtol": np.finfo(np.float32).eps, "atol": 0.0}


def test_weights_that_all_masks_hide_never_move_and_are_never_zeroed():
    made, start, masks, rows = prepare(n_members=1, n_masks=2, fraction=None, activation="tanh")
    trained = fit_network(made, start, masks, rows, STILL, seed=0)
    before, _ = matrices_and_masks(made, start.average, masks)
    n_hidden = 0
    for weights in (trained.current, trained.average):
        after, _ = matrices_and_masks(made, weights, masks)
        for (old, shown), (new, _) in zip(before, after, strict=True):
            assert_allclose(new[~shown], old[~shown], **ROUNDED)
            assert (old[shown] != new[shown]).mean() > 0.9
            n_hidden += (~shown).sum()
    assert n_hidden > 20


def test_weights_that_a_mask_alone_hides_are_zero_and_stay_zero():
    # Members train in the order of their ranks, and come back in that of the table.
    made, start, masks, rows = prepare(n_members=1, n_masks=1, fraction=None, activation="tanh")
    trained = fit_network(made, start, masks, rows, SCHEDULE, seed=0)
    before, _ = matrices_and_masks(made, start.average, masks)
    for weights in (trained.current, trained.average, *trained.moments):
        after, _ = matrices_and_masks(made, weights, masks)
        for (old, shown), (new, _) in zip(before, after, strict=True):
            assert old[~shown].all()
            assert_array_equal(new[~shown], 0)
            assert (old[shown] != new[shown]).mean() > 0.9
            assert new[shown].any()


@pytest.mark.parametrize("n_masks", [1, 3])
def test_steps_of_no_length_leave_all_that_masks_show(n_masks):
    made, start, masks, rows = prepare(n_masks=n_masks, fraction=None)
    still = replace(STILL, learning_rate_init=0.0, max_iter=2)
    trained = fit_network(made, start, masks, rows, still, seed=0)
    for weights in (trained.average, trained.current):
        for member in range(2):
            own = slice(member, member + 1)
            own_masks = [(ranks[own], [layer[own] for layer in d]) for ranks, d in masks]
            before, biases = matrices_and_masks(made, start.average[own], own_masks)
            after, others = matrices_and_masks(made, weights[own], own_masks)
            for (old, shown), (new, _) in zip(before, after, strict=True):
                assert_allclose(new[shown], old[shown], rtol=1e-6)  # the average is rounded
            for old, new in zip(biases, others, strict=True):
                assert_allclose(new, old, rtol=1e-6)


def test_every_epoch_is_a_fresh_permutation_of_each_members_rows():
    made, start, masks, rows = prepare(n_members=2)
    stack = _Stack(made, start, masks, rows, replace(SCHEDULE, batch_size=30), 0, "cpu")
    train, _ = rows.folds(0)
    first, second = (list(stack._batches(train)) for _ in range(2))
    assert sorted(batch.shape[1] for batch in first) == [26] * 2 + [27] * 4
    for epoch in (first, second):
        for member, row in enumerate(torch.cat(epoch, dim=1)):
            assert_array_equal(np.sort(row), np.sort(train[member]))
    assert (first[0] != second[0]).any()
    assert (first[0] != torch.from_numpy(train[:, : first[0].shape[1]])).any()


@pytest.mark.parametrize("batch_size", [48, 50, 64, 77, 100, 159, 160, 1000])
def test_large_batches_are_of_a_round_number_of_rows(batch_size):
    made, start, masks, rows = prepare(n_members=2)
    schedule = replace(SCHEDULE, batch_size=batch_size)
    stack = _Stack(made, start, masks, rows, schedule, 0, "cpu")
    train, _ = rows.folds(0)
    batches = list(stack._batches(train))
    sizes = np.array([batch.shape[1] for batch in batches])
    assert len(sizes) == schedule.n_batches(rows)
    for member, row in enumerate(torch.cat(batches, dim=1)):
        assert_array_equal(np.sort(row), np.sort(train[member]))
    mean = train.shape[1] / len(sizes)
    assert (np.abs(sizes - mean) <= ROUND_ROWS).all()
    assert mean < 48 or (sizes[:-1] % ROUND_ROWS == 0).all()
    assert mean >= 48 or np.ptp(sizes) <= 1


@pytest.mark.parametrize("n_masks", [1, 3])
def test_steps_are_the_same_if_rows_are_computed_slice_by_slice(n_masks, monkeypatch):
    made, start, masks, rows = prepare(n_masks=n_masks, fraction=None)
    expected = fit_network(made, start, masks, rows, SCHEDULE, seed=0)
    of_a_row = 4 * 2 * len(made.output_features)
    monkeypatch.setattr(schedule_module, "MAX_STEP_BYTES", 20 * of_a_row)
    sliced = fit_network(made, start, masks, rows, SCHEDULE, seed=0)
    assert_allclose(sliced.history["train"], expected.history["train"], rtol=1e-3)
    assert_allclose(sliced.current, expected.current, rtol=1e-2, atol=1e-3)
    one = replace(SCHEDULE, max_iter=1, batch_size=200)
    monkeypatch.undo()
    expected = fit_network(made, start, masks, rows, one, seed=0)
    monkeypatch.setattr(schedule_module, "MAX_STEP_BYTES", 20 * of_a_row)
    sliced = fit_network(made, start, masks, rows, one, seed=0)
    for own, other in zip(sliced.moments, expected.moments, strict=True):
        assert_allclose(own, other, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("n_masks", [1, 3])
def test_members_of_a_stack_do_not_touch_each_other(n_masks):
    made, start, masks, rows = prepare(n_members=2, n_masks=n_masks)
    _, held_out = rows.folds(0)
    values = rows.source.encoded.values.copy()
    values[held_out[0]] += 3  # the first member never sees these, the second trains on them
    stacks = [
        _Stack(made, start, masks, own, SCHEDULE, 0, "cpu")
        for own in (rows, replace(rows, source=in_memory(values)))
    ]
    with torch.no_grad():
        for _ in range(5):
            together, changed = (stack.run_epoch() for stack in stacks)
    assert_allclose(changed[0], together[0], rtol=1e-4)
    together, changed = (stack.objective.flat(stack.parameters) for stack in stacks)
    assert_allclose(changed[0], together[0], rtol=1e-4, atol=1e-6)
    assert (changed[1] != together[1]).any()


# Without dropout and batches nothing is drawn, whoever else is there.
ALL_ROWS = replace(SCHEDULE, dropout=0.0, batch_size=1000, max_iter=30, tol=0.01)


@pytest.mark.parametrize("n_masks", [1, 3])
def test_members_go_on_as_if_nobody_had_left(n_masks):
    made, start, masks, rows = prepare(n_members=3, n_masks=n_masks)
    # The second member has learned already.
    longer = replace(ALL_ROWS, max_iter=150, n_iter_no_change=1000)
    learned = fit_network(made, start, masks, rows, longer, seed=0).average
    weights = np.stack([start.average[0], learned[1], start.average[2]])
    start = TrainingState(weights)
    left, none_left = (
        fit_network(made, start, masks, rows, replace(ALL_ROWS, n_iter_no_change=n), seed=0)
        for n in (3, 1000)
    )
    n_epochs, curves = len(left.history["train"]), {}
    for key in left.history:
        curves[key] = np.array(left.history[key]), np.array(none_left.history[key])[:n_epochs]
        own, other = curves[key]
        assert own.shape == other.shape == (n_epochs, 3)
        for member in (0, 2):
            assert (np.diff(own[:, member]) != 0).all()
            assert_allclose(own[:, member], other[:, member], rtol=1e-3, atol=1e-4)
    own, other = curves["validation"]
    stayed = own[:, 1] == own[-1, 1]
    n_trained = n_epochs - stayed.sum() + 1  # epochs of the member that left
    assert 3 <= n_trained < n_epochs - 3
    for own, other in curves.values():
        assert_array_equal(own[n_trained - 1 :, 1], own[-1, 1])
        assert_allclose(own[:n_trained, 1], other[:n_trained, 1], rtol=1e-3, atol=1e-4)
        assert (other[n_trained:, 1] != other[n_trained - 1, 1]).all()
    # What comes back are the best epochs, of those that were trained.
    short = replace(ALL_ROWS, n_iter_no_change=1000, max_iter=int(n_trained))
    until_then = fit_network(made, start, masks, rows, short, seed=0)
    assert_allclose(left.average[1], until_then.average[1], rtol=1e-4, atol=1e-5)
    assert_allclose(left.best_score[1], until_then.best_score[1], rtol=1e-4)
    best = curves["validation"][0].max(axis=0)
    assert_allclose(left.best_score[[0, 2]], best[[0, 2]])


@pytest.mark.parametrize("n_masks", [1, 3])
def test_the_optimizer_of_those_that_stay_is_theirs(n_masks):
    made, start, masks, rows = prepare(n_members=3, n_masks=n_masks)
    stacks = [_Stack(made, start, masks, rows, ALL_ROWS, 0, "cpu") for _ in range(2)]
    stays = np.array([True, False, True])
    with torch.no_grad():
        for epoch in range(6):
            for stack in stacks:
                stack.run_epoch()
            if epoch == 2:
                stacks[0].keep(stays)
    assert_array_equal(stacks[0].members, [0, 2])
    found, expected = (
        [stack.objective.flat(stack.average), stack.state().current, *stack.state().moments]
        for stack in stacks
    )
    for own, other in zip(*(stack.optimizer.origins for stack in stacks), strict=True):
        assert_array_equal(own, other[stays])
    assert_array_equal(stacks[0].objective.strides, stacks[1].objective.strides[stays])
    for own, other in zip(found, expected, strict=True):
        assert_allclose(own, other[stays], rtol=1e-3, atol=1e-5)


def test_held_out_rows_never_reach_the_weights():
    made, start, masks, rows = prepare(n_members=1)
    values = rows.source.encoded.values.copy()
    values[rows.folds(0)[1][0]] += 100
    stacks = [
        _Stack(made, start, masks, own, SCHEDULE, 0, "cpu")
        for own in (rows, replace(rows, source=in_memory(values)))
    ]
    with torch.no_grad():
        for _ in range(5):
            for stack in stacks:
                stack.run_epoch()
                score = stack.score_held_out()
    clean, moved = (stack.objective.flat(stack.parameters) for stack in stacks)
    assert_array_equal(clean, moved)
    assert (score.logs != stacks[0].score_held_out().logs).all()


def test_best_epoch_is_kept():
    made, start, masks, rows = prepare(n_members=1)
    wild = replace(SCHEDULE, learning_rate_init=3.0, max_iter=10)
    trained = fit_network(made, start, masks, rows, wild, seed=0)
    still = fit_network(made, start, masks, rows, replace(wild, max_iter=0), seed=0)
    # Training this fast only destroys: the start was best, and it is what comes back.
    assert max(trained.history["validation"]) < still.best_score
    assert_allclose(trained.average, start.average, **ROUNDED)
    assert trained.best_score == still.best_score
    assert_array_equal(trained.held_out, still.held_out)
    assert_array_equal(trained.best_epoch, 0)


def test_patience_ends_training():
    made, start, masks, rows = prepare(n_members=1)
    patient = replace(SCHEDULE, max_iter=50, tol=1e6, n_iter_no_change=3)
    trained = fit_network(made, start, masks, rows, patient, seed=0)
    assert len(trained.history["validation"]) == 3


def step_sizes(n_epochs=60, **changes):
    """Return the size of every step."""
    made, start, masks, rows = prepare(n_members=1)
    schedule = replace(SCHEDULE, max_iter=n_epochs, **changes)
    stack = _Stack(made, start, masks, rows, schedule, 0, "cpu")
    sizes = []
    for _ in range(n_epochs * stack.n_batches):
        sizes.append(stack._step_size())
        stack.n_steps += 1
    return np.array(sizes)


def test_step_size_rises_and_then_falls_along_half_a_cosine():
    sizes = step_sizes(decay=True)
    n_steps = len(sizes)
    assert n_steps == 60 * 4
    assert_allclose(sizes[0], SCHEDULE.learning_rate_init / N_RISING_STEPS)
    assert abs(np.argmax(sizes) - (N_RISING_STEPS - 1)) <= N_RISING_STEPS // 3
    assert (np.diff(sizes[N_RISING_STEPS:]) < 0).all()
    assert sizes[-1] < 1e-3 * SCHEDULE.learning_rate_init
    cosine = 0.5 * (1 + np.cos(np.pi * np.arange(n_steps) / n_steps))
    after = slice(N_RISING_STEPS, None)
    assert_allclose(sizes[after], SCHEDULE.learning_rate_init * cosine[after])


def test_without_decay_the_step_size_stays():
    sizes = step_sizes()
    assert_array_equal(sizes, SCHEDULE.learning_rate_init)


def test_log_likelihoods_are_in_the_units_of_the_table():
    made, start, masks, rows = prepare()
    rng = np.random.RandomState(0)
    log_jacobian, weight = rng.normal(size=200), rng.uniform(size=200).astype(np.float32)
    plain = InMemory(replace(rows.source.encoded, weight=weight))
    scaled = InMemory(replace(plain.encoded, log_jacobian=log_jacobian))
    schedule = replace(SCHEDULE, n_iter_no_change=100)
    before, after = (
        fit_network(made, start, masks, replace(rows, source=source), schedule, seed=0)
        for source in (plain, scaled)
    )
    assert_array_equal(before.average, after.average)
    for key, members in zip(("train", "validation"), rows.folds(0), strict=True):
        shift = [np.average(log_jacobian[own], weights=weight[own]) for own in members]
        gained = np.array(after.history[key]) - np.array(before.history[key])
        assert_allclose(gained, np.tile(shift, (5, 1)), atol=1e-6)
    assert_allclose(after.best_score - before.best_score, shift, atol=1e-6)


def test_a_callback_ends_training():
    seen = []

    def stop_at_two(epoch, train, validation):
        seen.append((epoch, train, validation))
        return epoch == 2

    trained = fit_network(*prepare(), SCHEDULE, seed=0, on_epoch=stop_at_two)
    assert [epoch for epoch, _, _ in seen] == [1, 2]
    assert_allclose(seen[-1][2], trained.history["validation"][-1].mean())


# Direct weights decay toward those that a call begins with: it goes on exactly without decay.
@pytest.mark.parametrize(("direct_connections", "alpha"), [(False, 0.01), (True, 0.0)])
def test_training_goes_on_from_the_optimizers_state(direct_connections, alpha, monkeypatch):
    made, start, masks, rows = prepare(fraction=None, direct_connections=direct_connections)
    # Strides are those of where a call begins, too.
    strides = np.random.RandomState(0).uniform(0.01, 1, size=(2, len(made.output_features)))
    monkeypatch.setattr(loop, "strides_of", lambda *_: strides)
    one = replace(SCHEDULE, max_iter=1, dropout=0.0, batch_size=1000, alpha=alpha)
    two = fit_network(made, start, list(masks)[:1], rows, replace(one, max_iter=2), seed=0)
    half = fit_network(made, start, list(masks)[:1], rows, one, seed=0)
    again = fit_network(made, half, list(masks)[:1], rows, one, seed=0)
    assert again.n_steps == two.n_steps == 2
    assert_allclose(again.current, two.current, rtol=1e-4, atol=1e-6)
    assert_allclose(again.average, two.average, rtol=1e-4, atol=1e-6)
    forgetful = fit_network(
        made, replace(half, moments=(), n_steps=0), list(masks)[:1], rows, one, seed=0
    )
    assert np.abs(forgetful.current - two.current).max() > 1e-4


def test_weight_zero_rows_and_weights_of_two():
    made, start, masks, rows = prepare(fraction=None, n_members=1, n_masks=1)
    one = replace(SCHEDULE, max_iter=3, dropout=0.0, batch_size=10_000)
    weight = np.r_[np.full(100, 2.0), np.zeros(100)]
    values = rows.source.encoded.values
    weighted, left_out = (
        fit_network(made, start, masks, replace(rows, source=source), one, seed=0)
        for source in (in_memory(values, weight), in_memory(values[:100]))
    )
    assert_allclose(weighted.current, left_out.current, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.enable_grad, torch.inference_mode])
def test_the_modes_of_the_caller_do_not_matter(mode):
    expected = fit_network(*prepare(), SCHEDULE, seed=0)
    with mode():
        before = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        trained = fit_network(*prepare(), SCHEDULE, seed=0)
        assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == before
    assert_array_equal(trained.average, expected.average)


def test_a_stack_that_is_told_to_stop_ends_without_a_result():
    asked = []

    def stopped():
        asked.append(True)
        return len(asked) > 6

    with pytest.raises(InterruptedError):
        fit_network(*prepare(), SCHEDULE, seed=0, stopped=stopped)
    assert len(asked) == 7  # before each step


@pytest.mark.parametrize("device", ["nonsense", "meta", "cuda:99"])
def test_a_device_that_does_not_compute_is_refused(device):
    check_device("cpu")
    with pytest.raises(ValueError, match=f"device='{device}' can't be used on this machine"):
        check_device(device)
