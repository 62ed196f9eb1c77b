"""How well MADEOutlierDetector finds anomalies, beside what scikit-learn has.

    python benchmarks/anomaly.py                             # everything
    python benchmarks/anomaly.py --protocol clean --seeds 0  # one protocol, one seed
    python benchmarks/anomaly.py --only glass WBC --methods MADEOutlierDetector KNN
    python benchmarks/anomaly.py --report                    # tables of what has been run

Each run (protocol, table, method, seed) is kept by store.py. What is compared is in
detectors.py.

Clean: fitted to a random half of the normal rows, scored on the other half and all anomalies.
Contaminated: fitted to the whole table, anomalies included, and scored on it. Where more than
a tenth of the rows are anomalies, a random choice of them makes a tenth. MADEOutlierDetector
learns from all rows, and beside it from their core, by `support_fraction=0.75`.

At most 20000 random rows are fitted, and at most 10000 random normal rows and all
anomalies are scored, by all methods alike. Figures are areas under the ROC curve (AUROC) and
under the curve of precision by recall (AUPR: average precision), in percent.
MADEOutlierDetector gets columns as they are recorded, the others standardised
ones. KNN is the distance to the fifth of the nearest rows. KernelDensity has the best
bandwidth of 15, GaussianMixture the best of 12 settings by cross-validation of at most 5000
training rows; all else is default.

Tables are read from the folder in the environment variable SKMADE_BENCHMARK_DATA (default:
benchmarks/data) as `anomaly/<number>_<name>.npz`, with X and y (1: anomaly): the classical
data of github.com/Minqi824/ADBench. The published figures are those of the clean protocol,
means of five seeds, in `anomaly/published_auroc.csv` (github.com/vicliv/DTE, ICLR 2024).
"""

import argparse
import csv
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from detectors import DETECTORS, OUR_CORE, OURS, PEERS, is_installed
from report import beside, draw_beside, standard_error, write
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import average_precision_score, roc_auc_score
from store import is_done, keep, lines_of, measured, n_seeds
from tables import DATA, read

SEEDS = range(5)
# Areas under curves, and how the files of their tables end.
METRICS = {"auroc": "", "aupr": "_aupr"}
MAX_TRAIN_ROWS, MAX_NORMAL_ROWS = 20_000, 10_000
N_NORMAL_PER_ANOMALY = 9
PUBLISHED = ("DTE-NP", "KNN", "LOF", "OCSVM", "IForest", "ECOD", "DeepSVDD")
# The table that is drawn.
PICTURE = "anomaly_aupr"
# Columns of few values, or of one: what scikit-learn says of them is of no use here.
EXPECTED = (ConvergenceWarning, UserWarning, RuntimeWarning)


@dataclass(frozen=True)
class Split:
    """Rows to fit and to score, and labels of the latter."""

    train: np.ndarray
    test: np.ndarray
    is_anomaly: np.ndarray


def file_names():
    """Map tables to files, whose names begin with a number."""
    stems = [path.stem for path in (DATA / "anomaly").glob("*_*.npz")]
    names = {stem.partition("_")[2]: stem for stem in stems}
    return {name: names[name] for name in sorted(names, key=str.lower)}


def clean(normal, anomalies):
    """Fit half of the normal rows, score the other half and all anomalies."""
    half = len(normal) // 2
    return normal[:half], normal[half:], anomalies


