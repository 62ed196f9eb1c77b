"""A table as rows of numbers, of which a few at a time become float64.

A large table stays as it is, in memory or in a file that is mapped into it. One pass over
its rows tells what is asked of the columns before anything is learned.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .grid import MAX_ROOM, SINGLE

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Rows that are converted together: at most so many, of at most so many cells.
CHUNK_ROWS = 16_384
CHUNK_CELLS = 2**22

# What is made of a chunk takes about so many times its memory.
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

    def chunks(self, max_bytes: float = np.inf) -> Iterator[tuple[slice, Floats]]:
        """Yield positions and rows, chunk by chunk, in order."""
        at_most = min(CHUNK_CELLS, max_bytes / (8 * COPIES)) / self.n_features
        size = max(1, int(min(CHUNK_ROWS, at_most)))
        for first in range(0, len(self), size):
            rows = slice(first, min(first + size, len(self)))
            yield rows, self[rows]


@dataclass(frozen=True)
class Survey:
    """What a pass over rows tells of the columns; arrays have shape (D,) unless said."""

    n_rows: int
    total: float  # weight of the rows
    n_infinite: Integers
    n_observed: Integers  # cells that are not missing
    lost: Floats  # weight of the missing cells
    fractional: Floats  # weight of the cells that are no whole numbers, but for noise
    zero_one: NDArray[np.bool_]  # whether all observed cells are 0 or 1
    extremes: Integers  # (2, D), rows of the smallest and of the largest value
    least: Floats  # (2, D), the smallest value and the largest one, negative

    @classmethod
    def of_nothing(cls, n_features: int) -> "Survey":
        """Return the survey of no rows."""
        none = np.zeros(n_features, dtype=np.int64)
        all_columns = np.ones(n_features, dtype=bool)
        extremes = np.zeros((2, n_features), dtype=np.int64)
        least = np.full((2, n_features), np.inf)
        nothing = none.astype(np.float64)
        return cls(0, 0.0, none, none, nothing, nothing, all_columns, extremes, least)

    @property
    def missing(self) -> Floats:
        """Share of the cells that are missing, by weight."""
        return self.lost / self.total

    def followed_by(self, other: "Survey") -> "Survey":
        """Return the survey of these rows and others after them."""
        earlier = self.least <= other.least
        return Survey(
            self.n_rows + other.n_rows,
            self.total + other.total,
            self.n_infinite + other.n_infinite,
            self.n_observed + other.n_observed,
            self.lost + other.lost,
            self.fractional + other.fractional,
            self.zero_one & other.zero_one,
            np.where(earlier, self.extremes, self.n_rows + other.extremes),
            np.minimum(self.least, other.least),
        )


def survey(numbers: Numbers, weight: NDArray[Any] | None = None) -> Survey:
    """Pass once over all rows."""
    return reduce(
        Survey.followed_by,
        (
            _survey_of(chunk, None if weight is None else weight[rows])
            for rows, chunk in numbers.chunks()
        ),
    )


def _survey_of(chunk: Floats, weight: NDArray[Any] | None) -> Survey:
    """Survey rows that are in memory."""
    holes = np.isnan(chunk)
    share = np.ones(len(chunk)) if weight is None else weight.astype(np.float64)
    # The largest value is the smallest of the negative ones.
    signed = np.where(holes, np.inf, np.stack([chunk, -chunk]))
    extremes = signed.argmin(axis=1)
    return Survey(
        n_rows=len(chunk),
        total=float(share.sum()),
        n_infinite=np.isinf(chunk).sum(axis=0),
        n_observed=len(chunk) - holes.sum(axis=0),
        lost=share @ holes,
        fractional=share @ (~holes & ~whole_numbers(chunk)),
        zero_one=(holes | (chunk == 0) | (chunk == 1)).all(axis=0),
        extremes=extremes,
        least=np.take_along_axis(signed, extremes[:, None], axis=1)[:, 0],
    )


def whole_numbers(values: Floats) -> NDArray[np.bool_]:
    """Which values are whole numbers, but for the noise of single precision."""
    with np.errstate(invalid="ignore"):
        off = np.abs(values - np.rint(values))
        return np.asarray(off <= np.minimum(SINGLE * np.abs(values), MAX_ROOM))
