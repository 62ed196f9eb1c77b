"""Rows drawn from MADEDensity beside real ones and those of published generators.

    python benchmarks/synthetic.py                 # everything, or what is missing
    python benchmarks/synthetic.py --only magic --methods MADEDensity --seeds 0
    python benchmarks/synthetic.py --report        # the tables of what has been measured

Tables, with the target as a column like any other: adult, with its own test rows, where a
missing cell is a label, "?"; magic (22_magic.gamma of ADBench, standardised), of which the
published figures test 1902 rows, and so do we. Both splits are the published ones.

Methods: MADEDensity, with every default but its seed, fitted to the training rows; the same
with `bounds` at the least and the largest number of each training column, beyond which the
published generators do not draw either; real rows, the most that can be had; independent
columns, cells drawn from each training column by itself, the least. Each draws as many rows as
the training table has. Seeds are of fits and draws; ± is the standard error over them.

- Shape, Trend: how like columns and pairs of columns are. SDMetrics' quality report: one minus
  the Kolmogorov-Smirnov or total variation distance; correlations, and contingency tables for
  which numbers are cut into ten bins, those of real rows between their least and largest and
  those of drawn rows between theirs: one drawn cell far out moves all bins. All pairs count.
- C2ST: whether boosted trees tell drawn rows from training rows; 1: they can't. SDMetrics'
  detection score, with XGBoost's defaults on one-hot labels: the mean of 2 - 2 max(AUC, 1/2)
  over three stratified folds.
- TSTR: AUC on the real test rows of XGBoost that drawn rows have trained. Of 36 settings the
  one counts that is best on a ninth of the drawn rows, which is held out.
- nearer to training: share of drawn rows that are nearer to a training row than to any that
  was held out, of a model that one half of all rows has trained, with the other half held out.
  Numbers count by the share of their range by which they differ, labels count 1; ties count one
  half. 0.5 is ideal, more is memory.
- C2ST and TSTR of skmade.metrics: the same with HistGradientBoosting's defaults, which anyone
  with skmade can repeat.

Real rows are measured as one half of all rows beside the other, and their TSTR by the training
rows.

The published figures and definitions are those of github.com/april-tools/tabpc (Scassola et
al. 2026, arXiv 2603.23016): article_material/our_results, the mean of five trainings on a GPU,
for TabPC with settings chosen for each table; src/metrics/metrics.py (C2ST, LegacyDensity),
tabdiff_eval/mle/mle.py (TSTR) and datasets_scripts/tabdiff_process_dataset.py (splits, halves).
Their nearer to training is that of github.com/amazon-science/tabsyn (eval/eval_dcr.py), where
labels count 2 and ties nothing. Without sdmetrics or xgboost, what needs them is left out.
"""

import argparse
import warnings

import numpy as np
import pandas as pd
from report import as_number, draw_bars, standard_error, write
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import ParameterGrid, StratifiedKFold, train_test_split
from store import is_done, is_ours, keep, measured, version_of
from tables import DATA, read

from skmade import MADEDensity
from skmade.metrics import c2st, nearer_share, train_on_synthetic

PROTOCOL = "synthetic"
TARGETS = {"adult": "income", "magic": "class"}
MAGIC = (
    "length",
    "width",
    "size",
    "conc",
    "conc1",
    "asym",
    "m3long",
    "m3trans",
    "alpha",
    "dist",
)
# The published split of magic: what is shuffled with this seed, up to this share.
SHUFFLED_BY, TRAINING_SHARE = 1234, 0.9
HALVES_SEED = 0

OURS, BOUNDED = "MADEDensity", "MADEDensity, bounds"
REAL, INDEPENDENT = "real rows", "independent columns"
METHODS = (OURS, BOUNDED, REAL, INDEPENDENT)
SEEDS = range(3)
# Runs of the half of the rows that drawn rows may be nearer to.
OF_HALF = ", half"

SHAPE, TREND, C2ST, TSTR = "Shape", "Trend", "C2ST", "TSTR"
NEARER = "nearer to training"
C2ST_HGB, TSTR_HGB = "C2ST, skmade.metrics", "TSTR, skmade.metrics"
COLUMNS = (SHAPE, TREND, C2ST, TSTR, NEARER, C2ST_HGB, TSTR_HGB)

