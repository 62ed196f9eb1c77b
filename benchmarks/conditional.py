"""MADERegressor and MADEClassifier with every default, beside other predictors.

    python benchmarks/conditional.py                        # everything
    python benchmarks/conditional.py --only yacht --splits 5
    python benchmarks/conditional.py --only adult --methods MADEClassifier logistic
    python benchmarks/conditional.py --report               # tables of what has been run

Numbers: the mean negative log-density of y given x on test rows, in the units of y (NLL), the
root mean square error of the mean, the share of test rows within intervals of 90 % and their
mean width, and the mean pinball loss at 0.05, 0.5 and 0.95. Splits are the published ones
(Hernandez-Lobato and Adams 2015, Gal and Ghahramani 2016): 20, of protein 5. The published
columns are of a normal law (NGBoost), an ensemble of networks and a flow.

Labels: the log-loss on test rows, complete and with 30 % of their cells hidden. Adult has its
own test rows; the others are split 80/20 by seeds. Numbers are scaled, labels one-hot and holes
filled with means for logistic regression; the trees take labels and holes as they are. Naive
Bayes is of scaled numbers and one-hot labels, with holes filled.

Data come from where tables.py and mixed.py say, `mixed/shoppers.csv.gz` from the UCI
repository. NGBoost is installed by `pip install -e ".[benchmark]"` and left out if it is not.
Each run is kept by store.py.
"""

import argparse
import importlib.util
import itertools
import time
from functools import lru_cache, partial

import numpy as np
import pandas as pd
import torch
from mixed import DATA
from report import draw_beside, standard_error, write
from scipy.stats import norm
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from store import is_done, keep, lines_of, measured, n_seeds
from tables import read

from skmade import MADEClassifier, MADERegressor

# Tables of numbers, and how many splits each has.
NUMBERS = {"yacht": 20, "concrete": 20, "power-plant": 20, "protein-tertiary-structure": 5}
# Tables with labels to predict, and how many seeds split them.
LABELS = {"german_credit": 3, "titanic3": 3, "shoppers": 3, "adult": 1}
TARGETS = {
    "german_credit": "class",
    "titanic3": "survived",
    "shoppers": "Revenue",
    "adult": "income",
}
DROPPED = {"titanic3": ["name", "ticket", "cabin", "boat", "body", "home.dest"]}
HIDDEN_SHARE = 0.3

LEVELS = np.array([0.05, 0.5, 0.95])

PROTOCOL = "conditional"
MEASURES = ("NLL", "RMSE", "coverage", "width", "pinball", "seconds")
MEASURES_OF_LABELS = ("log-loss", "log-loss, holes", "seconds", "seconds to predict")

# Mean NLL over the splits: google/uncertainty-baselines; the documentation of
# xgboost-distribution; arXiv 2508.17056, as a reproduction quotes it.
PUBLISHED = {
    "deep ensemble of 10": (0.73, 3.20, 3.18, 3.12),
    "NGBoost, normal": (0.75, 3.09, 2.77, 2.91),
    "TabResFlow": (0.67, 2.90, 2.60, 1.95),
}


def regression_split(name, split):
    """Return training and test rows of a published split."""
    arrays = read("continuous", name)
    data = arrays["data"].astype(str).astype(float)  # as recorded, not in single precision
    test = np.unpackbits(arrays["test_mask"][split])[: len(data)].astype(bool)
    X, y = data[:, arrays["index_features"]], data[:, arrays["index_target"][0]]
    return X[~test], y[~test], X[test], y[test]


@lru_cache(maxsize=1)
def fitted(name, split):
    """Fit MADERegressor to the training rows of a split."""
    X, y, _, _ = regression_split(name, split)
    return MADERegressor(random_state=split).fit(X, y)


def made_regressor(name, split, weighed=False):
    """Return log-densities, means and quantiles by MADERegressor, or its joint density."""
    _, _, X_test, y_test = regression_split(name, split)
    model = fitted(name, split)
    if weighed:
        rows = np.column_stack([X_test, np.full(len(X_test), np.nan)])
        given = model.estimator_.conditional(rows, X_test.shape[1])
    else:
        given = model.predict_distribution(X_test)
    logs = (given.logpdf if hasattr(given, "logpdf") else given.logpmf)(y_test)
    return logs, given.mean(), given.ppf(LEVELS[None])


