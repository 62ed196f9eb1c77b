"""The table: kinds of features, encoding to values of the network and back, log-Jacobian.

Numbers are standardised, labels keep their codes, missing cells are NaN. What was learned
of the columns from the training rows is a `Table` of plain numpy arrays.
"""

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._frame import UNKNOWN, Layout

Floats = NDArray[np.float64]

KINDS = ("continuous", "binary", "categorical", "count")

# A conditional narrower than this (in units, about standard deviations) is not believed,
# even of columns recorded much more finely: it bounds what a duplicated column can add.
MIN_SCALE = 1e-3

# The mixture of a count may be this narrow, in steps between integers (in units: no less than
# the second number). Its masses are at most one.
COUNT_SCALE = 0.1
MIN_COUNT_SCALE = 1e-5

# Values that recur far more often than their neighbours (zeros of an income, round numbers)
# get a component of their own: at most so many in a column, each in at least this share of
# the rows and five of them, and so many times what the values around it let expect.
MAX_RECURRING = 32
MIN_RECURRING_SHARE = 0.002
MIN_RECURRING_ROWS = 5
MIN_EXCESS = 3.0
N_NEIGHBOURS = 3  # on each side

# Distance between the 5 % and the 95 % quantile of a standard Gaussian.
GAUSSIAN_CENTRAL_RANGE = 3.2897

# Units beyond this are clipped: their squares stay out of reach anyway, and what matters
# is that arithmetic on them is finite.
MAX_UNIT = 1e300


@dataclass(frozen=True)
class Table:
    """What fit learned of the columns; arrays have shape (n_features,) unless said.

    A number x has the unit z = (x / 2**exponent - center) / spread. The power of two is
    exact and keeps columns of any magnitude clear of overflow.
    """

    kinds: NDArray[np.str_]
    n_levels: NDArray[np.int64]  # 0 for numbers
    exponent: NDArray[np.int64]
    center: Floats
    spread: Floats
    scale_floor: Floats  # smallest scale of a conditional, in units
    lowest: Floats  # smallest value of a count, minus infinity if there is none
    recurring: Floats  # (n_features, n), units of values that recur often, else NaN
    constant: NDArray[np.bool_]
    missing: Floats  # share of cells that were missing in fit, by weight
    unknown_mass: Floats  # kept for labels that fit did not see

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return len(self.kinds)

    @property
    def numeric(self) -> NDArray[np.bool_]:
        """Which columns are standardised."""
        return np.isin(self.kinds, ("continuous", "count"))

    @property
    def log_jacobian(self) -> Floats:
        """Log of d unit / d x for each column, zero for those with probabilities."""
        log_scale = np.log(self.spread) + self.exponent * np.log(2.0)
        return np.where(self.kinds == "continuous", -log_scale, 0.0)


def resolve_kinds(words: Sequence[str], X: Floats, layout: Layout) -> NDArray[np.str_]:
    """Return the kind of each column; 'auto' calls two labels or zeros and ones binary."""
    kinds = []
    for position, word in enumerate(words):
        n_levels = int(layout.n_levels[position])
        column = X[:, position]
        observed = column[~np.isnan(column)]
        if word == "binary" and n_levels not in (0, 2):
            raise ValueError(
                f"{layout.label(position)} is declared binary but has {n_levels} labels: "
                "declare it 'categorical'."
            )
        if word == "auto" and n_levels:
            word = "binary" if n_levels == 2 else "categorical"
        elif word == "auto":
            word = "binary" if np.isin(observed, (0, 1)).all() else "continuous"
        kinds.append(word)
    return np.array(kinds, dtype=np.str_)


def learn_table(
    X: Floats,
    weight: Floats,
    kinds: NDArray[np.str_],
    n_levels: NDArray[np.int64] | None = None,
    smoothed: bool = False,
) -> Table:
    """Learn location, spread and resolution of each column from rows of positive weight.

    With `smoothed`, labels that are not seen here keep the mass of half a row.
    """
    n_features = X.shape[1]
    n_levels = np.zeros(n_features, dtype=np.int64) if n_levels is None else n_levels
    observed = ~np.isnan(X)
    share, n_rows = weight / weight.sum(), weight / weight.mean()
    learned = [
        _learn_column(column[seen], weight[seen], str(kind))
        for column, seen, kind in zip(X.T, observed.T, kinds, strict=True)
    ]
    exponent, center, spread, scale_floor, constant, recurring = zip(*learned, strict=True)
    never_negative = (kinds == "count") & (np.nanmin(X, axis=0) >= 0)
    return Table(
        kinds=kinds,
        n_levels=n_levels,
        exponent=np.array(exponent),
        center=np.array(center),
        spread=np.array(spread),
        scale_floor=np.array(scale_floor),
        lowest=np.where(never_negative, 0.0, -np.inf),
        recurring=np.array(list(itertools.zip_longest(*recurring, fillvalue=np.nan))).T.reshape(
            n_features, -1
        ),
        constant=np.array(constant),
        missing=share @ ~observed,
        unknown_mass=np.where(
            smoothed & (n_levels > 0), 0.5 / (n_rows @ observed + 0.5 * (n_levels + 1)), 0.0
        ),
    )


