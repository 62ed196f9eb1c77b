"""The user's table, array or DataFrame, opened: its form, and its cells as numbers.

Labels (text, categories, booleans, or numbers that are declared categorical) become codes
0, 1, ... in the order of the column's levels; dates, times and durations become seconds;
missing cells become NaN.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from narwhals.exceptions import DuplicateError
from numpy.typing import NDArray

from .cells import (
    TIMES,
    cells_of,
    is_labelled,
    missing_cells,
    objects_of,
    without_missing,
    zone_in,
)
from .dtypes import describe_header, describe_objects, describe_pandas, describe_polars
from .layout import Labels, Layout, column_label, place
from .plain import is_missing, to_plain
from .times import WORDS, Clock, clock_of

Floats = NDArray[np.float64]

# The code of a label that fit did not see.
UNKNOWN = -1.0


def open_frame(X: Any) -> Any:
    """Return a DataFrame of any library as narwhals knows it, anything else as an array.

    A table is opened once: what follows takes the open one, called `frame`.
    """
    check_container(X)
    if type(X) is np.ndarray:
        return X
    X = collected(X)
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


def collected(X: Any) -> Any:
    """Return the rows of a LazyFrame, and anything else as it is."""
    if hasattr(X, "collect") and isinstance(nw.from_native(X, pass_through=True), nw.LazyFrame):
        return X.collect()
    return X


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


def learn_layout(frame: Any, words: Sequence[str]) -> Layout:
    """Remember the form of an open table; `words` are the columns' declared types."""
    levels: list[Labels | None] = []
    clocks: list[Clock | None] = []
    for position, word in enumerate(words):
        try:
            levels.append(_levels(frame, position, word))
            clocks.append(_clock(frame, position) if levels[position] is None else None)
        except TypeError as error:
            names = list(frame.columns) if isinstance(frame, nw.DataFrame) else None
            raise TypeError(f"{column_label(position, names)} of X {error}") from None
    if not isinstance(frame, nw.DataFrame):
        dtypes: list[Any] = [str(frame.dtype)]
        if frame.dtype.kind == "O":
            dtypes = [describe_objects(column) for column in frame.T]
        return Layout("array", None, dtypes, levels, clocks)
    native = frame.to_native()
    if frame.implementation.is_polars():
        dtypes = [describe_polars(dtype) for dtype in native.dtypes]
        if "Object" in dtypes:
            label = column_label(dtypes.index("Object"), frame.columns)
            raise TypeError(
                f"{label} of X is of dtype Object, of which polars can't say what it holds: "
                "cast it to another one."
            )
        return Layout("polars", list(frame.columns), dtypes, levels, clocks)
    if not frame.implementation.is_pandas():
        raise TypeError(
            f"X is a table of {frame.implementation.name.lower()}, which is not supported: "
            "turn it into one of pandas (most have to_pandas()) or polars."
        )
    dtypes = [
        describe_pandas(dtype, column)
        for dtype, (_, column) in zip(native.dtypes, native.items(), strict=True)
    ]
    names, header = list(native.columns), describe_header(native.columns)
    return Layout("pandas", names, dtypes, levels, clocks, header)


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
    for position, (labels, clock) in enumerate(zip(layout.levels, layout.clocks, strict=True)):
        if position in ignored:
            continue
        try:
            if labels is not None:
                numbers[:, position] = _codes(objects_of(frame, position), labels)
            elif clock is not None:
                numbers[:, position] = _seconds(frame, position, clock)
            else:
                numbers[:, position] = _numeric(cells_of(frame, position))
        except (TypeError, ValueError) as error:
            raise TypeError(f"{layout.label(position)} of {name} {error}") from None
    return numbers


def holes_of(X: Any) -> NDArray[np.bool_]:
    """Return which cells of a table are missing, (n, D)."""
    frame = open_filled(X)
    if not isinstance(frame, nw.DataFrame):
        return missing_cells(np.asarray(frame))
    columns = [missing_cells(cells_of(frame, j)) for j in range(frame.shape[1])]
    return np.stack(columns, axis=1)


def unknown_labels(layout: Layout, numbers: Floats, frame: Any) -> dict[int, Labels]:
    """Return the labels that have no code, in order of appearance, by column position."""
    unknown = {}
    for position, labels in enumerate(layout.levels):
        rows = np.flatnonzero(numbers[:, position] == UNKNOWN)
        if labels is not None and len(rows):
            unknown[position] = list(dict.fromkeys(objects_of(frame, position)[rows].tolist()))
    return unknown


def _clock(frame: Any, position: int) -> Clock | None:
    """Return how a column is read if it holds dates, times or durations."""
    if not isinstance(frame, nw.DataFrame):
        return clock_of(without_missing(np.asarray(frame[:, position])))
    series = frame[:, position]
    if series.dtype.is_numeric():
        return None
    zone = zone_in(series)
    return clock_of(without_missing(cells_of(frame, position, zone)), zone)


def _seconds(frame: Any, position: int, clock: Clock) -> Floats:
    """Return a column of times as numbers."""
    cells = without_missing(cells_of(frame, position, clock.zone))
    if missing_cells(cells).all():
        return np.full(len(cells), np.nan)
    if isinstance(frame, nw.DataFrame):
        series = frame[:, position]
        own = zone_in(series)
        aware = cells.dtype.kind == "O" and all(
            getattr(cell, "tzinfo", None) for cell in cells if cell is not None
        )
        if clock.kind == "date" and not aware and (own is None) != (clock.zone is None):
            raise TypeError(
                f"holds times {'without a zone' if own is None else 'in ' + str(own)}, where "
                f"fit saw {clock.zone or 'none'}: turn them into those of fit by "
                f"dt.tz_localize({clock.zone!r})."
            )
    if cells.dtype.kind in "OMm":
        return clock.seconds(cells)
    raise TypeError(f"holds numbers, where fit saw {WORDS[clock.kind]}.")


