"""The rows of fit, and what they score when nothing has learned from them.

A row that the model has learned from looks more ordinary than it is. So the rows that a
detector was fitted to are told by a hash of their cells, and have scores of their own.
"""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .._table.hashes import Hashes, row_hashes
from .tails import conformal_p_values

Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]

# Beside others of the same cells, rows without a weight count no more than this.
LEAST_WEIGHT = 1e-12

# Bits of a number in single precision.
PRECISION = 24


def hashes(X: Floats) -> Hashes:
    """Return a hash of each row (n, D); of equal cells, missing ones too, it is the same.

    Cells are equal that are so in single precision, of any magnitude.
    """
    mantissa, exponent = np.frexp(X)
    cells = np.ldexp(np.rint(np.ldexp(mantissa, PRECISION)), exponent - PRECISION)
    return row_hashes(cells)


@dataclass(frozen=True)
class Seen:
    """Rows of fit by their hashes, with their scores; equal rows share the mean."""

    keys: Hashes  # (K,), ascending
    scores: Floats  # (K,)
    weight: Floats  # (K,), of the rows of each key

    @classmethod
    def of(cls, X: Floats, scores: Floats, weight: Floats) -> Self:
        """Remember rows (n, D) with their scores and weights (n,)."""
        keys, place = np.unique(hashes(X), return_inverse=True)
        total = np.bincount(place, weight).astype(np.float64)
        counted = np.maximum(weight, LEAST_WEIGHT)  # also those that do not count have scores
        mean = np.bincount(place, counted * scores) / np.bincount(place, counted)
        return cls(keys, mean, total)

    def recalled(self, X: Floats, scores: Floats) -> Floats:
        """Return scores (n,) with those of the rows that were seen in place of their own."""
        keys = hashes(X)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[place] == keys, self.scores[place], scores)

    def p_values(self, scores: Floats) -> Floats:
        """How often an ordinary row scores at most as high, (n,)."""
        return conformal_p_values(scores, self.scores, self.weight)

    def to_state(self) -> dict[str, Any]:
        """Return plain arrays."""
        return asdict(self)