def _learn_column(
    values: Floats, weight: Floats, kind: str
) -> tuple[int, float, float, float, bool, Floats]:
    """Return exponent, center, spread, smallest scale, whether constant, recurring values."""
    if kind not in ("continuous", "count"):
        return 0, 0.0, 1.0, 1.0, False, np.empty(0)
    # Integers are far from overflow, and keep their distance of one.
    exponent = 0 if kind == "count" else int(np.frexp(np.abs(values).max())[1])
    scaled = np.ldexp(values, -exponent)
    center, spread = _location_and_spread(scaled, weight)
    # Below a few ulps of its own magnitude a spread is rounding error, not data.
    constant = spread <= 8 * np.finfo(np.float64).eps * np.abs(scaled).max()
    if kind == "count":
        spread = 1.0 if constant else spread
        floor, step = max(COUNT_SCALE / spread, MIN_COUNT_SCALE), 1.0
    elif constant:
        # No scale to learn: its own magnitude (or 1) stands in, with the floor at one such
        # scale, so that the column says nothing about rows with the same value.
        return exponent, float(scaled[0]), abs(float(scaled[0])) or 1.0, 1.0, True, np.empty(0)
    else:
        # A value rounded to multiples of `step` has an error of standard deviation
        # step / sqrt(12): nothing finer than that was recorded.
        step = max(float(np.diff(np.unique(scaled)).min()), MIN_SCALE * np.sqrt(12) * spread)
        floor = step / spread / np.sqrt(12)
    recurring = (_recurring_values(scaled, weight, step) - center) / spread
    return exponent, center, spread, floor, False, recurring


def _recurring_values(values: Floats, weight: Floats, step: float) -> Floats:
    """Values with far more mass than the values around them let expect in one step."""
    distinct, position = np.unique(values, return_inverse=True)
    shares = np.bincount(position, weights=weight) / weight.sum()
    least = max(MIN_RECURRING_SHARE, MIN_RECURRING_ROWS / len(values))
    if len(distinct) <= 2 * N_NEIGHBOURS + 1:
        return distinct[shares >= least]
    first = np.clip(
        np.arange(len(distinct)) - N_NEIGHBOURS, 0, len(distinct) - 2 * N_NEIGHBOURS - 1
    )
    last = first + 2 * N_NEIGHBOURS
    upto = np.append(0.0, shares.cumsum())
    around = upto[last + 1] - upto[first] - shares
    expected = around * step / (distinct[last] - distinct[first])
    excess = np.where(
        (shares >= least) & (shares > MIN_EXCESS * expected), shares - expected, 0
    )
    chosen = np.argsort(-excess, kind="stable")[:MAX_RECURRING]
    return distinct[np.sort(chosen[excess[chosen] > 0])]


def _location_and_spread(values: Floats, weight: Floats) -> tuple[float, float]:
    """Mean and standard deviation of a column, held against a few far outliers.

    The mean is of values clipped to the central 90 %, and the spread no larger than that of
    a Gaussian with the same central 90 %, unless these are one value.
    """
    share = weight / weight.sum()
    low, high = np.quantile(values, (0.05, 0.95), weights=weight, method="inverted_cdf")
    mean = float(share @ values)
    deviation = float(np.sqrt(share @ (values - mean) ** 2))
    inner = float(high - low) / GAUSSIAN_CENTRAL_RANGE
    if 0 < inner < deviation:
        return float(share @ np.clip(values, low, high)), inner
    return mean, deviation


def encode(table: Table, X: Floats) -> Floats:
    """Turn rows into what the network sees: units of numbers, codes, NaN where unknown."""
    with np.errstate(over="ignore", under="ignore"):
        values = (np.ldexp(X, -table.exponent) - table.center) / table.spread
    values = np.clip(values, -MAX_UNIT, MAX_UNIT)
    values[is_unknown(table, X)] = np.nan
    return values


