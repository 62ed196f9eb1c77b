"""A matrix of numbers and codes as a table like the one of fit: the way back of `frame`."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dtypes import (
    FLOATS,
    INTEGERS,
    as_decimals,
    decimals_of,
    number_dtype,
    rebuild_header,
    rebuild_pandas,
    rebuild_polars,
)
from .layout import Labels, Layout, column_label
from .plain import Plain
from .times import PER_SECOND, Clock

Floats = NDArray[np.float64]

# The unit in which pyarrow's times of day count, as their name says.
UNIT = re.compile(r"time(?:32|64)\[(\w+)\]")


def to_table(
    layout: Layout, numbers: Floats, drawn: NDArray[np.bool_] | None = None, index: Any = None
) -> Any:
    """Turn a matrix of values and codes into a table as fit saw it.

    Only cells that were drawn are rounded where fit saw integers: a column in which another
    cell is none stays one of floats.
    """
    drawn = np.ones(numbers.shape, dtype=bool) if drawn is None else drawn
    numbers = numbers.copy()
    # A frame has a dtype for each column. An array has one for all of them, which says nothing
    # of a single one: its numbers come back as floats.
    of_numbers = [
        labels is None and clock is None
        for labels, clock in zip(layout.levels, layout.clocks, strict=True)
    ]
    for position in np.flatnonzero(of_numbers) if layout.container != "array" else ():
        own, dtype = drawn[:, position], number_dtype(layout.dtypes[position])
        numbers[own, position] = _within(numbers[own, position], dtype)
    if layout.container == "pandas":
        return _to_pandas(layout, numbers, index)
    if layout.container == "polars":
        return _to_polars(layout, numbers)
    return np.ascontiguousarray(numbers) if all(of_numbers) else _to_array(layout, numbers)


def with_own_cells(layout: Layout, table: Any, X: Any, observed: NDArray[np.bool_]) -> Any:
    """Return completed rows with the user's own cells, where they came as numbers.

    As floats they may have lost something: integers beyond 2**53, digits of Decimals,
    nanoseconds, and the second of two hours that clocks repeat.
    """
    if layout.container == "array":
        own = np.asarray(X) if layout.dtype(0) != "float64" else table
        alike = own.shape == table.shape and own.dtype == table.dtype
        return np.where(observed, own, table) if alike else table
    of_pandas = layout.container == "pandas"
    if not hasattr(X, "iloc" if of_pandas else "with_columns"):
        return table
    for position, own in enumerate(X.dtypes):
        kept = observed[:, position]
        if layout.levels[position] is not None and not kept.all():
            continue
        if of_pandas:
            made = _alike(table.iloc[:, position], own)
            if made.dtype == own:
                cells = X.iloc[:, position]
                cells = cells.copy() if kept.all() else cells.where(kept, made)
                table.isetitem(position, cells)
        elif table.dtypes[position] == own:
            cells = X[:, position].zip_with(_polars_mask(kept), table[:, position])
            table = table.with_columns(cells)
    return table


def _alike(made: Any, own: Any) -> Any:
    """Return drawn times in the unit of the user's, where that is finer than that of fit."""
    both = made.dtype, own
    if all(isinstance(dtype, np.dtype) and dtype.kind in "mM" for dtype in both):
        return made.astype(np.promote_types(*both)) if made.dtype.kind == own.kind else made
    return made


def _polars_mask(mask: NDArray[np.bool_]) -> Any:
    import polars as pl

    return pl.Series(mask)


def certain_layout(layout: Layout, given: Sequence[Any], new: NDArray[np.bool_]) -> Layout:
    """Return the layout of completed rows, whatever cells columns of given dtypes hold.

    What `to_table` makes of a DataFrame depends on its cells: dtypes of fit are kept where
    they hold these. Labels may be new in some of the columns.
    """
    dtypes, levels = list(layout.dtypes), list(layout.levels)
    for position, (own, labels) in enumerate(zip(given, layout.levels, strict=True)):
        if labels is None:
            if layout.clocks[position] is None:
                dtypes[position] = _certain_dtype(dtypes[position], str(own))
        elif new[position] and dtypes[position][0] == "category" and hasattr(own, "categories"):
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


