"""Why a row is odd: the cells that do not go with the others, and what would have."""

from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from .._distributions import conditional_in
from .._input import fitted_ensemble, read_fitted, working_bytes
from .._prediction.scoring import by_chunks, feature_log_density
from .._table.encoding import Table, to_cells
from .._table.frame import collected, open_filled
from .._table.layout import Layout

Floats = NDArray[np.float64]

# Cells of a row whose conditionals are looked at: those whose log-probabilities lack most of
# what is typical of their columns.
N_LOOKED_AT = 12

# A number is as odd as its surroundings are thin: it is set beside so many quantiles of its
# distribution, by the probability within this share of the distance of the outer tenths.
N_QUANTILES, WIDTH = 400, 0.02


class Reason(NamedTuple):
    """A cell that does not go with the others of its row."""

    row: int  # position among the rows that were asked about
    column: Any  # name, or position
    cell: Any
    typical: Any  # median, or most probable label
    low: Any  # ends of the interval around the median; NaN of labels
    high: Any
    chance: float  # that a cell is at least as odd, given the others
    drop: float = 0.0  # nats less likely than what is typical, to tell equal chances apart


def reasons(density: Any, X: Any, typical: Floats, n_cells: int, level: float) -> list[Reason]:
    """Return the oddest cells of each row, the oddest first.

    `typical` are the log-probabilities (D,) that are typical of the columns.
    """
    ensemble, numbers = read_fitted(density, X)
    _, layout = fitted_ensemble(density)
    parts = by_chunks(feature_log_density, ensemble, numbers, working_bytes()) - typical
    rows, constants = numbers[:], _constants(ensemble.table)
    parts[np.isnan(rows) | (rows == constants)] = np.inf  # these are not odd
    looked_at = np.argsort(parts, axis=1, kind="stable")[:, :N_LOOKED_AT]
    frame, found = open_filled(X), []
    for column in np.unique(looked_at).tolist():
        own = np.flatnonzero((looked_at == column).any(axis=1) & (parts[:, column] < np.inf))
        if not len(own):
            continue
        name = column if layout.names is None else layout.names[column]
        if ensemble.table.constant[column] and layout.levels[column] is None:
            held = float(constants[column])
            found += _shown(_of_constant(own, rows[own, column], name, held), layout, column)
            continue
        given = conditional_in(ensemble, layout, rows[own], [column])
        if layout.levels[column] is None:
            of_numbers = _of_numbers(given, own, rows[own, column], name, level)
            found += _shown(of_numbers, layout, column)
        else:
            found += _of_labels(given, own, rows[own, column], name, _cells(frame, column))
    found.sort(key=lambda reason: (reason.row, reason.chance, -reason.drop))
    place = np.arange(len(found)) - np.searchsorted(
        [reason.row for reason in found], [reason.row for reason in found]
    )
    return [reason for reason, k in zip(found, place, strict=True) if k < n_cells]


def _shown(found: list[Reason], layout: Layout, column: int) -> list[Reason]:
    """Return reasons with dates and durations as people write them, to the second."""
    clock = layout.clocks[column]
    if clock is None:
        return found
    return [
        reason._replace(
            cell=clock.shown(reason.cell),
            typical=clock.shown(np.rint(reason.typical)),
            low=clock.shown(np.rint(reason.low)),
            high=clock.shown(np.rint(reason.high)),
        )
        for reason in found
    ]


def _constants(table: Table) -> Floats:
    """Return the number that each column of one number holds; NaN of others."""
    held = to_cells(table, np.zeros((1, table.n_features)))[0]
    return np.where(table.constant & (table.n_levels == 0), held, np.nan)


def _cells(frame: Any, column: int) -> list[Any]:
    """Return the cells of a column as the user wrote them."""
    cells = frame[:, column]
    return list(cells.to_list() if isinstance(frame, nw.DataFrame) else np.asarray(cells))


def _of_constant(own: Any, cells: Floats, name: Any, held: float) -> list[Reason]:
    """Return reasons of cells in a column that held another number alone."""
    pairs = zip(own.tolist(), cells.tolist(), strict=True)
    return [Reason(row, name, cell, held, held, held, 0.0, np.inf) for row, cell in pairs]


