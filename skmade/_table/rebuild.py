"""A matrix of numbers and codes as a table like the one of fit: the way back of `frame`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .frame import Labels, Layout, column_label

Floats = NDArray[np.float64]

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "float32", "float64")


def to_table(
    layout: Layout, numbers: Floats, drawn: NDArray[np.bool_] | None = None, index: Any = None
) -> Any:
    """Turn a matrix of values and codes into a table as fit saw it.

    Only cells that were drawn are rounded where fit saw integers: a column in which another
    cell is none stays one of floats.
    """
    drawn = np.ones(numbers.shape, dtype=bool) if drawn is None else drawn
    numbers = numbers.copy()
    for position, dtype in enumerate(layout.dtypes):
        # A frame has a dtype for each column. An array has one for all of them, which says
        # nothing of a single one: its numbers come back as floats.
        if layout.levels[position] is None and len(layout.dtypes) == len(layout.levels):
            own = drawn[:, position]
            numbers[own, position] = _within(numbers[own, position], dtype)
    if layout.container == "array" and not layout.n_levels.any():
        return np.ascontiguousarray(numbers)
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


def certain_layout(layout: Layout, given: Sequence[Any], new: NDArray[np.bool_]) -> Layout:
    """Return the layout of completed rows, whatever cells columns of given dtypes hold.

    What `to_table` makes of a DataFrame depends on its cells: dtypes of fit are kept where
    they hold these. Labels may be new in some of the columns.
    """
    dtypes, levels = list(layout.dtypes), list(layout.levels)
    for position, (own, labels) in enumerate(zip(given, layout.levels, strict=True)):
        if labels is None:
            dtypes[position] = _certain_dtype(dtypes[position], str(own))
        elif new[position] and dtypes[position] == "category" and hasattr(own, "categories"):
            known = set(labels)
            added = [label for label in own.categories.tolist() if label not in known]
            levels[position] = labels + added
        elif new[position]:
            dtypes[position] = _certain_dtype_of_labels(dtypes[position], str(own))
    return replace(layout, dtypes=dtypes, levels=levels)


def with_dtypes(table: Any, empty: Any) -> Any:
    """Give a table the dtypes of an empty one; refuse cells that would not stay the same."""
    if not hasattr(table, "iloc"):
        return table.astype(empty.dtype, copy=False)
    for position, dtype in enumerate(empty.dtypes):
        column = table.iloc[:, position]
        if column.dtype == dtype:
            continue
        if not _fits(column, dtype):
            raise ValueError(
                f"{column_label(position, list(table.columns))} holds cells that {dtype} does "
                "not, which it ought to be by what dask knows of all partitions."
            )
        table.isetitem(position, column.astype(dtype))
    return table


def _to_pandas(layout: Layout, columns: Sequence[NDArray[Any]], index: Any) -> Any:
    import pandas as pd

    frame = {}
    for position, (cells, dtype) in enumerate(zip(columns, layout.dtypes, strict=True)):
        labels = layout.levels[position]
        if labels is not None and dtype == "category":
            levels = pd.CategoricalDtype(labels, layout.ordered[position])
            frame[position] = pd.Series(cells, dtype=levels, index=index)
        elif _holds(dtype, cells) if labels is None else _holds_labels(dtype, labels):
            frame[position] = pd.Series(cells, index=index).astype(dtype)
        else:
            frame[position] = pd.Series(cells, index=index, dtype=cells.dtype).infer_objects()
    table = pd.DataFrame(frame, index=index)
    table.columns = layout.names
    return table


def _to_polars(layout: Layout, columns: Sequence[NDArray[Any]]) -> Any:
    import polars as pl

    assert layout.names is not None
    series = []
    for position, (cells, dtype) in enumerate(zip(columns, layout.dtypes, strict=True)):
        labels, name = layout.levels[position], layout.names[position]
        made = pl.Series(name, cells.tolist(), strict=False)
        if labels is not None and dtype == "Enum":
            made = made.cast(pl.Enum(labels))
        elif _holds(dtype, cells) if labels is None else _holds_labels(dtype, labels):
            made = made.cast(getattr(pl, dtype))
        series.append(made)
    return pl.DataFrame(series)


def _plain(dtype: str) -> str:
    """Return the name of a dtype of NumPy: of Int64, int64[pyarrow], ... it is int64."""
    return dtype.lower().split("[")[0]


def _within(values: Floats, dtype: str) -> Floats:
    """Round values to what a dtype of integers can hold, and keep floats within theirs."""
    plain = _plain(dtype)
    if plain in INTEGERS:
        bounds = np.iinfo(plain)
        # The largest integers of 64 bits are no floats: stay below.
        limit = float(bounds.max) if bounds.bits < 64 else np.nextafter(float(bounds.max), 0)
        return np.clip(np.rint(values), bounds.min, limit)
    if plain in FLOATS:
        largest = float(np.finfo(plain).max)
        return np.clip(values, -largest, largest)
    return values


def _holds(dtype: str, values: Floats) -> bool:
    """Whether a dtype of numbers can hold values as they are; other dtypes cannot."""
    plain = _plain(dtype)
    observed = values[~np.isnan(values)]
    if plain in INTEGERS:
        return len(observed) == len(values) and bool((_within(values, dtype) == values).all())
    if plain in FLOATS:
        return bool((np.abs(observed) <= float(np.finfo(plain).max)).all())
    return plain in ("double", "float", "object")


def _holds_labels(dtype: str, labels: Labels) -> bool:
    """Whether a dtype can hold labels as they are, those too that fit did not see."""
    plain = _plain(dtype)
    if plain in INTEGERS or plain in FLOATS:
        numeric = all(isinstance(label, int | float) for label in labels)
        return numeric and _holds(dtype, np.array(labels, dtype=np.float64))
    if plain.startswith("bool"):
        return all(isinstance(label, bool) for label in labels)
    return not plain.startswith("str") or all(isinstance(label, str) for label in labels)


def _certain_dtype(dtype: str, given: str) -> str:
    """Return a dtype for all numbers of a column of one dtype in fit, of another one now."""
    plain, other = _plain(dtype), _plain(given)
    if other not in (*INTEGERS, *FLOATS) or not _holds(dtype, np.empty(0)):
        return "float64"
    return dtype if np.can_cast(other, plain) else str(np.promote_types(other, plain))


def _certain_dtype_of_labels(dtype: str, given: str) -> str:
    """Return a dtype for all labels of a column of one dtype in fit, of another one now."""
    plain, other, numbers = _plain(dtype), _plain(given), (*INTEGERS, *FLOATS)
    if plain in numbers and other in numbers:
        return _certain_dtype(dtype, given)
    text = plain.startswith("str") and other.startswith("str")
    return dtype if text or plain == other else "object"


def _fits(column: Any, dtype: Any) -> bool:
    """Whether the cells of a column of pandas stay the same with another dtype."""
    if hasattr(dtype, "categories"):
        return bool(column.isin(dtype.categories).all())
    with np.errstate(invalid="ignore"):  # of numbers beyond all integers
        return bool(column.astype(dtype).tolist() == column.tolist())


def _labels_of(codes: Floats, labels: Labels) -> NDArray[Any]:
    table = np.empty(len(labels), dtype=object)
    table[:] = labels
    return table[codes.astype(np.int64)]