# Shape, Trend, C2ST, TSTR, nearer to training.
PUBLISHED = {
    "adult": {
        "CTGAN": (0.809, 0.758, 0.000, 0.862, 0.484),
        "TVAE": (0.762, 0.666, 0.000, 0.871, 0.503),
        "TabSyn": (0.992, 0.980, 0.794, 0.910, 0.507),
        "TabDiff": (0.993, 0.985, 0.841, 0.913, 0.549),
        "TabPC": (0.994, 0.986, 0.855, 0.916, 0.543),
        "independent columns": (0.996, 0.925, 0.016, 0.516, 0.503),
    },
    "magic": {
        "CTGAN": (0.944, 0.945, 0.103, 0.882, 0.497),
        "TVAE": (0.954, 0.953, 0.298, 0.918, 0.496),
        "TabSyn": (0.990, 0.992, 0.760, 0.937, 0.505),
        "TabDiff": (0.992, 0.992, 0.773, 0.936, 0.501),
        "TabPC": (0.990, 0.983, 0.860, 0.932, 0.530),
        "independent columns": (0.994, 0.870, 0.005, 0.512, 0.488),
    },
}

# The number of trees, and all else that TSTR chooses from.
N_TREES = (10, 50, 100)
SETTINGS = ParameterGrid(
    {"min_child_weight": [1, 10], "max_depth": [5, 10, 20], "gamma": [0.0, 1.0]}
)


def load(name):
    """Return the training and the test rows of a table."""
    if name == "adult":
        return tuple(read_adult(part) for part in ("train", "test"))
    arrays = read("anomaly", "22_magic.gamma")
    table = pd.DataFrame(arrays["X"], columns=MAGIC)
    table[TARGETS[name]] = np.where(arrays["y"] == 1, "hadron", "gamma")
    order = np.arange(len(table))
    np.random.RandomState(SHUFFLED_BY).shuffle(order)
    parts = np.split(order, [int(TRAINING_SHARE * len(order))])
    return tuple(table.iloc[rows].reset_index(drop=True) for rows in parts)


def read_adult(part):
    """Return rows of adult, with a label where a cell is missing."""
    rows = pd.read_csv(DATA / "mixed" / f"adult_{part}.csv.gz")
    return rows.fillna(dict.fromkeys(labels_of(rows), "?"))


def halves(name):
    """Return one half of all rows of a table, and the other."""
    rows = pd.concat(load(name), ignore_index=True)
    return train_test_split(rows, test_size=0.5, random_state=HALVES_SEED)


def labels_of(rows):
    """Return the names of the columns that are labels."""
    return list(rows.select_dtypes(exclude="number").columns)


def ranges_of(rows):
    """Return the least and the largest number of each column that is no label."""
    numbers = rows.select_dtypes("number")
    return {column: (cells.min(), cells.max()) for column, cells in numbers.items()}


def drawn_by(method, train, seed):
    """Return as many drawn rows as there are training rows."""
    if is_ours(method):
        bounds = ranges_of(train) if method == BOUNDED else None
        density = MADEDensity(bounds=bounds, random_state=seed).fit(train)
        return density.sample(len(train), random_state=seed)
    rng = np.random.RandomState(seed)
    return train.apply(lambda cells: rng.choice(cells, len(train)))


def measure(name, method, seed):
    """Return how like real rows the drawn ones are, and how useful."""
    train, test = load(name)
    if method == REAL:
        facts = likeness(*halves(name), seed)
        return facts | usefulness(train, test, TARGETS[name], seed)
    drawn = drawn_by(method, train, seed)
    facts = likeness(train, drawn, seed)
    return facts | usefulness(drawn, test, TARGETS[name], seed)


def measure_half(name, method, seed):
    """Return how many rows are nearer to those of training than to held-out ones."""
    train, holdout = halves(name)
    drawn = drawn_by(method, train, seed)
    return {NEARER: nearer_share(drawn, train, holdout, random_state=seed)}


def likeness(real, drawn, seed):
    """Return how like real rows the drawn ones are."""
    facts = {C2ST_HGB: c2st(real, drawn, random_state=seed)}
    if version_of("sdmetrics"):
        facts |= quality(real, drawn)
    if version_of("xgboost") or version_of("xgboost-cpu"):
        facts[C2ST] = detection(real, drawn, seed)
    return facts


def usefulness(rows, test, target, seed):
    """Return how well trees that rows have trained tell the target of test rows."""
    facts = {TSTR_HGB: train_on_synthetic(rows, test, target, random_state=seed)}
    if version_of("xgboost") or version_of("xgboost-cpu"):
        facts[TSTR] = prediction(rows, test, target, seed)
    return facts


