"""MADEDensity on tables of labels, counts and numbers with missing cells.

    python benchmarks/mixed.py                                       # everything
    python benchmarks/mixed.py --only penguins --seeds 0
    python benchmarks/mixed.py --methods independent chow-liu        # a quick look
    python benchmarks/mixed.py --parts imputation --set order_agnostic=True max_iter=50

Tables are read from the folder in the environment variable SKMADE_BENCHMARK_DATA (default:
benchmarks/data) as `mixed/<name>.csv.gz`: adult_train, adult_test and german_credit (UCI),
titanic3 (Vanderbilt) and penguins (palmerpenguins), with a header and empty missing cells.
Adult has its own test rows; the others are split 80/20 by each seed.

Likelihood: mean nats per test row, holes of the table's own included, and how much more
MADEDensity has, with the standard error of the paired difference. "made-complete" is
MADEDensity without the training rows that have holes; the others are those of baselines.py.
The peak memory is that of the process up to then. Rows with seed "mean" are averages over
the seeds, of the standard errors too.

Imputation: a fifth of the observed test cells is hidden and filled in again; root mean
square error of numbers (standardised by the training rows) and accuracy of labels. Seconds
are of filling in for "made", of fit and filling in for the others. Labels are one-hot for
the imputers of scikit-learn.

Synthetic: AUROC on the real test rows of a classifier of adult's income, trained on the real
training rows or on as many drawn ones.
"""

import argparse
import ast
import itertools
import os
import pathlib
import resource
import sys
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
from baselines import ChowLiu, Independent, OneHot
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from skmade import MADEDensity

DATA = pathlib.Path(
    os.environ.get("SKMADE_BENCHMARK_DATA", pathlib.Path(__file__).parent / "data")
)
# Columns that are numbers; the others are labels.
COUNTS = {
    "penguins": "year",
    "titanic3": "sibsp parch",
    "german_credit": "duration credit_amount installment_rate residence_since age "
    "existing_credits n_liable",
    "adult": "age fnlwgt education_num capital_gain capital_loss hours_per_week",
}
CONTINUOUS = {
    "penguins": "bill_length_mm bill_depth_mm flipper_length_mm body_mass_g",
    "titanic3": "age fare",
}
# Free text and identifiers.
DROPPED = {"titanic3": ["name", "ticket", "cabin", "boat", "body", "home.dest"]}

BASELINES = {"independent": Independent, "chow-liu": ChowLiu}
IMPUTERS = {
    "mean": SimpleImputer(),  # of one-hot labels: the most frequent
    "knn-5": KNNImputer(n_neighbors=5),
    "knn-20": KNNImputer(n_neighbors=20),
    "iterative": IterativeImputer(random_state=0),
}
METHODS = ("made", "made-complete", *BASELINES, *IMPUTERS)
HIDDEN_SHARE = 0.2
# Imputation of adult: at most so many test rows, and training rows of the other imputers.
MAX_TEST_ROWS, MAX_TRAIN_ROWS = 2000, 5000


@dataclass(frozen=True)
class Task:
    """A table, split by a seed."""

    name: str
    seed: int
    train: pd.DataFrame
    test: pd.DataFrame

    @property
    def kinds(self):
        """Kinds of the columns that are numbers."""
        return number_kinds(self.name)


def number_kinds(name):
    """Kinds of the columns of a table that are numbers."""
    counts, continuous = COUNTS[name].split(), CONTINUOUS.get(name, "").split()
    return dict.fromkeys(counts, "count") | dict.fromkeys(continuous, "continuous")


def load(name, seed, max_rows):
    """Read a table and split it."""
    if name == "adult":
        train, test = read("adult_train", name), read("adult_test", name)
    else:
        train, test = train_test_split(read(name, name), test_size=0.2, random_state=seed)
    if max_rows is not None and len(train) > max_rows:
        train = train.sample(max_rows, random_state=seed)
    return Task(name, seed, train.reset_index(drop=True), test.reset_index(drop=True))


