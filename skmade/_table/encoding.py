"""The table: kinds of features, encoding to values of the network and back, log-Jacobian.

Numbers are standardised and given about the shape of a Gaussian, labels keep their codes,
missing cells are NaN. What was learned of the columns from the training rows is a `Table` of
plain numpy arrays.
"""

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .column import learn_column
from .frame import UNKNOWN, Layout
from .marginals import MAX_UNIT, MIN_REACH, Marginals, choose_marginals

Floats = NDArray[np.float64]

KINDS = ("continuous", "binary", "categorical", "count")

# An error lists so many of the labels that fit saw.
MAX_LISTED = 8


@dataclass(frozen=True)
class Table:
    """What fit learned of the columns; arrays have shape (n_features,) unless said.

    A number x has the unit u = (x / 2**exponent - center) / spread. The power of two is
    exact and keeps columns of any magnitude clear of overflow. The network sees its image
    under the column's marginal transform; counts and labels have none.
    """

    kinds: NDArray[np.str_]
    n_levels: NDArray[np.int64]  # 0 for numbers
    exponent: NDArray[np.int64]
    center: Floats
    spread: Floats
    marginals: Marginals
    scale_floor: Floats  # smallest scale of a conditional, of images
    lowest: Floats  # smallest value of a count, minus infinity if there is none
    recurring: Floats  # (n_features, n), images of values that recur often, else NaN
    recurring_scale: Floats  # (n_features, n)
    constant: NDArray[np.bool_]
    missing: Floats  # share of cells that were missing in fit, by weight
    unknown_mass: Floats  # kept for labels that fit did not see

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Table":
        """Rebuild a table from `dataclasses.asdict`."""
        return cls(**{**state, "marginals": Marginals(**state["marginals"])})

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return len(self.kinds)

    @property
    def numeric(self) -> NDArray[np.bool_]:
        """Which columns are standardised."""
        return np.isin(self.kinds, ("continuous", "count"))

    @property
    def n_labels(self) -> NDArray[np.int64]:
        """Number of labels of each column: two of a binary one, none of numbers."""
        return np.where(self.kinds == "binary", 2, self.n_levels)

    @property
    def log_jacobian(self) -> Floats:
        """Log of d u / d x for each column, zero for those with probabilities."""
        log_scale = np.log(self.spread) + self.exponent * np.log(2.0)
        return np.where(self.kinds == "continuous", -log_scale, 0.0)


def resolve_kinds(
    words: Sequence[str], zero_one: NDArray[np.bool_], layout: Layout
) -> NDArray[np.str_]:
    """Return the kind of each column; 'auto' calls two labels or zeros and ones binary."""
    kinds = []
    for position, word in enumerate(words):
        n_levels = int(layout.n_levels[position])
        if word == "binary" and n_levels not in (0, 2):
            raise ValueError(
                f"{layout.label(position)} is declared binary but has {n_levels} labels: "
                "declare it 'categorical'."
            )
        if word == "auto" and n_levels:
            word = "binary" if n_levels == 2 else "categorical"
        elif word == "auto":
            word = "binary" if zero_one[position] else "continuous"
        kinds.append(word)
    return np.array(kinds, dtype=np.str_)


