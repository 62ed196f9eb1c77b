"""The user's table, array or DataFrame: its cells as numbers, and numbers as such a table.

Labels (text, categories, booleans, or numbers that are declared categorical) become codes
0, 1, ... in the order of the column's levels; missing cells become NaN. What fit saw of the
columns is a `Layout` of plain lists, from which rows are given back in the same form.
"""

import datetime
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = list[Any]

# The code of a label that fit did not see.
UNKNOWN = -1.0


@dataclass(frozen=True)
class Layout:
    """Container, names, dtypes and labels of the columns, in their order."""

    container: str  # 'array', 'pandas' or 'polars'
    names: Labels | None  # None for an array
    dtypes: list[str]  # one for the whole array, or one for each column
    levels: list[Labels | None]  # labels in the order of their codes, None for numbers
    ordered: list[bool]  # whether a pandas category has an order

    @property
    def n_levels(self) -> NDArray[np.int64]:
        """Number of levels of each column, 0 for numbers."""
        return np.array([0 if labels is None else len(labels) for labels in self.levels])

    def label(self, position: int) -> str:
        """Name a column the way its user does: by name, or else by position."""
        return column_label(position, self.names)


def column_label(position: int, names: Sequence[Any] | None) -> str:
    """Name a column the way its user does: by name, or else by position."""
    if names is None or not isinstance(names[position], str):
        return f"column {position if names is None else names[position]}"
    return f"column {str(names[position])!r}"


def open_table(X: Any) -> Any:
    """Return a DataFrame of any library as narwhals knows it, anything else as an array."""
    frame = nw.from_native(X, pass_through=True, eager_only=True)
    if isinstance(frame, nw.DataFrame):
        return frame
    if hasattr(X, "tocsr"):  # sparse: refused by scikit-learn's own check
        return X
    try:
        array = np.asarray(X)
    except ValueError:  # ragged lists: scikit-learn's own check says so
        return X
    if array.dtype.kind in "US" and not isinstance(X, np.ndarray):
        return np.asarray(X, dtype=object)  # numbers among text stay numbers
    return array


def learn_layout(X: Any, words: Sequence[str]) -> Layout:
    """Remember the form of a table; `words` are the columns' declared types."""
    table = open_table(X)
    levels = [_levels(table, position, word) for position, word in enumerate(words)]
    if not isinstance(table, nw.DataFrame):
        return Layout("array", None, [str(table.dtype)], levels, [False] * len(levels))
    natives = [table[:, position].to_native() for position in range(table.shape[1])]
    if table.implementation.is_polars():
        dtypes = [type(series.dtype).__name__ for series in table.iter_columns()]
        return Layout("polars", list(table.columns), dtypes, levels, [False] * len(levels))
    return Layout(
        "pandas",
        list(table.to_native().columns),
        [str(native.dtype) for native in natives],
        levels,
        [bool(getattr(native.dtype, "ordered", False)) for native in natives],
    )


def column_words(
    feature_types: Any, n_features: int, names: Sequence[Any] | None, known: Sequence[str]
) -> list[str]:
    """Return the declared type of each column, 'auto' where none is."""
    if isinstance(feature_types, str):
        words = [feature_types] * n_features
    elif isinstance(feature_types, dict):
        columns = list(range(n_features)) if names is None else list(names)
        words = ["auto"] * n_features
        for column, word in feature_types.items():
            if column not in columns:
                raise ValueError(f"feature_types names {column!r}, which is no column of X.")
            words[columns.index(column)] = word
    else:
        words = list(feature_types)
        if len(words) != n_features:
            raise ValueError(f"feature_types has {len(words)} words for {n_features} columns.")
    for position, word in enumerate(words):
        if word not in known:
            raise ValueError(
                f"feature_types of {column_label(position, names)} is {word!r}; "
                f"it must be one of {sorted(known)}."
            )
    return words


