"""Hidden cells of training rows filled in by MADEImputer, beside other imputers.

    python benchmarks/imputation.py                # everything
    python benchmarks/imputation.py --only iris yacht --seeds 0
    python benchmarks/imputation.py --methods "MADE sample" miceforest
    python benchmarks/imputation.py --report       # tables of what has been run

The protocol is that of ForestDiffusion (Jolicoeur-Martineau et al. 2024): four fifths of a
table, split by each seed (by labels where there are any), a fifth of whose cells is hidden at
random and filled in five times. Rows of which nothing is left are dropped. Here cells of the
target are hidden like any others, there they were all shown.

Numbers are scaled to 0..1 by the complete rows, a wrong label counts 1. AvgMAE is the mean
absolute error of hidden cells, on average over the completions. For MinMAE each row counts by
that completion which is nearest to it, so it favours draws that vary, and AvgMAE those that do
not. W1 is the distance of completed rows from the complete ones: the mean L1 distance of pairs,
with labels one-hot and divided by two, in the best assignment of one to the other; it is exact.

Concrete, red wine and yacht hold their targets as numbers; iris, wine and breast cancer their
classes as labels; parkinsons and ionosphere are without their classes. Means over tables are of
those that all methods have been run on. Data come from where tables.py says, and
`anomaly/18_Ionosphere.npz` from github.com/Minqi824/ADBench. Each run is kept by store.py.

miceforest is installed by `pip install -e ".[benchmark]"` and left out if it is not. The others
are of scikit-learn: chained regressions with draws of their posterior, clipped to what was
observed, forests as in MissForest (Stekhoven and Bühlmann 2012), and the nearest row.
"""

import argparse
import importlib.util
import time
import warnings
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import pandas as pd
import torch
from report import draw_beside, write
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from store import is_done, keep, measured
from tables import BUNDLED, read, real_columns

from skmade import MADEImputer

PROTOCOL = "imputation"
TABLES = (
    "iris",
    "wine-recognition",
    "parkinsons",
    "concrete",
    "wine-quality-red",
    "yacht",
    "breast-cancer",
    "ionosphere",
)
SEEDS = (0, 1, 2)
HIDDEN_SHARE = 0.2
N_COMPLETIONS = 5
# Rounds of chained forests at most, and of miceforest (its authors' default).
MAX_ROUNDS, N_ROUNDS = 10, 5

OURS, PEER = "MADE sample", "miceforest"
# AvgMAE (MinMAE) of others: results of the imputation study in
# github.com/calvinmccarter/unmasking-trees, where the target was shown.
PUBLISHED_METHODS = (
    "miceforest",
    "MissForest",
    "utrees",
    "Forest-VP",
    "1-NN",
    "GAIN",
    "IterativeImputer, posterior",
)
PUBLISHED = {
    "iris": ".082 (.045)|.072 (.061)|.093 (.062)|.097 (.041)|.105|.093|.126",
    "wine-recognition": ".112 (.079)|.106 (.095)|.144 (.101)|.129 (.085)|.139|.149|.227",
    "parkinsons": ".057 (.039)|.051 (.045)|.076 (.052)|.084 (.052)|.071|.081|.140",
    "concrete": ".073 (.034)|.061 (.046)|.057 (.032)|.141 (.047)|.094|.145|.209",
    "wine-quality-red": ".077 (.043)|.062 (.053)|.072 (.042)|.095 (.049)|.077|.086|.150",
    "yacht": ".080 (.035)|.069 (.055)|.080 (.046)|.214 (.069)|.192|.172|.292",
    "breast-cancer": ".040 (.029)|.036 (.033)|.058 (.044)|.059 (.042)|.063|.049|.069",
    "ionosphere": ".122 (.095)|.108 (.099)|.124 (.096)|.133 (.094)|.115|.157|.185",
}


@dataclass(frozen=True)
class Task:
    """Complete rows of a table, split by a seed, and which cells are hidden."""

    name: str
    seed: int
    complete: pd.DataFrame
    hidden: np.ndarray

    @property
    def holed(self):
        """The rows without their hidden cells."""
        return self.complete.mask(self.hidden)

    @property
    def is_label(self):
        """Which columns hold labels."""
        return np.array([dtype == "category" for dtype in self.complete.dtypes])

    @property
    def labels(self):
        """Names of the columns of labels."""
        return list(self.complete.columns[self.is_label])