def contaminated(normal, anomalies):
    """Fit and score all rows, with at most a tenth of anomalies."""
    anomalies = anomalies[: len(normal) // N_NORMAL_PER_ANOMALY]
    return np.concatenate([normal, anomalies]), normal, anomalies


def split_table(name, divide, seed):
    """Read a table and divide its rows."""
    arrays = read("anomaly", file_names()[name])
    X, y = arrays["X"].astype(np.float64), arrays["y"]
    rng = np.random.RandomState(seed)
    normal, anomalies = (rng.permutation(np.flatnonzero(y == label)) for label in (0, 1))
    train, normal, anomalies = divide(normal, anomalies)
    train = X[rng.permutation(train)[:MAX_TRAIN_ROWS]]
    normal = normal[:MAX_NORMAL_ROWS]
    return Split(
        train,
        X[np.concatenate([normal, anomalies])],
        np.repeat([0, 1], [len(normal), len(anomalies)]),
    )


@dataclass(frozen=True)
class Protocol:
    """How rows are divided, and what is fitted."""

    divide: Callable
    methods: tuple[str, ...]


PROTOCOLS = {
    "clean": Protocol(clean, (OURS, *PEERS)),
    "contaminated": Protocol(contaminated, (OURS, OUR_CORE, *PEERS)),
}


def name_of(protocol):
    """Return the name by which runs of a protocol are kept."""
    return f"anomaly-{protocol}"


def measure(split, method, seed):
    """Fit and score a split; return what is to be kept."""
    begin = time.perf_counter()
    detector = DETECTORS[method](split, seed)
    fitted = time.perf_counter()
    scores = detector.score_samples(split.test)
    return {
        "auroc": 100 * float(roc_auc_score(split.is_anomaly, -scores)),
        "aupr": 100 * float(average_precision_score(split.is_anomaly, -scores)),
        "fit_seconds": fitted - begin,
        "score_seconds": time.perf_counter() - fitted,
        "n_train": len(split.train),
        "n_columns": split.train.shape[1],
        "n_test": len(split.test),
        "n_anomalies": int(split.is_anomaly.sum()),
    }


def run(protocol, table, methods, seed):
    """Run methods on one split, except for those that have been run."""
    missing = [m for m in methods if not is_done(name_of(protocol), table, m, seed)]
    if not missing:
        return
    split = split_table(table, PROTOCOLS[protocol].divide, seed)
    for method in missing:
        with warnings.catch_warnings():
            for category in EXPECTED:
                warnings.simplefilter("ignore", category)
            facts = measure(split, method, seed)
        packages = ["pyod"] if method == "ECOD" else []
        keep(name_of(protocol), table, method, seed, facts, packages)
        areas = ", ".join(f"{facts[metric]:.2f}" for metric in METRICS)
        seconds = f"{facts['fit_seconds']:.1f} + {facts['score_seconds']:.1f} s"
        print(f"{protocol} {table} {method} seed {seed}: {areas} in {seconds}", flush=True)


def published():
    """Return the published figures of each table, or none at all."""
    path = DATA / "anomaly" / "published_auroc.csv"
    if not path.exists():
        print(f"There is no {path}: tables are without published figures.")
        return {}
    with open(path, newline="") as file:
        rows = {row["dataset"]: row for row in csv.DictReader(file)}
    return {
        name: [float(rows[file][method]) for method in PUBLISHED]
        for name, file in file_names().items()
        if file in rows
    }


def figures(runs, methods, table):
    """Return our runs of a table, and means of methods run with as many seeds, by metric."""
    found = {method: lines_of(runs, table, method) for method in methods}
    means = {
        metric: {
            method: float(np.mean([own[metric] for own in lines]))
            for method, lines in found.items()
            if lines and n_seeds(lines) == n_seeds(found[OURS])
        }
        for metric in METRICS
    }
    return found[OURS], means


def measured_of(protocol):
    """Return what `figures` tells of the tables that have been run."""
    runs, methods = measured(name_of(protocol)), PROTOCOLS[protocol].methods
    tables = sorted({table for table, _, _ in runs}, key=str.lower)
    found = {table: figures(runs, methods, table) for table in tables}
    return {table: both for table, both in found.items() if both[0]}


def own_rows(found, methods, metric):
    """Yield a row for each table with our own runs, means, and how far ours are ahead."""
    yield ["table", "fitted", "columns", "scored", "anomalies", "seeds", *methods, "seconds"]
    values = []
    for table, (facts, means) in found.items():
        values.append([means[metric][method] for method in methods])
        sizes = (facts[0][size] for size in ("n_train", "n_columns", "n_test", "n_anomalies"))
        seconds = np.median([f["fit_seconds"] + f["score_seconds"] for f in facts])
        figures = (f"{value:.2f}" for value in values[-1])
        yield [table, *sizes, n_seeds(facts), *figures, f"{seconds:.0f}"]
    yield from summary(methods[0], np.array(values), n_blank=5)
    total = sum(
        np.median([f["fit_seconds"] + f["score_seconds"] for f in facts])
        for facts, _ in found.values()
    )
    yield ["all", *[""] * (5 + len(methods)), f"{total:.0f}"]


def published_rows(found, others):
    """Yield a row for each table with our figure beside published ones, and means."""
    yield ["table", OURS, *PUBLISHED]
    values = []
    for table, (_, means) in found.items():
        if table in others:
            values.append([means["auroc"][OURS], *others[table]])
            yield [table, *(f"{value:.2f}" for value in values[-1])]
    yield from summary(OURS, np.array(values), n_blank=0)


def summary(first, values, n_blank):
    """Yield means over tables, and how far the first method is ahead, with standard errors."""
    if len(values) < 2:
        return
    blank = [""] * n_blank
    yield [f"mean of {len(values)}", *blank, *(f"{m:.2f}" for m in values.mean(axis=0))]
    ahead = values[:, :1] - values[:, 1:]
    cells = [f"{column.mean():+.2f} ± {standard_error(column):.2f}" for column in ahead.T]
    yield [f"{first} ahead by", *blank, "", *cells]


def draw(rows, methods):
    """Draw how far others are from us, without the lines of means."""
    of_tables = [row for row in rows if row[4] != ""]
    others = beside(of_tables, OURS, methods[1:])
    names = [row[0] for row in of_tables[1:]]
    draw_beside("anomalies", "average precision in percent", names, others, linear=2)


def write_reports():
    """Write a table for each protocol that has been run."""
    for name, protocol in {"anomaly": "clean", "anomaly_contaminated": "contaminated"}.items():
        found = measured_of(protocol)
        if not found:
            continue
        run_on_all = set.intersection(*(set(means["auroc"]) for _, means in found.values()))
        methods = [m for m in PROTOCOLS[protocol].methods if m in run_on_all]
        for metric, ending in METRICS.items():
            rows = list(own_rows(found, methods, metric))
            rows = [row + [""] * (len(rows[0]) - len(row)) for row in rows]
            write(name + ending, rows)
            if name + ending == PICTURE:
                draw(rows, methods)
    others = published()
    if others and (found := measured_of("clean")):
        write("anomaly_published", published_rows(found, others))


def main():
    """Run what is asked for, or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--protocol", nargs="*", choices=PROTOCOLS, default=list(PROTOCOLS))
    parser.add_argument("--only", nargs="*", help="tables")
    parser.add_argument("--methods", nargs="*", choices=DETECTORS, default=list(DETECTORS))
    parser.add_argument("--seeds", nargs="*", type=int, choices=SEEDS, default=list(SEEDS))
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--report", action="store_true", help="run nothing")
    chosen = parser.parse_args()
    if chosen.report:
        write_reports()
        return
    if not file_names():
        raise SystemExit(f"{DATA / 'anomaly'} has no tables: see the top of {__file__}.")
    torch.set_num_threads(chosen.threads)
    wanted = [method for method in chosen.methods if is_installed(method)]
    for seed in chosen.seeds:
        for protocol in chosen.protocol:
            methods = [m for m in PROTOCOLS[protocol].methods if m in wanted]
            for table in chosen.only or file_names():
                run(protocol, table, methods, seed)


if __name__ == "__main__":
    main()
