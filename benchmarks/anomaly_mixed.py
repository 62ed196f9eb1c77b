"""How well MADEOutlierDetector finds planted anomalies in tables of labels, numbers and holes.

    python benchmarks/anomaly_mixed.py                     # everything
    python benchmarks/anomaly_mixed.py --only german_credit --seeds 0
    python benchmarks/anomaly_mixed.py --report            # the table of what has been run

Half of the rows (at most 5000) are fitted. Of the others (at most 3000) a tenth gets anomalies:

swapped      three cells from another row
rare label   one label that less than a twentieth of the rows have, and this row does not
broken pair  of the two columns that depend most on each other, one from another row

A tenth of the cells is hidden, in all rows alike, also where the table has none missing.
MADEOutlierDetector() gets DataFrames of labels and numbers. IsolationForest and KNN, the
distance to the fifth of the nearest rows, get numbers standardised, missing ones their means,
and labels one-hot. Figures are areas under the ROC curve and average precisions, in percent.
"""

import argparse
import itertools

import numpy as np
import pandas as pd
from detectors import N_NEIGHBORS, Neighbors
from mixed import DATA, read
from report import standard_error, write
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.metrics import average_precision_score, normalized_mutual_info_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from store import is_done, keep, measured

from skmade import MADEOutlierDetector

FILES = {"adult": "adult_train", "german_credit": "german_credit", "shoppers": "shoppers"}
CODES_OF_SHOPPERS = ("OperatingSystems", "Browser", "Region", "TrafficType")
SEEDS = range(3)
MAX_TRAIN_ROWS, MAX_TEST_ROWS = 5000, 3000
SHARE_OF_ANOMALIES, SHARE_OF_HOLES = 0.1, 0.1
N_SWAPPED, RARE, N_BINS = 3, 0.05, 8


def swapped(table, row, others, rng):
    """Put cells of another row in place."""
    columns = rng.choice(table.columns, N_SWAPPED, replace=False)
    table.loc[row, columns] = others.loc[rng.choice(others.index), columns]


def rare_label(table, row, others, rng):
    """Put a rare label in place, where there is one."""
    choices = [
        (column, label)
        for column in others.select_dtypes(exclude="number")
        for label, share in others[column].value_counts(normalize=True).items()
        if share < RARE and label != table.loc[row, column]
    ]
    column, label = choices[rng.randint(len(choices))]
    table.loc[row, column] = label


def broken_pair(table, row, others, rng):
    """Put another row's cell in place, in a column that depends on another one."""
    column = others.attrs["pair"][rng.randint(2)]
    table.loc[row, column] = others.loc[rng.choice(others.index), column]


KINDS = {"swapped": swapped, "rare label": rare_label, "broken pair": broken_pair}


def closest_pair(table):
    """Return the two columns that tell most of each other, numbers by their bins."""

    def coded(cells):
        if pd.api.types.is_numeric_dtype(cells) and cells.nunique() > N_BINS:
            cells = pd.qcut(cells, N_BINS, duplicates="drop", labels=False)
        return pd.factorize(cells)[0]

    codes = {column: coded(table[column]) for column in table}
    pairs = itertools.combinations([c for c in table if len(np.unique(codes[c])) > 1], 2)
    return max(pairs, key=lambda p: normalized_mutual_info_score(codes[p[0]], codes[p[1]]))


