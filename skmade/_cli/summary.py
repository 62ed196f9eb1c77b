"""What `skmade fit` prints: what it made of each column, and what it learned."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from sklearn.base import clone

from .._density import MADEDensity
from .._input import NewTable, read_new_table
from .._table.checks import n_used, tells_rows_apart
from .._table.encoding import Table
from .._table.learning import learn_table
from .form import option

# So many columns are listed, with so many of their levels, in lines of about this width.
MAX_COLUMNS, MAX_LEVELS, MAX_WIDTH = 40, 4, 40

HEAD = ("", "column", "kind", "read as", "levels or LOW:HIGH", "missing")


def look_at(density: MADEDensity, table: pd.DataFrame) -> tuple[NewTable, Table]:
    """Read a table as fit will, and learn the kinds of its columns, not their transforms."""
    density._validate_params()  # as fit does, before a line is printed
    looking = clone(density)
    new = read_new_table(looking, table)
    learned = learn_table(
        new.numbers.__getitem__,
        None,
        new.survey,
        new.kinds,
        new.layout.n_levels,
        0,
        bounds=new.bounds,
        shaped=False,
    )
    return new, learned


def describe_columns(
    table: pd.DataFrame, what: Mapping[str, str], new: NewTable, learned: Table, path: str
) -> list[str]:
    """Describe a table, and in a row each what was made of its columns."""
    n_missing = int(table.isna().to_numpy().sum())
    rows = [HEAD]
    for position, name in enumerate(table.columns[:MAX_COLUMNS]):
        labels = new.layout.levels[position]
        cells = table[name]
        rows.append(
            (
                str(position + 1),
                name.replace("\n", " "),
                str(learned.kinds[position]),
                what[name],
                _listed(labels)
                if labels is not None
                else _span(cells, learned.kinds[position]),
                str(int(cells.isna().sum())),
            )
        )
    lines = [f"{path}: {len(table)} rows, {table.shape[1]} columns, {n_missing} missing cells"]
    lines += _aligned(rows)
    more = table.shape[1] - MAX_COLUMNS
    return lines + ([f"and {more} more columns"] if more > 0 else [])


def _span(cells: Any, kind: str = "continuous") -> str:
    """Spell the ends of a column as --bounds takes them; what is binary has none."""
    between = ", " if kind == "binary" else ":"
    return between.join(map(_spelled, (cells.min(), cells.max())))


def _spelled(value: Any) -> str:
    if isinstance(value, pd.Timestamp):
        return str(value).removesuffix(" 00:00:00")
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _listed(labels: Sequence[Any]) -> str:
    """List the first levels and their number."""
    listed = ", ".join(" ".join(str(label).split()) for label in labels[:MAX_LEVELS])
    if len(listed) > MAX_WIDTH:
        listed = f"{listed[:MAX_WIDTH]}..."
    elif len(labels) > MAX_LEVELS:
        listed += ", ..."
    return f"{listed} ({len(labels)})" if len(labels) > 2 else listed


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align the columns of a table of text; numbers are at the right."""
    widths = [max(len(cell) for cell in cells) for cells in zip(*rows, strict=True)]
    last = len(widths) - 1
    lines = [
        "  ".join(
            cell.rjust(width) if k in (0, last) else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return [line.rstrip() for line in lines]


def warn_of_persons(table: pd.DataFrame, new: NewTable, learned: Table) -> None:
    """Warn of columns that tell rows apart, with the option that leaves each out."""
    n_observed = new.survey.n_observed
    for position, name in enumerate(table.columns):
        if tells_rows_apart(new.layout, position, learned, n_observed):
            warnings.warn(
                f"{new.layout.label(position)} has {n_used(learned, position)} levels in "
                f"{n_observed[position]} rows: give {option('--drop', name)} if it is an "
                "identifier or personal text, which draws hold verbatim",
                stacklevel=2,
            )


def describe_fit(density: MADEDensity) -> list[str]:
    """Say how well rows that were held out are explained."""
    if density.best_validation_score_ is None:
        return []
    return [f"held-out log-likelihood: {density.best_validation_score_:.3f} nats per row"]
