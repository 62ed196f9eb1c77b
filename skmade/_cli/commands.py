"""What `skmade fit`, `score` and `sample` do: from files to `MADEDensity` and back."""

import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from .._density import MADEDensity
from .._table.layout import Labels, Layout
from .files import MISSING, load_model, read_csv, save_model, write_csv

# So many columns of one kind are named in the summary.
N_NAMED = 8


def fit(arguments: Namespace) -> None:
    """Learn a table and save the density; say on stderr what was learned."""
    start = time.perf_counter()
    density = MADEDensity(**read_parameters(arguments))
    table = read_new_table(
        arguments.table, arguments.delimiter, dict(arguments.types), arguments.drop
    )
    # Lines for epochs and the bar go to stdout, which is for results.
    with redirect_stdout(sys.stderr):
        show_progress(density)
        density.fit(table)
        density.set_callbacks()
    save_model(density, arguments.model, arguments.force)
    for line in describe_fit(density, table):
        print(line, file=sys.stderr)
    seconds = time.perf_counter() - start
    print(f"Saved to {arguments.model} after {seconds:.1f} seconds.", file=sys.stderr)


def score(arguments: Namespace) -> None:
    """Write the log-density of each row."""
    density, layout = load_model(arguments.model)
    table = read_same_table(
        layout, arguments.table, arguments.delimiter, arguments.ignore_extra
    )
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


def read_new_table(
    path: str, delimiter: str, kinds: dict[str, str], dropped: Sequence[str]
) -> pd.DataFrame:
    """Read a table to learn from, without the columns that are dropped."""
    texts = [name for name, kind in kinds.items() if kind == "categorical"]
    table = read_csv(path, delimiter, texts)
    for option, names in (("--types", kinds), ("--drop", dropped)):
        for name in names:
            if name not in table.columns:
                raise ValueError(f"{option} names {name!r}, which is no column of {path}")
    for name in set(kinds) & set(dropped):
        raise ValueError(f"--types and --drop both name {name!r}")
    table = table.drop(columns=list(dropped))
    if table.shape[1] == 0:
        raise ValueError(f"--drop leaves no column of {path}")
    return table.apply(lambda cells: _as_numbers(cells, kinds.get(cells.name, "auto"), path))


def _as_numbers(cells: "pd.Series[Any]", kind: str, path: str) -> "pd.Series[Any]":
    """Refuse text where numbers are declared, or are most of what is not declared."""
    if kind in ("categorical", "binary") or not isinstance(cells.dtype, pd.StringDtype):
        return cells
    numbers, text = _split_text(cells)
    if text is None:
        return numbers  # integers that are too large for pandas
    if kind in ("continuous", "count"):
        raise ValueError(
            f"column {cells.name!r} of {path} holds {text!r}, which is no number: empty such "
            f"cells, or declare --types {cells.name}=categorical"
        )
    if numbers.notna().sum() > cells.notna().sum() / 2:
        raise ValueError(
            f"column {cells.name!r} of {path} holds numbers and text such as {text!r}: empty "
            f"such cells, or declare --types {cells.name}=categorical"
        )
    return cells


def _split_text(cells: "pd.Series[Any]") -> tuple["pd.Series[Any]", str | None]:
    """Return a column as numbers, and the first cell that is none."""
    cells = cells.astype("string")
    numbers = pd.to_numeric(cells, errors="coerce").astype("Float64")
    others = cells[numbers.isna() & cells.notna()]
    return numbers, None if others.empty else others.iloc[0]


def read_same_table(
    layout: Layout, path: str, delimiter: str, ignore_extra: bool
) -> pd.DataFrame:
    """Read a table with the columns that the model was fitted to, in their order."""
    names: Labels = list(layout.names or [])
    levels = {
        n: labels for n, labels in zip(names, layout.levels, strict=True) if labels is not None
    }
    texts = {name: spellings(labels) for name, labels in levels.items()}
    # A label such as 'None' is a label, if the model knows it.
    missing = {name: [m for m in MISSING if m not in known] for name, known in texts.items()}
    table = read_csv(path, delimiter, list(texts), missing)
    absent = [name for name in names if name not in table.columns]
    if absent:
        raise ValueError(f"{path} lacks columns of the model: {', '.join(absent)}")
    extra = [name for name in table.columns if name not in names]
    if extra and not ignore_extra:
        raise ValueError(
            f"{path} has columns that the model has not: {', '.join(extra)}; --ignore-extra "
            "leaves them out"
        )
    columns = {
        name: _labels(table[name], texts[name])
        if name in texts
        else _numbers(table[name], path)
        for name in names
    }
    return pd.DataFrame(columns)


def spellings(labels: Labels) -> dict[str, Any]:
    """Return the label that a text stands for, for every way in which a CSV file has it."""
    known: dict[str, Any] = {}
    for label in labels:
        known[str(label)] = label
        if isinstance(label, bool):
            known |= {str(label).lower(): label, str(label).upper(): label}
        elif isinstance(label, float) and label.is_integer():
            known[str(int(label))] = label
    return known


def _labels(cells: "pd.Series[Any]", known: dict[str, Any]) -> "pd.Series[Any]":
    """Replace texts by the labels of the model; others stay, for the model to refuse."""
    labels = [None if pd.isna(cell) else known.get(cell, cell) for cell in cells]
    return pd.Series(labels, dtype=object)


def _numbers(cells: "pd.Series[Any]", path: str) -> "pd.Series[Any]":
    """Return a column of numbers, and refuse anything else."""
    if pd.api.types.is_numeric_dtype(cells) and not pd.api.types.is_bool_dtype(cells):
        return cells
    numbers, text = _split_text(cells)
    if text is not None:
        raise ValueError(
            f"column {cells.name!r} of {path} holds {text!r}, where the model expects a number"
        )
    return numbers


def read_given_cells(layout: Layout, cells: Sequence[tuple[str, str]]) -> dict[str, Any] | None:
    """Turn the texts of --given into numbers and labels."""
    names: Labels = list(layout.names or [])
    given: dict[str, Any] = {}
    for column, text in cells:
        if column not in names:
            raise ValueError(f"--given names {column!r}, which is no column of the model")
        labels = layout.levels[names.index(column)]
        if labels is not None:
            given[column] = spellings(labels).get(text, text)
            continue
        try:
            given[column] = float(text)
        except ValueError:
            given[column] = np.nan
        if np.isnan(given[column]):
            raise ValueError(f"--given {column}={text}: {text!r} is no number")
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


def describe_fit(density: MADEDensity, table: pd.DataFrame) -> list[str]:
    """Say what was learned: rows, the kind of each column, the held-out log-likelihood."""
    n_missing = int(table.isna().to_numpy().sum())
    lines = [f"{len(table)} rows, {table.shape[1]} columns, {n_missing} missing cells"]
    for kind in sorted(set(density.feature_types_)):
        names = table.columns[density.feature_types_ == kind]
        more = f" and {len(names) - N_NAMED} more" if len(names) > N_NAMED else ""
        lines.append(f"{kind}: {', '.join(names[:N_NAMED])}{more}")
    if density.best_validation_score_ is not None:
        lines.append(
            f"held-out log-likelihood: {density.best_validation_score_:.3f} nats per row"
        )
    return lines
