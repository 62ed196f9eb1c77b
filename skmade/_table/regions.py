"""Where the cells of a column are asked to be: values, or all between two ends."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .encoding import Table, to_cells
from .grid import Grid

Floats = NDArray[np.float64]

# An end is a number of a grid up to this share of its step.
ROOM = 1e-6


@dataclass(frozen=True)
class Asked:
    """Where the numbers or codes of a column may be, as the user has them."""

    values: Floats | None  # these alone
    low: float = -math.inf  # else all between two ends, which belong to it
    high: float = math.inf
    step: float = 0.0  # of the numbers between them; zero for all

    def nearest(self, X: Floats) -> Floats:
        """Move numbers that rounding has put outside back to the ends."""
        if self.values is None:
            return np.clip(X, self.low, self.high)
        return self.values[np.abs(X[:, None] - self.values).argmin(axis=1)]


def asked_between(table: Table, column: int, low: float, high: float) -> Asked:
    """Return all that a column may be between two ends; no values where that is nothing.

    Of integers, and of numbers that were recorded on a grid, the ends are numbers of it.
    """
    low, high = max(low, table.ends[0, column]), min(high, table.ends[1, column])
    known = _few_values(table, column)
    if known is not None:
        return Asked(known[(low <= known) & (known <= high)])
    ladder = dict(table.ladders()).get(column)
    if ladder is not None:
        low, high = (
            float(end[0])
            for end in (ladder.at_least(np.array([low])), ladder.at_most(np.array([high])))
        )
        return Asked(None, low, high, 1.0) if low <= high else Asked(np.empty(0))
    step, offset = _step(table, column)
    if step and np.isfinite(low):
        low = offset + step * float(np.ceil((low - offset) / step - ROOM))
    if step and np.isfinite(high):
        high = offset + step * float(np.floor((high - offset) / step + ROOM))
    if low > high:
        return Asked(np.empty(0))
    return Asked(None, low, high, step)


def _few_values(table: Table, column: int) -> Floats | None:
    """Return the values of a column that has few; None if it has many."""
    if table.constant[column]:
        return np.asarray(table.ends[:1, column])
    if table.kinds[column] == "binary":
        return np.array([0.0, 1.0])
    codes = table.codes[column]
    return None if np.isnan(codes).all() else np.asarray(codes[~np.isnan(codes)])


def _step(table: Table, column: int) -> tuple[float, float]:
    """Return the step between the numbers of a column, zero for none, and one of them."""
    if table.kinds[column] == "count":
        return 1.0, 0.0
    grid = Grid(*table.grids[column].tolist())
    if grid.decimals < 0:
        return 0.0, 0.0
    return grid.multiple / 10.0**grid.decimals, grid.offset / 10.0**grid.decimals


def nearest_row(asked: Mapping[int, Asked], table: Table) -> Floats:
    """Return a row (1, D) within a region, as near to the centers of its columns as can be."""
    row = np.full((1, table.n_features), np.nan)
    centers = to_cells(table, np.zeros((1, table.n_features)))
    for column, own in asked.items():
        row[:, column] = own.nearest(centers[:, column])
    return row
