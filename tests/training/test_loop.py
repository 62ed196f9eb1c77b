"""How weights change in training: which rows, which masks, how long and how fast."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skmade._network.made import MaskList
from skmade._training.loop import N_RISING_STEPS, _Stack, check_device, fit_network
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
    masks = MaskList(ensemble.made, ensemble.ranks, ensemble.degrees)
    return ensemble.made, TrainingState(ensemble.weights, ensemble.weights), masks, rows


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


def test_masked_weights_never_move_and_are_never_zeroed():
    # Without weight decay a masked weight has no reason to change at all.
    made, start, masks, rows = prepare(n_members=1, n_masks=1, activation="tanh")
    trained = fit_network(made, start, masks, rows, replace(SCHEDULE, alpha=0.0), seed=0)
    before, after = (made.unflatten(w[0]) for w in (start.average, trained.current))
    for name, mask in zip(["weight0", "weight1", "weight2", "direct"], masks[0], strict=True):
        assert_array_equal(before[name][~mask[0]], after[name][~mask[0]])
        assert (before[name][mask[0]] != after[name][mask[0]]).mean() > 0.9


def test_every_epoch_is_a_fresh_permutation_of_each_members_rows():
    made, start, masks, rows = prepare(n_members=2)
    stack = _Stack(made, start, masks, rows, replace(SCHEDULE, batch_size=30), 0, "cpu")
    train, _ = rows.folds(0)
    first, second = (list(stack._batches(train)) for _ in range(2))
    assert [batch.shape[1] for batch in first] == [27] * 4 + [26] * 2
    for epoch in (first, second):
        for member, row in enumerate(torch.cat(epoch, dim=1)):
            assert_array_equal(np.sort(row), np.sort(train[member]))
    assert (first[0] != second[0]).any()
    assert (first[0] != torch.from_numpy(train[:, :27])).any()


def test_members_of_a_stack_do_not_touch_each_other():
    made, start, masks, rows = prepare(n_members=2)
    _, held_out = rows.folds(0)
    values = rows.source.encoded.values.copy()
    values[held_out[0]] += 3  # the first member never sees these, the second trains on them
    poisoned = replace(rows, source=in_memory(values))
    patient = replace(SCHEDULE, n_iter_no_change=100)
    together, changed = (
        fit_network(made, start, masks, own, patient, seed=0) for own in (rows, poisoned)
    )
    assert_allclose(changed.current[0], together.current[0], rtol=1e-4, atol=1e-6)
    assert (changed.current[1] != together.current[1]).any()


def test_held_out_rows_never_reach_the_weights():
    made, start, masks, rows = prepare(n_members=1)
    patient = replace(SCHEDULE, n_iter_no_change=100)
    clean = fit_network(made, start, masks, rows, patient, seed=0)
    values = rows.source.encoded.values.copy()
    values[rows.folds(0)[1][0]] += 100
    other = replace(rows, source=in_memory(values))
    moved = fit_network(made, start, masks, other, patient, seed=0)
    assert_array_equal(clean.current, moved.current)
    assert (clean.best_score != moved.best_score).all()


def test_best_epoch_is_kept():
    made, start, masks, rows = prepare(n_members=1)
    wild = replace(SCHEDULE, learning_rate_init=3.0, max_iter=10)
    trained = fit_network(made, start, masks, rows, wild, seed=0)
    still = fit_network(made, start, masks, rows, replace(wild, max_iter=0), seed=0)
    # Training this fast only destroys: the start was best, and it is what comes back.
    assert max(trained.history["validation"]) < still.best_score
    assert_array_equal(trained.average, start.average)
    assert trained.best_score == still.best_score


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
    assert_array_equal(before.current, after.current)
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


def test_training_goes_on_from_the_optimizers_state():
    made, start, masks, rows = prepare(fraction=None)
    one = replace(SCHEDULE, max_iter=1, dropout=0.0, batch_size=1000)
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


def test_gradients_are_on_even_where_the_caller_has_them_off():
    with torch.no_grad():
        trained = fit_network(*prepare(), SCHEDULE, seed=0)
        assert not torch.is_grad_enabled()
    assert trained.n_steps > 0


@pytest.mark.parametrize("device", ["nonsense", "meta", "cuda:99"])
def test_a_device_that_does_not_compute_is_refused(device):
    check_device("cpu")
    with pytest.raises(ValueError, match=f"device='{device}' can't be used on this machine"):
        check_device(device)
