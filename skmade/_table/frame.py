"""The user's table, array or DataFrame: its cells as numbers, and numbers as such a table.

Labels (text, categories, booleans, or numbers that are declared categorical) become codes
0, 1, ... in the order of the column's levels; missing cells become NaN. What fit saw of the
columns is a `Layout` of plain lists, from which rows are given back in the same form.
"""

import datetime
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from narwhals.exceptions import DuplicateError
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


def open_frame(X: Any) -> Any:
    """Return a DataFrame of any library as narwhals knows it, anything else as an array.

    A table is opened once: what follows takes the open one, called `frame`.
    """
    check_container(X)
    if type(X) is np.ndarray:
        return X
    try:
        frame = nw.from_native(X, pass_through=True, eager_only=True)
    except DuplicateError:
        twice = [repr(name) for name, count in Counter(X.columns).items() if count > 1]
        raise ValueError(
            f"Columns need names of their own, but several are called {', '.join(twice)}: "
            "rename them, or drop all but one of each."
        ) from None
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


def open_filled(X: Any) -> Any:
    """Open a table; masked cells are missing."""
    if isinstance(X, Mapping) and not hasattr(X, "tocsr"):  # sparse by keys: refused later
        raise TypeError("A mapping of columns is no table: pass pandas.DataFrame(X).")
    if np.ma.is_masked(X):
        numeric = X.dtype.kind in "biuf"
        X = np.ma.filled(X.astype(np.float64), np.nan) if numeric else without_masked(X)
    return open_frame(X)


def without_masked(array: Any) -> Any:
    """Return an array of objects, None where a cell is masked."""
    cells = np.array(array.data, dtype=object)
    cells[np.ma.getmaskarray(array)] = None
    return cells


def check_container(X: Any) -> None:
    """Refuse what has no columns or no cells, and say what makes a table of it."""
    if getattr(getattr(X, "dtype", None), "names", None):
        raise TypeError(
            "A structured array has fields in place of columns: pass pandas.DataFrame(X)."
        )
    if isinstance(X, list | tuple) and len(X) and isinstance(X[0], Mapping):
        raise TypeError("A list of dicts is no table: pass pandas.DataFrame(X).")
    if hasattr(X, "collect") and isinstance(nw.from_native(X, pass_through=True), nw.LazyFrame):
        raise TypeError("A LazyFrame holds no cells yet: pass what its collect() returns.")


def learn_layout(frame: Any, words: Sequence[str]) -> Layout:
    """Remember the form of an open table; `words` are the columns' declared types."""
    levels = [_levels(frame, position, word) for position, word in enumerate(words)]
    if not isinstance(frame, nw.DataFrame):
        return Layout("array", None, [str(frame.dtype)], levels, [False] * len(levels))
    if frame.implementation.is_polars():
        dtypes = [type(series.dtype).__name__ for series in frame.iter_columns()]
        return Layout("polars", list(frame.columns), dtypes, levels, [False] * len(levels))
    if not frame.implementation.is_pandas():
        raise TypeError(
            "X is a table of a library that is not supported: use pandas or polars."
        )
    return Layout(
        "pandas",
        list(frame.to_native().columns),
        [str(dtype) for dtype in frame.to_native().dtypes],
        levels,
        [bool(getattr(dtype, "ordered", False)) for dtype in frame.to_native().dtypes],
    )


def joined_layout(layouts: Sequence[Layout]) -> Layout:
    """Return the layout of a table of several parts, with the labels and dtypes of all."""
    first = layouts[0]
    levels: list[Labels | None] = []
    for of_parts in zip(*(layout.levels for layout in layouts), strict=True):
        known = [labels for labels in of_parts if labels is not None]
        if all(labels == known[0] for labels in known):
            levels.append(known[0] if known else None)
        else:
            levels.append(sorted({label for labels in known for label in labels}, key=_place))
    dtypes = [
        _common_dtype(of_parts)
        for of_parts in zip(*(layout.dtypes for layout in layouts), strict=True)
    ]
    return replace(first, levels=levels, dtypes=dtypes)


def _common_dtype(dtypes: Sequence[str]) -> str:
    """Return the dtype of a column in parts: one of integers and floats is of floats."""
    distinct = sorted(set(dtypes))
    try:
        return str(np.result_type(*distinct)) if len(distinct) > 1 else dtypes[0]
    except TypeError:  # not all are dtypes of NumPy
        return dtypes[0]


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


def to_numbers(
    layout: Layout, frame: Any, name: str = "X", ignored: Sequence[int] = ()
) -> Floats:
    """Turn an open table into a matrix: values, codes, NaN where missing, -1 where unknown.

    Of `ignored` columns all cells are missing.
    """
    numbers = np.full(frame.shape, np.nan)
    for position, labels in enumerate(layout.levels):
        if position in ignored:
            continue
        cells = _cells(frame, position)
        if labels is not None:
            try:
                numbers[:, position] = _codes(cells, labels)
            except TypeError as error:
                raise TypeError(f"{layout.label(position)} of {name}: {error}") from None
            continue
        problem = _wrong_type(cells)
        if problem is not None:
            raise TypeError(f"{layout.label(position)} of {name} {problem}")
        try:
            numbers[:, position] = _numeric(cells)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"{layout.label(position)} of {name} holds no number: {error}"
            ) from None
    return numbers


