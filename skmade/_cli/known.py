"""Cells for a model: texts as the labels, numbers and times that it knows."""

import datetime
import sys
from typing import Any

import numpy as np
import pandas as pd

from .._table.layout import Labels
from .._table.texts import ISO, ISO_FORMS, is_date
from .._table.times import Clock
from .columns import Source, no_number, read_cells
from .form import option

# What columns of times hold, with an example of how it is written.
EXAMPLES = {
    "date": "date, such as 2024-03-01",
    "duration": "duration, such as 1 days 12:30:00",
    "time": "time of day, such as 12:30:00",
}


def spellings(labels: Labels) -> dict[str, Any]:
    """Return the label that a text stands for, for every way in which a CSV file has it."""
    known: dict[str, Any] = {}
    for label in labels:
        known[str(label)] = label
        if isinstance(label, bool):
            known |= {str(label).lower(): label, str(label).upper(): label}
        elif isinstance(label, float) and label.is_integer():
            known[str(int(label))] = label
    return known


def as_labels(
    cells: "pd.Series[Any]", known: dict[str, Any], marks: set[str]
) -> "pd.Series[Any]":
    """Replace texts by the labels of the model; others stay, for the model to refuse."""
    truth = all(isinstance(label, bool) for label in known.values())
    read: dict[str, Any] = {
        cell: None if cell not in known and cell.strip() in marks else known.get(cell, cell)
        for cell in cells.dropna().unique()
    }
    if truth:
        read |= {cell: known.get(cell.strip().lower(), label) for cell, label in read.items()}
    return pd.Series([None if pd.isna(cell) else read[cell] for cell in cells], dtype=object)


def as_times(cells: "pd.Series[Any]", clock: Clock, source: Source) -> "pd.Series[Any]":
    """Return a column of dates, durations or times of day."""
    if clock.kind == "date":
        return _as_dates(cells, clock, source)
    cells = cells.astype("string")
    times = {text: read_time(text, clock) for text in cells.dropna().unique()}
    bad = next((text for text, time in times.items() if pd.isna(time)), None)
    if bad is not None:
        raise ValueError(
            f"{source.place} holds {bad!r}, which is no {EXAMPLES[clock.kind]}: give "
            f"{option('--missing', bad.strip())} if such cells are missing"
        )
    read = [None if pd.isna(text) else times[text] for text in cells]
    return pd.Series(read, dtype=object if clock.kind == "time" else "timedelta64[us]")


def _as_dates(cells: "pd.Series[Any]", clock: Clock, source: Source) -> "pd.Series[Any]":
    """Return a column of dates, of ISO 8601 unless other formats are told."""
    column = read_cells(cells, "auto", source)
    if not column.what.startswith(("date", "nothing")):
        dates = (*source.form.dates, (source.name, ISO))  # which says what is wrong
        source = source._replace(form=source.form._replace(dates=dates))
        column = read_cells(cells.astype("string"), "auto", source)
    read = pd.to_datetime(column.cells)
    if clock.zone is None:
        return read
    if column.what == "date in UTC":
        return read.dt.tz_localize("UTC").dt.tz_convert(clock.zone)
    return read.dt.tz_localize(clock.zone)


def read_time(text: str, clock: Clock) -> Any:
    """Return the time that a text stands for, as a model knows it; NaT if it is none."""
    text = text.strip()
    if clock.kind == "duration":
        return pd.to_timedelta(text, errors="coerce")
    if clock.kind == "time":
        try:
            return datetime.time.fromisoformat(text)
        except ValueError:
            return pd.NaT
    if not any(is_date(text, form) for form in ISO_FORMS):
        return pd.NaT
    date = pd.Timestamp(text)
    if date.tz is None:
        return date if clock.zone is None else date.tz_localize(clock.zone)
    return date.tz_convert(clock.zone) if clock.zone else date.tz_convert(None)


def as_numbers(cells: "pd.Series[Any]", source: Source) -> "pd.Series[Any]":
    """Return a column of numbers, and refuse anything else."""
    if pd.api.types.is_bool_dtype(cells) and cells.notna().any():
        raise ValueError(no_number(str(cells.dropna().iloc[0]), source))
    column = read_cells(cells, "continuous", source)
    if column.what.startswith("date"):
        raise ValueError(no_number(str(cells.dropna().iloc[0]), source))
    if column.what not in ("number", "nothing"):
        print(f"{source.place}: {column.what}", file=sys.stderr)
    return column.cells


def read_number(text: str) -> float:
    """Return the number that a text stands for, NaN if it is none."""
    try:
        return float(text)
    except ValueError:
        return np.nan
