"""What `skmade fit`, `score` and `sample` do: from files to `MADEDensity` and back."""

import sys
import time
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, TypeVar

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from .._density import MADEDensity
from .._table.layout import Labels, Layout
from .columns import Column, Source, read_cells, warn_of_codes
from .files import load_model, read_csv, save_model, write_csv
from .form import MISSING, Form, options, read_form
from .known import (
    EXAMPLES,
    as_labels,
    as_numbers,
    as_times,
    read_number,
    read_time,
    spellings,
)
from .summary import describe_columns, describe_fit, look_at, warn_of_persons

Read = TypeVar("Read")  # a column that was read

# Of so many columns at most an error says what they lack.
MAX_TOLD = 8


def fit(arguments: Namespace) -> None:
    """Learn a table and save the density; say on stderr what was made of it and learned."""
    start = time.perf_counter()
    density = MADEDensity(**read_parameters(arguments))
    with told_at_the_end():
        form, kinds = read_form(arguments), dict(arguments.types)
        columns = read_new_columns(arguments.table, form, kinds)
    table = with_cells(pd.DataFrame({name: own.cells for name, own in columns.items()}))
    looked = look_at(density, table)
    what = {name: column.what for name, column in columns.items()}
    for line in describe_columns(table, what, *looked, arguments.table):
        print(line, file=sys.stderr)
    warn_of_persons(table, *looked)
    # Lines for epochs and the bar go to stdout, which is for results.
    with redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* identifier or personal text, drop it")
        show_progress(density)
        density.fit(table)
        density.set_callbacks()
    save_model(density, arguments.model, arguments.force)
    for line in describe_fit(density):
        print(line, file=sys.stderr)
    seconds = time.perf_counter() - start
    print(f"Saved to {arguments.model} after {seconds:.1f} seconds.", file=sys.stderr)


def score(arguments: Namespace) -> None:
    """Write the log-density of each row."""
    density, layout = load_model(arguments.model)
    form = read_form(arguments)
    with told_at_the_end():
        table = read_same_table(density, layout, arguments.table, form, arguments.ignore_extra)
    scores, names = density.score_samples(table)[:, None], ["log_density"]
    if arguments.features:
        scores = np.hstack([scores, density.score_features(table)])
        names += list(layout.names or [])
    write_csv(pd.DataFrame(scores, columns=names).to_csv(index=False), arguments.output)


def sample(arguments: Namespace) -> None:
    """Draw rows and write them."""
    density, layout = load_model(arguments.model)
    given = read_given_cells(layout, arguments.given)
    drawn = density.sample(arguments.n_samples, random_state=arguments.seed, given=given)
    # The density gives back pandas or polars, as it was fitted.
    write_csv(nw.from_native(drawn, eager_only=True).write_csv(), arguments.output)


@contextmanager
def told_at_the_end() -> Iterator[None]:
    """Keep warnings until all went well: an error is one line."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        yield
    for one in told:
        warnings.warn(one.message, one.category, stacklevel=3)


def read_parameters(arguments: Namespace) -> dict[str, Any]:
    """Collect the parameters of `MADEDensity`, each from one option only."""
    parameters = dict(arguments.set)
    known = MADEDensity().get_params()
    for name in parameters:
        if name not in known:
            raise ValueError(
                f"--set names {name!r}, which is no parameter of MADEDensity: "
                f"{', '.join(sorted(known))}"
            )
    others = {
        "random_state": ("--seed", arguments.seed),
        "feature_types": ("--types", dict(arguments.types) or None),
        "bounds": ("--bounds", dict(arguments.bounds) or None),
        "verbose": ("--verbose", arguments.verbose or None),
    }
    for name, (option, value) in others.items():
        if value is None:
            continue
        if name in parameters:
            raise ValueError(f"--set {name} and {option} say the same: give one of them")
        parameters[name] = value
    return parameters


def read_new_columns(path: str, form: Form, kinds: dict[str, str]) -> dict[str, Column]:
    """Read a table to learn from, without the columns that are dropped."""
    texts = [name for name, kind in kinds.items() if kind == "categorical"]
    # What is declared to be a label is one, but an empty cell.
    labels = {name: [mark for mark in MISSING if mark] for name in texts}
    table = read_csv(path, form, texts, labels)
    dated = [name for name, _ in form.dates]
    for option, names in (("--types", list(kinds)), ("--dates", dated)):
        for name in names:
            if name in form.dropped:
                raise ValueError(f"{option} and --drop both name {name!r}")
            if name not in table.columns:
                raise ValueError(f"{option} names {name!r}, which is no column of {path}")
    for name in {*dated} - {n for n in dated if kinds.get(n, "auto") in ("auto", "continuous")}:
        raise ValueError(f"--dates names {name!r}, which --types declares {kinds[name]}")

    def read(name: str) -> Column:
        kind, source = kinds.get(name, "auto"), Source(name, path, form, True)
        column = read_cells(table[name], kind, source)
        if kind == "auto" and column.what == "number":
            warn_of_codes(table[name], source, table.attrs["zeros"].get(name))
        return column

    columns = each_column(table.columns, read)
    empty = [name for name, column in columns.items() if column.cells.isna().all()]
    if empty:
        raise ValueError(
            f"{path} has an empty cell in every row of column {empty[0]!r}: give "
            f"{options('--drop', empty)} as there is nothing to learn of it"
        )
    return columns


def each_column(names: Iterable[Any], read: Callable[[Any], Read]) -> dict[Any, Read]:
    """Read each column by its name, or say of all of them at once what they lack."""
    columns, refusals = {}, []
    for name in names:
        try:
            columns[name] = read(name)
        except ValueError as refusal:
            refusals.append(str(refusal))
    if len(refusals) > MAX_TOLD:
        refusals[MAX_TOLD:] = [f"{len(refusals) - MAX_TOLD} more columns are refused, too"]
    if refusals:
        raise ValueError("; and ".join(refusals))
    return columns


def with_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without the rows that have no cell, such as those below many sheets."""
    empty = table.isna().all(axis=1)
    if not empty.any() or empty.all():
        return table
    warnings.warn(
        f"{int(empty.sum())} rows have an empty cell in every column: they are left out",
        stacklevel=2,
    )
    return table[~empty].reset_index(drop=True)