def read(file, name):
    """Read a file: numbers as floats, labels as text."""
    frame = pd.read_csv(DATA / "mixed" / f"{file}.csv.gz")
    frame = frame.drop(columns=DROPPED.get(name, []))
    for column in frame:
        if column in number_kinds(name):
            frame[column] = frame[column].astype(float)
        elif pd.api.types.is_numeric_dtype(frame[column]):
            labels = [None if np.isnan(cell) else f"{cell:g}" for cell in frame[column]]
            frame[column] = pd.Series(labels, index=frame.index, dtype=object)
    return frame


class Models:
    """Fits of MADEDensity, each made once."""

    def __init__(self, parameters, progress):
        self.parameters = {"random_state": 0, "handle_unknown": "smoothed", **parameters}
        self.progress = progress
        self.done = {}

    def fit(self, task, complete=False):
        """Return the density of a task's training rows (those without holes), and seconds."""
        key = task.name, task.seed, complete
        if key not in self.done:
            density = MADEDensity(**{"feature_types": task.kinds, **self.parameters})
            if self.progress:
                from sklearn.callback import ProgressBar

                density.set_callbacks(ProgressBar())
            rows = task.train.dropna() if complete else task.train
            self.done[key] = timed(lambda: density.fit(rows))
        return self.done[key]


def likelihood(tasks, models, methods):
    """Yield test log-likelihoods of densities, and how much more MADEDensity has."""
    for task in tasks:
        made = None
        for method in methods:
            if method == "made-complete" and not task.train.isna().any(axis=None):
                continue
            if method in BASELINES:
                baseline = BASELINES[method](task.kinds)
                density, seconds = timed(lambda b=baseline, t=task: b.fit(t.train))
            else:
                density, seconds = models.fit(task, complete=method == "made-complete")
            scores = density.score_samples(task.test)
            made = scores if method == "made" else made
            gain = (np.nan, np.nan)
            if made is not None and method != "made":
                gain = (made - scores).mean(), standard_error(made - scores)
            numbers = scores.mean(), standard_error(scores), *gain, seconds, peak_memory()
            yield task.name, task.seed, method, *numbers


def imputation(tasks, models, methods):
    """Yield errors of hidden test cells that were filled in."""
    for task in tasks:
        train, test = task.train, task.test
        if len(test) > MAX_TEST_ROWS:
            test = test.sample(MAX_TEST_ROWS, random_state=task.seed).reset_index(drop=True)
        if len(train) > MAX_TRAIN_ROWS:
            train = train.sample(MAX_TRAIN_ROWS, random_state=task.seed)
        chance = np.random.RandomState(task.seed).random_sample(test.shape)
        hidden = test.notna() & (chance < HIDDEN_SHARE)
        holed = test.mask(hidden)
        encoder = OneHot(task.train, task.kinds)
        for method in methods:
            if method == "made":
                density, _ = models.fit(task)
                filled, seconds = timed(lambda d=density, h=holed: d.impute(h, "mean"))
                filled = encoder.transform(filled)
            else:
                rows = task.train if method == "mean" else train
                arguments = IMPUTERS[method], rows, holed
                filled, seconds = timed(lambda e=encoder, a=arguments: e.impute(*a))
            yield task.name, task.seed, method, *encoder.errors(filled, test, hidden), seconds


def synthetic(tasks, models, methods):
    """Yield AUROCs of classifiers of adult's income, of real and of drawn training rows."""
    for task in tasks:
        yield task.name, task.seed, "real rows", auroc(task, task.train), np.nan
        density, _ = models.fit(task)
        drawn, seconds = timed(lambda d=density, t=task: d.sample(len(t.train), 0))
        yield task.name, task.seed, "drawn rows", auroc(task, drawn), seconds


