"""A column of any table as numbers or as labels, and what kind of column it is."""

import datetime
import numbers
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

# Kinds, as error messages call them. Codes are categories that are numbers. A column without
# any cell is of no kind.
NUMBERS, CODES, TRUTHS = "numbers", "categories", "truth values"
TEXT, BYTES = "text", "bytes"
DATES, DURATIONS, TIMES = "dates", "durations", "times of day"

# A kind, and its cells: floats with NaN for what can be measured, else objects with None.
Cells = tuple[str | None, NDArray[Any]]


def cells_of_series(series: Any) -> Cells:
    """Return the cells of a column of a DataFrame."""
    dtype = series.dtype
    if dtype.is_nested():
        raise TypeError(f"holds {dtype}, not one value in each cell")
    if dtype.is_numeric():
        return _numbers(series.cast(nw.Float64).to_numpy())
    native = series.to_native()
    if getattr(getattr(native, "dtype", None), "tz", None) is not None:  # of pandas
        return _measured(np.asarray(native.dt.tz_convert("UTC").dt.tz_localize(None)))
    cells = series.to_list()
    kind, values = cells_of_objects(cells)
    if isinstance(dtype, nw.Categorical | nw.Enum) and kind in (NUMBERS, TRUTHS):
        return CODES, _without_missing(cells)
    return kind, values


def cells_of_array(cells: NDArray[Any]) -> Cells:
    """Return the cells of a column of an array."""
    if cells.dtype.kind in "mM":
        return _measured(cells)
    if cells.dtype.kind in "iuf":
        return _numbers(cells)
    return cells_of_objects(cells.tolist())


def cells_of_objects(cells: Sequence[Any]) -> Cells:
    """Return cells of any types: what all of them are, or else text."""
    kept = _without_missing(cells)
    types = {type(cell) for cell in kept if cell is not None}
    if not types:
        return None, kept
    _check_types(types)
    if all(issubclass(kind, bool | np.bool_) for kind in types):
        return TRUTHS, kept
    if all(issubclass(kind, numbers.Real | Decimal | np.bool_) for kind in types):
        return _numbers(as_floats(kept))
    if all(issubclass(kind, datetime.date | np.datetime64) for kind in types):
        return _measured(np.array([_in_utc(cell) for cell in kept], dtype="M8[us]"))
    if all(issubclass(kind, datetime.timedelta | np.timedelta64) for kind in types):
        return _measured(np.array(kept, dtype="m8[us]"))
    if all(issubclass(kind, datetime.time) for kind in types):
        return TIMES, np.array([_second_of_day(cell) for cell in kept])
    return (BYTES if all(issubclass(kind, bytes) for kind in types) else TEXT), kept


def as_floats(cells: NDArray[Any]) -> NDArray[np.float64]:
    """Return numbers, or truth values as 0 and 1; NaN where they are missing."""
    try:
        return np.array([np.nan if cell is None else float(cell) for cell in cells])
    except OverflowError as error:
        raise TypeError("holds a number beyond those that floats can hold") from error


def as_text(cells: NDArray[Any]) -> list[str | None]:
    """Return labels as text, the same for 1 and 1.0; None where they are missing."""
    texts = []
    for cell in cells:
        whole = isinstance(cell, float | np.floating) and cell.is_integer()
        missing = cell is None or cell != cell
        texts.append(None if missing else str(int(cell) if whole else cell))
    return texts


def _check_types(types: set[type]) -> None:
    """Refuse cells that are no single values, or that cannot be compared."""
    for kind in sorted(types, key=repr):
        if kind.__hash__ is None:
            raise TypeError(f"holds cells of type {kind.__name__}, not one value in each")
        if issubclass(kind, complex | np.complexfloating):
            raise TypeError("holds complex numbers")


def _numbers(cells: NDArray[Any]) -> Cells:
    """Return numbers as floats, of no kind if all are missing."""
    values = np.asarray(cells, dtype=np.float64)
    return (None if np.isnan(values).all() else NUMBERS), values


def _measured(cells: NDArray[Any]) -> Cells:
    """Return dates or durations as seconds."""
    missing = np.isnat(cells)
    units = cells.astype(f"{cells.dtype.str[1:3]}[us]").astype(np.int64)
    kind = DATES if cells.dtype.kind == "M" else DURATIONS
    return (None if missing.all() else kind), np.where(missing, np.nan, units / 1e6)


def _without_missing(cells: Sequence[Any]) -> NDArray[Any]:
    """Return cells as an array of objects, with None where they are missing."""
    kept = np.empty(len(cells), dtype=object)
    kept[:] = [None if _is_missing(cell) else cell for cell in cells]
    return kept


def _is_missing(cell: Any) -> bool:
    """Whether a cell is None, NaN, NaT or NA."""
    if cell is None or type(cell).__hash__ is None:  # lists and arrays are never missing
        return cell is None
    try:
        return bool(cell != cell)
    # pandas.NA is neither equal nor unequal to itself, and signalling NaN answers no question.
    except (TypeError, ValueError, ArithmeticError):
        return True


def _in_utc(cell: Any) -> Any:
    """Return a date or time; one with a time zone in UTC."""
    if getattr(cell, "tzinfo", None) is None:
        return cell
    return cell.astimezone(datetime.UTC).replace(tzinfo=None)


def _second_of_day(cell: Any) -> float:
    """Return a time of day in seconds since midnight."""
    if cell is None:
        return np.nan
    return cell.hour * 3600 + cell.minute * 60 + cell.second + cell.microsecond / 1e6
