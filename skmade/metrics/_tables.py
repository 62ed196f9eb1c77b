"""Several tables of the same columns, read together: what a column is, all of them decide."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from narwhals.exceptions import DuplicateError
from numpy.typing import NDArray

from ._cells import (
    BYTES,
    CODES,
    NUMBERS,
    TEXT,
    TRUTHS,
    Cells,
    as_floats,
    as_text,
    cells_of_array,
    cells_of_series,
)

Floats = NDArray[np.float64]

# Numbers up to this have finite sums and differences.
LARGEST = 2.0**1000


@dataclass(frozen=True)
class Column:
    """A column that all tables have: numbers, or codes of labels; NaN where missing.

    Dates, durations and times are numbers of seconds.
    """

    name: Any
    cells: tuple[Floats, ...]  # of each table
    labels: tuple[str, ...] | None  # in the order of their codes; None for numbers

    def take(self, table: int, rows: NDArray[Any]) -> "Column":
        """Return the column with only some rows of one table."""
        cells = list(self.cells)
        cells[table] = cells[table][rows]
        return Column(self.name, tuple(cells), self.labels)


def read_together(tables: Mapping[str, Any]) -> list[Column]:
    """Return the columns of tables, whose names are for error messages.

    DataFrames have the same columns in any order, that of the first counts; columns of
    arrays are told by their position.
    """
    opened = {table: open_table(X, table) for table, X in tables.items()}
    names = _common_names(opened)
    columns = []
    for position, name in enumerate(names):
        read = {}
        for table, X in opened.items():
            try:
                read[table] = (
                    cells_of_series(X.get_column(name))
                    if isinstance(X, nw.DataFrame)
                    else cells_of_array(X[:, position])
                )
            except TypeError as error:
                raise TypeError(
                    f"Column {name!r} of {table} {error}: convert it, or leave it out."
                ) from error
        columns.append(_decided(name, read))
    return columns


def open_table(X: Any, table: str) -> Any:
    """Return a DataFrame as narwhals knows it, or an array; refuse what is no table of rows."""
    if hasattr(X, "__dask_graph__"):
        X = X.compute()
    try:
        opened = nw.from_native(X, pass_through=True)
    except DuplicateError:
        twice = [repr(name) for name, count in Counter(X.columns).items() if count > 1]
        raise ValueError(
            f"{table} has several columns called {', '.join(twice)}: rename them."
        ) from None
    if isinstance(opened, nw.LazyFrame):
        opened = opened.collect()
    if not isinstance(opened, nw.DataFrame):
        opened = _as_array(X, table)
    if 0 in opened.shape:
        raise ValueError(
            f"{table} is empty: it has {opened.shape[0]} rows and {opened.shape[1]} columns."
        )
    return opened


def with_finite_sums(tables: tuple[Floats, ...]) -> tuple[Floats, ...]:
    """Return numbers of several tables in other units if the sum of two could be infinite."""
    huge = any((np.abs(cells) > LARGEST).any() for cells in tables)
    return tuple(np.ldexp(cells, -64) for cells in tables) if huge else tables


def position_of(columns: list[Column], target: Any) -> int:
    """Return where a column is that is given by its name or its position."""
    names = [column.name for column in columns]
    positions = {name: position for position, name in enumerate(names)}
    truth = isinstance(target, bool | np.bool_)  # equal to 0 or 1, but no number of a column
    if type(target).__hash__ is not None and target in positions and not truth:
        return positions[target]
    if isinstance(target, int | np.integer) and not truth and 0 <= target < len(names):
        return int(target)
    raise ValueError(
        f"target={target!r} is no column: they are {names}. Pass one of these names, or a "
        f"position from 0 to {len(names) - 1}."
    )


def _as_array(X: Any, table: str) -> NDArray[Any]:
    """Return an array of two dimensions."""
    if hasattr(X, "tocsr"):
        raise TypeError(f"{table} is sparse: pass {table}.toarray().")
    if np.ma.isMaskedArray(X):
        masked = np.ma.getmaskarray(X)
        X = np.array(X.data, dtype=object)
        X[masked] = None
    try:
        array = np.asarray(X)
    except ValueError as error:
        raise ValueError(
            f"{table} is no table, as its rows are not of the same length: {error}"
        ) from error
    if array.dtype.kind in "US" and not isinstance(X, np.ndarray):
        array = np.asarray(X, dtype=object)  # numbers among text stay numbers
    if array.ndim != 2:
        raise ValueError(
            f"{table} must have rows and columns, but has {array.ndim} dimensions: pass a "
            "DataFrame or an array of shape (n_samples, n_features)."
        )
    return array


def _common_names(opened: Mapping[str, Any]) -> list[Any]:
    """Return the names of the columns that all tables have, or refuse those that differ."""
    first, *others = opened
    framed = [table for table, X in opened.items() if isinstance(X, nw.DataFrame)]
    count = opened[first].shape[1]
    for table in others:
        if opened[table].shape[1] != count and not {first, table} <= set(framed):
            raise ValueError(
                f"{first} and {table} have different numbers of columns, {count} and "
                f"{opened[table].shape[1]}: pass the same columns of all tables."
            )
    if not framed:
        return [f"x{position}" for position in range(count)]
    names = list(opened[framed[0]].columns)
    for table in framed[1:]:
        own = opened[table].columns
        lacking = [name for name in names if name not in own]
        added = [name for name in own if name not in names]
        if lacking or added:
            found = f"{table} lacks {lacking}" if lacking else f"{framed[0]} lacks {added}"
            raise ValueError(
                f"{framed[0]} and {table} have different columns: {found}. Pass the same "
                "columns of all tables."
            )
    return names


def _decided(name: Any, read: Mapping[str, Cells]) -> Column:
    """Return a column as what it is in all tables."""
    kinds = {kind for kind, _ in read.values()} - {None}
    if len(kinds) > 1 and not kinds <= {NUMBERS, TRUTHS, CODES}:
        _check_labels(name, read)
    if kinds & {TEXT, BYTES, CODES} or kinds == {TRUTHS}:
        return _labelled(name, [cells for _, cells in read.values()])
    values = []
    for table, (kind, cells) in read.items():
        numbers = as_floats(cells) if kind in (None, TRUTHS) else cells
        if np.isinf(numbers).any():
            raise ValueError(
                f"Column {name!r} of {table} has infinite cells: replace them, by NaN if they "
                "are missing."
            )
        values.append(numbers)
    return Column(name, tuple(values), None)


def _check_labels(name: Any, read: Mapping[str, Cells]) -> None:
    """Refuse a column of kinds that cannot be compared."""
    (first, one), *others = [(table, kind) for table, (kind, _) in read.items() if kind]
    for table, kind in others:
        if one != kind and not {one, kind} <= {TEXT, CODES, TRUTHS}:
            raise ValueError(
                f"Column {name!r} holds {one} in {first}, but {kind} in {table}: convert it in "
                "one of them, or leave it out."
            )


def _labelled(name: Any, tables: list[NDArray[Any]]) -> Column:
    """Return labels as codes, in the order of all of their texts."""
    texts = [as_text(cells) for cells in tables]
    labels = sorted({text for own in texts for text in own if text is not None})
    codes: dict[str | None, float] = {label: float(code) for code, label in enumerate(labels)}
    codes[None] = np.nan
    cells = tuple(np.array([codes[text] for text in own]) for own in texts)
    return Column(name, cells, tuple(labels))
