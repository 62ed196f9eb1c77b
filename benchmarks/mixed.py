"""Held-out log-likelihood of tables of labels, counts and numbers with missing cells.

    python benchmarks/mixed.py                                    # everything
    python benchmarks/mixed.py --only penguins --seeds 0
    python benchmarks/mixed.py --methods "independent columns"    # beside MADEDensity
    python benchmarks/mixed.py --report                           # of what has been run

Each run is kept (store.py); what has been run is not run again.

Tables are read from the folder in the environment variable SKMADE_BENCHMARK_DATA (default:
benchmarks/data) as `mixed/<name>.csv.gz`, with a header and empty missing cells: adult_train,
adult_test, german_credit, abalone, shoppers and beijing (UCI), titanic3 (Vanderbilt), penguins
(palmerpenguins) and california (housing, with the proximity to the ocean). Free text and row
numbers are dropped. Adult has its own test rows, and its seed is the model's alone; the others
are split 80/20 by seeds 0 to 2, which are also the models'.

The space is the same for all methods, since kinds of columns move scores. A column of text or
of truth values, or of numbers that are codes (CODES), has levels; one more level stands for
whatever the training rows did not hold. A column of numbers that are all whole is a count,
which has a mass at each integer. Any other number has a density, in the column's own unit.
The score of a row is the log of the mass and density of its observed cells, in nats, and that
of a table the mean over its test rows. `behind` is by how much the mean of MADEDensity with the
same split and seed is larger, with the standard error of that paired difference over the rows.

MADEDensity has its defaults but for `feature_types`, `handle_unknown="smoothed"` and the seed.
The others are those of baselines.py, with settings chosen on training rows.
"""

import argparse
import os
import pathlib
import time
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from baselines import PACKAGES, PEERS, is_installed
from report import draw_beside, standard_error, write
from sklearn.model_selection import train_test_split
from store import is_done, keep, measured

from skmade import MADEDensity

DATA = pathlib.Path(
    os.environ.get("SKMADE_BENCHMARK_DATA", pathlib.Path(__file__).parent / "data")
)
OURS = "MADEDensity"
TABLES = (
    "adult",
    "german_credit",
    "titanic3",
    "penguins",
    "abalone",
    "california",
    "shoppers",
    "beijing",
)
SEEDS = {name: (0,) if name == "adult" else (0, 1, 2) for name in TABLES}
# Numbers that name something.
CODES = {
    "german_credit": ["class"],
    "titanic3": ["pclass", "survived"],
    "shoppers": ["Region", "TrafficType"],
}
# Free text and row numbers.
DROPPED = {
    "titanic3": ["name", "ticket", "cabin", "boat", "body", "home.dest"],
    "beijing": ["No"],
}


@dataclass(frozen=True)
class Split:
    """A table, split by a seed; `kinds` names the kinds of its numbers."""

    name: str
    seed: int
    train: pd.DataFrame
    test: pd.DataFrame
    kinds: dict


def load(name, seed):
    """Read a table and split it."""
    if name == "adult":
        train, test = read("adult_train", name), read("adult_test", name)
    else:
        train, test = train_test_split(read(name, name), test_size=0.2, random_state=seed)
    kinds = number_kinds(pd.concat([train, test]))
    return Split(name, seed, train.reset_index(drop=True), test.reset_index(drop=True), kinds)


def read(file, name):
    """Read a file: numbers as floats, labels as text."""
    frame = pd.read_csv(DATA / "mixed" / f"{file}.csv.gz")
    frame = frame.drop(columns=DROPPED.get(name, []))
    for column, cells in frame.items():
        if column in CODES.get(name, ()):
            labels = [None if np.isnan(cell) else f"{cell:g}" for cell in cells]
            frame[column] = pd.Series(labels, index=frame.index, dtype=object)
        elif pd.api.types.is_bool_dtype(cells):
            frame[column] = cells.astype(str).astype(object)
        elif pd.api.types.is_numeric_dtype(cells):
            frame[column] = cells.astype(float)
    return frame


def number_kinds(table):
    """Return the kinds of the columns of numbers: counts are whole."""
    numbers = table.select_dtypes("number")
    return {
        column: "count" if (cells.dropna() % 1 == 0).all() else "continuous"
        for column, cells in numbers.items()
    }