def quality(real, drawn):
    """Return Shape and Trend of SDMetrics."""
    from sdmetrics.reports.single_table import QualityReport

    labels = labels_of(real)
    kinds = {
        column: {"sdtype": "categorical" if column in labels else "numerical"}
        for column in real
    }
    found = QualityReport()
    # All pairs count, as in the version of the published figures, 0.24.
    found.real_correlation_threshold = found.real_association_threshold = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        found.generate(real, drawn, {"columns": kinds}, verbose=False)
    return dict(zip((SHAPE, TREND), found.get_properties()["Score"], strict=True))


def detection(real, drawn, seed):
    """Return whether XGBoost can't tell drawn rows from real ones, as SDMetrics would."""
    from xgboost import XGBClassifier

    X = one_hot(real, drawn)
    y = np.repeat([1, 0], [len(real), len(drawn)])
    scores = []
    for train, test in StratifiedKFold(3, shuffle=True, random_state=seed).split(X, y):
        trees = XGBClassifier(eval_metric="logloss", random_state=0).fit(X[train], y[train])
        area = roc_auc_score(y[test], trees.predict_proba(X[test])[:, 1])
        scores.append(2 - 2 * max(area, 0.5))
    return float(np.mean(scores))


def prediction(rows, test, target, seed):
    """Return the AUC on test rows of the trees that are best on a ninth of the rows."""
    from xgboost import XGBClassifier

    X = one_hot(*(table.drop(columns=target) for table in (rows, test)))
    X, X_test = X[: len(rows)], X[len(rows) :]
    positive = max(test[target])
    y, y_test = rows[target] == positive, test[target] == positive
    valid, kept = np.split(np.random.RandomState(seed).permutation(len(X)), [len(X) // 9])
    found = []
    for setting in SETTINGS:
        trees = XGBClassifier(tree_method="hist", n_estimators=max(N_TREES), **setting)
        trees.fit(X[kept], y[kept])
        for n_trees in N_TREES:
            areas = (
                roc_auc_score(
                    truth, trees.predict_proba(rows, iteration_range=(0, n_trees))[:, 1]
                )
                for rows, truth in ((X[valid], y[valid]), (X_test, y_test))
            )
            found.append(tuple(areas))
    return float(max(found, key=lambda areas: areas[0])[1])


def one_hot(*tables):
    """Return tables one below the other, their labels as columns of 0 and 1."""
    rows = pd.concat(tables, ignore_index=True)
    return pd.get_dummies(rows, columns=labels_of(rows), dtype=float).to_numpy(float)


def rows_of(name):
    """Yield the rows of a report: ours, the bounds, and the published ones."""
    runs = measured(PROTOCOL)
    if not runs:
        return
    yield ["method", *COLUMNS]
    for method in METHODS:
        of_method = [
            run
            for (table, by, _), run in runs.items()
            if table == name and by in (method, method + OF_HALF)
        ]
        if of_method:
            yield [method, *(cell(of_method, column) for column in COLUMNS)]
    for method, figures in PUBLISHED[name].items():
        yield [f"{method} (published)", *(f"{figure:.3f}" for figure in figures), "", ""]


def cell(runs, column):
    """Write the mean over seeds, and its standard error where there are several."""
    values = np.array([run[column] for run in runs if column in run])
    if len(values) < 2:
        return f"{values[0]:.3f}" if len(values) else ""
    return f"{values.mean():.3f} ± {standard_error(values):.3f}"


def write_reports():
    """Write the tables of what has been run, and the figure of C2ST."""
    panels = []
    for name in TARGETS:
        rows = list(rows_of(name))
        write(f"synthetic_{name}", rows)
        figures = {row[0]: as_number(row[1 + COLUMNS.index(C2ST)]) for row in rows[1:]}
        figures.pop(f"{INDEPENDENT} (published)", None)
        panels.append((f"{name}: C2ST", figures, (0, 1.15)))
    if measured(PROTOCOL):
        draw_bars("synthetic", panels)


def main():
    """Measure what is missing, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", nargs="*", type=int, default=list(SEEDS))
    parser.add_argument("--report", action="store_true", help="only write the tables")
    options = parser.parse_args()
    parts = [("", measure), (OF_HALF, measure_half)]
    for seed in options.seeds if not options.report else ():
        for name in options.only:
            for method in options.methods:
                for part, run in parts[: 1 if method in (REAL, BOUNDED) else 2]:
                    if not is_done(PROTOCOL, name, method + part, seed):
                        facts = run(name, method, seed)
                        packages = ("sdmetrics", "xgboost", "xgboost-cpu")
                        keep(PROTOCOL, name, method + part, seed, facts, packages)
                        print(name, method + part, seed, facts, flush=True)
    write_reports()


if __name__ == "__main__":
    main()