def read_same_table(
    density: MADEDensity, layout: Layout, path: str, form: Form, ignore_extra: bool
) -> pd.DataFrame:
    """Read a table with the columns that the model was fitted to, in their order."""
    names: Labels = list(layout.names or [])
    levels = {
        n: labels for n, labels in zip(names, layout.levels, strict=True) if labels is not None
    }
    texts = {name: spellings(labels) for name, labels in levels.items()}
    clocks = {n: clock for n, clock in zip(names, layout.clocks, strict=True) if clock}
    kept = _known(density, texts)
    table = read_csv(path, form, [*texts, *clocks], kept)
    absent = [name for name in names if name not in table.columns]
    if absent:
        raise ValueError(f"{path} lacks columns of the model: {', '.join(absent)}")
    extra = [name for name in table.columns if name not in names]
    if extra and not ignore_extra:
        raise ValueError(
            f"{path} has columns that the model has not: {', '.join(extra)}; give "
            f"{options('--drop', extra)} (or --ignore-extra for all of them)"
        )

    def read(name: str) -> "pd.Series[Any]":
        source = Source(name, path, form, False)
        if name in texts:
            marks = {*MISSING, *form.missing} - {*kept[name]}
            return as_labels(table[name], texts[name], marks)
        if name in clocks:
            return as_times(table[name], clocks[name], source)
        return as_numbers(table[name], source)

    return pd.DataFrame(each_column(names, read))


def _known(density: MADEDensity, texts: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Return the labels that stand for no missing cell, by column: 'None' may be one.

    Those are labels which the model knows, and all in a column that was declared to hold them.
    """
    declared = density.feature_types if isinstance(density.feature_types, dict) else {}
    return {
        name: [
            *known,
            *(mark for mark in MISSING if mark and declared.get(name) == "categorical"),
        ]
        for name, known in texts.items()
    }


def read_given_cells(layout: Layout, cells: Sequence[tuple[str, str]]) -> dict[str, Any] | None:
    """Turn the texts of --given into numbers, times and labels."""
    names: Labels = list(layout.names or [])
    given: dict[str, Any] = {}
    for column, text in cells:
        if column not in names:
            raise ValueError(f"--given names {column!r}, which is no column of the model")
        labels = layout.levels[names.index(column)]
        if labels is not None:
            given[column] = spellings(labels).get(text, text)
            continue
        clock = layout.clocks[names.index(column)]
        given[column] = read_number(text) if clock is None else read_time(text, clock)
        if pd.isna(given[column]):
            kind = "number" if clock is None else EXAMPLES[clock.kind]
            raise ValueError(f"--given {column}={text}: {text!r} is no {kind}")
    return given or None


def show_progress(density: MADEDensity) -> None:
    """Give the density a progress bar if there is a terminal, and no lines for epochs."""
    if not sys.stderr.isatty() or density.verbose:
        return
    from sklearn.callback import ProgressBar

    try:
        density.set_callbacks(ProgressBar())
    except ImportError:
        print('No progress bar, as rich is missing: pip install "skmade[cli]"')
