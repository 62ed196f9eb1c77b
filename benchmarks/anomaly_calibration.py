"""Whether MADEOutlierDetector keeps what it says: thresholds, p-values, discoveries.

    python benchmarks/anomaly_calibration.py

Tables: half of the rows, at most 2000, are fitted, and as many others are new; all are
ordinary. P-values are ranks among the rows of fit: far more new rows than these would tell the
one draw of the latter from the distribution. "flagged" is the share of new rows below the
threshold of contamination=0.05, and "distance" how far the p-values' distribution is from the
uniform one, with what Kolmogorov's test says of it. Figures are means over three splits, and
the least p-value of the test.

Discoveries: 50 times, 1000 ordinary rows are fitted, and of 500 new ones 50 are anomalies;
false_discovery_rate=0.1. "false" is the mean share of ordinary rows among those that are found,
"power" the share of anomalies that are found.

Tables are those of tables.py and mixed.py.
"""

import argparse

import numpy as np
import pandas as pd
from likelihood import means, of_seeds
from mixed import read as read_mixed
from report import standard_error, write
from scipy.stats import kstest
from store import is_done, keep, measured
from tables import real_columns

from skmade import MADEOutlierDetector
from skmade.datasets import CorrelatedGaussian, TwoMoons

CONTINUOUS = ("concrete", "wine-quality-red", "power-plant", "protein-tertiary-structure")
MIXED = {"german_credit": "german_credit", "adult": "adult_train"}
SPLITS, MAX_ROWS = range(3), 2000
CONTAMINATION, RATE = 0.05, 0.1
N_RUNS, N_TRAIN, N_NEW, N_ODD = 50, 1000, 500, 50


TABLES, ROWS = "anomaly-calibration", "anomaly-discoveries"
OURS = "MADEOutlierDetector"


def tables():
    """Return names and functions that read tables."""
    continuous = {name: lambda n=name: pd.DataFrame(real_columns(n)) for name in CONTINUOUS}
    mixed = {name: lambda n=name, f=file: read_mixed(f, n) for name, file in MIXED.items()}
    moons = {"two moons": lambda: pd.DataFrame(TwoMoons().sample(2000, random_state=0))}
    return continuous | mixed | moons


def calibrate(name, table, seed):
    """Keep how far what is said of new rows of a table holds."""
    rows = table.sample(frac=1, random_state=seed).reset_index(drop=True)
    half = min(len(rows) // 2, MAX_ROWS)
    train, new = rows[:half], rows[half : 2 * half]
    detector = MADEOutlierDetector(contamination=CONTAMINATION).fit(train)
    test = kstest(detector.p_values(new), "uniform")
    facts = {
        "flagged": float((detector.predict(new) == -1).mean()),
        "distance": float(test.statistic),
        "p": float(test.pvalue),
        "n_train": len(train),
        "n_columns": table.shape[1],
        "n_new": len(new),
    }
    keep(TABLES, name, OURS, seed, facts)


def calibration():
    """Yield a row for each table that has been run."""
    yield ["table", "fitted", "columns", "new", "flagged", "distance", "least p of the test"]
    runs = measured(TABLES)
    for name in tables():
        facts = of_seeds(runs, name, OURS)
        if facts:
            about = facts[SPLITS[0]]
            sizes = about["n_train"], about["n_columns"], about["n_new"]
            flagged, distance = (means(facts, key).mean() for key in ("flagged", "distance"))
            least = means(facts, "p").min()
            yield [name, *sizes, f"{flagged:.3f}", f"{distance:.3f}", f"{least:.1g}"]


def shifted(rows, rng):
    """Anomalies: one cell of each row, two standard deviations and more from where it was."""
    odd = rows.copy()
    column = rng.randint(rows.shape[1], size=len(rows))
    odd[np.arange(len(rows)), column] += rng.choice([-1, 1], len(rows)) * rng.uniform(
        2, 5, len(rows)
    )
    return odd


SOURCES = {"Gaussian of 5": CorrelatedGaussian(5), "two moons": TwoMoons()}


def discover(name, run):
    """Keep what was found among new rows of a source."""
    rng = np.random.RandomState(run)
    drawn = SOURCES[name].sample(N_TRAIN + N_NEW, random_state=run)
    train, new = drawn[:N_TRAIN], drawn[N_TRAIN:]
    new[:N_ODD] = shifted(new[:N_ODD], rng)
    detector = MADEOutlierDetector(false_discovery_rate=RATE).fit(train)
    found = detector.predict(new) == -1
    facts = {
        "false": float(found[N_ODD:].sum() / max(found.sum(), 1)),
        "power": float(found[:N_ODD].mean()),
    }
    keep(ROWS, name, OURS, run, facts)


def discoveries():
    """Yield what was found in each kind of generated rows."""
    yield ["rows", "runs", "false", "power"]
    runs = measured(ROWS)
    for name in SOURCES:
        facts = of_seeds(runs, name, OURS)
        if len(facts) > 1:
            cells = (means(facts, key) for key in ("false", "power"))
            yield [
                name,
                len(facts),
                *(f"{own.mean():.3f} ± {standard_error(own):.3f}" for own in cells),
            ]


def write_reports():
    """Write the tables of what has been run."""
    write("anomaly_calibration", calibration())
    write("anomaly_discoveries", discoveries())


def main():
    """Run what has not been, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report", action="store_true", help="run nothing")
    if not parser.parse_args().report:
        for name, read in tables().items():
            for seed in SPLITS:
                if not is_done(TABLES, name, OURS, seed):
                    calibrate(name, read(), seed)
        for name in SOURCES:
            for run in range(N_RUNS):
                if not is_done(ROWS, name, OURS, run):
                    discover(name, run)
    write_reports()


if __name__ == "__main__":
    main()
