"""Dates, times of day and durations as numbers: seconds from the origin of their column.

Instants are read on the clock of their column's zone, where days begin at midnight: a column
of days stays one of days. The origin is a midnight before the first instant of fit, so that
seconds have as many decimals as double precision allows.
"""

import datetime
import re
from collections.abc import Iterable
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DAY = 86_400

# Times of day end before midnight by more than the noise that grids of hours allow for.
LAST_OF_DAY = 1e-3

# Times come back in one of these units: parts of a second, or multiples.
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
UNITS = (*PER_SECOND, "m", "h", "D", "M", "Y")

# Between these, of year 1 and of year 9999, all libraries know all instants.
FIRST, LAST = -62_135_596_800, 253_402_300_799

# Zones that have an offset for a name.
OFFSET = re.compile(r"(?:UTC)?([+-])(\d\d):(\d\d)")

# The longest duration that Python knows, in seconds.
LONGEST = 999_999_999 * DAY

# What a column of each kind holds, as messages call it.
WORDS = {"date": "dates", "duration": "durations", "time": "times of day"}


class Clock(NamedTuple):
    """How a column of times is read as numbers."""

    kind: str  # 'date', 'duration' or 'time'
    zone: str | None = None
    origin: int = 0  # seconds since 1970, a midnight; zero of durations and times of day
    unit: str = "us"  # of datetime64 or timedelta64, in which times come back

    @property
    def ends(self) -> tuple[float, float]:
        """Between which numbers all times of this kind are."""
        if self.kind == "time":
            return 0.0, DAY - LAST_OF_DAY
        if self.kind == "date":
            return float(FIRST - self.origin), float(LAST - self.origin)
        return -float(LONGEST), float(LONGEST)

    def seconds(self, cells: NDArray[Any]) -> Floats:
        """Return cells as numbers, NaN where they are missing; refuse those of another kind."""
        if cells.dtype.kind in "Mm":
            if cells.dtype.kind != ("M" if self.kind == "date" else "m"):
                raise TypeError(f"holds no {WORDS[self.kind]}, where fit saw some")
            return self._within(_seconds_of_ticks(cells, self.origin))
        return np.array([np.nan if cell is None else self.second(cell) for cell in cells])

    def second(self, cell: Any) -> float:
        """Return one date, time or duration as a number; text is read as ISO 8601."""
        ticks = _ticks(self._read(cell), self.zone)
        if ticks.dtype.kind != ("M" if self.kind == "date" else "m"):
            raise TypeError(f"holds {cell!r}, where fit saw {WORDS[self.kind]}")
        return float(self._within(_seconds_of_ticks(ticks.reshape(1), self.origin))[0])

    def _within(self, numbers: Floats) -> Floats:
        """Refuse times that some library does not know: they could not be drawn."""
        low, high = self.ends
        if (numbers < low).any() or (numbers >= high + 1).any():
            limit = "beyond the years 1 to 9999" if self.kind == "date" else "too long"
            raise TypeError(f"holds {WORDS[self.kind]} {limit}: make them missing")
        return numbers

    def _read(self, cell: Any) -> Any:
        """Read text; refuse what is no time of this kind."""
        read = {"date": datetime.datetime.fromisoformat, "time": datetime.time.fromisoformat}
        if isinstance(cell, str) and self.kind in read:
            try:
                return read[self.kind](cell)
            except ValueError:
                raise TypeError(
                    f"holds {cell!r}, which is no {self.kind} in ISO 8601"
                ) from None
        if isinstance(cell, datetime.time) != (self.kind == "time"):
            raise TypeError(f"holds {cell!r}, where fit saw {WORDS[self.kind]}")
        return cell

    def ticks(self, numbers: Floats, unit: str) -> NDArray[Any]:
        """Return numbers as datetime64 or timedelta64 of a unit, the nearest of it."""
        low, high = self.ends
        inside = np.clip(numbers, low, high if self.kind != "time" else DAY - 1e-6)
        code = "M8" if self.kind == "date" else "m8"
        if unit not in PER_SECOND:  # the nearest minute, hour or day; months begin on the first
            half = {"m": 30, "h": 1800, "D": DAY // 2}.get(unit, 0)
            seconds = np.rint(inside).astype(np.int64) + self.origin + half
            seconds = np.minimum(seconds, LAST) if self.kind == "date" else seconds
            return seconds.astype(f"{code}[s]").astype(f"{code}[{unit}]")
        per, whole = PER_SECOND[unit], np.floor(inside)
        # What int64 can't hold in this unit is moved to its ends.
        most = np.iinfo(np.int64).max // per - 1
        seconds = np.clip(whole.astype(np.int64) + self.origin, -most, most)
        parts = np.rint((inside - whole) * per).astype(np.int64)
        return (seconds * per + parts).astype(f"{code}[{unit}]")

    def objects(self, ticks: NDArray[Any]) -> list[Any]:
        """Return datetime64 or timedelta64 as the objects of Python."""
        if self.kind == "time":
            midnight = datetime.datetime.min
            return [(midnight + part).time() for part in ticks.astype("m8[us]").tolist()]
        unit = np.datetime_data(ticks.dtype)[0]
        coarse = ticks.dtype.kind == "m" or unit not in ("D", "us")
        return list(
            ticks.astype(f"{ticks.dtype.kind}8[us]" if coarse else ticks.dtype).tolist()
        )

    def shown(self, number: float) -> str:
        """Return a number as people write the time."""
        if not np.isfinite(number):
            return "NaT" if np.isnan(number) else f"{number:g}"
        text = str(self.objects(self.ticks(np.array([number]), "us"))[0])
        return text.removesuffix(" 00:00:00")


def clock_of(cells: NDArray[Any], zone: str | None = None) -> Clock | None:
    """Return how a column of times is read; None if it holds anything else.

    `cells` are datetime64 on the clock of `zone`, timedelta64, or objects.
    """
    if cells.dtype.kind == "O":
        kinds = {_kind(cell) for cell in cells if cell is not None}
        if len(kinds) != 1 or None in kinds:
            return None
        cells = np.array([_ticks(cell, None) for cell in cells if cell is not None])
        clock = Clock(str(*kinds))
    elif cells.dtype.kind in "Mm":
        clock = Clock("date" if cells.dtype.kind == "M" else "duration", zone)
    else:
        return None
    unit, present = np.datetime_data(cells.dtype)[0], cells[~np.isnat(cells)]
    clock = clock._replace(unit=unit if unit in UNITS else "us")
    if clock.kind != "date" or len(present) == 0:
        return clock
    first = int(present.min().astype("M8[s]").astype(np.int64))
    return clock._replace(origin=first // DAY * DAY)


def zone_of(name: str) -> datetime.tzinfo:
    """Return the time zone of a name, which may be an offset from UTC."""
    offset = OFFSET.fullmatch(name)
    if offset:
        ahead = datetime.timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return datetime.timezone(ahead if offset[1] == "+" else -ahead)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise TypeError(
            f"is in a time zone without a name that is known, {name}: give it one by "
            "dt.tz_convert('UTC')"
        ) from None


def joined_clock(clocks: Iterable[Clock | None]) -> Clock | None:
    """Return the clock of a column in parts: with the first origin of all."""
    known = [clock for clock in clocks if clock is not None]
    return min(known, key=lambda clock: clock.origin, default=None)


def _kind(cell: Any) -> str | None:
    """Return the kind of time that an object is, None for anything else."""
    if getattr(cell, "tzinfo", None) is not None:
        return None
    for kind, types in (
        ("date", datetime.date | np.datetime64),
        ("duration", datetime.timedelta | np.timedelta64),
        ("time", datetime.time),
    ):
        if isinstance(cell, types):
            return kind
    return None


def _ticks(cell: Any, zone: str | None) -> Any:
    """Return a date, time or duration as datetime64 or timedelta64, on the clock of a zone."""
    if isinstance(cell, datetime.time):
        if cell.tzinfo is not None:
            raise TypeError(f"holds {cell!r} with a time zone, which no time of day has")
        return np.timedelta64(
            ((cell.hour * 60 + cell.minute) * 60 + cell.second) * 10**6 + cell.microsecond, "us"
        )
    if isinstance(cell, datetime.datetime) and cell.tzinfo is not None:
        if zone is None:
            raise TypeError(f"holds {cell!r} with a time zone, where fit saw none")
        cell = cell.astimezone(zone_of(zone)).replace(tzinfo=None)
    if hasattr(cell, "to_datetime64"):
        return cell.to_datetime64()
    if hasattr(cell, "to_timedelta64"):
        return cell.to_timedelta64()
    if isinstance(cell, datetime.date):
        return np.datetime64(cell)
    if isinstance(cell, datetime.timedelta):
        return np.timedelta64(cell)
    if isinstance(cell, np.datetime64 | np.timedelta64):
        return cell
    raise TypeError(f"holds {cell!r}, which is no date, time or duration")


def _seconds_of_ticks(cells: NDArray[Any], origin: int) -> Floats:
    """Return datetime64 or timedelta64 of any unit as seconds since the origin."""
    missing, code = np.isnat(cells), cells.dtype.str[1:3]
    unit, count = np.datetime_data(cells.dtype)
    if count > 1 and unit in PER_SECOND:  # such as [60s]
        cells = cells.astype(f"{code}[{unit}]")
    if unit in ("ps", "fs", "as"):
        cells, unit = cells.astype(f"{code}[ns]"), "ns"
    elif unit not in PER_SECOND:
        cells, unit = cells.astype(f"{code}[s]"), "s"
    whole, parts = np.divmod(cells.astype(np.int64), PER_SECOND[unit])
    # The same instant in another unit is the same number: parts of a second are rounded once.
    seconds = (whole - origin) + parts / PER_SECOND[unit]
    return np.where(missing, np.nan, seconds)
