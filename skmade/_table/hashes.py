"""Hashes of rows: by their cells alone rows are told, wherever they stand in a table."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Hashes = NDArray[np.uint64]

# Constants of a finaliser that makes all bits depend on all (splitmix64: Steele, Lea and
# Flood 2014).
STEP = 0x9E3779B97F4A7C15
MIXERS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


def row_hashes(X: Floats) -> Hashes:
    """Return a hash of each row (n, D); of equal cells, missing ones too, it is the same."""
    cells = np.where(np.isnan(X), np.nan, X + 0.0)  # one NaN, one zero
    bits = np.ascontiguousarray(cells).view(np.uint64)
    found = np.zeros(len(X), dtype=np.uint64)
    for own in bits.T:
        found = mixed(found + mixed(own + np.uint64(STEP)))
    return found


def mixed(bits: Hashes) -> Hashes:
    """Mix the bits of each number, so that any of them changes about half of all."""
    for shift, factor in MIXERS:
        bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
    return bits ^ (bits >> np.uint64(31))
