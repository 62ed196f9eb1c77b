"""One column of an open table as an array: numbers, times, or objects."""

import datetime
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from .plain import is_missing
from .times import zone_of

Floats = NDArray[np.float64]

# What dates, times and durations are as objects.
TIMES = datetime.date | datetime.time | datetime.timedelta | np.datetime64 | np.timedelta64


def without_markers(cells: NDArray[Any]) -> NDArray[Any]:
    """Return an array of objects in which missing cells of any kind are NaN."""
    return np.where(missing_cells(cells), np.nan, cells)


def missing_cells(cells: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which cells of an array are missing, whatever stands for that."""
    if cells.dtype.kind in "fmM":
        return np.isnan(cells)
    missing = [is_missing(cell) for cell in cells.ravel().tolist()]
    return np.array(missing, dtype=bool).reshape(cells.shape)


def holds_times(array: Any) -> bool:
    """Whether some column of an array holds dates, times or durations."""
    kind = getattr(getattr(array, "dtype", None), "kind", "")
    if kind != "O" or getattr(array, "ndim", 2) != 2:
        return kind in ("m", "M") and array.ndim == 2
    return any(isinstance(cell, TIMES) for cell in array.ravel().tolist())


def cells_of(frame: Any, position: int, zone: str | None = None) -> NDArray[Any]:
    """Return one column: numbers as floats, times on the clock of a zone, else objects."""
    if not isinstance(frame, nw.DataFrame):
        return np.asarray(frame[:, position])
    series = frame[:, position]
    if series.dtype.is_numeric():
        return _floats(frame, series)
    own = zone_in(series)
    if own is not None:
        return _on_clock(series, zone or own)
    if isinstance(series.dtype, nw.Datetime | nw.Duration):
        return series.to_numpy()
    if isinstance(series.dtype, nw.Unknown):  # sparse numbers, for one
        array = series.to_numpy()
        if array.dtype.kind in "iuf":
            return array.astype(np.float64)
    return objects_of(frame, position)


def _floats(frame: Any, series: Any) -> Floats:
    """Return a column of numbers as floats: casts of pyarrow refuse those that are rounded."""
    if frame.implementation.is_pandas():
        array = series.to_numpy()
        if array.dtype.kind in "iuf":
            return array.astype(np.float64)
    return series.cast(nw.Float64()).to_numpy().astype(np.float64)


def zone_in(series: Any) -> str | None:
    """Return the time zone of a column, None without one.

    narwhals does not read the names of all zones in dtypes of pandas (America/New_York).
    """
    own = getattr(series.dtype, "time_zone", None)
    native = getattr(getattr(series.to_native(), "dtype", None), "tz", None)
    name = str(native) if own is None and native is not None else own
    if name is not None:
        zone_of(name)  # refuses one that is not known by its name
    return name


def _on_clock(series: Any, zone: str) -> NDArray[Any]:
    """Return instants in a zone as datetime64 on the clock of another."""
    if isinstance(series.dtype, nw.Datetime):
        return series.dt.convert_time_zone(zone).dt.replace_time_zone(None).to_numpy()
    return np.asarray(series.to_native().dt.tz_convert(zone).dt.tz_localize(None))


def objects_of(frame: Any, position: int) -> NDArray[Any]:
    """Return one column as objects; of an array as it is."""
    if not isinstance(frame, nw.DataFrame):
        return np.asarray(frame[:, position])
    series = frame[:, position]
    if series.dtype.is_float():
        return cells_of(frame, position)
    cells = np.empty(len(series), dtype=object)
    cells[:] = series.to_list()
    return cells


def without_missing(cells: NDArray[Any]) -> NDArray[Any]:
    """Return objects with None for every missing cell; times and numbers as they are."""
    if cells.dtype.kind != "O":
        return cells
    return np.array([None if is_missing(cell) else cell for cell in cells], dtype=object)


def is_labelled(frame: Any, position: int) -> bool:
    """Whether a DataFrame's column holds labels: text, categories, or only booleans."""
    dtype = frame[:, position].dtype
    if not isinstance(dtype, nw.Object | nw.Unknown):
        return isinstance(dtype, nw.Categorical | nw.Enum | nw.String | nw.Boolean)
    cells = cells_of(frame, position)
    present = [cell for cell in cells.tolist() if not is_missing(cell)]
    return any(isinstance(cell, str) for cell in present) or (
        len(present) > 0 and all(isinstance(cell, bool | np.bool_) for cell in present)
    )
