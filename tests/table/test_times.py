"""Dates, times of day and durations as seconds, and back."""

import datetime

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmade._table.times import Clock, clock_of, joined_clock

UNITS = ("Y", "M", "D", "h", "m", "s", "ms", "us", "ns")
RNG = np.random.RandomState(0)
DAYS = np.datetime64("1999-12-30") + RNG.randint(0, 20_000, size=50)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("code", ["M8", "m8"])
def test_times_of_any_unit_come_back(unit, code):
    if code == "m8" and unit in ("Y", "M"):
        pytest.skip("of no fixed length")
    cells = DAYS.astype(f"M8[{unit}]")
    cells = cells if code == "M8" else cells - cells[0]
    cells[3] = "NaT"
    clock = clock_of(cells)
    numbers = clock.seconds(cells)
    assert np.isnan(numbers[3])
    present = np.arange(50) != 3
    back = clock.ticks(numbers[present], clock.unit)
    assert back.dtype == cells.dtype
    assert_array_equal(back, cells[present])


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_same_instants_are_the_same_numbers(unit):
    cells = DAYS.astype("M8[ms]") + np.timedelta64(123, "ms") * RNG.randint(0, 2, 50)
    clock = clock_of(cells)
    other = (cells if unit != "s" else cells.astype("M8[s]")).astype(f"M8[{unit}]")
    assert clock_of(other)._replace(unit=clock.unit) == clock
    expected = cells.astype("M8[s]").astype(cells.dtype) if unit == "s" else cells
    assert_array_equal(clock.seconds(other), clock.seconds(expected))


def test_the_origin_is_a_midnight_before_all_of_them():
    clock = clock_of(DAYS.astype("M8[s]") + np.timedelta64(5, "h"))
    assert clock.origin % 86_400 == 0
    numbers = clock.seconds(DAYS.astype("M8[s]") + np.timedelta64(5, "h"))
    assert 0 <= numbers.min() < 86_400
    assert clock_of(DAYS[::-1]) == clock_of(DAYS)


@pytest.mark.parametrize(("unit", "span"), [("us", 3 * 10**15), ("ns", 9 * 10**13)])
def test_microseconds_of_decades_and_nanoseconds_of_a_day_are_exact(unit, span):
    cells = np.datetime64("2024-01-01", unit) + RNG.randint(0, span, size=1000)
    clock = clock_of(cells)
    assert_array_equal(clock.ticks(clock.seconds(cells), unit), cells)


def test_objects_of_python_come_back():
    for kind, cells in {
        "date": [datetime.date(2024, 2, 29), datetime.date(1999, 1, 1)],
        "time": [datetime.time(23, 59, 59, 5), datetime.time(0)],
        "duration": [datetime.timedelta(days=-3, microseconds=1), datetime.timedelta(0)],
    }.items():
        array = np.array([*cells, None], dtype=object)
        clock = clock_of(array)
        assert clock.kind == kind
        numbers = clock.seconds(array)
        assert np.isnan(numbers[2])
        assert clock.objects(clock.ticks(numbers[:2], clock.unit)) == cells


@pytest.mark.parametrize(
    "cells",
    [
        [datetime.date(2024, 1, 1), 3],
        [datetime.date(2024, 1, 1), datetime.timedelta(1)],
        [datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)],
        ["2024-01-01"],
        [1.5],
        [],
        [None],
    ],
)
def test_mixed_cells_are_no_times(cells):
    assert clock_of(np.array(cells, dtype=object)) is None


def test_text_of_a_given_cell_is_read():
    clock = Clock("date", origin=86_400)
    assert clock.second("1970-01-03T00:00:01.5") == 86_401.5
    assert Clock("time").second("01:02") == 3720
    zoned = Clock("date", zone="Europe/Berlin")
    assert zoned.second("1970-01-01T00:00:00Z") == 3600
    assert zoned.second("1970-01-01") == 0  # on the clock of the zone


@pytest.mark.parametrize(
    ("clock", "cell", "message"),
    [
        (Clock("date"), "soon", "ISO 8601"),
        (Clock("date"), 3.5, "no date"),
        (Clock("date"), datetime.timedelta(1), "where fit saw dates"),
        (Clock("duration"), datetime.date(2024, 1, 1), "where fit saw durations"),
        (Clock("time"), datetime.date(2024, 1, 1), "where fit saw times of day"),
        (Clock("date"), datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC), "time zone"),
    ],
)
def test_other_cells_are_refused(clock, cell, message):
    with pytest.raises(TypeError, match=message):
        clock.second(cell)


@pytest.mark.parametrize("unit", UNITS)
def test_numbers_beyond_all_times_stay_within_them(unit):
    clock = clock_of(DAYS)
    ticks = clock.ticks(np.array([-1e300, 1e300]), unit)
    assert not np.isnat(ticks).any()
    assert ticks[0] < ticks[1]
    assert clock.objects(clock.ticks(np.array([-1e300, 1e300]), "us"))[1].year == 9999
    assert Clock("time").objects(Clock("time").ticks(np.array([1e9]), "us"))[0].hour == 23


def test_numbers_go_to_the_nearest_day():
    clock = Clock("date")
    days = clock.ticks(np.array([-0.6, -0.4, 0.4, 0.6]) * 86_400, "D").astype(int)
    assert_array_equal(days, [-1, 0, 0, 1])


def test_partitions_share_the_first_origin():
    early, late = Clock("date", origin=0), Clock("date", origin=86_400)
    assert joined_clock([late, None, early]) == early
    assert joined_clock([None]) is None


def test_numbers_are_shown_as_people_write_them():
    assert Clock("date").shown(86_400.0) == "1970-01-02"
    assert Clock("date").shown(1.5) == "1970-01-01 00:00:01.500000"
    assert Clock("duration").shown(90.0) == "0:01:30"
    assert Clock("date").shown(np.inf) == "inf"
    assert_allclose(Clock("time").ends, (0, 86_400))