def to_numbers(layout: Layout, X: Any, name: str = "X") -> Floats:
    """Turn a table into a matrix: values, codes, NaN where missing, -1 where unknown."""
    table = open_table(X)
    numbers = np.empty(table.shape, dtype=np.float64)
    for position, labels in enumerate(layout.levels):
        cells = _cells(table, position)
        if labels is not None:
            numbers[:, position] = _codes(cells, labels)
            continue
        problem = _wrong_type(cells)
        if problem is not None:
            raise TypeError(f"{layout.label(position)} of {name} {problem}")
        numbers[:, position] = _numeric(cells)
    return numbers


def unknown_labels(layout: Layout, numbers: Floats, X: Any) -> dict[int, Labels]:
    """Return the labels that have no code, in order of appearance, by column position."""
    table = open_table(X)
    unknown = {}
    for position, labels in enumerate(layout.levels):
        rows = np.flatnonzero(numbers[:, position] == UNKNOWN)
        if labels is not None and len(rows):
            unknown[position] = list(dict.fromkeys(_cells(table, position)[rows].tolist()))
    return unknown


def extended(layout: Layout, unknown: dict[int, Labels]) -> Layout:
    """Return the layout with codes for more labels, after those of fit."""
    levels = [
        labels if labels is None else labels + unknown.get(position, [])
        for position, labels in enumerate(layout.levels)
    ]
    return replace(layout, levels=levels)


def to_table(layout: Layout, numbers: Floats, index: Any = None) -> Any:
    """Turn a matrix of values and codes into a table as fit saw it."""
    columns = [
        _labels_of(column, labels) if labels is not None else column
        for column, labels in zip(numbers.T, layout.levels, strict=True)
    ]
    if layout.container == "pandas":
        return _to_pandas(layout, columns, index)
    if layout.container == "polars":
        return _to_polars(layout, columns)
    numeric = all(
        labels is None or all(isinstance(label, int | float) for label in labels)
        for labels in layout.levels
    )
    return np.array(columns, dtype=np.float64 if numeric else object).T.copy()


def _to_pandas(layout: Layout, columns: Sequence[NDArray[Any]], index: Any) -> Any:
    import pandas as pd

    frame = {}
    for position, (cells, dtype) in enumerate(zip(columns, layout.dtypes, strict=True)):
        labels = layout.levels[position]
        if dtype == "category":
            levels = pd.CategoricalDtype(labels, layout.ordered[position])
            frame[position] = pd.Series(cells, dtype=levels, index=index)
        else:
            cells = cells if labels is not None else _rounded(cells, dtype)
            frame[position] = pd.Series(cells, index=index).astype(dtype)
    table = pd.DataFrame(frame)
    table.columns = layout.names
    return table


def _to_polars(layout: Layout, columns: Sequence[NDArray[Any]]) -> Any:
    import polars as pl

    assert layout.names is not None
    series = []
    for position, (cells, dtype) in enumerate(zip(columns, layout.dtypes, strict=True)):
        labels = layout.levels[position]
        values = cells if labels is not None else _rounded(cells, dtype)
        kind = pl.Enum(labels or []) if dtype == "Enum" else getattr(pl, dtype)
        name = layout.names[position]
        series.append(pl.Series(name, values.tolist(), strict=False).cast(kind))
    return pl.DataFrame(series)


def _rounded(values: Floats, dtype: str) -> NDArray[Any]:
    """Round values to integers that a dtype of integers can hold."""
    if not dtype.lower().startswith(("int", "uint")):
        return values
    bounds = np.iinfo(dtype.lower())
    limit = np.nextafter(float(bounds.max), 0) if bounds.bits == 64 else bounds.max
    return np.clip(np.rint(values), bounds.min, limit).astype(dtype.lower())


def _labels_of(codes: Floats, labels: Labels) -> NDArray[Any]:
    table = np.empty(len(labels), dtype=object)
    table[:] = labels
    return table[codes.astype(np.int64)]


def _cells(table: Any, position: int) -> NDArray[Any]:
    """Return one column: numbers as floats, anything else as objects."""
    if not isinstance(table, nw.DataFrame):
        return np.asarray(table[:, position])
    series = table[:, position]
    if series.dtype.is_numeric():
        return series.cast(nw.Float64()).to_numpy().astype(np.float64)
    cells = np.empty(len(series), dtype=object)
    cells[:] = series.to_list()
    return cells


