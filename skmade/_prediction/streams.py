"""Random numbers of rows: each row has a stream of its own, which its cells choose.

A generator that all rows share gives a row other numbers in another batch. Here the key of a
stream is mixed from a seed, the cells of the row, and how many equal rows come before it. A
number of a stream follows from its place alone, by splitmix64 (Steele, Lea and Flood 2014), so
that no row has to wait for another, and parts of a table can be completed in any order.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .._network.masks import Integers
from .._table.hashes import STEP, Hashes, mixed, row_hashes

Floats = NDArray[np.float64]

# Bits of a number in (0, 1); with half of a last one more no number is 0 or rounded to 1.
PRECISION = 52

# Numbers that are computed together: they stay near the processor.
CHUNK_NUMBERS = 2**13


@dataclass(frozen=True)
class Streams:
    """The streams of random numbers of n rows."""

    keys: Hashes  # (n,)

    @classmethod
    def of(cls, X: Floats, rng: np.random.RandomState) -> Self:
        """Give each row (n, D) with holes a stream; equal rows have different ones, in turn."""
        seed = rng.randint(2**64, size=1, dtype=np.uint64)
        holed = np.flatnonzero(np.isnan(X).any(axis=1))
        found = np.zeros(len(X), dtype=np.uint64)  # what has no holes is given no numbers
        found[holed] = row_hashes(X[holed])
        return cls(mixed(mixed(found + seed) + _n_before(found) * np.uint64(STEP)))

    def of_rows(self, rows: Integers) -> "Streams":
        """Return the streams of some rows."""
        return Streams(self.keys[rows])

    def uniforms(self, first: int, size: int) -> Floats:
        """Return so many numbers in (0, 1) of each stream, (n, size), from a place on."""
        places = np.arange(first + 1, first + size + 1, dtype=np.uint64) * np.uint64(STEP)
        numbers = np.empty((len(self.keys), size))
        n_rows = max(1, CHUNK_NUMBERS // max(size, 1))
        for start in range(0, len(numbers), n_rows):
            rows = slice(start, start + n_rows)
            bits = mixed(self.keys[rows, None] + places) >> np.uint64(64 - PRECISION)
            numbers[rows] = bits
        numbers += 0.5
        numbers *= 0.5**PRECISION
        return numbers


def _n_before(hashes: Hashes) -> Hashes:
    """How many equal hashes come before each, (n,)."""
    order = np.argsort(hashes, kind="stable")
    in_turn, places = hashes[order], np.arange(len(hashes))
    begins = np.ones(len(hashes), dtype=bool)
    begins[1:] = in_turn[1:] != in_turn[:-1]
    n_before = np.empty(len(hashes), dtype=np.uint64)
    n_before[order] = places - np.maximum.accumulate(np.where(begins, places, 0))
    return n_before