def table(name):
    """Read a table: numbers as they were recorded, labels as categories."""
    other = name == "ionosphere"
    X = read("anomaly", "18_Ionosphere")["X"] if other else real_columns(name)
    # Through text, as 0.1 in single precision is 0.10000000149.
    frame = pd.DataFrame(X.astype(str).astype(float)).rename(columns="x{}".format)
    if name in BUNDLED:
        bunch = BUNDLED[name]()
        frame["label"] = pd.Categorical.from_codes(bunch.target, bunch.target_names)
    return frame


def make_task(name, seed):
    """Split a table and choose the cells to hide."""
    frame = table(name)
    rows, _ = train_test_split(
        frame, test_size=0.2, random_state=seed, stratify=frame.get("label")
    )
    hidden = np.random.RandomState(seed).random_sample(rows.shape) < HIDDEN_SHARE
    left = ~hidden.all(axis=1)
    return Task(name, seed, rows[left].reset_index(drop=True), hidden[left])


def coded(frame):
    """Rows as a matrix, with codes of labels, and NaN where missing."""
    columns = [
        cells.cat.codes.where(cells.notna()) if cells.dtype == "category" else cells
        for _, cells in frame.items()
    ]
    return np.stack([cells.to_numpy(float) for cells in columns], axis=1)


def decoded(task, X):
    """Undo `coded`: rows of a table, within what was observed of each column."""
    observed = coded(task.holed)
    X = np.clip(X, np.nanmin(observed, axis=0), np.nanmax(observed, axis=0))
    # The cells that were shown, exactly.
    X = np.where(task.hidden, X, observed)
    frame = pd.DataFrame(X, columns=task.complete.columns)
    for name in task.labels:
        levels = task.complete[name].cat.categories
        codes = frame[name].round().astype(int)
        frame[name] = pd.Categorical.from_codes(codes, levels)
    return frame


@lru_cache(maxsize=1)
def fitted(name, seed):
    """Fit the imputer with every default, once for all strategies; return its seconds too."""
    begin = time.perf_counter()
    imputer = MADEImputer(random_state=seed).fit(make_task(name, seed).holed)
    return imputer, time.perf_counter() - begin


