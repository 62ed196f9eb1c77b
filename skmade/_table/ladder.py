"""The rungs of a count that was recorded in steps: its multiples, and a few atoms between.

Grams are often multiples of 25, prices of 100. Such a count is learned, scored and drawn by the
number of its rung. A whole number between two rungs is one that no row of fit had: the nearer
rung, of two the lower one, says what goes with it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# What is nearer than this to a rung is the rung: whole numbers are one apart.
HAIR = 1e-6


@dataclass(frozen=True)
class Ladder:
    """Rungs ``offset + k * step`` for every integer k, and whole numbers between them."""

    step: float
    offset: float
    between: Floats  # (m,), in order

    @classmethod
    def of(cls, step: float, offset: float, atoms: Floats) -> "Ladder":
        """Return the ladder of a step, with the atoms (n,) that are beside it; NaN is none."""
        atoms = np.sort(atoms[~np.isnan(atoms)])
        return cls(step, offset, atoms[np.mod(atoms - offset, step) != 0])

    def at_most(self, X: Floats) -> Floats:
        """Return the highest rung that is no higher than each number."""
        below = self.offset + np.floor((X - self.offset + HAIR) / self.step) * self.step
        padded = np.append(-np.inf, self.between)
        last = padded[np.searchsorted(self.between, X + HAIR, side="right")]
        return np.maximum(below, last)

    def at_least(self, X: Floats) -> Floats:
        """Return the lowest rung that is no lower than each number."""
        above = self.offset + np.ceil((X - self.offset - HAIR) / self.step) * self.step
        padded = np.append(self.between, np.inf)
        first = padded[np.searchsorted(self.between, X - HAIR, side="left")]
        return np.minimum(above, first)

    def nearest(self, X: Floats, low: float = -np.inf, high: float = np.inf) -> Floats:
        """Return the nearest rung to each number, of those between two ends."""
        lower, upper = self.at_most(X), self.at_least(X)
        with np.errstate(invalid="ignore"):
            go_up = (upper - X < X - lower) | (lower < low)
        return np.where(go_up & (upper <= high), upper, lower)

    def index(self, rungs: Floats) -> Floats:
        """Return the numbers of rungs: the neighbour above has one more."""
        n_between = np.searchsorted(self.between, rungs + HAIR, side="right")
        return np.floor((rungs - self.offset + HAIR) / self.step) + n_between

    def rung(self, index: Floats) -> Floats:
        """Return the rungs of numbers, the inverse of `index`; parts of the way between two."""
        first = np.floor(index + HAIR)
        part = np.clip(index - first, 0.0, 1.0)
        lower, upper = self._rung(first), self._rung(first + 1)
        return np.where(part > HAIR, lower + part * (upper - lower), lower)

    def _rung(self, index: Floats) -> Floats:
        own = self.index(self.between)
        n_between = np.searchsorted(own, index, side="right")
        rungs = self.offset + (index - n_between) * self.step
        for place, atom in zip(own, self.between, strict=True):
            rungs = np.where(index == place, atom, rungs)
        return rungs

    def n_beside(self, rungs: Floats, low: float, high: float) -> Floats:
        """Count the whole numbers that are nearest to each rung, of those between two ends."""
        lower, upper = self.at_most(rungs - 1), self.at_least(rungs + 1)
        above = np.where(upper > high, high - rungs, (upper - rungs) // 2)
        below = np.where(lower < low, rungs - low, (rungs - lower + 1) // 2 - 1)
        return np.maximum(above, 0) + np.maximum(below, 0)
