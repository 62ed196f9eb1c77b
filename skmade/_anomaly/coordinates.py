"""Rows as points: standardised numbers, and a coordinate for each label."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .._table.encoding import Table

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Of a column of labels as many get a coordinate, the most frequent ones. One that nearly all
# rows have, or nearly none, is not stretched further than one with this deviation.
MAX_LEVELS, LEAST_DEVIATION = 50, 0.1

# Squares of coordinates, and their sums, stay finite in single precision.
MAX_COORDINATE = 1e15


@dataclass(frozen=True)
class Coordinates:
    """The coordinates of points, in their order."""

    columns: Integers  # (C,), the column of each coordinate
    codes: Floats  # (C,), the label that it is one for; NaN of numbers
    center: Floats  # (C,)
    spread: Floats  # (C,)

    @classmethod
    def of(cls, table: Table, cells: Floats, weight: Floats) -> Self:
        """Learn them from standardised cells (n, D)."""
        columns, codes = [], []
        for column, numeric in enumerate(table.numeric.tolist()):
            own = [np.nan] if numeric else _frequent(cells[:, column], weight)
            columns += [column] * len(own)
            codes += own
        plain = cls(
            np.array(columns, dtype=np.int64),
            np.array(codes, dtype=np.float64),
            np.zeros(len(codes)),
            np.ones(len(codes)),
        )
        points = plain.points(cells)
        share = np.where(np.isnan(points), 0.0, weight[:, None])
        share /= np.maximum(share.sum(axis=0), np.finfo(np.float64).tiny)
        center = np.nansum(share * points, axis=0)
        variance = np.nansum(share * np.square(points - center), axis=0)
        spread = np.maximum(np.sqrt(variance), LEAST_DEVIATION)
        return cls(plain.columns, plain.codes, center, spread)

    def points(self, cells: Floats) -> Floats:
        """Turn standardised cells (n, D) into points (n, C); NaN where missing."""
        points = cells[:, self.columns]
        labels = ~np.isnan(self.codes)
        is_label = (points[:, labels] == self.codes[labels]).astype(np.float64)
        points[:, labels] = np.where(np.isnan(points[:, labels]), np.nan, is_label)
        points = (points - self.center) / self.spread
        return np.clip(points, -MAX_COORDINATE, MAX_COORDINATE)


def _frequent(codes: Floats, weight: Floats) -> list[float]:
    """Return the labels that get coordinates: of two, one says all."""
    seen = ~np.isnan(codes)
    levels, place = np.unique(codes[seen], return_inverse=True)
    if len(levels) <= 2:
        return levels[1:].tolist()
    order = np.argsort(-np.bincount(place, weight[seen]), kind="stable")
    return np.sort(levels[order[:MAX_LEVELS]]).tolist()
