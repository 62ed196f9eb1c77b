"""Where the cells of a column are asked to be: values, or all between two ends."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .encoding import Table, to_cells

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """Where the numbers or codes of a column may be, as the user has them."""

    values: Floats | None  # these alone
    low: float = -math.inf  # else all between two ends, which belong to it
    high: float = math.inf

    def nearest(self, X: Floats) -> Floats:
        """Move numbers that rounding has put outside back to the ends."""
        if self.values is None:
            return np.clip(X, self.low, self.high)
        return self.values[np.abs(X[:, None] - self.values).argmin(axis=1)]


def values_between(table: Table, column: int, low: float, high: float) -> Floats | None:
    """Return the values of a column of few numbers between two ends; None if it has many."""
    if table.constant[column]:
        known = table.ends[:1, column]
    elif table.kinds[column] == "binary":
        known = np.array([0.0, 1.0])
    elif not np.isnan(table.codes[column]).all():
        known = table.codes[column]
    else:
        return None
    return np.asarray(known[(low <= known) & (known <= high)])


def nearest_row(asked: Mapping[int, Asked], table: Table) -> Floats:
    """Return a row (1, D) within a region, as near to the centers of its columns as can be."""
    row = np.full((1, table.n_features), np.nan)
    centers = to_cells(table, np.zeros((1, table.n_features)))
    for column, own in asked.items():
        row[:, column] = own.nearest(centers[:, column])
    return row
