"""Between which numbers, or dates, the user says that columns are."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .layout import Layout
from .times import Clock

Floats = NDArray[np.float64]


def read_bounds(
    bounds: Mapping[Any, Any] | None,
    kinds: Sequence[str] | NDArray[np.str_],
    layout: Layout,
    largest: Floats | None = None,
) -> Floats | None:
    """Return the lowest and the highest number of each column, (2, D); None without bounds.

    A day ends, with the `largest` time of it at the earliest.
    """
    times_of_day = any(clock and clock.kind == "time" for clock in layout.clocks)
    if not bounds and not times_of_day:
        return None
    names = list(range(len(kinds))) if layout.names is None else list(layout.names)
    ends = np.array([[-np.inf], [np.inf]]) * np.ones(len(kinds))
    for column, pair in (bounds or {}).items():
        if column not in names:
            raise ValueError(f"bounds names {column!r}, which is no column of the table.")
        position = names.index(column)
        label = layout.label(position)
        if kinds[position] in ("binary", "categorical"):
            raise ValueError(f"{label} has bounds, but is {kinds[position]}: leave them out.")
        ends[:, position] = _pair(pair, label, layout.clocks[position])
    for position, clock in enumerate(layout.clocks):
        if clock is not None and clock.kind == "time":
            low, high = clock.ends
            high = high if largest is None else max(high, largest[position])
            ends[:, position] = np.clip(ends[:, position], low, high)
    return ends


def _pair(pair: Any, label: str, clock: Clock | None) -> tuple[float, float]:
    """Return two ends of a column as floats, infinite where they are open."""
    low, high = read_ends(pair, label, clock)
    if not low < high:
        raise ValueError(
            f"The bounds of {label} must be (low, high) with low < high, None for an open end, "
            f"got {pair!r}."
        )
    return low, high


def read_ends(pair: Any, label: str, clock: Clock | None) -> tuple[float, float]:
    """Read two ends, infinite where they are None, NaN where they are no pair of numbers.

    Ends of a column of times are times, or text in ISO 8601.
    """
    try:
        low, high = pair
    except (TypeError, ValueError):
        return np.nan, np.nan
    read: Callable[[Any], float] = float if clock is None else clock.second
    try:
        low = -np.inf if low is None else read(low)
        return low, np.inf if high is None else read(high)
    except (TypeError, ValueError) as error:
        if clock is None:
            return np.nan, np.nan
        raise TypeError(f"An end of {label} {error}") from None
