"""What is refused or warned of, in words that name the column, the problem and what to do."""

import inspect
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .encoding import Table, known_range, outside_cells, transform
from .layout import Layout
from .rebuild import to_table
from .regions import Asked
from .texts import in_python, reading
from .times import WORDS

Floats = NDArray[np.float64]

# An error lists so many of the labels that fit saw.
MAX_LISTED = 8

# Labels are taken for identifiers or free text if there are so many, and one for every second
# row; text also from fewer rows on, if it has one for so many of them.
MANY_LEVELS, FEW_ROWS, MOST_ROWS = 100, 20, 0.8


# What may lie between a user's line and a warning: this package, and who calls it for users.
BETWEEN = ("skmade", "sklearn", "joblib", "pickle", "skops")


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line of the user's call, however many calls lie between."""
    frame, level = inspect.currentframe(), 1
    while frame is not None and frame.f_globals["__name__"].partition(".")[0] in BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Name the table in errors of scikit-learn, which call every table X."""
    try:
        yield
    except ValueError as error:
        if name == "X":
            raise
        said = str(error)
        told = f"{name}{said[1:]}" if said.startswith("X ") else f"{name}: {said}"
        raise ValueError(told) from error


def warn_constant(table: Table, layout: Layout) -> None:
    """Warn of constant columns, naming them."""
    if not table.constant.any():
        return
    labels = ", ".join(map(layout.label, np.flatnonzero(table.constant).tolist()))
    warn_user(
        f"Constant in fit: {labels}. They say nothing about rows with the same value, and "
        "every other value is outside of what is possible. Drop them if they vary elsewhere."
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


def check_binary(
    unseen: NDArray[np.bool_], X: Floats, layout: Layout, first_row: int = 0
) -> None:
    """Refuse numbers in binary columns that are not 0 or 1, naming column, row and value.

    `first_row` is the position of these rows in the user's table.
    """
    _refuse(
        unseen & (layout.n_levels == 0),
        X,
        layout,
        first_row,
        "{column} is binary, as it held only 0 and 1 in fit or was declared so, but row {row} "
        "holds {value}. Fit with handle_unknown='smoothed' to score such rows, or with "
        "feature_types='continuous' for this column if it can take other values.",
    )


def check_new_cells(
    kinds: NDArray[np.str_],
    bounds: Floats | None,
    X: Floats,
    layout: Layout,
    first_row: int = 0,
) -> None:
    """Refuse numbers of a table to learn from that their column's kind or bounds exclude."""
    numbers = (layout.n_levels == 0) & ~np.isnan(X)
    check_binary(numbers & (kinds == "binary") & (X != 0) & (X != 1), X, layout, first_row)
    _refuse(
        numbers & (kinds == "count") & (np.rint(X) != X),
        X,
        layout,
        first_row,
        "{column} is a count, but row {row} holds {value}. Declare it 'continuous' in "
        "feature_types if its values need not be integers.",
    )
    if bounds is None:
        return
    _refuse(
        numbers & ((bounds[0] > X) | (bounds[1] < X)),
        X,
        layout,
        first_row,
        "{column} holds {value} in row {row}, outside of its bounds. Widen them, or remove "
        "the row.",
    )


def warn_far(table: Table, X: Floats, layout: Layout) -> None:
    """Warn of numbers so far out that nothing is known of rows which hold them."""
    cells = transform(table, X)
    beyond = (table.marginals.beyond_edge(cells.values) | cells.outside) & table.numeric
    for column in np.flatnonzero(beyond.any(axis=0)).tolist():
        low, high = known_range(table)[:, column].tolist()
        value = X[np.argmax(beyond[:, column]), column]
        value, low, high = (layout.shown(column, end) for end in (value, low, high))
        warn_user(
            f"In {layout.label(column)} there is {value}, far from all that fit saw: beyond "
            f"{low} and {high} nothing is known of the other columns. What is drawn given "
            "this cell follows a broad law of independent columns, as its score does. Check "
            "the value and its unit, or fit rows that have such values."
        )


def check_edges(table: Table, X: Floats, layout: Layout, first_row: int = 0) -> None:
    """Refuse numbers beyond the edges of their columns, naming column, row and value."""
    _refuse(
        outside_cells(table, X),
        X,
        layout,
        first_row,
        "{column} holds {value} in row {row}, beyond what the first fit found possible: its "
        "bounds, a smallest or largest value that recurred, or the only one. Fit again from "
        "the start, with such rows.",
    )


def check_given(table: Table, X: Floats, layout: Layout) -> None:
    """Refuse given cells that no row can have, as nothing follows from them."""
    cells = transform(table, X)
    impossible = cells.unseen | cells.outside
    counts = (table.kinds == "count") & ~np.isnan(X)
    impossible |= counts & (np.rint(X) != X)
    for row, position in np.argwhere(impossible):
        raise ValueError(
            f"{layout.label(position)} is given as {layout.shown(position, X[row, position])}, "
            f"which no row can be: {_possible(table, position, layout)}. Give another value."
        )


