"""Rows as values that the network sees, and the way back; the log-Jacobian.

Numbers are standardised and given about the shape of a Gaussian: their images. Labels keep
their codes, missing cells are NaN. What was learned of the columns from the training rows is
a `Table` of plain numpy arrays.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .frame import UNKNOWN
from .marginals import MAX_STANDARDISED, Marginals

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

KINDS = ("continuous", "binary", "categorical", "count")


@dataclass(frozen=True)
class Table:
    """What fit learned of the columns; arrays have shape (n_features,) unless said.

    A number x is standardised to (x / 2**exponent - center) / spread. The power of two is
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
        """Log-slope of standardising each column, zero for those with probabilities."""
        log_scale = np.log(self.spread) + self.exponent * np.log(2.0)
        return np.where(self.kinds == "continuous", -log_scale, 0.0)


@dataclass(frozen=True)
class Cells:
    """The cells of rows in every form that answers ask for; arrays have shape (n, D)."""

    standardised: Floats  # numbers; of labels the codes
    values: Floats  # what the network sees: images, codes, NaN where missing or unknown
    # What values do not say of each cell's log-density: log-Jacobians of continuous columns,
    # with the slopes of their transforms; of labels the mass kept for those that fit did not
    # see, or what is left of it.
    log_factors: Floats
    missing: Booleans
    unknown: Booleans  # labels that fit did not see


def transform(table: Table, X: Floats) -> Cells:
    """Turn rows into every form that answers ask for, each computed once."""
    # Columns are transformed one by one: contiguous they are read much faster.
    X = np.asfortranarray(X)
    standardised = standardise(table, X)
    values, log_factors = table.marginals.forward(standardised)
    log_factors += table.log_jacobian + np.log1p(-table.unknown_mass)
    missing = np.isnan(X)
    log_factors[missing] = 0.0
    unknown = np.asarray((table.n_levels > 0) & (X == UNKNOWN))
    if unknown.any():
        _, columns = np.nonzero(unknown)
        values[unknown] = np.nan
        log_factors[unknown] = np.log(table.unknown_mass[columns])
    return Cells(standardised, values, log_factors, missing, unknown)


def encode(table: Table, X: Floats) -> Floats:
    """Turn rows into what the network sees: images of numbers, codes, NaN where unknown."""
    return transform(table, X).values


def standardise(table: Table, X: Floats) -> Floats:
    """Return numbers less their column's center, over its spread."""
    with np.errstate(over="ignore", under="ignore"):
        standardised = _times_power_of_two(X, -table.exponent)
        standardised -= table.center
        standardised /= table.spread
    return np.clip(standardised, -MAX_STANDARDISED, MAX_STANDARDISED, out=standardised)


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
        standardised = table.marginals.inverse(values)
        X = _times_power_of_two(standardised * table.spread + table.center, table.exponent)
    X = np.clip(X, -largest, largest)
    counts = integers & (table.kinds == "count")
    X[:, counts] = np.rint(X[:, counts])
    return X