def auroc(task, rows):
    """Train a classifier of the income on rows, and test it on the real test rows."""
    levels = {
        column: pd.CategoricalDtype(sorted(task.train[column].dropna().unique()))
        for column in task.train
        if column not in task.kinds and column != "income"
    }
    classifier = HistGradientBoostingClassifier(
        categorical_features="from_dtype", random_state=0
    ).fit(rows.drop(columns="income").astype(levels), rows["income"] == ">50K")
    features = task.test.drop(columns="income").astype(levels)
    return roc_auc_score(
        task.test["income"] == ">50K", classifier.predict_proba(features)[:, 1]
    )


def timed(call):
    """Return what a call returns, and its seconds."""
    begin = time.perf_counter()
    return call(), time.perf_counter() - begin


def standard_error(values):
    """Return the standard error of the mean."""
    return values.std(ddof=1) / np.sqrt(len(values))


def peak_memory():
    """Largest memory of the process up to now, in MB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def print_table(heading, header, rows):
    """Print rows as they come, and their means over the seeds after each table."""
    print(f"\n{heading}\n\n| table | seed | method | {' | '.join(header)} |")
    print("|---" * (len(header) + 3) + "|", flush=True)
    for name, group in itertools.groupby(rows, key=lambda row: row[0]):
        done = []
        for row in group:
            print_row(row)
            done.append(row)
        if len({row[1] for row in done}) > 1:
            for method in dict.fromkeys(row[2] for row in done):
                numbers = [row[3:] for row in done if row[2] == method]
                print_row((name, "mean", method, *np.mean(numbers, axis=0)))


def print_row(row):
    """Print names and numbers; what is not a number stays empty."""
    cells = [f"{cell:.3f}" if abs(cell) < 100 else f"{cell:.0f}" for cell in row[3:]]
    cells = ["" if cell == "nan" else cell for cell in cells]
    print("|", " | ".join([*map(str, row[:3]), *cells]), "|", flush=True)


def parameter(text):
    """Read name=value; the value is a Python literal, or else text."""
    name, _, value = text.partition("=")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


# What each part prints: rows, its tables and methods, heading, header.
PARTS = {
    "likelihood": (
        likelihood,
        tuple(COUNTS),
        ("made", "made-complete", *BASELINES),
        "Test log-likelihood, nats per row.",
        ("mean", "standard error", "made has more", "standard error", "fit, s", "peak, MB"),
    ),
    "imputation": (
        imputation,
        tuple(COUNTS),
        ("made", *IMPUTERS),
        f"Hidden cells of at most {MAX_TEST_ROWS} test rows, filled in. knn and iterative are "
        f"fitted to at most {MAX_TRAIN_ROWS} training rows, made and mean to all.",
        ("error of numbers", "accuracy of labels", "seconds"),
    ),
    "synthetic": (
        synthetic,
        ("adult",),
        ("made",),
        "Income of real test rows, by a classifier trained on real or drawn rows.",
        ("AUROC", "draws, s"),
    ),
}


def main():
    """Run the parts asked for and print them as Markdown."""
    folder = DATA / "mixed"
    there = [name for name in COUNTS if list(folder.glob(f"{name}*.csv.gz"))]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=COUNTS, default=there)
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=METHODS)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--rows", type=int, help="largest number of training rows")
    parser.add_argument("--set", nargs="*", type=parameter, default=[], metavar="NAME=VALUE")
    parser.add_argument("--progress", action="store_true", help="needs rich")
    options = parser.parse_args()
    if not there:
        print(f"No tables in {folder}: see the top of this file for their sources.\n")
    tasks = [
        load(name, seed, options.rows)
        for name in there
        if name in options.only
        for seed in (options.seeds[:1] if name == "adult" else options.seeds)
    ]
    models = Models(dict(options.set), options.progress)
    for part in options.parts:
        run, tables, known, heading, header = PARTS[part]
        chosen = [task for task in tasks if task.name in tables]
        methods = [method for method in known if method in options.methods]
        if chosen and methods:
            print_table(heading, header, run(chosen, models, methods))


if __name__ == "__main__":
    main()