def made(split):
    """Fit MADEDensity, every default but what the space and the seed ask for."""
    density = MADEDensity(
        feature_types=split.kinds, handle_unknown="smoothed", random_state=split.seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return density.fit(split.train)


def scored(fit, split):
    """Fit a density and score the test rows: scores, and facts of the run."""
    begin = time.perf_counter()
    density = fit(split)
    seconds = time.perf_counter() - begin
    scores = density.score_samples(split.test)
    n_counts = sum(kind == "count" for kind in split.kinds.values())
    n_densities = len(split.kinds) - n_counts
    return scores, {
        "score": float(scores.mean()),
        "error": standard_error(scores),
        "seconds": seconds,
        "n_rows": len(split.train) + len(split.test),
        "n_columns": split.train.shape[1],
        "n_labels": split.train.shape[1] - len(split.kinds),
        "n_counts": n_counts,
        "n_densities": n_densities,
    }


def measure(name, seed, peers):
    """Run what has not been run of a table and seed, MADEDensity first."""
    left = [method for method in (OURS, *peers) if not is_done("mixed", name, method, seed)]
    if not left:
        return
    split = load(name, seed)
    ours, facts = scored(made, split)
    if OURS in left:
        tell(keep("mixed", name, OURS, seed, facts))
    for method in left:
        if method == OURS:
            continue
        scores, facts = scored(
            lambda s, m=method: PEERS[m](s.kinds, s.seed).fit(s.train), split
        )
        facts["behind"] = float((ours - scores).mean())
        facts["behind_error"] = standard_error(ours - scores)
        tell(keep("mixed", name, method, seed, facts, packages=PACKAGES.get(method, ())))


def tell(run):
    """Print a run in a line."""
    behind = f", behind by {run['behind']:.3f}" if "behind" in run else ""
    print(
        f"{run['table']} {run['seed']} {run['method']}: {run['score']:.3f} ± {run['error']:.3f}"
        f"{behind} ({run['seconds']:.0f} s)",
        flush=True,
    )


def table_rows():
    """Rows of the table: means over the seeds that have been run, beside the best peer."""
    runs = measured("mixed")
    shown = [peer for peer in PEERS if any(method == peer for _, method, _ in runs)]
    yield [
        "table",
        "rows",
        "columns",
        "labels, counts, densities",
        OURS,
        *shown,
        "ahead of the best",
        "seconds",
    ]
    for name in TABLES:
        ours = of_seeds(runs, name, OURS)
        peers = {peer: of_seeds(runs, name, peer, ours) for peer in shown}
        if not any(peers.values()):
            continue
        about = next(iter(ours.values()))
        yield [
            name,
            about["n_rows"],
            about["n_columns"],
            ", ".join(f"{about[f'n_{kind}']}" for kind in ("labels", "counts", "densities")),
            *(cell(own, len(SEEDS[name])) for own in (ours, *peers.values())),
            ahead_of_best(ours, [own for own in peers.values() if own]),
            f"{np.median([facts['seconds'] for facts in ours.values()]):.0f}",
        ]


def of_seeds(runs, name, method, common=None):
    """Return the facts of the seeds that have been run, here and in `common`, by seed."""
    seeds = SEEDS[name] if common is None else common
    return {seed: runs[name, method, seed] for seed in seeds if (name, method, seed) in runs}


def cell(facts, n_seeds):
    """Write the mean, and of how many seeds if not of all."""
    if not facts:
        return ""
    note = "" if len(facts) == n_seeds else f" ({len(facts)} of {n_seeds} seeds)"
    return f"{np.mean([own['score'] for own in facts.values()]):.3f}{note}"


def gains(ours, rival):
    """Return by how much a rival is behind, seed by seed."""
    return [ours[seed]["score"] - facts["score"] for seed, facts in rival.items()]


def ahead_of_best(ours, rivals):
    """Write by how much the best rival is behind, over the seeds, or of one over the rows."""
    best = min(rivals, key=lambda rival: np.mean(gains(ours, rival)))
    found = gains(ours, best)
    first = next(iter(best.values()))
    error = standard_error(found) if len(found) > 1 else first["behind_error"]
    return f"{np.mean(found):+.3f} ± {error:.3f}"


def behind(runs, name, peer):
    """Return how far a peer is from MADEDensity, NaN if neither has been run."""
    ours = of_seeds(runs, name, OURS)
    found = gains(ours, of_seeds(runs, name, peer, ours))
    return -np.mean(found) if found else np.nan


def write_reports():
    """Write the table of what has been run, and draw it."""
    rows, runs = list(table_rows()), measured("mixed")
    write("mixed", rows)
    tables = [row[0] for row in rows[1:]]
    shown = [peer for peer in PEERS if peer in rows[0]]
    ahead = {peer: np.array([behind(runs, name, peer) for name in tables]) for peer in shown}
    draw_beside("mixed", "held-out log-likelihood, nats per row", tables, ahead, linear=1)


def main():
    """Run what is asked for and has not been run, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=TABLES, default=TABLES)
    parser.add_argument("--methods", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--report", action="store_true", help="run nothing")
    options = parser.parse_args()
    peers = [] if options.report else list(filter(is_installed, options.methods))
    for name in () if options.report else options.only:
        for seed in SEEDS[name]:
            if seed in options.seeds:
                measure(name, seed, peers)
    write_reports()


if __name__ == "__main__":
    main()