def made(strategy, task):
    """Return completions by MADEImputer."""
    imputer, _ = fitted(task.name, task.seed)
    imputer.set_params(strategy=strategy)
    # Means and medians are the same each time.
    n_different = N_COMPLETIONS if strategy == "sample" else 1
    completions = [
        imputer.set_params(random_state=draw).transform(task.holed)
        for draw in range(n_different)
    ]
    return completions * (N_COMPLETIONS // n_different)


def mice_forest(task):
    """Return completions by chained boosted trees with predictive mean matching."""
    from miceforest import ImputationKernel

    kernel = ImputationKernel(
        task.holed,
        num_datasets=N_COMPLETIONS,
        random_state=task.seed,
        save_all_iterations_data=False,
    )
    kernel.mice(N_ROUNDS)
    return [kernel.complete_data(dataset=draw) for draw in range(N_COMPLETIONS)]


def iterative(task):
    """Return completions by chained linear regressions, whole numbers where all are."""
    X = coded(task.holed)
    is_whole = np.all(np.isnan(X) | (np.round(X) == X), axis=0)
    completions = []
    for draw in range(N_COMPLETIONS):
        imputer = IterativeImputer(sample_posterior=True, random_state=draw)
        filled = imputer.fit_transform(X)
        completions.append(decoded(task, np.where(is_whole, filled.round(), filled)))
    return completions


def chained_forests(task):
    """Return completions by the algorithm of MissForest: 100 trees, all columns at a split."""
    X = coded(task.holed)
    return [decoded(task, forests_of(X, task.is_label, draw)) for draw in range(N_COMPLETIONS)]


def forests_of(X, is_label, draw):
    """Fill in the missing cells of a matrix, until rounds change more of them than before."""
    holes = np.isnan(X)
    modes = [np.bincount(x[~np.isnan(x)].astype(int)).argmax() for x in X.T[is_label]]
    guesses = np.nanmean(X, axis=0)
    guesses[is_label] = modes
    filled, least = np.where(holes, guesses, X), np.inf
    for _ in range(MAX_ROUNDS):
        before = filled.copy()
        for column in np.argsort(holes.sum(axis=0), kind="stable"):
            own = holes[:, column]
            if not own.any():
                continue
            kind = RandomForestClassifier if is_label[column] else RandomForestRegressor
            forest = kind(max_features=1.0, random_state=draw)
            others = np.delete(filled, column, axis=1)
            forest.fit(others[~own], filled[~own, column])
            filled[own, column] = forest.predict(others[own])
        change = changes(before, filled, is_label)
        if np.all(change > least):
            return before
        least = change
    return filled


def changes(before, filled, is_label):
    """How far numbers have moved, and how many labels have turned, if there are any."""
    numbers, labels = filled[:, ~is_label], filled[:, is_label]
    moved = np.sum((numbers - before[:, ~is_label]) ** 2) / np.sum(numbers**2)
    turned = np.sum(labels != before[:, is_label])
    return np.array([moved, turned] if is_label.any() else [moved])


def nearest(task):
    """Return completions by the nearest row that has the cell, all alike."""
    scaler = StandardScaler()
    X = scaler.fit_transform(coded(task.holed))
    filled = scaler.inverse_transform(KNNImputer(n_neighbors=1).fit_transform(X))
    return [decoded(task, filled)] * N_COMPLETIONS


STRATEGIES = {f"MADE {name}": partial(made, name) for name in ("sample", "median", "mean")}
# Functions of a task, which return completions.
METHODS = {
    **STRATEGIES,
    PEER: mice_forest,
    "MissForest": chained_forests,
    "IterativeImputer": iterative,
    "1-NN": nearest,
}


def is_installed(method):
    """Whether a method can be run; say what to install if it cannot."""
    if method != PEER or importlib.util.find_spec("miceforest"):
        return True
    print(f"{method} is left out: pip install miceforest", flush=True)
    return False


def scaled(task, frame):
    """Rows as a matrix whose L1 distances are those of the protocol."""
    numbers = task.complete.columns[~task.is_label]
    low, high = task.complete[numbers].min(), task.complete[numbers].max()
    X = ((frame[numbers] - low) / (high - low).replace(0, 1)).to_numpy(float)
    halves = [pd.get_dummies(frame[name]).to_numpy(float) / 2 for name in task.labels]
    return np.hstack([X, *halves])


def cell_errors(task, frame):
    """Absolute error of each cell; a wrong label counts 1, and shown cells must be right."""
    low, high = task.complete.min(numeric_only=True), task.complete.max(numeric_only=True)
    errors = np.zeros(task.hidden.shape)
    for position, (name, truth) in enumerate(task.complete.items()):
        if name in task.labels:
            errors[:, position] = frame[name].astype(str) != truth.astype(str)
        else:
            errors[:, position] = (frame[name] - truth).abs() / (high[name] - low[name] or 1)
    if errors[~task.hidden].max() > 1e-9:
        raise ValueError("A completion has changed cells that were shown.")
    return errors


def transport(task, frame):
    """W1 of the completed rows to the complete ones."""
    costs = cdist(scaled(task, frame), scaled(task, task.complete), "cityblock")
    return float(costs[linear_sum_assignment(costs)].mean())


def run(name, method, seed):
    """Complete and score one split, unless that has been done."""
    if is_done(PROTOCOL, name, method, seed):
        return
    task = make_task(name, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        earlier = fitted(name, seed)[1] if method in STRATEGIES else 0
        begin = time.perf_counter()
        completions = METHODS[method](task)
    seconds = earlier + time.perf_counter() - begin
    errors = np.stack([cell_errors(task, frame) for frame in completions])
    average, least = measures(errors, task.hidden.sum())
    facts = {
        "AvgMAE": average,
        "MinMAE": least,
        "W1": float(np.mean([transport(task, frame) for frame in completions])),
        "seconds": seconds,
        "n_rows": len(task.complete),
        "n_columns": task.complete.shape[1],
    }
    keep(PROTOCOL, name, method, seed, facts, ["miceforest"] if method == PEER else [])
    print(
        f"{name} {method} seed {seed}: AvgMAE {average:.4f}, MinMAE {least:.4f}, "
        f"W1 {facts['W1']:.4f} in {seconds:.0f} s",
        flush=True,
    )


def measures(errors, n_hidden):
    """Return AvgMAE and MinMAE of errors (completions, rows, columns)."""
    of_rows = errors.sum(axis=2)
    least = of_rows.min(axis=0).sum() / n_hidden
    return float(of_rows.mean(axis=0).sum() / n_hidden), float(least)


def found():
    """Return the measures of what has been run, by table and method, then by seed."""
    runs = {}
    for (name, method, seed), facts in measured(PROTOCOL).items():
        values = np.array([facts[measure] for measure in ("AvgMAE", "MinMAE", "W1")])
        runs.setdefault((name, method), {})[seed] = values
    return runs


def mean_of(results, seeds=None):
    """Average measures over seeds, by default over all there are."""
    return np.mean([results[seed] for seed in seeds or results], axis=0)


def write_reports():
    """Write tables of what has been run."""
    runs = found()
    if not runs:
        return
    methods = [method for method in METHODS if any(key[1] == method for key in runs)]
    for name, text in TEXTS.items():
        write(name, rows_of(runs, methods, text))
    write("imputation_published", beside_published(runs))
    draw(runs)


def rows_of(runs, methods, text):
    """Rows of a measure: each table, and the mean of seeds and tables common to all methods."""
    yield ["table", *methods]
    common = {}
    for name in TABLES:
        own = {method: runs.get((name, method), {}) for method in methods}
        yield [name, *(cell(results, text) for results in own.values())]
        seeds = [seed for seed in SEEDS if all(seed in results for results in own.values())]
        if seeds:
            common[name] = [mean_of(results, seeds) for results in own.values()]
    if common:
        yield ["mean", *(text(values) for values in np.mean(list(common.values()), axis=0))]


def cell(results, text):
    """Write a measure, and of how many seeds it is if not of all."""
    if not results:
        return ""
    n_seeds, n_all = len(results), len(SEEDS)
    note = "" if n_seeds == n_all else f" ({n_seeds} of {n_all} seeds)"
    return text(mean_of(results)) + note


def errors_text(values):
    """Write AvgMAE and MinMAE."""
    return f"{values[0]:.3f} ({values[1]:.3f})"


TEXTS = {
    "imputation": errors_text,
    "imputation_w1": lambda values: f"{values[2]:.3f}",
}


def beside_published(runs):
    """Rows of our errors beside published ones of others."""
    strategies = [OURS, "MADE median"]
    yield ["table", *strategies, *PUBLISHED_METHODS]
    for name in TABLES:
        ours = [cell(runs.get((name, strategy), {}), errors_text) for strategy in strategies]
        if any(ours):
            yield [name, *ours, *PUBLISHED[name].replace(".", "0.").split("|")]


def draw(runs):
    """Draw how far the errors of others are from those of medians."""
    ours = "MADE median"
    tables = [name for name in TABLES if (name, ours) in runs]

    def errors(method):
        own = [runs.get((name, method)) for name in tables]
        return np.array([mean_of(results)[0] if results else np.nan for results in own])

    others = {m: errors(ours) - errors(m) for m in METHODS if m not in STRATEGIES}
    label = "mean absolute error of hidden cells"
    draw_beside("completion", label, tables, others, linear=0.02)


def main():
    """Run what is asked for, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=TABLES, default=list(TABLES))
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", nargs="*", type=int, choices=SEEDS, default=list(SEEDS))
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--report", action="store_true", help="run nothing")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    methods = [] if chosen.report else [m for m in chosen.methods if is_installed(m)]
    for seed in chosen.seeds:
        for name in chosen.only:
            for method in methods:
                run(name, method, seed)
    write_reports()


if __name__ == "__main__":
    main()
