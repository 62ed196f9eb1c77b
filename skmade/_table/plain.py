"""Labels and names of columns as plain types: text, numbers, and lists of a tag and parts.

What a fitted estimator remembers of a table is saved without trust in any type but its own.
"""

import datetime
import uuid
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

# Types of cells that are never missing.
PRESENT = frozenset({str, int, bool})

Plain = Any  # None, bool, int, float, str, or a list that begins with a tag


def to_plain(label: Any) -> Plain:
    """Return a label as plain types; labels of types that are not known are refused."""
    if isinstance(label, np.generic) and label.dtype.kind not in "mM":
        label = label.item()
    if label is None or type(label) in (str, bool, int, float):
        return label
    kind = type(label).__name__
    if kind in TAGGED:
        return [kind, *TAGGED[kind][0](label)]
    if isinstance(label, str):  # a member of an Enum, whose str() is its name
        return str.__str__(label)
    if isinstance(label, int | float):
        return int(label) if isinstance(label, int) else float(label)
    raise TypeError(f"{label!r}, of type {kind}; turn such cells into text first")


def is_missing(cell: Any) -> bool:
    """Whether a cell is None, NaN, pandas.NA or NaT."""
    if type(cell) in PRESENT:  # as most cells are
        return False
    return (
        cell is None
        or (isinstance(cell, float | np.floating) and bool(np.isnan(cell)))
        or type(cell).__name__ in ("NAType", "NaTType")
        or (isinstance(cell, np.datetime64 | np.timedelta64) and bool(np.isnat(cell)))
    )


def from_plain(plain: Plain) -> Any:
    """Return the label that `to_plain` was given."""
    if not isinstance(plain, list):
        return plain
    tag, *parts = plain
    return TAGGED[tag][1](*parts)


def _ticks(label: Any) -> list[Plain]:
    """Return a datetime64 or timedelta64 as a number and its unit."""
    unit, count = np.datetime_data(label.dtype)
    return [int(label.astype(np.int64)) * count, unit]


def _timestamp(label: Any) -> list[Plain]:
    naive = label if label.tz is None else label.tz_convert(None)
    zone = None if label.tz is None else str(label.tz)
    return [*_ticks(naive.to_datetime64()), zone]


def _to_timestamp(ticks: int, unit: str, zone: str | None) -> Any:
    import pandas as pd

    made = pd.Timestamp(np.array(ticks).astype(f"M8[{unit}]")[()])
    return made if zone is None else made.tz_localize("UTC").tz_convert(zone)


def _to_timedelta(ticks: int, unit: str) -> Any:
    import pandas as pd

    return pd.Timedelta(np.array(ticks).astype(f"m8[{unit}]")[()])


def _to_period(ordinal: int, frequency: str) -> Any:
    import pandas as pd

    return pd.Period(ordinal=ordinal, freq=frequency)


def _to_interval(left: Plain, right: Plain, closed: Any) -> Any:
    import pandas as pd

    return pd.Interval(from_plain(left), from_plain(right), closed)


# By the name of a type: its labels as plain parts, and the label of these.
TAGGED: dict[str, tuple[Callable[[Any], list[Plain]], Callable[..., Any]]] = {
    "tuple": (lambda x: [to_plain(part) for part in x], lambda *x: tuple(map(from_plain, x))),
    "bytes": (lambda x: [x.hex()], bytes.fromhex),
    "complex": (lambda x: [x.real, x.imag], complex),
    "date": (lambda x: [x.isoformat()], datetime.date.fromisoformat),
    "datetime": (lambda x: [x.isoformat()], datetime.datetime.fromisoformat),
    "time": (lambda x: [x.isoformat()], datetime.time.fromisoformat),
    "timedelta": (lambda x: [x.days, x.seconds, x.microseconds], datetime.timedelta),
    "Decimal": (lambda x: [str(x)], Decimal),
    "Fraction": (lambda x: [str(x)], Fraction),
    "UUID": (lambda x: [str(x)], uuid.UUID),
    "datetime64": (_ticks, lambda ticks, unit: np.array(ticks).astype(f"M8[{unit}]")[()]),
    "timedelta64": (_ticks, lambda ticks, unit: np.array(ticks).astype(f"m8[{unit}]")[()]),
    "Timestamp": (_timestamp, _to_timestamp),
    "Timedelta": (lambda x: _ticks(x.to_timedelta64()), _to_timedelta),
    "Period": (lambda x: [x.ordinal, x.freqstr], _to_period),
    "Interval": (lambda x: [to_plain(x.left), to_plain(x.right), x.closed], _to_interval),
}