def decode(table: Table, values: Floats, integers: bool = True) -> Floats:
    """Turn values of the network back into rows, the inverse of `encode`.

    Counts are integers again, unless `integers` is false (as for their means).
    """
    largest = np.finfo(np.float64).max
    with np.errstate(over="ignore", under="ignore"):
        X = np.ldexp(values * table.spread + table.center, table.exponent)
    X = np.clip(X, -largest, largest)
    counts = integers & (table.kinds == "count")
    X[:, counts] = np.rint(X[:, counts])
    return X


def is_unknown(table: Table, X: Floats) -> NDArray[np.bool_]:
    """Which cells hold a label that fit did not see."""
    return np.asarray((table.n_levels > 0) & (X == UNKNOWN))


def fixed_log_density(table: Table, X: Floats) -> Floats:
    """What the columns add to the log-density of each cell, whatever the network says.

    Log-Jacobians of the continuous columns; and of labels, the mass kept for those that fit
    did not see, or what is left of it.
    """
    labelled = np.log1p(-table.unknown_mass)
    parts = np.where(np.isnan(X), 0.0, table.log_jacobian + labelled)
    rows, columns = np.nonzero(is_unknown(table, X))
    parts[rows, columns] = np.log(table.unknown_mass[columns])
    return parts


def warn_constant(table: Table, layout: Layout, stacklevel: int = 2) -> None:
    """Warn of constant columns, naming them."""
    if not table.constant.any():
        return
    labels = ", ".join(map(layout.label, np.flatnonzero(table.constant).tolist()))
    warnings.warn(
        f"Constant in fit: {labels}. Their conditionals get the value's own magnitude as "
        "smallest scale, so they say nothing about rows with the same value.",
        UserWarning,
        stacklevel=stacklevel,
    )


def check_cells(X: Floats, layout: Layout, name: str = "X") -> None:
    """Refuse infinite cells, naming the column."""
    infinite = np.isinf(X)
    if not infinite.any():
        return
    position = int(np.flatnonzero(infinite.any(axis=0))[0])
    raise ValueError(
        f"Input {name} contains infinity in {layout.label(position)} "
        f"({int(infinite[:, position].sum())} rows). inf is never a value: remove these rows, "
        "or make the cells missing (NaN)."
    )


def check_present(X: Floats, layout: Layout) -> None:
    """Refuse columns of which fit sees no cell, naming the first."""
    empty = np.flatnonzero(np.isnan(X).all(axis=0))
    if len(empty):
        raise ValueError(
            f"Input X contains NaN in every row of {layout.label(int(empty[0]))}: there is "
            "nothing to learn of it. Drop the column."
        )


def check_kinds(
    kinds: NDArray[np.str_], X: Floats, layout: Layout, lowest: Floats | None = None
) -> None:
    """Refuse values that a kind cannot take, naming column, row and value."""
    unlabelled = layout.n_levels == 0
    observed = ~np.isnan(X)
    not_binary = unlabelled & (kinds == "binary") & observed & ~np.isin(X, (0, 1))
    _refuse(
        not_binary,
        X,
        layout,
        "{column} is binary, as it held only 0 and 1 in fit or was declared so, but row {row} "
        "holds {value:g}. Fit again with feature_types='continuous' for this column if it can "
        "take other values.",
    )
    counts = (kinds == "count") & observed
    _refuse(
        counts & (np.rint(X) != X),
        X,
        layout,
        "{column} is a count, but row {row} holds {value:g}. Declare it 'continuous' in "
        "feature_types if its values need not be integers.",
    )
    if lowest is not None:
        _refuse(
            counts & (lowest > X),
            X,
            layout,
            "{column} is a count that was never negative in fit, but row {row} holds "
            "{value:g}. Fit again with rows that hold negative values.",
        )


def _refuse(bad: NDArray[np.bool_], X: Floats, layout: Layout, message: str) -> None:
    if bad.any():
        row, position = map(int, np.argwhere(bad)[0])
        raise ValueError(
            message.format(column=layout.label(position), row=row, value=X[row, position])
        )


def check_known(
    table_name: str,
    unknown: dict[int, list[object]],
    layout: Layout,
    hint: str = "Fit with handle_unknown='smoothed' to score such rows.",
    n_shown: int = 8,
) -> None:
    """Refuse labels that fit did not see, naming column and label."""
    for position, labels in unknown.items():
        known = list(layout.levels[position] or [])
        listed = ", ".join(map(repr, known[:n_shown])) + (", ..." * (len(known) > n_shown))
        raise ValueError(
            f"{layout.label(position)} of {table_name} holds {labels[0]!r}, which was not in "
            f"fit (known: {listed}). {hint}"
        )
