"""Why a row is odd: the cells that do not go with the others, and what would have."""

from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from .._distributions import conditional_in
from .._input import fitted_ensemble, read_fitted, working_bytes
from .._network.ensemble import Ensemble
from .._prediction.scoring import by_chunks, feature_log_density
from .._table.frame import Layout

Floats = NDArray[np.float64]

# Cells of a row whose conditionals are looked at: those whose log-probabilities lack most of
# what is typical of their columns.
N_LOOKED_AT = 12


class Reason(NamedTuple):
    """A cell that does not go with the others of its row."""

    row: int  # position among the rows that were asked about
    column: Any  # name, or position
    cell: Any
    typical: Any  # median, or most probable label
    low: float  # ends of the interval around the median; NaN of labels
    high: float
    chance: float  # that a cell is at least as odd, given the others
    drop: float = 0.0  # nats less likely than what is typical, to tell equal chances apart


def reasons(density: Any, X: Any, typical: Floats, n_cells: int, level: float) -> list[Reason]:
    """Return the oddest cells of each row, the oddest first.

    `typical` are the log-probabilities (D,) that are typical of the columns.
    """
    ensemble, numbers = read_fitted(density, X)
    _, layout = fitted_ensemble(density)
    parts = by_chunks(feature_log_density, ensemble, numbers, working_bytes()) - typical
    rows = numbers[:]
    parts[np.isnan(rows)] = np.inf  # a missing cell is not odd
    looked_at = np.argsort(parts, axis=1, kind="stable")[:, :N_LOOKED_AT]
    found: list[list[Reason]] = [[] for _ in rows]
    for column in np.setdiff1d(looked_at, np.flatnonzero(ensemble.table.constant)).tolist():
        own = np.flatnonzero((looked_at == column).any(axis=1) & ~np.isnan(rows[:, column]))
        if len(own):
            for reason in _of_column(ensemble, layout, rows[own], column, level):
                found[own[reason.row]].append(reason._replace(row=int(own[reason.row])))
    oddest = (sorted(own, key=lambda r: (r.chance, -r.drop))[:n_cells] for own in found)
    return [reason for own in oddest for reason in own]


def _of_column(
    ensemble: Ensemble, layout: Layout, rows: Floats, column: int, level: float
) -> list[Reason]:
    """Return what is to be said of one column's cells of some rows."""
    given, cells = conditional_in(ensemble, layout, rows, [column]), rows[:, column]
    name = column if layout.names is None else layout.names[column]
    levels = layout.levels[column]
    if levels is None:
        return _of_numbers(given, cells, name, level)
    return _of_labels(given, cells, levels, name)


def _of_numbers(given: Any, cells: Floats, name: Any, level: float) -> list[Reason]:
    """Return reasons of numbers: how far they are in the tails of their conditionals."""
    median, (low, high) = given.median(), given.interval(level)
    below = given.cdf(cells)
    above = 1 - given.cdf(np.nextafter(cells, -np.inf))
    chance = np.clip(2 * np.minimum(below, above), 0.0, 1.0)
    logs = given.logpmf if hasattr(given, "logpmf") else given.logpdf
    drop = logs(median) - logs(cells)
    columns = (cells, median, low, high, chance, np.nan_to_num(drop))
    together = np.stack(np.broadcast_arrays(*columns), axis=1).tolist()
    return [Reason(row, name, *values) for row, values in enumerate(together)]


def _of_labels(given: Any, codes: Floats, levels: Any, name: Any) -> list[Reason]:
    """Return reasons of labels: how improbable they are, and those that are no likelier."""
    found = []
    for row, (code, probability) in enumerate(zip(codes, given.probabilities(), strict=True)):
        known = 0 <= code < len(probability)
        own = probability[int(code)] if known else 0.0
        chance = float(probability[probability <= own].sum()) if known else 0.0
        likeliest = int(probability.argmax())
        label = levels[int(code)] if known else "unknown"
        drop = float(np.log(probability[likeliest]) - np.log(max(own, 1e-300)))
        found.append(
            Reason(row, name, label, given.support[likeliest], np.nan, np.nan, chance, drop)
        )
    return found


def as_table(found: list[Reason], X: Any) -> Any:
    """Return reasons as a table of the kind that X is of; for an array, a structured one."""
    names = Reason._fields[:-1]
    columns = {name: [getattr(reason, name) for reason in found] for name in names}
    for name in ("column", "cell", "typical"):
        columns[name] = _alike(columns[name])
    frame = nw.from_native(X, pass_through=True, eager_only=True)
    if isinstance(frame, nw.DataFrame):
        return nw.from_dict(columns, backend=nw.get_native_namespace(frame)).to_native()
    arrays = {name: np.asarray(column) for name, column in columns.items()}
    table = np.empty(len(found), dtype=[(name, own.dtype) for name, own in arrays.items()])
    for name, own in arrays.items():
        table[name] = own
    return table


def _alike(values: list[Any]) -> list[Any]:
    """Return values of one type: numbers, or all as text."""
    if all(isinstance(value, int | float) for value in values):
        return values
    return [f"{value:.6g}" if isinstance(value, float) else str(value) for value in values]