def ngboost(name, split, n_estimators=500, validated=False):
    """Return log-densities, means and quantiles by NGBoost, a normal law."""
    from ngboost import NGBRegressor

    X, y, X_test, y_test = regression_split(name, split)
    options = {"n_estimators": n_estimators, "random_state": split, "verbose": False}
    if validated:  # as in its paper: as many trees as held-out rows say, then all rows
        parts = train_test_split(X, y, test_size=0.2, random_state=split)
        trial = NGBRegressor(**options).fit(parts[0], parts[2], parts[1], parts[3])
        options["n_estimators"] = max(int(trial.best_val_loss_itr or 0) + 1, 1)
    normal = NGBRegressor(**options).fit(X, y).pred_dist(X_test).params
    mean, deviation = normal["loc"], normal["scale"]
    quantiles = mean[:, None] + deviation[:, None] * norm.ppf(LEVELS)
    return norm.logpdf(y_test, mean, deviation), mean, quantiles


REGRESSORS = {
    "MADERegressor": made_regressor,
    "MADEDensity, weighed": partial(made_regressor, weighed=True),
    "NGBoost": ngboost,
    "NGBoost, validated": partial(ngboost, n_estimators=2000, validated=True),
}


def score_regressor(method, name, split):
    """Fit and score one split."""
    y_test = regression_split(name, split)[3]
    begin = time.perf_counter()
    logs, mean, quantiles = REGRESSORS[method](name, split)
    seconds = time.perf_counter() - begin
    apart = y_test[:, None] - quantiles
    inside = (apart[:, 0] >= 0) & (apart[:, -1] <= 0)
    return {
        "NLL": -logs.mean(),
        "RMSE": np.sqrt(np.mean((mean - y_test) ** 2)),
        "coverage": inside.mean(),
        "width": (quantiles[:, -1] - quantiles[:, 0]).mean(),
        "pinball": np.maximum(LEVELS * apart, (LEVELS - 1) * apart).mean(),
        "seconds": seconds,
    }


def classification_split(name, seed):
    """Return training and test rows with text as categories, and their labels."""
    if name == "adult":
        parts = [
            pd.read_csv(DATA / "mixed" / f"adult_{part}.csv.gz") for part in ("train", "test")
        ]
        frame = pd.concat(parts, ignore_index=True)
        train = np.arange(len(frame)) < len(parts[0])
    else:
        frame = pd.read_csv(DATA / "mixed" / f"{name}.csv.gz")
        frame = frame.drop(columns=DROPPED.get(name, [])).dropna(subset=TARGETS[name])
        chosen = train_test_split(np.arange(len(frame)), test_size=0.2, random_state=seed)[0]
        train = np.isin(np.arange(len(frame)), chosen)
    y = frame.pop(TARGETS[name]).to_numpy()
    for column in frame:
        if not pd.api.types.is_numeric_dtype(frame[column]) or frame[column].dtype == bool:
            frame[column] = frame[column].astype("category")
        else:
            frame[column] = frame[column].astype(float)
    return frame[train], y[train], frame[~train], y[~train]


def one_hot(last):
    """Scaled numbers and one-hot labels, holes filled, before a classifier."""
    numbers = make_pipeline(StandardScaler(), SimpleImputer())
    labels = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    chosen = make_column_selector(dtype_include="number")
    others = make_column_selector(dtype_exclude="number")
    return make_pipeline(make_column_transformer((numbers, chosen), (labels, others)), last)


CLASSIFIERS = {
    "MADEClassifier": lambda seed: MADEClassifier(random_state=seed),
    "trees": lambda seed: HistGradientBoostingClassifier(random_state=seed),
    "logistic": lambda _: one_hot(LogisticRegression(max_iter=1000)),
    "naive-bayes": lambda _: one_hot(GaussianNB()),
}


def score_classifier(method, name, seed):
    """Fit and score one split."""
    X, y, X_test, y_test = classification_split(name, seed)
    hidden = np.random.RandomState(seed).random_sample(X_test.shape) < HIDDEN_SHARE
    begin = time.perf_counter()
    model = CLASSIFIERS[method](seed).fit(X, y)
    fitted = time.perf_counter()
    losses = [
        log_loss(y_test, model.predict_proba(rows), labels=model.classes_)
        for rows in (X_test, X_test.mask(hidden))
    ]
    return {
        "log-loss": losses[0],
        "log-loss, holes": losses[1],
        "seconds": fitted - begin,
        "seconds to predict": time.perf_counter() - fitted,
    }


