"""What is refused or warned of, in words that name the column, the problem and what to do."""

import inspect
import warnings

import numpy as np
from numpy.typing import NDArray

from .encoding import Table
from .frame import Layout

Floats = NDArray[np.float64]

# An error lists so many of the labels that fit saw.
MAX_LISTED = 8

# A column of labels is taken for free text when it has this many levels, and a level for
# every second row.
MANY_LEVELS = 100


# What may lie between a user's line and a warning: this package, and who calls it for users.
BETWEEN = ("skmade", "sklearn", "joblib", "pickle", "skops")


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line of the user's call, however many calls lie between."""
    frame, level = inspect.currentframe(), 1
    while frame is not None and frame.f_globals["__name__"].partition(".")[0] in BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def warn_constant(table: Table, layout: Layout) -> None:
    """Warn of constant columns, naming them."""
    if not table.constant.any():
        return
    labels = ", ".join(map(layout.label, np.flatnonzero(table.constant).tolist()))
    warn_user(
        f"Constant in fit: {labels}. Their conditionals get the value's own magnitude as "
        "smallest scale, so they say nothing about rows with the same value."
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


def warn_free_text(layout: Layout, n_samples: int) -> None:
    """Warn of columns of labels in which nearly every row has its own."""
    for position in np.flatnonzero(layout.n_levels >= max(MANY_LEVELS, n_samples / 2)):
        warn_user(
            f"{layout.label(int(position))} has {layout.n_levels[position]} levels in "
            f"{n_samples} rows. If it is free text or an identifier, drop it."
        )
