"""A table as columns of numbers or of labels, whatever holds it."""

from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.utils import check_array

# Seconds of a day.
DAY = 86_400


@dataclass(frozen=True)
class Column:
    """A column: floats with NaN, or text with None, for missing cells.

    Dates and durations are days (since 1970, by which matplotlib draws them).
    """

    name: str
    values: np.ndarray
    is_number: bool
    days: str | None = None  # 'dates' or 'durations', if that is what they are

    @property
    def label(self):
        """The name, with the unit of durations."""
        return f"{self.name} (days)" if self.days == "durations" else self.name

    def cell(self, row):
        """Return a cell as people write it: days as a date or a duration."""
        value = self.values[row]
        if self.days is None or np.isnan(value):
            return value
        return str(as_times(self.values[[row]], self.days).tolist()[0]).removesuffix(
            " 00:00:00"
        )

    def observed(self):
        """Values of the cells that are not missing."""
        if self.is_number:
            return self.values[~np.isnan(self.values)]
        return np.array([value for value in self.values if value is not None], dtype=object)


def as_days(cells):
    """Return datetime64 or timedelta64 as days, NaN where they are missing."""
    seconds = cells.astype(f"{cells.dtype.str[1:3]}[us]").astype(np.int64) / 1e6
    return np.where(np.isnat(cells), np.nan, seconds / DAY)


def as_times(days, kind):
    """Undo `as_days`: return datetime64 or timedelta64."""
    code = "M8[us]" if kind == "dates" else "m8[us]"
    times = np.rint(np.nan_to_num(days) * DAY * 1e6).astype(np.int64).astype(code)
    times[np.isnan(days)] = "NaT"
    return times


def read_columns(X, names=None):
    """Return the columns of an array or a DataFrame, which has its own names."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return [_of_series(series) for series in frame.iter_columns()]
    X = check_array(X, dtype=None, ensure_all_finite=False)
    names = [f"x{position}" for position in range(X.shape[1])] if names is None else names
    return [_of_cells(str(name), cells) for name, cells in zip(names, X.T, strict=True)]


def _of_series(series):
    """Read a column of a DataFrame: numbers by their type, and by their cells in objects."""
    if series.dtype.is_numeric():
        values = series.cast(nw.Float64).to_numpy()
        return Column(str(series.name), np.asarray(values, dtype=np.float64), True)
    native = series.to_native()
    if getattr(getattr(native, "dtype", None), "tz", None) is not None:  # of pandas
        utc = native.dt.tz_convert("UTC").dt.tz_localize(None)
        return _of_cells(str(series.name), np.asarray(utc))
    if isinstance(series.dtype, nw.Datetime | nw.Date | nw.Duration):
        array = series.to_numpy()
        if array.dtype.kind == "O":  # of pyarrow
            array = np.array([None if cell != cell else cell for cell in array], dtype="M8[us]")
        return _of_cells(str(series.name), array)
    cells = np.array(series.to_list(), dtype=object)
    return (
        _of_cells(str(series.name), cells)
        if series.dtype == nw.Object
        else _labels(str(series.name), cells)
    )


def _of_cells(name, cells):
    """Read the cells of an array: numbers, if all are."""
    if cells.dtype.kind in "mM":
        kind = "dates" if cells.dtype.kind == "M" else "durations"
        return Column(name, as_days(cells), True, kind)
    try:
        return Column(name, np.asarray(cells, dtype=np.float64), True)
    except (TypeError, ValueError):
        return _labels(name, cells)


def _labels(name, cells):
    """Read labels as text."""
    values = [None if cell is None or cell != cell else str(cell) for cell in cells]
    return Column(name, np.array(values, dtype=object), False)


def choose(columns, features):
    """Return the positions of columns that are named, or given by position; None is all."""
    if features is None:
        return list(range(len(columns)))
    names = [column.name for column in columns]
    positions = []
    for feature in features:
        if isinstance(feature, str):
            if feature not in names:
                raise ValueError(f"{feature!r} is no column of X: {names}.")
            positions.append(names.index(feature))
        elif not 0 <= feature < len(columns):
            raise ValueError(f"X has {len(columns)} columns, so that none is {feature}.")
        else:
            positions.append(int(feature))
    return positions