def split(name, kind, seed):
    """Return rows to fit and to score, and which of the latter have anomalies."""
    rng = np.random.RandomState(seed)
    table = read_table(name).sample(frac=1, random_state=seed).reset_index(drop=True)
    half = min(len(table) // 2, MAX_TRAIN_ROWS)
    train, test = table[:half].copy(), table[half : half + MAX_TEST_ROWS].copy()
    test = test.reset_index(drop=True)
    train.attrs["pair"] = closest_pair(train)
    odd = rng.choice(len(test), int(SHARE_OF_ANOMALIES * len(test)), replace=False)
    for row in odd:
        KINDS[kind](test, row, train, rng)
    train.attrs.clear()
    holes = [rng.uniform(size=part.shape) < SHARE_OF_HOLES for part in (train, test)]
    is_odd = np.isin(np.arange(len(test)), odd)
    return train.mask(holes[0]), test.mask(holes[1]), is_odd


def read_table(name):
    """Read a table: numbers as floats, labels as text."""
    if name != "shoppers":
        return read(FILES[name], name)
    table = pd.read_csv(DATA / "mixed" / "shoppers.csv.gz")
    labels = [c for c in table if table[c].dtype.kind not in "if" or c in CODES_OF_SHOPPERS]
    numbers = table.columns.difference(labels)
    return table.astype(dict.fromkeys(labels, str) | dict.fromkeys(numbers, float))


def one_hot(detector):
    """Return a pipeline of a detector that gets numbers standardised, and labels one-hot."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    labels = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (labels, make_column_selector(dtype_exclude="number")),
    )
    return make_pipeline(columns, detector)


METHODS = {
    "MADEOutlierDetector": lambda seed: MADEOutlierDetector(),
    "IsolationForest": lambda seed: one_hot(IsolationForest(random_state=seed)),
    "KNN": lambda seed: one_hot(Neighbors(n_neighbors=N_NEIGHBORS)),
}


PROTOCOL = "anomaly-mixed"
METRICS = {"auroc": roc_auc_score, "aupr": average_precision_score}


def run(name, kind, method, seed):
    """Keep both areas of a method, in percent."""
    table = f"{name}, {kind}"
    if is_done(PROTOCOL, table, method, seed):
        return
    train, test, is_odd = split(name, kind, seed)
    scores = METHODS[method](seed).fit(train).score_samples(test)
    areas = {area: 100 * float(metric(is_odd, -scores)) for area, metric in METRICS.items()}
    keep(PROTOCOL, table, method, seed, areas | {"n_train": len(train)})
    print(f"{table}, {method}, seed {seed}: {areas['auroc']:.2f}", flush=True)


def areas(name, kind):
    """Return the areas (metrics, methods, seeds) that have been measured by all methods."""
    runs = measured(PROTOCOL)
    found = [
        [runs.get((f"{name}, {kind}", method, seed)) for method in METHODS] for seed in SEEDS
    ]
    done = [facts for facts in found if all(facts)]
    return np.array(
        [[[f[m][area] for f in done] for m in range(len(METHODS))] for area in METRICS]
    )


def rows_of_report():
    """Yield a row for each table and kind, with means and standard errors over the seeds."""
    figures = [f"{method}, {area}" for area in ("AUROC", "AUPR") for method in METHODS]
    yield ["table", "anomalies", "seeds", *figures]
    for name in FILES:
        by_kind = {kind: areas(name, kind) for kind in KINDS}
        n_seeds = min(own.shape[2] for own in by_kind.values())
        if n_seeds < 2:
            continue
        by_kind["all"] = np.mean([own[:, :, :n_seeds] for own in by_kind.values()], axis=0)
        for kind, own in by_kind.items():
            cells = [f"{x.mean():.2f} ± {standard_error(x):.2f}" for x in own.reshape(6, -1)]
            yield [name, kind, n_seeds, *cells]


def write_reports():
    """Write the table of what has been run."""
    write("anomaly_mixed", rows_of_report())


def main():
    """Run what is asked for, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=FILES, default=list(FILES))
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", nargs="*", type=int, choices=SEEDS, default=list(SEEDS))
    parser.add_argument("--report", action="store_true", help="run nothing")
    chosen = parser.parse_args()
    runs = itertools.product(chosen.seeds, chosen.only, KINDS, chosen.methods)
    for seed, name, kind, method in [] if chosen.report else runs:
        run(name, kind, method, seed)
    write_reports()


if __name__ == "__main__":
    main()
