"""A table as rows of numbers, of which a few at a time become float64.

A large table stays as it is, in memory or in a file that is mapped into it. One pass over
its rows tells what is asked of the columns before anything is learned.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Rows that are converted together: at most so many, of at most so many cells.
BLOCK_ROWS = 16_384
BLOCK_CELLS = 2**22

# What is made of a block takes about so many times its memory.
COPIES = 8


@dataclass(frozen=True)
class Numbers:
    """Rows of a matrix of any numeric type, read as float64."""

    array: NDArray[Any]  # (n, D)
    kept: Integers | None = None  # positions of the rows to use, None for all

    def __len__(self) -> int:
        return len(self.array) if self.kept is None else len(self.kept)

    def __getitem__(self, rows: slice | Integers) -> Floats:
        """Return some of the rows, by a slice or by positions."""
        chosen = rows if self.kept is None else self.kept[rows]
        return np.ascontiguousarray(self.array[chosen], dtype=np.float64)

    def only(self, rows: Integers) -> "Numbers":
        """Choose some of the rows without reading them."""
        return replace(self, kept=rows if self.kept is None else self.kept[rows])

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return self.array.shape[1]

    def blocks(self, max_bytes: float = np.inf) -> Iterator[tuple[slice, Floats]]:
        """Yield positions and rows, block by block, in order."""
        at_most = min(BLOCK_CELLS, max_bytes / (8 * COPIES)) / self.n_features
        size = max(1, int(min(BLOCK_ROWS, at_most)))
        for first in range(0, len(self), size):
            rows = slice(first, min(first + size, len(self)))
            yield rows, self[rows]


@dataclass(frozen=True)
class Survey:
    """What one pass over all rows tells of the columns; arrays have shape (D,)."""

    n_infinite: Integers
    n_observed: Integers  # cells that are not missing
    missing: Floats  # share of the cells that are missing, by weight
    zero_one: NDArray[np.bool_]  # whether all observed cells are 0 or 1
    extremes: Integers  # (2, D), rows of the smallest and of the largest value


def survey(numbers: Numbers, weight: NDArray[Any] | None = None) -> Survey:
    """Pass once over all rows."""
    n_features = numbers.n_features
    n_infinite, n_observed = np.zeros((2, n_features), dtype=np.int64)
    missing, zero_one = np.zeros(n_features), np.ones(n_features, dtype=bool)
    # The largest value is the smallest of the negative ones.
    smallest, extremes = np.full((2, n_features), np.inf), np.zeros((2, n_features), np.int64)
    total = 0.0
    for rows, block in numbers.blocks():
        holes = np.isnan(block)
        share = np.ones(len(block)) if weight is None else weight[rows].astype(np.float64)
        total += share.sum()
        missing += share @ holes
        n_observed += len(block) - holes.sum(axis=0)
        n_infinite += np.isinf(block).sum(axis=0)
        zero_one &= (holes | (block == 0) | (block == 1)).all(axis=0)
        for sign, least, position in zip((1, -1), smallest, extremes, strict=True):
            signed = np.where(holes, np.inf, sign * block)
            first = signed.argmin(axis=0)
            own = signed[first, np.arange(n_features)]
            position[own < least] = rows.start + first[own < least]
            np.minimum(least, own, out=least)
    return Survey(n_infinite, n_observed, missing / total, zero_one, extremes)
