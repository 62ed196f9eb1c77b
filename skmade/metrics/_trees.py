"""What boosted trees need of columns, and where metrics take chance from."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from ._tables import Column, with_finite_sums

# HistGradientBoosting takes at most so many labels of a column.
MAX_LABELS = 255


def generator(random_state: Any) -> np.random.RandomState:
    """Return a RandomState; None means fresh entropy, not NumPy's global generator."""
    return np.random.RandomState() if random_state is None else check_random_state(random_state)


def seed_of(rng: np.random.RandomState) -> int:
    """Return a seed for an estimator."""
    return int(rng.randint(2**31 - 1))


def matrices(columns: list[Column]) -> list[NDArray[np.float64]]:
    """Return each table as a matrix for trees: numbers, and codes of the labels."""
    ready = [
        with_finite_sums(column.cells) if column.labels is None else _codes(column)
        for column in columns
    ]
    return [np.stack(cells, axis=1) for cells in zip(*ready, strict=True)]


def binnable(
    train: NDArray[np.float64], test: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return matrices with zeros in columns of which the first has no cell.

    Such a column teaches nothing, and scikit-learn finds no bins for it.
    """
    empty = np.isnan(train).all(axis=0)
    return np.where(empty, 0.0, train), np.where(empty, 0.0, test)


def labelled(columns: list[Column]) -> list[bool]:
    """Whether each column holds labels."""
    return [column.labels is not None for column in columns]


def _codes(column: Column) -> tuple[NDArray[np.float64], ...]:
    """Return codes of labels; beyond the most frequent ones, all labels share a code."""
    assert column.labels is not None
    if len(column.labels) <= MAX_LABELS:
        return column.cells
    cells = np.concatenate(column.cells)
    counts = np.bincount(cells[~np.isnan(cells)].astype(int), minlength=len(column.labels))
    codes = np.empty(len(counts))
    codes[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    codes = np.append(np.minimum(codes, MAX_LABELS - 1), np.nan)  # the last for missing cells
    return tuple(codes[np.where(np.isnan(own), -1, own).astype(int)] for own in column.cells)
