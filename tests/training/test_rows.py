"""Which rows a member trains on and holds out, in one window or several."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmade._table.learning import learn_columns
from skmade._table.marginals import Marginals
from skmade._table.numbers import Numbers
from skmade._training.rows import Encoded, InMemory, InWindows, Rows, open_source

CONTINUOUS = np.array(["continuous"])
# Without an edge: values far beyond those it was learned from are their own images.
TABLE = replace(
    learn_columns(np.array([[0.0], [1.0], [3.0]]), np.ones(3), CONTINUOUS),
    marginals=Marginals.identity(1),
)


@pytest.fixture
def tiny_windows(monkeypatch):
    """Cut tables into windows of at most 60 rows, by stretches of five."""
    monkeypatch.setattr("skmade._training.rows.WINDOW_ROWS", 60)
    monkeypatch.setattr("skmade._training.rows.STRETCH_ROWS", 5)


def column(n_rows):
    return np.arange(float(n_rows))[:, None]


def rows_of(n_rows, n_members, fraction=None, weight=None, validation=None, **options):
    source = open_source(TABLE, Numbers(column(n_rows)), weight, 0)
    if validation is not None:
        validation = open_source(TABLE, Numbers(validation), None, 0)
    return Rows(source, n_members, validation, fraction, **options)


def numbers_of(encoded):
    """Return the rows of a one-column table that were encoded, which are their positions."""
    values = encoded.values[:, 0].astype(np.float64)
    exponent, center, spread = TABLE.exponent[0], TABLE.center[0], TABLE.spread[0]
    return np.rint((values * spread + center) * 2.0**exponent).astype(int)


def test_members_hold_out_different_rows_and_train_on_the_rest():
    train, held_out = rows_of(100, 10, 0.1).folds(0)
    assert train.shape == (10, 90)
    assert_array_equal(np.sort(held_out.ravel()), np.arange(100))
    for own, others in zip(train, held_out, strict=True):
        assert_array_equal(np.sort(np.r_[own, others]), np.arange(100))


def test_members_of_a_stack_keep_their_folds():
    rows = rows_of(100, 10, 0.1)
    for own in (slice(8, 16), np.array([3, 0, 3])):
        some = rows.with_folds(own)
        for whole, part in zip(rows.folds(0), some.folds(0), strict=True):
            assert_array_equal(part, whole[own])
        held_out = next(some.held_out())[1]
        assert_array_equal(held_out, rows.folds(0)[1][own])


def test_at_least_one_row_is_held_out():
    assert rows_of(2, 3, 0.1).folds(0)[1].shape == (3, 1)


def test_without_a_fraction_all_rows_are_trained_on():
    rows = rows_of(5, 2)
    assert not rows.holds_out
    assert_array_equal(rows.folds(0)[0], [np.arange(5)] * 2)


def test_given_validation_rows_are_held_out_by_all():
    rows = rows_of(5, 2, 0.1, validation=np.array([[70.0], [80.0]]))
    assert_array_equal(rows.folds(0)[0], [np.arange(5)] * 2)
    [(encoded, positions)] = rows.held_out()
    assert_array_equal(numbers_of(encoded)[positions], [[70, 80]] * 2)
    assert_array_equal(encoded.weight, 1)


def test_weights_have_mean_one():
    rows = rows_of(4, 1, weight=np.array([1.0, 2.0, 3.0, 10.0]))
    assert_allclose(rows.source.encoded.weight, [0.25, 0.5, 0.75, 2.5])


def test_values_fit_single_precision():
    far = Numbers(np.array([[1e300], [-1e300]]))
    assert np.isfinite(open_source(TABLE, far, None, 0).encoded.values ** 2).all()


@pytest.mark.parametrize("n_rows", [61, 100, 299, 300, 301])
def test_windows_hold_each_row_once_with_its_weight(tiny_windows, n_rows):
    weight = 1 + np.arange(n_rows) % 7
    source = open_source(TABLE, Numbers(column(n_rows)), weight, 0)
    assert isinstance(source, InWindows)
    windows = [source.read(window) for window in range(len(source.sizes))]
    assert [len(window.values) for window in windows] == source.sizes
    assert max(source.sizes) <= 65  # parts of nearly equal size, a stretch more at most
    rows = np.concatenate([numbers_of(window) for window in windows])
    assert_array_equal(np.sort(rows), np.arange(n_rows))
    read = np.concatenate([window.weight for window in windows])
    assert_allclose(read, (weight / weight.mean())[rows], rtol=1e-6)


def test_windows_are_stretches_from_all_over(tiny_windows):
    source = open_source(TABLE, Numbers(column(300)), None, 0)
    spread = [np.ptp(numbers_of(source.read(window))) for window in range(len(source.sizes))]
    assert min(spread) > 150
    again, other = (open_source(TABLE, Numbers(column(300)), None, seed) for seed in (0, 1))
    assert_array_equal(numbers_of(again.read(0)), numbers_of(source.read(0)))
    assert (numbers_of(other.read(0)) != numbers_of(source.read(0))).any()


def test_what_is_read_in_part_is_a_part_of_the_window(tiny_windows):
    source = open_source(TABLE, Numbers(column(300)), np.arange(1.0, 301), 0)
    chosen = np.array([3, 17, 40])
    part, whole = source.read(2, chosen), source.read(2)
    assert_array_equal(part.values, whole.values[chosen])
    assert_array_equal(part.weight, whole.weight[chosen])
    assert_array_equal(part.log_jacobian, whole.log_jacobian[chosen])


def test_windows_share_out_rows_as_one_window_does(tiny_windows):
    rows = rows_of(300, 4, 0.1, fold_seed=7)
    trained, held_out = [[] for _ in range(4)], [[] for _ in range(4)]
    for window in range(rows.n_windows):
        encoded, positions = rows.training(window)
        assert positions.shape == (4, rows.n_train(window))
        for member, own in enumerate(positions):
            trained[member].extend(numbers_of(encoded)[own])
    for encoded, positions in rows.held_out():
        for member, own in enumerate(positions):
            held_out[member].extend(numbers_of(encoded)[own])
    for own, others in zip(trained, held_out, strict=True):
        assert_array_equal(np.sort(own + others), np.arange(300))
        assert abs(len(others) - 30) <= rows.n_windows
    assert len(np.unique(np.concatenate(held_out))) == sum(map(len, held_out))


def test_the_start_sees_training_rows_only_and_about_as_many_as_asked(tiny_windows):
    rows = rows_of(3000, 2, 0.1)
    kept = [set() for _ in range(2)]
    for encoded, positions in rows.held_out():
        for member, own in enumerate(positions):
            kept[member].update(numbers_of(encoded)[own])
    for member, (values, weight) in enumerate(rows.start(500)):
        seen = numbers_of(Encoded(values, None, None))
        assert len(seen) == len(weight) == len(set(seen))
        assert 50 <= len(seen) <= 120  # no more than a window has, or one a window more
        assert not kept[member] & set(seen)


def test_small_tables_are_kept():
    assert isinstance(open_source(TABLE, Numbers(column(5)), None, 0), InMemory)