def unknown_labels(layout: Layout, numbers: Floats, frame: Any) -> dict[int, Labels]:
    """Return the labels that have no code, in order of appearance, by column position."""
    unknown = {}
    for position, labels in enumerate(layout.levels):
        rows = np.flatnonzero(numbers[:, position] == UNKNOWN)
        if labels is not None and len(rows):
            unknown[position] = list(dict.fromkeys(_cells(frame, position)[rows].tolist()))
    return unknown


def extended(layout: Layout, unknown: dict[int, Labels]) -> Layout:
    """Return the layout with codes for more labels, after those of fit."""
    levels = [
        labels if labels is None else labels + unknown.get(position, [])
        for position, labels in enumerate(layout.levels)
    ]
    return replace(layout, levels=levels)


def without_markers(cells: NDArray[Any]) -> NDArray[Any]:
    """Return an array of objects in which missing cells of any kind are NaN."""
    return np.where(missing_cells(cells), np.nan, cells)


def missing_cells(cells: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which cells of an array are missing, whatever stands for that."""
    if cells.dtype.kind == "f":
        return np.isnan(cells)
    missing = [_is_missing(cell) for cell in cells.ravel().tolist()]
    return np.array(missing, dtype=bool).reshape(cells.shape)


def _cells(frame: Any, position: int) -> NDArray[Any]:
    """Return one column: numbers as floats, anything else as objects."""
    if not isinstance(frame, nw.DataFrame):
        return np.asarray(frame[:, position])
    series = frame[:, position]
    if series.dtype.is_numeric():
        return series.cast(nw.Float64()).to_numpy().astype(np.float64)
    cells = np.empty(len(series), dtype=object)
    cells[:] = series.to_list()
    return cells


def _is_labelled(frame: Any, position: int) -> bool:
    """Whether a DataFrame's column holds labels: text, categories, or only booleans."""
    dtype = frame[:, position].dtype
    if not isinstance(dtype, nw.Object):
        return isinstance(dtype, nw.Categorical | nw.Enum | nw.String | nw.Boolean)
    present = [cell for cell in _cells(frame, position) if not _is_missing(cell)]
    return any(isinstance(cell, str) for cell in present) or (
        len(present) > 0 and all(isinstance(cell, bool | np.bool_) for cell in present)
    )


def _levels(frame: Any, position: int, word: str) -> Labels | None:
    """Return a column's labels in the order of their codes, None for numbers."""
    framed = isinstance(frame, nw.DataFrame)
    labelled = framed and _is_labelled(frame, position)
    if word in ("continuous", "count") or (word != "categorical" and not labelled):
        return None
    if framed:
        dtype = frame[:, position].dtype
        native = getattr(frame[:, position].to_native(), "dtype", None)
        # In polars the categories of all columns share one pool, which is no column's own.
        pooled = frame.implementation.is_polars() and isinstance(dtype, nw.Categorical)
        declared = None if pooled else getattr(native, "categories", None)
        if isinstance(dtype, nw.Boolean):
            return [False, True]
        if declared is not None:
            return list(declared.tolist() if hasattr(declared, "tolist") else declared)
    cells = _cells(frame, position)
    try:
        return _sorted_labels(cells)
    except TypeError as error:
        label = column_label(position, list(frame.columns) if framed else None)
        raise TypeError(f"{label} of X holds what cannot be a label: {error}.") from None


def _sorted_labels(cells: NDArray[Any]) -> Labels:
    """Return the distinct labels: sorted, text after numbers where both occur."""
    if cells.dtype.kind in "mM":
        raise TypeError("dates or durations; turn them into text first")
    if cells.dtype.kind == "f" and np.isinf(cells).any():
        raise TypeError("infinity, which is never a value")
    if cells.dtype.kind in "biuf":
        return np.unique(cells[~np.isnan(cells.astype(np.float64))]).tolist()
    distinct = {cell for cell in cells.tolist() if not _is_missing(cell)}
    return sorted(distinct, key=_place)


def _place(label: Any) -> tuple[bool, Any]:
    """Return what labels are sorted by: text comes after numbers."""
    return isinstance(label, str), label


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


def check_types(frame: Any, name: str = "X") -> None:
    """Refuse text and dates in columns of numbers, naming the column."""
    if getattr(frame, "ndim", 2) != 2 or not hasattr(frame, "shape"):
        return
    names = list(frame.columns) if isinstance(frame, nw.DataFrame) else None
    # Numbers of any width need no look at their cells.
    if names is None and frame.dtype.kind in "biufc":
        return
    for position in range(frame.shape[1]):
        problem = _wrong_type(_cells(frame, position))
        if problem is not None:
            raise TypeError(f"{column_label(position, names)} of {name} {problem}")


def _wrong_type(column: NDArray[Any]) -> str | None:
    """Say what is wrong with the cells of a column of numbers, if anything is."""
    dates = "holds dates or durations: turn them into numbers of your own unit first."
    text = "is not numeric: it holds {!r}. Text needs feature_types='categorical' in fit."
    if column.dtype.kind in "Mm":
        return dates
    if column.dtype.kind in "US":
        return text.format(str(column[0]))
    for cell in column.tolist() if column.dtype.kind == "O" else ():
        if isinstance(cell, str | bytes):
            return text.format(cell)
        if _is_missing(cell):
            continue
        if isinstance(
            cell, datetime.date | datetime.timedelta | np.datetime64 | np.timedelta64
        ):
            return dates
        if isinstance(cell, int) and abs(cell) > sys.float_info.max:
            return "holds an integer too large for a floating-point number."
    return None
