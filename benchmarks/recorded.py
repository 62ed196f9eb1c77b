"""Whether draws look as rows were recorded: shares of values, grids, ends.

    python benchmarks/recorded.py                             # all tables, all rows
    python benchmarks/recorded.py --only adult --rows 4000 --seeds 0

Tables are read from the folder in the environment variable SKMADE_BENCHMARK_DATA (default:
benchmarks/data) as `mixed/<name>.csv.gz`, all columns as pandas reads them but free text and
identifiers. A default fit draws as many rows. For each
column: how many values stand in at least 1 % of the rows, the largest difference of a share
in points and what is allowed for it (four binomial standard errors of the draw and of the
rows, or half a point), the drawn values off the recorded grid (decimals of a hundredth of
the rows and more) and beyond an end that is an atom. A column that misses is marked.
"""

import argparse
import itertools
import os
import pathlib
import warnings

import numpy as np
import pandas as pd
from report import write
from store import is_done, keep, measured

from skmade import MADEDensity

DATA = pathlib.Path(
    os.environ.get("SKMADE_BENCHMARK_DATA", pathlib.Path(__file__).parent / "data")
)
FILES = {"adult": "adult_train"}
TABLES = ("adult", "titanic3", "german_credit", "shoppers", "beijing", "abalone")
DROPPED = {"titanic3": ["name", "ticket", "cabin", "boat", "body", "home.dest"]}
MIN_SHARE, HALF_A_POINT, N_ERRORS = 0.01, 0.005, 4
ATOM_EXCESS = 2  # an end is an atom if it has so many times the rows of the value next to it
MAX_DECIMALS = 6
PROTOCOL, OURS = "recorded", "MADEDensity"


def read(name, max_rows, seed):
    """Read a table, or a random sample of its rows."""
    frame = pd.read_csv(DATA / "mixed" / f"{FILES.get(name, name)}.csv.gz")
    frame = frame.drop(columns=DROPPED.get(name, []))
    return frame.sample(min(max_rows, len(frame)), random_state=seed).reset_index(drop=True)


def decimals(cells):
    """Return the fewest decimals that hold all but a hundredth of the numbers."""
    for digits in range(MAX_DECIMALS + 1):
        if on_grid(cells, digits).mean() >= 0.99:
            return digits
    return None


def on_grid(cells, digits):
    """Tell which numbers have so many decimals, but for rounding errors."""
    return np.abs(cells - cells.round(digits)) <= 1e-12 * np.maximum(cells.abs(), 1.0)


def compare(recorded, drawn):
    """Return number of frequent values, worst difference, what it may be, off grid, beyond."""
    recorded, drawn = recorded.dropna(), drawn.dropna()
    shares = recorded.value_counts(normalize=True)
    shares = shares[shares >= MIN_SHARE]
    found = drawn.value_counts(normalize=True).reindex(shares.index, fill_value=0.0)
    error = np.sqrt(shares * (1 - shares) * (1 / len(drawn) + 1 / len(recorded)))
    allowed = np.maximum(N_ERRORS * error, HALF_A_POINT)
    excess = (found - shares).abs() / allowed
    worst = (0.0, HALF_A_POINT)
    if len(shares):
        at = excess.idxmax()
        worst = abs(found[at] - shares[at]), allowed[at]
    off = beyond = 0
    is_number = pd.api.types.is_numeric_dtype(recorded) and recorded.dtype != bool
    if is_number and recorded.nunique() > 1:
        digits = decimals(recorded)
        if digits is not None:
            off = int((~on_grid(drawn, digits)).sum())
        counts = recorded.value_counts().sort_index()
        for sign, (end, following) in ((1, counts.index[:2]), (-1, counts.index[:-3:-1])):
            if counts[end] >= max(MIN_SHARE * len(recorded), ATOM_EXCESS * counts[following]):
                beyond += int((sign * drawn < sign * end).sum())
    return len(shares), *worst, off, beyond


def run(name, max_rows, seed):
    """Fit and draw a table, print a line for each column and keep what came back."""
    table = read(name, max_rows, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        density = MADEDensity(random_state=seed).fit(table)
        drawn = density.sample(len(table), random_state=seed)
    missed = []
    for column, kind in zip(table.columns, density.feature_types_, strict=True):
        n, worst, allowed, off, beyond = compare(table[column], drawn[column])
        if worst > allowed or off > 0 or beyond > 0:
            missed.append(column)
        print(
            f"{name + '.' + column:34}{kind:>12}{n:8}{100 * worst:8.2f}"
            f"{100 * allowed:9.2f}{off:5}{beyond:8}{'  missed' if column in missed else ''}",
            flush=True,
        )
    return {"n_rows": len(table), "n_columns": table.shape[1], "missed": missed}


def rows_of_report():
    """Yield a row for each table that has been drawn whole."""
    yield ["table", "rows", "columns", "come back", "missed"]
    for (name, _, _), facts in measured(PROTOCOL).items():
        n_back = facts["n_columns"] - len(facts["missed"])
        missed = ", ".join(facts["missed"]) or "none"
        yield [name, facts["n_rows"], facts["n_columns"], n_back, missed]


def write_reports():
    """Write the table of what has been run."""
    write("recorded", rows_of_report())


def main():
    """Draw what is asked for and has not been, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=TABLES, choices=TABLES)
    parser.add_argument("--rows", type=int, help="at most so many of each table, kept nowhere")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--report", action="store_true", help="run nothing")
    chosen = parser.parse_args()
    print(f"{'column':34}{'kind':>12}{'values':>8}{'worst':>8}{'allowed':>9}  off  beyond")
    for name, seed in () if chosen.report else itertools.product(chosen.only, chosen.seeds):
        if chosen.rows or not is_done(PROTOCOL, name, OURS, seed):
            facts = run(name, chosen.rows or 10**9, seed)
            if not chosen.rows:
                keep(PROTOCOL, name, OURS, seed, facts)
    write_reports()


if __name__ == "__main__":
    main()
