"""The table: kinds of features, encoding to units and back, and the log-Jacobian.

A continuous feature is standardised (one unit), a binary one is its own unit. What was
learned from the training rows is a `Table` of plain numpy arrays.
"""

import datetime
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

KINDS = ("continuous", "binary")

# A conditional narrower than this (in units, about standard deviations) is not believed,
# even of columns recorded much more finely: it bounds what a duplicated column can add.
MIN_SCALE = 1e-3

# Distance between the 5 % and the 95 % quantile of a standard Gaussian.
GAUSSIAN_CENTRAL_RANGE = 3.2897

# Units beyond this are clipped: their squares stay out of reach anyway, and what matters
# is that arithmetic on them is finite.
MAX_UNIT = 1e300


@dataclass(frozen=True)
class Table:
    """What fit learned of the columns; all arrays have shape (n_features,).

    A continuous value x has the unit z = (x / 2**exponent - center) / spread. The power of
    two is exact and keeps columns of any magnitude clear of overflow.
    """

    kinds: NDArray[np.str_]
    exponent: NDArray[np.int64]
    center: Floats
    spread: Floats
    scale_floor: Floats  # smallest scale of a conditional, in units
    constant: NDArray[np.bool_]

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return len(self.kinds)

    @property
    def binary(self) -> NDArray[np.bool_]:
        """Which columns are binary."""
        return np.asarray(self.kinds == "binary")

    @property
    def log_jacobian(self) -> float:
        """Log of |d units / d x|, the same for every row."""
        log_scale = np.log(self.spread) + self.exponent * np.log(2.0)
        return -float(log_scale[~self.binary].sum())


def column_label(position: int, names: Sequence[str] | None) -> str:
    """Name a column the way its user does: by name, or else by position."""
    return f"column {position}" if names is None else f"column {str(names[position])!r}"


def resolve_kinds(
    feature_types: str | Sequence[str] | dict[Any, str],
    X: Floats,
    names: Sequence[str] | None = None,
) -> NDArray[np.str_]:
    """Return the kind of each column; 'auto' calls a column of zeros and ones binary."""
    n_features = X.shape[1]
    if isinstance(feature_types, str):
        words = [feature_types] * n_features
    elif isinstance(feature_types, dict):
        words = _words_by_column(feature_types, n_features, names)
    else:
        words = list(feature_types)
        if len(words) != n_features:
            raise ValueError(f"feature_types has {len(words)} words for {n_features} columns.")
    for position, word in enumerate(words):
        if word not in (*KINDS, "auto"):
            raise ValueError(
                f"feature_types of {column_label(position, names)} is {word!r}; "
                f"it must be one of {sorted([*KINDS, 'auto'])}."
            )
        if word == "auto":
            zero_one = bool(np.isin(X[:, position], (0, 1)).all())
            words[position] = "binary" if zero_one else "continuous"
    return np.array(words, dtype=np.str_)


def _words_by_column(
    feature_types: dict[Any, str], n_features: int, names: Sequence[str] | None
) -> list[str]:
    known = list(range(n_features)) if names is None else list(names)
    words = ["auto"] * n_features
    for column, word in feature_types.items():
        if column not in known:
            raise ValueError(f"feature_types names {column!r}, which is no column of X.")
        words[known.index(column)] = word
    return words


def learn_table(X: Floats, weight: Floats, kinds: NDArray[np.str_]) -> Table:
    """Learn location, spread and resolution of each column from rows of positive weight."""
    n_features = X.shape[1]
    binary = kinds == "binary"
    exponent = np.where(binary, 0, np.frexp(np.abs(X).max(axis=0))[1])
    scaled = np.ldexp(X, -exponent)
    share = weight / weight.sum()
    center, spread = _location_and_spread(scaled, weight, share)
    # Below a few ulps of its own magnitude a spread is rounding error, not data.
    noise = 8 * np.finfo(np.float64).eps * np.abs(scaled).max(axis=0)
    constant = ~binary & (spread <= noise)
    center = np.where(binary, 0.0, np.where(constant, scaled[0], center))
    # A constant column gives no scale: its own magnitude (or 1) stands in, with the
    # floor at one such scale, so that it says nothing about rows with the same value.
    magnitude = np.where(scaled[0] == 0, 1.0, np.abs(scaled[0]))
    spread = np.where(binary, 1.0, np.where(constant, magnitude, spread))
    scale_floor = np.ones(n_features)
    for position in np.flatnonzero(~binary & ~constant):
        gap = _smallest_gap(scaled[:, position]) / spread[position]
        # A value rounded to multiples of `gap` has an error of standard deviation
        # gap / sqrt(12): nothing finer than that was recorded.
        scale_floor[position] = max(gap / np.sqrt(12), MIN_SCALE)
    return Table(kinds, exponent, center, spread, scale_floor, constant)