def _is_labelled(table: Any, position: int) -> bool:
    """Whether a DataFrame's column holds labels: text, categories, or only booleans."""
    dtype = table[:, position].dtype
    if not isinstance(dtype, nw.Object):
        return isinstance(dtype, nw.Categorical | nw.Enum | nw.String | nw.Boolean)
    present = [cell for cell in _cells(table, position) if not _is_missing(cell)]
    return any(isinstance(cell, str) for cell in present) or (
        len(present) > 0 and all(isinstance(cell, bool | np.bool_) for cell in present)
    )


def _levels(table: Any, position: int, word: str) -> Labels | None:
    """Return a column's labels in the order of their codes, None for numbers."""
    framed = isinstance(table, nw.DataFrame)
    labelled = framed and _is_labelled(table, position)
    if word in ("continuous", "count") or (word != "categorical" and not labelled):
        return None
    if framed:
        dtype = table[:, position].dtype
        native = getattr(table[:, position].to_native(), "dtype", None)
        declared = getattr(native, "categories", None)
        if isinstance(dtype, nw.Boolean):
            return [False, True]
        if declared is not None:
            return list(declared.tolist() if hasattr(declared, "tolist") else declared)
    return _sorted_labels(_cells(table, position))


def _sorted_labels(cells: NDArray[Any]) -> Labels:
    """Return the distinct labels: sorted, text after numbers where both occur."""
    if cells.dtype.kind in "biuf":
        return np.unique(cells[~np.isnan(cells.astype(np.float64))]).tolist()
    distinct = {cell for cell in cells.tolist() if not _is_missing(cell)}
    return sorted(distinct, key=lambda label: (isinstance(label, str), label))


def _codes(cells: NDArray[Any], labels: Labels) -> Floats:
    code_of = {label: float(code) for code, label in enumerate(labels)}
    return np.array(
        [np.nan if _is_missing(cell) else code_of.get(cell, UNKNOWN) for cell in cells.tolist()]
    )


def _is_missing(cell: Any) -> bool:
    """Whether a cell is None, NaN, pandas.NA or NaT."""
    return (
        cell is None
        or (isinstance(cell, float | np.floating) and bool(np.isnan(cell)))
        or type(cell).__name__ in ("NAType", "NaTType")
    )


def _numeric(cells: NDArray[Any]) -> Floats:
    """Convert cells that are no labels to floats, missing ones to NaN."""
    if cells.dtype.kind != "O":
        return cells.astype(np.float64)
    return np.array([np.nan if _is_missing(cell) else float(cell) for cell in cells.tolist()])


def check_types(X: Any, name: str = "X") -> None:
    """Refuse text and dates in columns of numbers, naming the column."""
    table = open_table(X)
    if getattr(table, "ndim", 2) != 2 or not hasattr(table, "shape"):
        return
    names = list(table.columns) if isinstance(table, nw.DataFrame) else None
    # Numbers of any width need no look at their cells.
    if names is None and table.dtype.kind in "biufc":
        return
    for position in range(table.shape[1]):
        problem = _wrong_type(_cells(table, position))
        if problem is not None:
            raise TypeError(f"{column_label(position, names)} of {name} {problem}")


def _wrong_type(column: NDArray[Any]) -> str | None:
    """Say what is wrong with the cells of a column of numbers, if anything is."""
    dates = "holds dates or durations: turn them into numbers of your own unit first."
    text = "is not numeric: it holds {!r}. Declare it 'categorical' in feature_types."
    if column.dtype.kind in "Mm":
        return dates
    if column.dtype.kind in "US":
        return text.format(str(column[0]))
    for cell in column.tolist() if column.dtype.kind == "O" else ():
        if isinstance(cell, str | bytes):
            return text.format(cell)
        if isinstance(
            cell, datetime.date | datetime.timedelta | np.datetime64 | np.timedelta64
        ):
            return dates
        if isinstance(cell, int) and abs(cell) > sys.float_info.max:
            return "holds an integer too large for a floating-point number."
    return None