def _to_array(layout: Layout, numbers: Floats) -> NDArray[Any]:
    """Return an array of times, of floats where all labels are numbers, or of objects."""
    columns = [_cells(layout, position, column) for position, column in enumerate(numbers.T)]
    kinds = {column.dtype for column in columns}
    if len(kinds) == 1 and kinds.pop().kind in "Mm":
        return np.array(columns).T.astype(str(layout.dtypes[0]))
    numeric = not any(layout.clocks) and all(
        labels is None
        or all(isinstance(label, int | float) and float(label) == label for label in labels)
        for labels in layout.levels
    )
    table = np.empty(numbers.shape, dtype=np.float64 if numeric else object)
    for position, column in enumerate(columns):
        table[:, position] = column
    return table


def _to_pandas(layout: Layout, numbers: Floats, index: Any) -> Any:
    import pandas as pd

    columns = {
        position: _pandas_column(layout, position, column, index)
        for position, column in enumerate(numbers.T)
    }
    table = pd.DataFrame(columns, index=index)
    assert layout.names is not None
    table.columns = rebuild_header(layout.header, layout.names)
    return table


def _pandas_column(layout: Layout, position: int, numbers: Floats, index: Any) -> Any:
    """Return numbers or codes as a column of pandas."""
    import pandas as pd

    labels, clock = layout.levels[position], layout.clocks[position]
    dtype = rebuild_pandas(layout.dtypes[position], labels)
    if labels is not None and isinstance(dtype, pd.CategoricalDtype):
        codes = numbers.astype(np.int64)
        return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype), index=index)
    cells = _cells(layout, position, numbers)
    if cells.dtype.kind in "mM" and clock is not None and clock.unit not in PER_SECOND:
        cells = cells.astype(f"{cells.dtype.kind}8[s]")
    if clock is not None and clock.zone is not None:
        # Of an hour that clocks repeat it is the first; one that they skip is moved.
        first = np.ones(len(cells), dtype=bool)
        times = pd.Series(cells, index=index).dt.tz_localize(
            clock.zone, ambiguous=first, nonexistent="shift_forward"
        )
        return times.astype(dtype)
    if not _is_held(layout, position, numbers):
        return pd.Series(cells, index=index, dtype=cells.dtype).infer_objects()
    column = pd.Series(cells, index=index, dtype=cells.dtype)
    return column if column.dtype == dtype else column.astype(dtype)


def _to_polars(layout: Layout, numbers: Floats) -> Any:
    import polars as pl

    assert layout.names is not None
    series = []
    for position, (name, column) in enumerate(zip(layout.names, numbers.T, strict=True)):
        dtype = rebuild_polars(layout.dtypes[position], layout.levels[position])
        cells, clock = _cells(layout, position, column), layout.clocks[position]
        if clock is not None and clock.kind == "time":
            made = pl.Series(name, clock.ticks(column, "ns").astype(np.int64))
        elif clock is not None:
            made = pl.Series(name, cells)
            made = made if clock.zone is None else _in_zone(made, clock.zone)
        else:
            made = pl.Series(name, cells.tolist(), strict=False)
        series.append(made.cast(dtype) if _is_held(layout, position, column) else made)
    return pl.DataFrame(series)


def _in_zone(times: Any, zone: str) -> Any:
    """Return times on the clock of a zone; an hour or a day later where clocks skip it."""

    def placed(series: Any) -> Any:
        return series.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")

    found = placed(times)
    for later in ("1h", "24h"):  # a zone may skip a day
        found = found.zip_with(found.is_not_null(), placed(times.dt.offset_by(later)))
    return found


def _cells(layout: Layout, position: int, numbers: Floats) -> NDArray[Any]:
    """Return numbers as the labels, times or decimals that they stand for."""
    labels, clock = layout.levels[position], layout.clocks[position]
    dtype = layout.dtype(position)
    if labels is not None:
        return _objects(labels)[numbers.astype(np.int64)]
    if clock is not None:
        return _times(clock, dtype, numbers)
    if _is_decimal(dtype):
        return _objects(as_decimals(numbers, decimals_of(dtype)))
    return numbers