def _location_and_spread(
    scaled: Floats, weight: Floats, share: Floats
) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each column, held against a few far outliers.

    The mean is of values clipped to the central 90 %, and the spread no larger than that of
    a Gaussian with the same central 90 %, unless these are one value.
    """
    low, high = np.quantile(scaled, (0.05, 0.95), axis=0, weights=weight, method="inverted_cdf")
    mean = share @ scaled
    deviation = np.sqrt(share @ (scaled - mean) ** 2)
    inner = (high - low) / GAUSSIAN_CENTRAL_RANGE
    robust = (inner > 0) & (inner < deviation)
    clipped = share @ np.clip(scaled, low, high)
    return np.where(robust, clipped, mean), np.where(robust, inner, deviation)


def _smallest_gap(values: Floats) -> float:
    """Return the smallest distance between two distinct values."""
    return float(np.diff(np.unique(values)).min())


def encode(table: Table, X: Floats) -> Floats:
    """Turn rows into the units that enter the network, shape (n_samples, n_features)."""
    with np.errstate(over="ignore", under="ignore"):
        units = (np.ldexp(X, -table.exponent) - table.center) / table.spread
    return np.clip(units, -MAX_UNIT, MAX_UNIT)


def decode(table: Table, units: Floats) -> Floats:
    """Turn units back into rows, the inverse of `encode`."""
    largest = np.finfo(np.float64).max
    with np.errstate(over="ignore", under="ignore"):
        X = np.ldexp(units * table.spread + table.center, table.exponent)
    return np.clip(X, -largest, largest)


def warn_constant(
    table: Table, names: Sequence[str] | None = None, stacklevel: int = 2
) -> None:
    """Warn of constant columns, naming them."""
    if not table.constant.any():
        return
    labels = ", ".join(column_label(p, names) for p in map(int, np.flatnonzero(table.constant)))
    warnings.warn(
        f"Constant in fit: {labels}. Their conditionals get the value's own magnitude as "
        "smallest scale, so they say nothing about rows with the same value.",
        UserWarning,
        stacklevel=stacklevel,
    )


def check_types(X: Any, table: str = "X") -> None:
    """Refuse text and dates, which numpy would turn into numbers, naming the column."""
    named = getattr(X, "columns", None)
    dtypes = list(X.dtypes) if named is not None else [np.asarray(X).dtype]
    # Numbers of any width need no look at their cells; nor has anything but a table any.
    if all(getattr(dtype, "kind", "O") in "biufc" for dtype in dtypes):
        return
    cells = np.asarray(X)
    if cells.ndim != 2:
        return
    strings = named is not None and all(isinstance(name, str) for name in named)
    for position in range(cells.shape[1]):
        problem = _wrong_type(cells[:, position])
        if problem is not None:
            label = column_label(
                position, list(named) if named is not None and strings else None
            )
            raise TypeError(f"{label} of {table} {problem}")


def _wrong_type(column: NDArray[Any]) -> str | None:
    """Say what is wrong with the cells of a column, if anything is."""
    if column.dtype.kind in "Mm":
        return "holds dates or durations: turn them into numbers of your own unit first."
    if column.dtype.kind in "US":
        return f"is not numeric: it holds {column[0]!r}. Encode text first."
    for cell in column if column.dtype.kind == "O" else ():
        if isinstance(cell, str | bytes):
            return f"is not numeric: it holds {cell!r}. Encode text first."
        if isinstance(
            cell, datetime.date | datetime.timedelta | np.datetime64 | np.timedelta64
        ):
            return "holds dates or durations: turn them into numbers of your own unit first."
        if isinstance(cell, int) and abs(cell) > sys.float_info.max:
            return "holds an integer too large for a floating-point number."
    return None


def check_cells(X: Floats, names: Sequence[str] | None = None, table: str = "X") -> None:
    """Refuse missing and infinite cells, naming the column."""
    finite = np.isfinite(X)
    if finite.all():
        return
    position = int(np.flatnonzero(~finite.all(axis=0))[0])
    cells = X[:, position]
    label = column_label(position, names)
    if np.isinf(cells).any():
        raise ValueError(
            f"Input {table} contains infinity in {label} ({int(np.isinf(cells).sum())} rows). "
            "inf is never a value: remove these rows or replace the cells."
        )
    raise ValueError(
        f"Input {table} contains NaN in {label} ({int(np.isnan(cells).sum())} rows). "
        "MADEDensity does not take missing cells yet: drop these rows, or put a "
        "sklearn.impute imputer before it in a Pipeline."
    )


def check_binary(
    kinds: NDArray[np.str_], X: Floats, names: Sequence[str] | None = None
) -> None:
    """Refuse values other than 0 and 1 in a binary column, naming column and value."""
    bad = (kinds == "binary") & ~np.isin(X, (0, 1))
    if not bad.any():
        return
    row, position = map(int, np.argwhere(bad)[0])
    raise ValueError(
        f"{column_label(position, names)} is binary, as it held only 0 and 1 in fit or "
        f"was declared so, but row {row} holds {X[row, position]:g}. Fit again with "
        "feature_types='continuous' for this column if it can take other values."
    )
