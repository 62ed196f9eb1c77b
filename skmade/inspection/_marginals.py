"""Densities of single columns and of pairs on grids, from the density of all columns.

Either the density marginalises missing cells, which is exact, or rows are drawn from it and
smoothed.
"""

from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np
from scipy.stats import gaussian_kde

from ._columns import DAY, as_times

# Grids reach beyond the data by this share of their range, which leaves out the outermost
# half percent on each side, so that a far outlier does not squeeze the rest.
MARGIN, LEFT_OUT = 0.15, 0.005

# A column of integers gets a point on the grid for each, up to so many.
MAX_INTEGERS = 200


@dataclass(frozen=True)
class ShownFeature:
    """A column, and the points of its grid; labels are codes, positions in `levels`."""

    name: str
    position: int  # among the columns of the table
    data: np.ndarray  # (n_samples,), NaN where missing
    grid: np.ndarray
    discrete: bool  # whether the density is a probability
    levels: tuple[str, ...] | None = None
    examples: np.ndarray | None = None  # rows of the table that have each level
    days: str | None = None  # as in `Column`


def show(column, position, kind, resolution):
    """Return a column with its grid."""
    if not column.is_number:
        levels, examples = np.unique(column.observed(), return_index=True)
        present = np.flatnonzero([value is not None for value in column.values])
        codes = {level: code for code, level in enumerate(levels)}
        data = np.array([codes.get(value, np.nan) for value in column.values])
        grid = np.arange(float(len(levels)))
        return ShownFeature(
            column.name, position, data, grid, True, tuple(levels), present[examples]
        )
    observed = column.observed()
    if kind in ("binary", "categorical", "count"):
        grid = np.unique(observed)
        if kind == "count" and np.ptp(grid) < MAX_INTEGERS:
            grid = np.arange(grid[0], grid[-1] + 1)
        return ShownFeature(column.name, position, column.values, grid, True)
    low, high = np.quantile(observed, (LEFT_OUT, 1 - LEFT_OUT))
    margin = MARGIN * (high - low) or 1.0
    grid = np.linspace(low - margin, high + margin, resolution)
    return ShownFeature(column.label, position, column.values, grid, False, days=column.days)


def density_by_cells(density, X, features):
    """Density on the grid of some features, all others missing: (n_1, n_2, ...).

    That of dates and durations is per day, where the density scores them per second.
    """
    points = np.meshgrid(*(np.arange(len(f.grid)) for f in features), indexing="ij")
    cells = {f.position: (f, own.ravel()) for f, own in zip(features, points, strict=True)}
    rows = rows_with(X, cells, points[0].size)
    per_day = DAY ** sum(feature.days is not None for feature in features)
    return per_day * np.exp(density.score_samples(rows)).reshape(points[0].shape)


def density_by_draws(drawn, features):
    """Density on the grid of some features, smoothed from drawn rows."""
    smooth = gaussian_kde([drawn[f.position].values for f in features])
    points = np.meshgrid(*(f.grid for f in features), indexing="ij")
    return smooth([own.ravel() for own in points]).reshape(points[0].shape)


def rows_with(X, cells, n_rows):
    """Return a table like X of which only some cells are there: points of grids."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return _frame_with(frame, cells, n_rows)
    X = np.asarray(X)
    kept = X.dtype if X.dtype.kind in "OmM" else float
    rows = np.full((n_rows, X.shape[1]), "NaT" if X.dtype.kind in "mM" else np.nan, dtype=kept)
    for position, (feature, points) in cells.items():
        if feature.days is not None:
            rows[:, position] = as_times(feature.grid[points], feature.days)
        elif feature.levels is None:
            rows[:, position] = feature.grid[points]
        else:
            rows[:, position] = X[feature.examples[points], position]
    return rows


def _frame_with(frame, cells, n_rows):
    """Return such a DataFrame, of the same kind and with the same types of labels."""
    columns = []
    for position, name in enumerate(frame.columns):
        feature, points = cells.get(position, (None, np.zeros(n_rows, dtype=int)))
        as_number = feature is not None and feature.levels is None and feature.days is None
        if frame[name].dtype.is_numeric() or as_number:
            numbers = np.full(n_rows, np.nan) if feature is None else feature.grid[points]
            columns.append(
                nw.new_series(name, numbers, nw.Float64, backend=frame.implementation)
            )
            continue
        if feature is not None and feature.days is not None:
            times = as_times(feature.grid[points], feature.days)
            columns.append(_times_like(frame, name, times))
            continue
        taken = points if feature is None else feature.examples[points]
        labels = nw.maybe_reset_index(frame.select(name)[taken.tolist()])
        if feature is None:
            labels = labels.select(nw.when(nw.lit(False)).then(nw.col(name)).alias(name))
        columns.append(labels[name])
    return nw.concat([column.to_frame() for column in columns], how="horizontal").to_native()


def _times_like(frame, name, times):
    """Return a column of times of the same dtype as one of the table; UTC in zones."""
    dtype, native = frame[name].dtype, getattr(frame[name].to_native(), "dtype", None)
    column = nw.new_series(name, times, backend=frame.implementation)
    own = getattr(native, "tz", None)
    if own is not None:  # of pandas
        zoned = column.to_native().dt.tz_localize("UTC").dt.tz_convert(own)
        return nw.from_native(zoned, series_only=True)
    zone = getattr(dtype, "time_zone", None)
    if zone is not None:
        column = column.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    return column.cast(dtype)


def mass_levels(density, shares):
    """Return the heights above which these shares of the density on a grid lie."""
    heights = np.sort(density, axis=None)[::-1]
    mass = np.cumsum(heights)
    return np.unique(heights[np.searchsorted(mass / mass[-1], shares)])
