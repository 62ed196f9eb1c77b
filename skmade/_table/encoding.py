"""Rows as values that the network sees, and the way back; the log-Jacobian.

Numbers are standardised and given about the shape of a Gaussian: their images. Labels keep
their codes, missing cells are NaN. What was learned of the columns from the training rows is
a `Table` of plain numpy arrays.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .frame import UNKNOWN
from .grid import NO_GRID, SINGLE, Grid
from .ladder import Ladder
from .marginals import MAX_STANDARDISED, Marginals

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

KINDS = ("continuous", "binary", "categorical", "count")


@dataclass(frozen=True)
class Table:
    """What fit learned of the columns; arrays have shape (n_features,) unless said.

    A number x is standardised to (x / 2**exponent - center) / spread. The power of two is
    exact and keeps columns of any magnitude clear of overflow. Of a count that was recorded in
    steps x is the number of its rung. The network sees its image under the column's marginal
    transform; counts and labels have none.
    """

    kinds: NDArray[np.str_]
    n_levels: NDArray[np.int64]  # 0 for numbers
    exponent: NDArray[np.int64]
    center: Floats
    spread: Floats
    marginals: Marginals
    scale_floor: Floats  # smallest scale of a conditional, of images
    grids: NDArray[np.int64]  # (n_features, 3), see `Grid`
    atoms: Floats  # (n_features, n), values that recur often, as recorded; else NaN
    atom_images: Floats  # (n_features, n)
    atom_scales: Floats  # (n_features, n), of images
    codes: Floats  # (n_features, n), the only values of some counts; else NaN
    ends: Floats  # (2, n_features), the lowest and the highest number that is drawn
    edges: Floats  # (2, n_features), beyond them there is no density
    constant: NDArray[np.bool_]
    missing: Floats  # share of cells that were missing in fit, by weight
    absent: Floats  # (n_features, n), levels that no row had; else NaN
    unseen_mass: Floats  # kept for levels that no row had, and for other values
    smoothed: bool  # whether it is kept for values that were not declared, too

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Table":
        """Rebuild a table from `dataclasses.asdict`."""
        state = _as_now(state) if "lowest" in state else state
        return cls(**{**state, "marginals": Marginals(**state["marginals"])})

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return len(self.kinds)

    @property
    def numeric(self) -> NDArray[np.bool_]:
        """Which columns are standardised."""
        return np.isin(self.kinds, ("continuous", "count"))

    def only(self, column: int) -> "Table":
        """Return what was learned of one column, as a table of it alone."""
        by_column = {"ends", "edges"}  # (2, n_features); all others begin with the columns
        parts: dict[str, Any] = {}
        for field in fields(self):
            part = getattr(self, field.name)
            if isinstance(part, np.ndarray) and part.ndim:
                part = part[:, [column]] if field.name in by_column else part[[column]]
            parts[field.name] = part.only(column) if field.name == "marginals" else part
        return Table(**parts)

    def ladders(self) -> Iterator[tuple[int, Ladder]]:
        """Yield the counts that were recorded in steps, with their rungs."""
        stepped = (self.kinds == "count") & (self.grids[:, 1] > 1) & ~self.constant
        for column in np.flatnonzero(stepped & np.isnan(self.codes).all(axis=1)).tolist():
            _, multiple, offset = self.grids[column].tolist()
            yield column, Ladder.of(multiple, offset, self.atoms[column])

    @property
    def n_labels(self) -> NDArray[np.int64]:
        """Number of labels of each column: two of a binary one, none of numbers."""
        return np.where(self.kinds == "binary", 2, self.n_levels)

    @property
    def log_jacobian(self) -> Floats:
        """Log-slope of standardising each column, zero for those with probabilities."""
        log_scale = np.log(self.spread) + self.exponent * np.log(2.0)
        return np.where(self.kinds == "continuous", -log_scale, 0.0)

    @property
    def edge_images(self) -> Floats:
        """Images of the edges of continuous columns, (2, n_features); infinite for none."""
        images = self.marginals.forward(standardise(self, self.edges))[0]
        known = np.isfinite(self.edges) & (self.kinds == "continuous")
        return np.where(known, images, np.array([[-np.inf], [np.inf]]))

    @property
    def log_unseen(self) -> Floats:
        """Log of the mass of each value that no row had; minus infinity for none."""
        n_unseen = (~np.isnan(self.absent)).sum(axis=1) + self.smoothed
        with np.errstate(divide="ignore"):
            return np.log(self.unseen_mass) - np.log(np.maximum(n_unseen, 1))


def _as_now(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state that version 0.1.0 saved, with the names and fields of now.

    It knew no grids, no end but zero of counts, and constant columns had a law like others.
    """
    renamed = {
        "recurring": "atom_images",
        "recurring_scale": "atom_scales",
        "unknown_mass": "unseen_mass",
    }
    state = {renamed.get(name, name): value for name, value in state.items()}
    n_features = len(state["kinds"])
    low, high = state.pop("lowest"), np.full(n_features, np.inf)
    endless = np.array([[-np.inf], [np.inf]]) * np.ones(n_features)
    return {
        **state,
        "marginals": {**state["marginals"], "bounds": endless},
        "grids": np.array([NO_GRID] * n_features),
        "atoms": np.full_like(state["atom_images"], np.nan),
        "codes": np.empty((n_features, 0)),
        "ends": np.stack([low, high]),
        "edges": np.stack([low - 0.5, high]),
        "constant": np.zeros(n_features, dtype=bool),
        "absent": np.empty((n_features, 0)),
        "smoothed": bool((state["unseen_mass"] > 0).any()),
    }


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
    unseen: Booleans  # labels, zeros and ones that no row of fit had
    outside: Booleans  # numbers beyond the edges of their columns