def check_interval(
    asked: Asked, table: Table, column: int, low: float, high: float, layout: Layout
) -> None:
    """Refuse an interval in which no row can be, as nothing follows from it."""
    if asked.values is not None and len(asked.values) == 0:
        raise ValueError(
            f"{layout.label(column)} is given between {layout.shown(column, low)} and "
            f"{layout.shown(column, high)}, where no row can be: "
            f"{_possible(table, column, layout)}. Give another interval."
        )


def _possible(table: Table, position: int, layout: Layout) -> str:
    """Say what a column can hold."""

    def shown(number: float) -> str:
        return layout.shown(position, number)

    if table.kinds[position] == "categorical":
        return "no row of fit held this level"
    if table.kinds[position] == "binary":
        return "it holds 0 or 1"
    if table.constant[position]:
        return f"it was {shown(table.ends[0, position])} in every row of fit"
    codes = table.codes[position]
    if not np.isnan(codes).all():
        return f"it holds {', '.join(f'{code:g}' for code in codes[~np.isnan(codes)])}"
    low, high = table.ends[:, position]
    decimals, multiple, _ = table.grids[position].tolist()
    if table.kinds[position] == "count":
        kind = "whole numbers" + (f" in steps of {multiple}" if multiple > 1 else "")
    elif decimals < 0:
        kind = "numbers"
    else:
        kind = f"numbers in steps of {multiple / 10.0**decimals:g}"
    clock = layout.clocks[position]
    if clock is not None:
        kind = WORDS[clock.kind]
    return f"it holds {kind} from {shown(low)} to {shown(high)}"


def _refuse(
    bad: NDArray[np.bool_], X: Floats, layout: Layout, first_row: int, message: str
) -> None:
    if bad.any():
        row, position = map(int, np.argwhere(bad)[0])
        value = X[row, position]
        raise ValueError(
            message.format(
                column=layout.label(position),
                row=first_row + row,
                value=layout.shown(position, value),
            )
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


def warn_not_rebuilt(layout: Layout, frame: Any) -> None:
    """Warn of columns that will not come back as they are: of a table without rows."""
    if layout.container == "array":
        return
    remembered = Layout.from_state(layout.to_state())
    lost = False
    for position in range(len(layout.levels)):
        try:
            to_table(remembered.only(position), np.empty((0, 1)))
        except Exception as error:  # whatever libraries raise about dtypes that we do not know
            lost = True
            warn_user(
                f"{layout.label(position)} can't be made from what is remembered of it "
                f"({error}): rows can be scored, but not drawn or completed. Convert it to "
                "another dtype."
            )
    if lost:
        return
    rebuilt = to_table(remembered, np.empty((0, len(layout.levels))))
    for position, (own, other) in enumerate(zip(frame.dtypes, rebuilt.dtypes, strict=True)):
        as_declared = layout.levels[position] is None and layout.lists_labels(position)
        if own != other and not as_declared:
            warn_user(
                f"{layout.label(position)} is of {own!r}, and will be drawn as {other!r}: "
                "convert it if it matters."
            )
    index = getattr(frame.columns, "equals", None)
    if index is not None and not (
        index(rebuilt.columns) and list(frame.columns.names) == list(rebuilt.columns.names)
    ):
        warn_user(
            f"The column names are a {type(frame.columns).__name__}, and will be a plain index "
            "where rows are drawn."
        )


def warn_texts(
    layout: Layout, declared: Sequence[str], table: Table, n_observed: NDArray[np.int64]
) -> None:
    """Warn of text that means something else, and of text that tells rows apart.

    What a column is declared to hold is not told of, but personal text is.
    """
    for position, labels in enumerate(layout.levels):
        if labels is None:
            continue
        label, names = layout.label(position), layout.names
        settled = layout.lists_labels(position) or declared[position] != "auto"
        found = None if settled else reading(labels)
        if found is not None:
            how = in_python(found, position if names is None else names[position])
            warn_user(
                f"{label} holds text, taken for {len(labels)} labels, that means "
                f"{found.means}. Read it {how}; or declare it by feature_types='categorical'."
            )
        elif tells_rows_apart(layout, position, table, n_observed):
            warn_user(
                f"{label} has {n_used(table, position)} levels in {n_observed[position]} rows. "
                "If it is an identifier or personal text, drop it: draws hold it verbatim."
            )


def n_used(table: Table, position: int) -> int:
    """Return how many levels of a column some row has."""
    return int(table.n_levels[position] - np.isfinite(table.absent[position]).sum())


def tells_rows_apart(
    layout: Layout, position: int, table: Table, n_observed: NDArray[np.int64]
) -> bool:
    """Whether a column has so many labels in so few rows that nearly each has its own."""
    labels, n_rows = layout.levels[position], n_observed[position]
    used = n_used(table, position)
    if labels is None or used >= max(MANY_LEVELS, n_rows / 2):
        return labels is not None
    dtype = layout.dtype(position)
    in_order = layout.lists_labels(position) and isinstance(dtype, list) and dtype[-1] is True
    if in_order or n_rows < FEW_ROWS or used < MOST_ROWS * n_rows:
        return False
    return all(isinstance(label, str) for label in labels) and reading(labels) is None