def _levels(frame: Any, position: int, word: str) -> Labels | None:
    """Return a column's labels in the order of their codes, None for numbers."""
    framed = isinstance(frame, nw.DataFrame)
    labelled = framed and is_labelled(frame, position)
    if word in ("continuous", "count") or (word != "categorical" and not labelled):
        return None
    try:
        labels = _declared_levels(frame, position) if framed else None
        labels = _sorted_labels(objects_of(frame, position)) if labels is None else labels
        for label in labels:
            to_plain(label)
    except TypeError as error:
        raise TypeError(f"holds what cannot be a label: {error}.") from None
    return labels


def _declared_levels(frame: Any, position: int) -> Labels | None:
    """Return the labels that a column's dtype lists; None if it lists none."""
    dtype = frame[:, position].dtype
    if isinstance(dtype, nw.Boolean):
        return [False, True]
    native = getattr(frame[:, position].to_native(), "dtype", None)
    # In polars the categories of all columns share one pool, which is no column's own.
    pooled = frame.implementation.is_polars() and isinstance(dtype, nw.Categorical)
    declared = None if pooled else getattr(native, "categories", None)
    if declared is None:
        return None
    return list(declared.tolist() if hasattr(declared, "tolist") else declared)


def _sorted_labels(cells: NDArray[Any]) -> Labels:
    """Return the distinct labels: sorted, numbers before others where both occur."""
    if cells.dtype.kind in "mM":
        raise TypeError("dates or durations; turn them into text first")
    if cells.dtype.kind == "f" and np.isinf(cells).any():
        raise TypeError("infinity, which is never a value")
    if cells.dtype.kind in "biuf":
        return np.unique(cells[~np.isnan(cells.astype(np.float64))]).tolist()
    distinct = {cell for cell in cells.tolist() if not is_missing(cell)}
    try:
        return sorted(distinct, key=place)
    except TypeError as error:
        raise TypeError(
            f"cells that have no order ({error}); turn them into text first"
        ) from None


def _codes(cells: NDArray[Any], labels: Labels) -> Floats:
    code_of = {label: float(code) for code, label in enumerate(labels)}
    try:
        return np.array(
            [
                np.nan if is_missing(cell) else code_of.get(cell, UNKNOWN)
                for cell in cells.tolist()
            ]
        )
    except TypeError as error:
        raise TypeError(f"holds what cannot be a label: {error}.") from None


def _numeric(cells: NDArray[Any]) -> Floats:
    """Convert cells that are no labels to floats, missing ones to NaN."""
    if cells.dtype.kind in "mM" and np.isnat(cells).all():
        return np.full(len(cells), np.nan)
    problem = _wrong_type(cells)
    if problem is not None:
        raise TypeError(problem)
    if cells.dtype.kind != "O":
        return cells.astype(np.float64)
    try:
        return np.array(
            [np.nan if is_missing(cell) else float(cell) for cell in cells.tolist()]
        )
    except (TypeError, ValueError) as error:
        raise TypeError(f"holds no number: {error}") from None


def check_types(frame: Any, name: str = "X") -> None:
    """Refuse text in columns of numbers, naming the column."""
    if getattr(frame, "ndim", 2) != 2 or not hasattr(frame, "shape"):
        return
    names = list(frame.columns) if isinstance(frame, nw.DataFrame) else None
    # Numbers of any width need no look at their cells.
    if names is None and frame.dtype.kind in "biufc":
        return
    for position in range(frame.shape[1]):
        problem = _wrong_type(cells_of(frame, position))
        if problem is not None:
            raise TypeError(f"{column_label(position, names)} of {name} {problem}")


def _wrong_type(column: NDArray[Any]) -> str | None:
    """Say what is wrong with the cells of a column of numbers, if anything is."""
    text = "is not numeric: it holds {!r}. Text needs feature_types='categorical' in fit."
    if column.dtype.kind in "US":
        return text.format(str(column[0]))
    if column.dtype.kind in "Mm":
        return "holds dates or durations, where fit saw numbers."
    for cell in column.tolist() if column.dtype.kind == "O" else ():
        if isinstance(cell, str | bytes):
            return text.format(cell)
        if not is_missing(cell) and not isinstance(cell, int | float):
            problem = WRONG.get(type(cell).__name__)
            if problem is None and isinstance(cell, TIMES):
                problem = MIXED
            if problem is not None:
                return f"holds {cell!r}: {problem}"
        if isinstance(cell, int) and abs(cell) > sys.float_info.max:
            return "holds an integer too large for a floating-point number."
    return None


# What makes a column of times, numbers or labels of other things, by their type.
MIXED = (
    "dates, times and durations need columns of their own, without numbers among them and "
    "without time zones in objects; pandas.to_datetime(X[column], utc=True) makes a column of "
    "dates."
)
WRONG = {
    "Period": "take the beginning of each period, by dt.to_timestamp(), or declare it "
    "'categorical' in feature_types.",
    "Interval": "take the middle of each interval, or declare it 'categorical' in "
    "feature_types.",
    **dict.fromkeys(
        ("dict", "list", "ndarray", "Series", "tuple"),
        "as the argument must be a string or a number, give each element a column of its own.",
    ),
}