def transform(table: Table, X: Floats) -> Cells:
    """Turn rows into every form that answers ask for, each computed once."""
    # Columns are transformed one by one: contiguous they are read much faster.
    X = np.asfortranarray(X)
    standardised = standardise(table, X)
    values, log_factors = table.marginals.forward(standardised)
    log_factors += table.log_jacobian + np.log1p(-table.unseen_mass)
    missing = np.isnan(X)
    for column, ladder in table.ladders():
        log_factors[:, column] = _log_share(table, column, ladder, X[:, column])
    log_factors[missing] = 0.0
    unseen = unseen_cells(table, X)
    if unseen.any():
        _, columns = np.nonzero(unseen)
        values[unseen] = np.nan
        log_factors[unseen] = table.log_unseen[columns]
    return Cells(standardised, values, log_factors, missing, unseen, outside_cells(table, X))


def _log_share(table: Table, column: int, ladder: Ladder, X: Floats) -> Floats:
    """Log-share (n,) that numbers have of the mass of their rung, with those beside it."""
    low, high = table.edges[:, column]
    rungs = ladder.nearest(X, *table.ends[:, column])
    n_beside = ladder.n_beside(rungs, np.ceil(low), np.floor(high))
    beside = table.unseen_mass[column]
    on_rung = np.where(n_beside > 0, 1 - beside, 1.0)
    return np.log(np.where(rungs == X, on_rung, beside / np.maximum(n_beside, 1.0)))


def unseen_cells(table: Table, X: Floats) -> Booleans:
    """Which cells hold labels that no row of fit had, or numbers beside zero and one."""
    labelled = table.n_levels > 0
    unseen = labelled & (X == UNKNOWN)
    for codes in table.absent.T:
        unseen |= codes == X
    numbers = ~labelled & (table.kinds == "binary")
    if numbers.any():
        unseen |= numbers & ~np.isnan(X) & (X != 0) & (X != 1)
    return np.asarray(unseen)


def outside_cells(table: Table, X: Floats) -> Booleans:
    """Which cells lie beyond the edges of their columns, by more than rounding noise."""
    low, high = table.edges
    room = SINGLE * np.abs(table.edges)
    room[~np.isfinite(room)] = 0.0
    return np.asarray((low - room[0] > X) | (high + room[1] < X))


def encode(table: Table, X: Floats) -> Floats:
    """Turn rows into what the network sees: images of numbers, codes, NaN where unknown."""
    return transform(table, X).values


def standardise(table: Table, X: Floats) -> Floats:
    """Return numbers less their column's center, over its spread."""
    with np.errstate(over="ignore", under="ignore"):
        standardised = _times_power_of_two(X, -table.exponent)
        for column, ladder in table.ladders():
            rungs = ladder.nearest(X[:, column], *table.ends[:, column])
            standardised[:, column] = ladder.index(rungs)
        standardised -= table.center
        standardised /= table.spread
    return np.clip(standardised, -MAX_STANDARDISED, MAX_STANDARDISED, out=standardised)


def _times_power_of_two(values: Floats, exponent: NDArray[np.int64]) -> Floats:
    """Multiply columns by powers of two, which is exact."""
    power = np.ldexp(1.0, exponent)
    # A power that is no normal number needs the slower way.
    normal = np.isfinite(power) & (power > np.finfo(np.float64).tiny)
    return values * power if normal.all() else np.asarray(np.ldexp(values, exponent))


def decode(table: Table, values: Floats, as_recorded: bool = True) -> Floats:
    """Turn values of the network back into rows, the inverse of `encode`.

    As numbers were recorded: atoms exactly, others on their column's grid and between its
    ends. Without `as_recorded` (as for means) only the ends hold.
    """
    standardised = table.marginals.inverse(values)
    X = to_cells(table, standardised, as_recorded)
    if as_recorded:
        for atom, image in zip(table.atoms.T, table.atom_images.T, strict=True):
            X = np.where((values == image) & ~np.isnan(atom), atom, X)
    return X


def to_cells(table: Table, standardised: Floats, as_recorded: bool = True) -> Floats:
    """Turn standardised numbers, and codes, into rows, as `decode` does."""
    largest = np.finfo(np.float64).max
    with np.errstate(over="ignore", under="ignore"):
        X = _times_power_of_two(standardised * table.spread + table.center, table.exponent)
    stepped = np.zeros(table.n_features, dtype=bool)
    for column, ladder in table.ladders():
        stepped[column] = True
        index = np.rint(X[:, column]) if as_recorded else X[:, column]
        X[:, column] = ladder.rung(index)
    X = np.clip(X, np.maximum(table.ends[0], -largest), np.minimum(table.ends[1], largest))
    if not as_recorded:
        return X
    counts = table.kinds == "count"
    X[:, counts] = np.rint(X[:, counts])
    on_grid = (table.grids[:, 0] >= 0) & table.numeric & ~stepped
    for column in np.flatnonzero(on_grid).tolist():
        grid, ends = Grid(*table.grids[column].tolist()), table.ends[:, column].tolist()
        X[:, column] = grid.nearest(X[:, column], *ends)
    return X


def known_range(table: Table) -> Floats:
    """Between which numbers (2, D) of a column the network has something to say."""
    farthest = np.where(np.isfinite(table.marginals.farthest), table.marginals.farthest, 0.0)
    found = decode(table, np.stack([-farthest, farthest]))
    found = np.where(farthest > 0, found, [[-np.inf], [np.inf]])
    return np.stack([np.maximum(found[0], table.ends[0]), np.minimum(found[1], table.ends[1])])
