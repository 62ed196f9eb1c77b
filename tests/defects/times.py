"""Defects of dates, times of day and durations, and of what is remembered of dtypes."""

from dataclasses import replace

import numpy as np

from skmade._table import bounds, cells, dtypes, layout, rebuild, times

from .planting import defect, patch

DATES, DTYPES = "test_dates.py::test_", "test_dtypes.py::test_"
TIMES = "table/test_times.py::test_"


@defect("API", DATES + "the_same_instants_score_the_same_in_any_dtype")
def ticks_of_any_unit():
    """Numbers are the ticks of a dtype, in whatever unit it counts."""

    @patch(times, "_seconds_of_ticks")
    def _seconds_of_ticks(old, cells, origin):
        ticks = cells.astype(np.int64) * 1.0
        return np.where(np.isnat(cells), np.nan, ticks)


@defect("API", TIMES + "microseconds_of_decades_and_nanoseconds_of_a_day_are_exact")
def seconds_since_1970():
    """All columns have the same origin, so far away that nanoseconds are rounded."""

    @patch(times, "clock_of")
    def clock_of(old, cells, zone=None):
        clock = old(cells, zone)
        return None if clock is None else clock._replace(origin=0)


@defect("API", DATES + "missing_dates_are_marginalised")
def not_a_time_is_the_first_instant():
    """NaT is the number that it is in memory."""

    @patch(times, "_seconds_of_ticks")
    def _seconds_of_ticks(old, cells, origin):
        found = old(cells, origin)
        return np.where(np.isnan(found), 0.0, found)


@defect("API", DATES + "days_stay_days_and_hours_stay_hours")
def clocks_of_greenwich():
    """Instants in a zone are read in UTC, where its days begin at any hour."""

    @patch(cells, "_on_clock")
    def _on_clock(old, series, zone):
        return old(series, "UTC")


@defect("API", DATES + "zones_are_those_of_fit")
def zones_of_the_table_at_hand():
    """Instants are read on the clock of their own zone, and not on that of fit."""

    @patch(cells, "_on_clock")
    def _on_clock(old, series, zone):
        return old(series, cells.zone_in(series))


@defect("API", TIMES + "numbers_go_to_the_nearest_day")
def days_rounded_down():
    """A number between two days is drawn as the earlier one."""

    @patch(times.Clock, "ticks")
    def ticks(old, clock, numbers, unit):
        return old(clock, numbers - times.DAY / 2 if unit == "D" else numbers, unit)


@defect("API", DATES + "completed_rows_keep_their_instants")
def instants_from_floats():
    """Completed rows hold instants that have been floats."""

    @patch(rebuild, "with_own_cells")
    def with_own_cells(old, layout, table, X, observed):
        return table


@defect("API", DATES + "times_of_day_stay_in_the_day")
def a_day_without_end():
    """Times of day have no bounds: those after midnight come as the last of the day."""

    @patch(bounds, "read_bounds")
    def read_bounds(old, asked, kinds, layout, largest=None):
        return old(asked, kinds, layout, largest) if asked else None


@defect("API", DTYPES + "a_dtype_comes_back_or_is_refused")
def categories_without_their_dtype():
    """Categories come back with the dtype that pandas finds for them."""

    @patch(dtypes, "describe_pandas")
    def describe_pandas(old, dtype, column=()):
        described = old(dtype, column)
        is_category = isinstance(described, list) and described[0] == "category"
        return ["category", None, described[2]] if is_category else described


@defect("API", DTYPES + "an_index_of_columns_comes_back")
def names_without_their_index():
    """The names of columns come back without names and levels of their own."""

    @patch(layout.Layout, "to_state")
    def to_state(old, self):
        return old(replace(self, header=None))