def _of_numbers(given: Any, own: Any, cells: Floats, name: Any, level: float) -> list[Reason]:
    """Return reasons of numbers: how thin their conditionals are around them.

    Where no quantile is in a thinner place, a cell is in a tail, and as odd as that is small.
    """
    median, (low, high) = given.median(), given.interval(level)
    levels = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES
    quantiles = given.ppf(levels[None])
    width = WIDTH * (given.ppf(0.9) - given.ppf(0.1))
    width = np.maximum(width, 0.5 if hasattr(given, "logpmf") else 0.0)[:, None]

    def mass_around(values: Floats) -> Floats:
        below = given.cdf(np.nextafter(values - width, -np.inf))
        return np.asarray(given.cdf(values + width) - below)

    around, beside = mass_around(cells[:, None]), mass_around(quantiles)
    thinner = (beside <= around * (1 + 1e-6)).mean(axis=1)
    below, above = given.cdf(cells), 1 - given.cdf(np.nextafter(cells, -np.inf))
    tail = np.clip(2 * np.minimum(below, above), 0.0, 1 / N_QUANTILES)
    logs = given.logpmf if hasattr(given, "logpmf") else given.logpdf
    drop = np.nan_to_num(logs(median) - logs(cells))
    columns = (cells, median, low, high, np.maximum(thinner, tail), drop)
    together = np.stack(np.broadcast_arrays(*columns), axis=1).tolist()
    pairs = zip(own.tolist(), together, strict=True)
    return [Reason(row, name, *values) for row, values in pairs]


def _of_labels(
    given: Any, own: Any, codes: Floats, name: Any, cells: list[Any]
) -> list[Reason]:
    """Return reasons of labels: how improbable they are, and those that are no likelier."""
    found = []
    rows = zip(own.tolist(), codes, given.probabilities(), strict=True)
    for row, code, probability in rows:
        known = 0 <= code < len(probability)
        here = float(probability[int(code)]) if known else 0.0
        chance = float(probability[probability <= here].sum()) if known else 0.0
        likeliest = int(probability.argmax())
        drop = float(np.log(probability[likeliest]) - np.log(max(here, 1e-300)))
        label = given.support[likeliest]
        found.append(Reason(row, name, cells[row], label, np.nan, np.nan, chance, drop))
    return found


def as_table(found: list[Reason], X: Any, layout: Layout) -> Any:
    """Return reasons as a table of the kind that X is of; for an array, a structured one.

    Where columns hold labels, cells of all columns are text; where they hold dates or
    durations, so are the ends of intervals.
    """
    names = Reason._fields[:-1]
    columns = {name: [_plain(getattr(reason, name)) for reason in found] for name in names}
    timed = any(layout.clocks)
    if timed or any(levels is not None for levels in layout.levels):
        for name in ("cell", "typical", *(("low", "high") if timed else ())):
            columns[name] = [_as_text(value) for value in columns[name]]
    if layout.names is not None:
        columns["column"] = _alike(columns["column"])
    frame = nw.from_native(collected(X), pass_through=True, eager_only=True)
    if isinstance(frame, nw.DataFrame):
        return nw.from_dict(columns, backend=nw.get_native_namespace(frame)).to_native()
    arrays = {name: np.asarray(column) for name, column in columns.items()}
    if not found:
        arrays["row"] = arrays["column"] = np.empty(0, dtype=np.int64)
    table = np.empty(len(found), dtype=[(name, own.dtype) for name, own in arrays.items()])
    for name, own in arrays.items():
        table[name] = own
    return table


def _plain(value: Any) -> Any:
    """Return a number of numpy as one of Python."""
    return value.item() if isinstance(value, np.generic) else value


def _as_text(value: Any) -> str:
    """Write a cell; of numbers as many digits as tell it from others."""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _alike(names: list[Any]) -> list[Any]:
    """Return names of one type: all as text, but for numbers alone."""
    alike = len({type(name) for name in names}) <= 1 and not any(
        isinstance(name, tuple) for name in names
    )
    return names if alike else [str(name) for name in names]
