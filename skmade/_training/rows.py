"""Which rows a member learns from, and which it holds out.

A small table is encoded once and kept. A large one is cut into windows of some of its
stretches of neighbouring rows, drawn at random, which are read and encoded one at a time.
Members hold out folds of each window.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._table.encoding import Table, transform
from .._table.numbers import Numbers

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Integers = NDArray[np.int64]

# A window has at most so many rows, whose values take at most so much memory.
WINDOW_ROWS = 2**18
WINDOW_BYTES = 2**26

# Neighbouring rows that come to one window together: enough to read files fast, and few
# enough that a window of a sorted table has rows from all over.
STRETCH_ROWS = 4096
MIN_STRETCHES = 8

# The square of a unit divided by the smallest scale stays finite in single precision.
MAX_TRAINING_UNIT = 1e14


@dataclass(frozen=True)
class Encoded:
    """Rows as the network sees them."""

    values: Singles  # (n, D), NaN where missing
    log_jacobian: Floats  # (n,), turns log-densities of values into those of rows
    weight: Singles  # (n,), mean one over the table

    def __getitem__(self, rows: slice | Integers) -> "Encoded":
        return Encoded(self.values[rows], self.log_jacobian[rows], self.weight[rows])

    def followed_by(self, others: Sequence["Encoded"]) -> "Encoded":
        """Return these rows and others after them."""
        together = [self, *others]
        return Encoded(
            np.concatenate([rows.values for rows in together]),
            np.concatenate([rows.log_jacobian for rows in together]),
            np.concatenate([rows.weight for rows in together]),
        )

    def sums(self, positions: Integers) -> Floats:
        """Sums of weights and of weighted log-Jacobians over positions (M, n), (2, M)."""
        by_member = []
        for own in positions:
            weight = self.weight[own].astype(np.float64)
            by_member.append((weight.sum(), weight @ self.log_jacobian[own]))
        return np.array(by_member).T


class Source(Protocol):
    """Where rows come from, window by window."""

    @property
    def sizes(self) -> list[int]:
        """Number of rows of each window."""
        ...

    def read(self, window: int, chosen: Integers | None = None) -> Encoded:
        """Return the rows of a window, or only those at the chosen positions of it."""
        ...


@dataclass(frozen=True)
class InMemory:
    """Rows that were encoded once: one window, or several of rows from all over."""

    encoded: Encoded
    n_windows: int = 1

    @property
    def sizes(self) -> list[int]:
        """Number of rows of each window."""
        n_rows = len(self.encoded.values)
        return [len(range(first, n_rows, self.n_windows)) for first in range(self.n_windows)]

    def read(self, window: int, chosen: Integers | None = None) -> Encoded:
        """Return the rows of a window, or only those at the chosen positions of it."""
        if chosen is not None:
            return self.encoded[window + chosen * self.n_windows]
        return self.encoded if self.n_windows == 1 else self.encoded[window :: self.n_windows]


@dataclass(frozen=True)
class InWindows:
    """Rows of a table that are encoded each time they are read."""

    table: Table
    numbers: Numbers
    weight: Singles | None
    stretch: int  # rows that are next to each other in the table
    cuts: list[Integers]  # of each window, which stretches it is made of, in order
    sizes: list[int]  # number of rows of each window

    def read(self, window: int, chosen: Integers | None = None) -> Encoded:
        """Return the rows of a window, or only those at the chosen positions of it."""
        within = np.arange(self.stretch)
        rows = (self.cuts[window][:, None] * self.stretch + within).ravel()
        rows = rows[: self.sizes[window]]  # the last stretch comes last
        rows = rows if chosen is None else rows[chosen]
        weight = None if self.weight is None else self.weight[rows]
        return encode_numbers(self.table, self.numbers.only(rows), weight)


def window_rows(n_features: int) -> int:
    """Return how many rows a window has at most."""
    return min(WINDOW_ROWS, max(1, WINDOW_BYTES // (4 * n_features)))


def open_source(
    table: Table, numbers: Numbers, weight: NDArray[Any] | None, seed: int
) -> Source:
    """Return rows as training reads them: in memory if they fit, or in windows."""
    if weight is not None:
        weight = (weight / weight.mean()).astype(np.float32)
    at_most = window_rows(numbers.n_features)
    if len(numbers) <= at_most:
        return InMemory(encode_numbers(table, numbers, weight))
    stretch = max(1, min(STRETCH_ROWS, at_most // MIN_STRETCHES))
    n_windows = math.ceil(len(numbers) / at_most)
    n_stretches = math.ceil(len(numbers) / stretch)
    drawn = np.random.RandomState([seed, n_windows]).permutation(n_stretches)
    cuts = [np.sort(part) for part in np.array_split(drawn, n_windows)]
    short = n_stretches * stretch - len(numbers)  # of the last stretch
    sizes = [len(cut) * stretch - short * int(cut[-1] == n_stretches - 1) for cut in cuts]
    return InWindows(table, numbers, weight, stretch, cuts, sizes)


def encode_numbers(table: Table, numbers: Numbers, weight: Singles | None = None) -> Encoded:
    """Encode rows chunk by chunk."""
    values = np.empty((len(numbers), numbers.n_features), dtype=np.float32)
    log_jacobian = np.empty(len(numbers))
    for rows, chunk in numbers.chunks():
        cells = transform(table, chunk)
        log_jacobian[rows] = cells.log_factors.sum(axis=1)
        # Units beyond the bound enter the network as the bound; as values of a conditional
        # they must not overflow single precision.
        values[rows] = np.clip(cells.values, -MAX_TRAINING_UNIT, MAX_TRAINING_UNIT)
    if weight is None:
        weight = np.ones(len(numbers), dtype=np.float32)
    return Encoded(values, log_jacobian, weight)


@dataclass(frozen=True)
class Rows:
    """The rows that each of M members trains on, and those that it holds out.

    Members hold out consecutive folds of one permutation, so that ten members that hold out
    a tenth of 100 rows hold out every row once. With `validation`, other rows, all train on
    all rows and are stopped by those; without `fraction` nothing is held out.
    """

    source: Source
    n_members: int  # of the ensemble; there is a fold for each
    validation: Source | None = None
    fraction: float | None = None
    fold_seed: int = 0
    # The folds of the members of a stack.
    own_folds: Integers | slice = field(default_factory=lambda: slice(None))

    @property
    def n_rows(self) -> int:
        """Number of rows that are trained on or held out, validation rows apart."""
        return sum(self.source.sizes)

    @property
    def n_windows(self) -> int:
        """Number of windows that training reads."""
        return len(self.source.sizes)

    @property
    def holds_out(self) -> bool:
        """Whether there are held-out rows."""
        return self.validation is not None or self.fraction is not None

    def with_folds(self, folds: Integers | slice) -> "Rows":
        """Return the rows of members that hold out some of the folds."""
        return replace(self, own_folds=folds)

    def n_train(self, window: int) -> int:
        """How many rows of a window each member trains on."""
        return self.source.sizes[window] - self._n_held_out(window)

    def folds(self, window: int) -> tuple[Integers, Integers]:
        """Positions in a window: (M, n_train) to train on, and (M, n_held_out)."""
        n_rows, n_held_out = self.source.sizes[window], self._n_held_out(window)
        folds = np.arange(self.n_members)[self.own_folds]
        if n_held_out == 0:
            return _all_rows(n_rows, len(folds)), _all_rows(0, len(folds))
        seed: Any = self.fold_seed if self.n_windows == 1 else [self.fold_seed, window]
        turned = turned_rows(n_rows, n_held_out, seed, folds)
        return turned[:, n_held_out:], turned[:, :n_held_out]

    def training(self, window: int) -> tuple[Encoded, Integers]:
        """Return a window's rows, and the positions of those that each member trains on."""
        return self.source.read(window), self.folds(window)[0]

    def held_out(self) -> Iterator[tuple[Encoded, Integers]]:
        """Yield rows by windows, and the positions of those that each member holds out."""
        if self.validation is not None:
            n_members = len(np.arange(self.n_members)[self.own_folds])
            for window, n_rows in enumerate(self.validation.sizes):
                yield self.validation.read(window), _all_rows(n_rows, n_members)
        elif self.n_windows == 1:
            yield self.source.read(0), self.folds(0)[1]
        else:
            for window in range(self.n_windows):
                yield self._only(window, self.folds(window)[1])

    def start(self, max_rows: int) -> Iterator[tuple[Floats, Floats]]:
        """Yield each member's training rows, or about so many of them: values and weights."""
        if self.n_windows == 1:
            encoded, members = self.training(0)
            for train in members:
                values, weight = encoded.values[train], encoded.weight[train]
                yield values.astype(np.float64), weight.astype(np.float64)
            return
        # Of a wide table no more than one window holds.
        step = 1 + self.n_rows // min(max_rows, self.source.sizes[0])
        parts = [
            self._only(window, self.folds(window)[0][:, ::step])
            for window in range(self.n_windows)
        ]
        for member in range(len(parts[0][1])):
            own = [encoded[positions[member]] for encoded, positions in parts]
            values, weight = (
                np.concatenate([getattr(part, name) for part in own]).astype(np.float64)
                for name in ("values", "weight")
            )
            yield values, weight

    def _only(self, window: int, positions: Integers) -> tuple[Encoded, Integers]:
        """Read the rows at some positions of a window, and say where each is among them."""
        chosen, place = np.unique(positions, return_inverse=True)
        return self.source.read(window, chosen), place.reshape(positions.shape)

    def _n_held_out(self, window: int) -> int:
        if self.validation is not None or self.fraction is None:
            return 0
        return size_of_fold(self.source.sizes[window], self.fraction)


def size_of_fold(n_rows: int, fraction: float) -> int:
    """Return how many of some rows a member holds out."""
    return max(1, math.floor(fraction * n_rows))


def turned_rows(
    n_rows: int, n_held_out: int, seed: Any, folds: Sequence[int] | Integers
) -> Integers:
    """Return one permutation of rows for each fold (M, n_rows), its rows first."""
    shuffled = np.random.RandomState(seed).permutation(n_rows)
    return np.stack([np.roll(shuffled, -fold * n_held_out) for fold in folds])


def held_out_rows(
    n_rows: int, fraction: float, seed: int, folds: Sequence[int]
) -> NDArray[np.bool_]:
    """Return which rows of a single window the members of some folds hold out, (n_rows, M)."""
    n_held_out = size_of_fold(n_rows, fraction)
    turned = turned_rows(n_rows, n_held_out, seed, folds)[:, :n_held_out]
    found = np.zeros((n_rows, len(turned)), dtype=bool)
    np.put_along_axis(found, turned.T, True, axis=0)
    return found


def _all_rows(n_rows: int, n_members: int) -> Integers:
    return np.tile(np.arange(n_rows), (n_members, 1))