def learn_table(
    X: Floats,
    weight: Floats,
    kinds: NDArray[np.str_],
    n_levels: NDArray[np.int64] | None = None,
    smoothed: bool = False,
    min_scale: float | None = None,
) -> Table:
    """Learn location, spread and resolution of each column from rows of positive weight.

    With `smoothed`, labels that are not seen here keep the mass of half a row. With
    `min_scale`, conditionals of continuous columns are no narrower than that, in units.
    """
    n_features = X.shape[1]
    n_levels = np.zeros(n_features, dtype=np.int64) if n_levels is None else n_levels
    observed = ~np.isnan(X)
    share, n_rows = weight / weight.sum(), weight / weight.mean()
    learned = [
        learn_column(column[seen], weight[seen], str(kind), min_scale)
        for column, seen, kind in zip(X.T, observed.T, kinds, strict=True)
    ]
    exponent, center, spread, scale_floor, constant, recurring = zip(*learned, strict=True)
    never_negative = (kinds == "count") & (np.nanmin(X, axis=0) >= 0)
    recurring_units = np.array(
        list(itertools.zip_longest(*recurring, fillvalue=np.nan))
    ).T.reshape(n_features, -1)
    table = Table(
        kinds=kinds,
        n_levels=n_levels,
        exponent=np.array(exponent),
        center=np.array(center),
        spread=np.array(spread),
        marginals=Marginals.identity(n_features),
        scale_floor=np.array(scale_floor),
        lowest=np.where(never_negative, 0.0, -np.inf),
        recurring=recurring_units,
        recurring_scale=np.array(scale_floor)[:, None] * np.ones_like(recurring_units),
        constant=np.array(constant),
        missing=share @ ~observed,
        unknown_mass=np.where(
            smoothed & (n_levels > 0), 0.5 / (n_rows @ observed + 0.5 * (n_levels + 1)), 0.0
        ),
    )
    return _with_marginals(table, X, weight)


def _with_marginals(table: Table, X: Floats, weight: Floats) -> Table:
    """Return the table with transforms of its continuous columns.

    They are fitted to the values that do not recur, since those that do have components of
    their own. Scales follow the slopes.
    """
    units = linear_units(table, X)
    recurs = np.zeros(X.shape, dtype=bool)
    for value, scale in zip(table.recurring.T, table.recurring_scale.T, strict=True):
        recurs |= np.abs(units - value) < scale / 2
    described = ~np.isnan(X) & ~recurs & (table.kinds == "continuous") & ~table.constant
    marginals = choose_marginals(units, weight, described, np.sqrt(12) * table.scale_floor)
    images, log_slopes = marginals.forward(units)
    recurring, recurring_slopes = marginals.forward(table.recurring.T)
    farthest = np.maximum(MIN_REACH, np.nanmax(np.abs(images), axis=0))
    reach = np.where(table.kinds == "continuous", farthest, np.inf)
    return replace(
        table,
        marginals=replace(marginals, reach=reach),
        scale_floor=table.scale_floor * np.exp(np.nanmedian(log_slopes, axis=0)),
        recurring=recurring.T,
        recurring_scale=table.recurring_scale * np.exp(recurring_slopes.T),
    )


def transform(table: Table, X: Floats) -> tuple[Floats, Floats]:
    """Return what the network sees, and what it does not say of each cell's log-density.

    The first is that of `encode`. The second are the log-Jacobians of continuous columns, with
    the slopes of their transforms; and of labels, the mass kept for those that fit did not
    see, or what is left of it.
    """
    values, log_slopes = table.marginals.forward(linear_units(table, X))
    parts = log_slopes + (table.log_jacobian + np.log1p(-table.unknown_mass))
    missing = np.isnan(X)
    if missing.any():
        parts[missing] = 0.0
    if table.n_levels.any():
        rows, columns = np.nonzero(is_unknown(table, X))
        values[rows, columns] = np.nan
        parts[rows, columns] = np.log(table.unknown_mass[columns])
    return values, parts


def encode(table: Table, X: Floats) -> Floats:
    """Turn rows into what the network sees: images of numbers, codes, NaN where unknown."""
    return transform(table, X)[0]


def encode_rows(table: Table, X: Floats) -> tuple[Floats, Floats]:
    """Return what the network sees, and what it does not say of each row's log-density."""
    # Columns are transformed one by one: contiguous they are read much faster.
    values, parts = transform(table, np.asfortranarray(X))
    return values, parts.sum(axis=1)


def linear_units(table: Table, X: Floats) -> Floats:
    """Standardise numbers."""
    with np.errstate(over="ignore", under="ignore"):
        units = _times_power_of_two(X, -table.exponent)
        units -= table.center
        units /= table.spread
    return np.clip(units, -MAX_UNIT, MAX_UNIT, out=units)