def run(name, method, split):
    """Measure one run, unless that has been done."""
    if is_done(PROTOCOL, name, method, split):
        return
    if "NGBoost" in method and not importlib.util.find_spec("ngboost"):
        print(f"{method} is left out: pip install ngboost", flush=True)
        return
    score = score_regressor if name in NUMBERS else score_classifier
    facts = {measure: float(value) for measure, value in score(method, name, split).items()}
    keep(PROTOCOL, name, method, split, facts, ["ngboost"] if "NGBoost" in method else [])
    shown = ", ".join(f"{measure} {value:.3f}" for measure, value in facts.items())
    print(f"{name} {method} {split}: {shown}", flush=True)


def found(name, method):
    """Return the lines of a method on a table."""
    return lines_of(measured(PROTOCOL), name, method)


def mean_of(lines, measure):
    """Average a measure over the splits, NaN over none."""
    return float(np.mean([own[measure] for own in lines])) if lines else np.nan


def rows_of(tables, methods, measures):
    """Yield the measures of each table and method, averaged over splits."""
    yield ["table", "method", "splits", *measures]
    for name, method in itertools.product(tables, methods):
        lines = found(name, method)
        if not lines:
            continue
        cells = [f"{mean_of(lines, measure):.3f}" for measure in measures]
        if len(lines) > 1:
            cells[0] += f" ± {standard_error([own[measures[0]] for own in lines]):.3f}"
        yield [name, method, n_seeds(lines), *cells]


def beside_published():
    """Yield the NLL of each table beside published ones."""
    yield ["method", *NUMBERS]
    own = {m: [mean_of(found(name, m), "NLL") for name in NUMBERS] for m in REGRESSORS}
    own = {m: means for m, means in own.items() if not np.isnan(means).all()}
    for method, means in own.items():
        yield [method, *("" if np.isnan(nll) else f"{nll:.2f}" for nll in means)]
    for method, values in PUBLISHED.items() if own else ():
        yield [f"{method} (published)", *(f"{nll:.2f}" for nll in values)]


def draw():
    """Draw how far others are from MADERegressor, where both have the same splits."""
    ours = {name: found(name, "MADERegressor") for name in NUMBERS}
    ours = {name: lines for name, lines in ours.items() if lines}

    def ahead(name, method):
        lines = found(name, method)
        alike = n_seeds(lines) == n_seeds(ours[name])
        return mean_of(ours[name], "NLL") - mean_of(lines, "NLL") if alike else np.nan

    others = {
        method: np.array([ahead(name, method) for name in ours])
        for method in REGRESSORS
        if method != "MADERegressor"
    }
    for method, values in PUBLISHED.items():
        published = dict(zip(NUMBERS, values, strict=True))
        gains = [mean_of(lines, "NLL") - published[name] for name, lines in ours.items()]
        others[f"{method} (published)"] = np.array(gains)
    draw_beside("conditionals", "log-density of y given x, nats per row", list(ours), others)


def write_reports():
    """Write tables of what has been run."""
    for name, rows in {
        "conditional_numbers": rows_of(NUMBERS, REGRESSORS, MEASURES),
        "conditional_labels": rows_of(LABELS, CLASSIFIERS, MEASURES_OF_LABELS),
        "conditional_published": beside_published(),
    }.items():
        rows = list(rows)
        write(name, rows)
    draw()


def main():
    """Measure what is asked for and has not been, and write the tables."""
    tables = NUMBERS | LABELS
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=tables, default=list(tables))
    parser.add_argument("--methods", nargs="*", default=[*REGRESSORS, *CLASSIFIERS])
    parser.add_argument("--splits", type=int, help="the first of them alone")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--report", action="store_true", help="measure nothing")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name in () if options.report else options.only:
        methods = REGRESSORS if name in NUMBERS else CLASSIFIERS
        for split in range(min(options.splits or tables[name], tables[name])):
            for method in methods:
                if method in options.methods:
                    run(name, method, split)
    write_reports()


if __name__ == "__main__":
    main()