def _times(clock: Clock, dtype: Plain, numbers: Floats) -> NDArray[Any]:
    """Return numbers as datetime64 or timedelta64, or as objects where fit saw these."""
    unit = UNIT.match(str(dtype))
    if clock.kind == "time" or dtype == "object" or dtype[0] == "object":
        ticks = clock.ticks(numbers, unit[1] if unit else clock.unit)
    else:
        return clock.ticks(numbers, clock.unit)
    if dtype[1] in ("Timestamp", "Timedelta"):
        import pandas as pd

        return _objects(list(pd.Series(ticks)))
    return _objects(clock.objects(ticks))


def _objects(cells: Sequence[Any]) -> NDArray[Any]:
    """Return an array of objects, whatever they are."""
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


def _is_decimal(dtype: Plain) -> bool:
    """Whether cells of a dtype are Decimals."""
    return decimals_of(dtype) is not None or dtype == ["object", "Decimal"]


def _is_held(layout: Layout, position: int, numbers: Floats) -> bool:
    """Whether the dtype of fit can hold what numbers or codes stand for, as it is."""
    labels, dtype = layout.levels[position], layout.dtypes[position]
    if labels is not None:
        return _holds_labels(dtype, labels)
    return layout.clocks[position] is not None or _holds(dtype, numbers)


def _within(values: Floats, dtype: str) -> Floats:
    """Round values to what a dtype of integers can hold, and keep floats within theirs."""
    if dtype in INTEGERS:
        bounds = np.iinfo(dtype)
        # The largest integers of 64 bits are no floats: stay below.
        limit = float(bounds.max) if bounds.bits < 64 else np.nextafter(float(bounds.max), 0)
        return np.clip(np.rint(values), bounds.min, limit)
    if dtype in FLOATS:
        largest = float(np.finfo(dtype).max)
        return np.clip(values, -largest, largest)
    return values


def _holds(described: Plain, values: Floats) -> bool:
    """Whether a dtype of numbers can hold values as they are; other dtypes cannot."""
    dtype = number_dtype(described)
    observed = values[~np.isnan(values)]
    if dtype in INTEGERS:
        return len(observed) == len(values) and bool((_within(values, dtype) == values).all())
    if dtype in FLOATS:
        return bool((np.abs(observed) <= float(np.finfo(dtype).max)).all())
    return described == "object" or _is_decimal(described)


def _holds_labels(described: Plain, labels: Labels) -> bool:
    """Whether a dtype can hold labels as they are, those too that fit did not see."""
    if number_dtype(described):
        numeric = all(isinstance(label, int | float) for label in labels)
        return numeric and _holds(described, np.array(labels, dtype=np.float64))
    if _is_boolean(described):
        return all(isinstance(label, bool) for label in labels)
    if _is_text(described):
        return all(isinstance(label, str) for label in labels)
    return len({type(label) for label in labels}) <= 1 or described == "object"


def _is_boolean(described: Plain) -> bool:
    """Whether a dtype is one of truth values."""
    name = described[1] if described[0] == "sparse" else described
    return str(name).lower().startswith("bool")


def _is_text(described: Plain) -> bool:
    """Whether a dtype is one of text."""
    name = str(described[0] if isinstance(described, list) else described).lower()
    return name.removeprefix("large_").startswith("str")


def _certain_dtype(described: Plain, given: str) -> Plain:
    """Return a dtype for all numbers of a column of one dtype in fit, of another one now."""
    own, other = number_dtype(described), number_dtype(given)
    if not other or not _holds(described, np.empty(0)):
        return described if _is_decimal(described) else "float64"
    return described if np.can_cast(other, own) else str(np.promote_types(other, own))


def _certain_dtype_of_labels(described: Plain, given: str) -> Plain:
    """Return a dtype for all labels of a column of one dtype in fit, of another one now."""
    if number_dtype(described) and number_dtype(given):
        return _certain_dtype(described, given)
    text = _is_text(described) and _is_text(given)
    return described if text or described == given else "object"


def _fits(column: Any, dtype: Any) -> bool:
    """Whether the cells of a column of pandas stay the same with another dtype."""
    if hasattr(dtype, "categories"):
        return bool(column.isin(dtype.categories).all())
    with np.errstate(invalid="ignore"):  # of numbers beyond all integers
        return bool(column.astype(dtype).tolist() == column.tolist())
