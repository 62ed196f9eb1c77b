"""What 'auto' means for so many rows."""

import pytest

from skmade._training.schedule import (
    MAX_SEEN_ROWS,
    MIN_EPOCHS,
    auto_batch_size,
    auto_dropout,
    auto_epochs,
    auto_members,
)


@pytest.mark.parametrize(
    ("n_rows", "n_members", "n_epochs", "dropout", "batch_size"),
    [
        (1, 8, 100, 0.2, 64),
        (100, 8, 100, 0.2, 64),
        (2000, 8, 100, 0.2, 100),
        (4999, 8, 100, 500 / 4999, 249),
        (5000, 4, 200, 0.1, 250),
        (2500, 8, 100, 0.2, 125),
        (7500, 4, 200, 1 / 15, 256),
        (10_000, 4, 150, 0.05, 256),
        (50_000, 4, 30, 0.05, 256),
        (10**6, 4, 20, 0.05, 256),
    ],
)
def test_what_auto_means(n_rows, n_members, n_epochs, dropout, batch_size):
    assert auto_members(n_rows, 1) == auto_members(n_rows, 2) == n_members
    assert auto_members(n_rows, 4) == (12 if n_members == 8 else 4)
    assert auto_epochs(n_rows) == n_epochs
    assert auto_dropout(n_rows) == pytest.approx(dropout)
    assert auto_batch_size(n_rows) == batch_size


def test_more_rows_need_less_dropout_and_larger_batches():
    sizes = [round(1.3**power) for power in range(1, 60)]
    dropouts, batches = map(auto_dropout, sizes), map(auto_batch_size, sizes)
    assert sorted(dropouts, reverse=True) == [auto_dropout(n) for n in sizes]
    assert sorted(batches) == [auto_batch_size(n) for n in sizes]


def test_training_passes_over_a_bounded_number_of_rows():
    large = MAX_SEEN_ROWS // MIN_EPOCHS
    assert max(n * auto_epochs(n) for n in range(1, large, 97)) <= MAX_SEEN_ROWS
    assert auto_epochs(10 * large) == MIN_EPOCHS