def _times_power_of_two(values: Floats, exponent: NDArray[np.int64]) -> Floats:
    """Multiply columns by powers of two, which is exact."""
    power = np.ldexp(1.0, exponent)
    # A power that is no normal number needs the slower way.
    normal = np.isfinite(power) & (power > np.finfo(np.float64).tiny)
    return values * power if normal.all() else np.asarray(np.ldexp(values, exponent))


def decode(table: Table, values: Floats, integers: bool = True) -> Floats:
    """Turn values of the network back into rows, the inverse of `encode`.

    Counts are integers again, unless `integers` is false (as for their means).
    """
    largest = np.finfo(np.float64).max
    with np.errstate(over="ignore", under="ignore"):
        units = table.marginals.inverse(values)
        X = _times_power_of_two(units * table.spread + table.center, table.exponent)
    X = np.clip(X, -largest, largest)
    counts = integers & (table.kinds == "count")
    X[:, counts] = np.rint(X[:, counts])
    return X


def is_unknown(table: Table, X: Floats) -> NDArray[np.bool_]:
    """Which cells hold a label that fit did not see."""
    return np.asarray((table.n_levels > 0) & (X == UNKNOWN))


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


def check_cells(n_infinite: NDArray[np.int64], layout: Layout, name: str = "X") -> None:
    """Refuse infinite cells, naming the column."""
    if not n_infinite.any():
        return
    position = int(np.flatnonzero(n_infinite)[0])
    raise ValueError(
        f"Input {name} contains infinity in {layout.label(position)} "
        f"({n_infinite[position]} rows). inf is never a value: remove these rows, "
        "or make the cells missing (NaN)."
    )


def check_present(n_observed: NDArray[np.int64], layout: Layout) -> None:
    """Refuse columns of which fit sees no cell, naming the first."""
    empty = np.flatnonzero(n_observed == 0)
    if len(empty):
        raise ValueError(
            f"Input X contains NaN in every row of {layout.label(int(empty[0]))}: there is "
            "nothing to learn of it. Drop the column."
        )


def check_kinds(
    kinds: NDArray[np.str_],
    X: Floats,
    layout: Layout,
    lowest: Floats | None = None,
    first_row: int = 0,
) -> None:
    """Refuse values that a kind cannot take, naming column, row and value.

    `first_row` is the position of these rows in the user's table.
    """
    unlabelled = layout.n_levels == 0
    observed = ~np.isnan(X)
    not_binary = unlabelled & (kinds == "binary") & observed & ~np.isin(X, (0, 1))
    _refuse(
        not_binary,
        X,
        layout,
        first_row,
        "{column} is binary, as it held only 0 and 1 in fit or was declared so, but row {row} "
        "holds {value:g}. Fit again with feature_types='continuous' for this column if it can "
        "take other values.",
    )
    counts = (kinds == "count") & observed
    _refuse(
        counts & (np.rint(X) != X),
        X,
        layout,
        first_row,
        "{column} is a count, but row {row} holds {value:g}. Declare it 'continuous' in "
        "feature_types if its values need not be integers.",
    )
    if lowest is not None:
        _refuse(
            counts & (lowest > X),
            X,
            layout,
            first_row,
            "{column} is a count that was never negative in fit, but row {row} holds "
            "{value:g}. Fit again with rows that hold negative values.",
        )


def _refuse(
    bad: NDArray[np.bool_], X: Floats, layout: Layout, first_row: int, message: str
) -> None:
    if bad.any():
        row, position = map(int, np.argwhere(bad)[0])
        value = X[row, position]
        raise ValueError(
            message.format(column=layout.label(position), row=first_row + row, value=value)
        )


def check_known(
    table_name: str,
    unknown: dict[int, list[object]],
    layout: Layout,
    hint: str = "Fit with handle_unknown='smoothed' to score such rows.",
) -> None:
    """Refuse labels that fit did not see, naming column and label."""
    for position, labels in unknown.items():
        known = list(layout.levels[position] or [])
        more = ", ..." if len(known) > MAX_LISTED else ""
        listed = ", ".join(map(repr, known[:MAX_LISTED])) + more
        raise ValueError(
            f"{layout.label(position)} of {table_name} holds {labels[0]!r}, which was not in "
            f"fit (known: {listed}). {hint}"
        )
