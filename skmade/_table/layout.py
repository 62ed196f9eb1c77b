"""What fit saw of the columns of a table: names, dtypes, labels, how times are read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .plain import Plain, from_plain, to_plain
from .times import Clock, joined_clock

Labels = list[Any]


@dataclass(frozen=True)
class Layout:
    """Container, names, dtypes and labels of the columns, in their order."""

    container: str  # 'array', 'pandas' or 'polars'
    names: Labels | None  # None for an array
    dtypes: list[Plain]  # one for the whole array, or one for each column
    levels: list[Labels | None]  # labels in the order of their codes, None for numbers
    clocks: list[Clock | None]  # how dates, times and durations are read as numbers
    header: Plain = None  # of a pandas DataFrame, the index of its names

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Layout":
        """Rebuild a layout from `to_state`, of version 0.1.0 too, which knew no times."""
        levels = [
            labels and [from_plain(label) for label in labels] for labels in state["levels"]
        ]
        dtypes, names = list(state["dtypes"]), state["names"]
        for position, ordered in enumerate(state.get("ordered", ())):
            if ordered:
                dtypes[position] = ["category", None, True]
        return cls(
            state["container"],
            None if names is None else [from_plain(name) for name in names],
            dtypes,
            levels,
            [clock and Clock(*clock) for clock in state.get("clocks", [None] * len(levels))],
            state.get("header"),
        )

    def to_state(self) -> dict[str, Plain]:
        """Return all of it as text, numbers and lists."""
        return {
            "container": self.container,
            "names": None if self.names is None else [to_plain(name) for name in self.names],
            "dtypes": self.dtypes,
            "levels": [
                labels and [to_plain(label) for label in labels] for labels in self.levels
            ],
            "clocks": [clock and list(clock) for clock in self.clocks],
            "header": self.header,
        }

    @property
    def n_levels(self) -> NDArray[np.int64]:
        """Number of levels of each column, 0 for numbers."""
        return np.array([0 if labels is None else len(labels) for labels in self.levels])

    @property
    def of_numbers(self) -> bool:
        """Whether no column holds labels or times."""
        return not self.n_levels.any() and not any(self.clocks)

    def label(self, position: int) -> str:
        """Name a column the way its user does: by name, or else by position."""
        return column_label(position, self.names)

    def only(self, column: int) -> "Layout":
        """Return the layout of one column of a DataFrame, as a table of it alone."""
        assert self.names is not None
        return Layout(
            self.container,
            [self.names[column]],
            [self.dtypes[column]],
            [self.levels[column]],
            [self.clocks[column]],
        )

    def dtype(self, position: int) -> Plain:
        """Return the dtype of a column."""
        return self.dtypes[position if len(self.dtypes) == len(self.levels) else 0]

    def lists_labels(self, position: int) -> bool:
        """Whether the dtype of a column is one that lists its labels."""
        dtype = self.dtype(position)
        return (dtype[0] if isinstance(dtype, list) else dtype) in ("category", "Enum")

    def shown(self, position: int, number: float) -> str:
        """Return a number of a column as people write what it stands for."""
        labels, clock = self.levels[position], self.clocks[position]
        if labels is not None:
            return repr(labels[int(number)])
        return f"{number:g}" if clock is None else clock.shown(number)


def column_label(position: int, names: Sequence[Any] | None) -> str:
    """Name a column the way its user does: by name, or else by position."""
    if names is None or not isinstance(names[position], str):
        return f"column {position if names is None else names[position]}"
    return f"column {str(names[position])!r}"


def joined_layout(layouts: Sequence[Layout]) -> Layout:
    """Return the layout of a table of several parts, with the labels and dtypes of all."""
    first = layouts[0]
    levels: list[Labels | None] = []
    for of_parts in zip(*(layout.levels for layout in layouts), strict=True):
        known = [labels for labels in of_parts if labels is not None]
        if all(labels == known[0] for labels in known):
            levels.append(known[0] if known else None)
        else:
            levels.append(sorted({label for labels in known for label in labels}, key=place))
    dtypes = [
        _common_dtype(of_parts)
        for of_parts in zip(*(layout.dtypes for layout in layouts), strict=True)
    ]
    clocks = [
        joined_clock(of_parts)
        for of_parts in zip(*(layout.clocks for layout in layouts), strict=True)
    ]
    return replace(first, levels=levels, dtypes=dtypes, clocks=clocks)


def _common_dtype(dtypes: Sequence[Plain]) -> Plain:
    """Return the dtype of a column in parts: one of integers and floats is of floats."""
    if all(dtype == dtypes[0] for dtype in dtypes):
        return dtypes[0]
    try:
        return str(np.result_type(*dtypes))
    except TypeError:  # not all are dtypes of NumPy
        return dtypes[0]


def place(label: Any) -> tuple[str, Any]:
    """Return what labels are sorted by: numbers come first, and others by their type."""
    return ("" if isinstance(label, Number) else type(label).__name__), label


def extended(layout: Layout, unknown: dict[int, Labels]) -> Layout:
    """Return the layout with codes for more labels, after those of fit."""
    levels = [
        labels if labels is None else labels + unknown.get(position, [])
        for position, labels in enumerate(layout.levels)
    ]
    return replace(layout, levels=levels)
