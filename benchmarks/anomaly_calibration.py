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

import numpy as np
import pandas as pd
from mixed import read as read_mixed
from report import standard_error, write
from scipy.stats import kstest
from tables import real_columns

from skmade import MADEOutlierDetector
from skmade.datasets import CorrelatedGaussian, TwoMoons

CONTINUOUS = ("concrete", "wine-quality-red", "power-plant", "protein-tertiary-structure")
MIXED = {"german_credit": "german_credit", "adult": "adult_train"}
SPLITS, MAX_ROWS = range(3), 2000
CONTAMINATION, RATE = 0.05, 0.1
N_RUNS, N_TRAIN, N_NEW, N_ODD = 50, 1000, 500, 50


def tables():
    """Yield names and tables."""
    for name in CONTINUOUS:
        yield name, pd.DataFrame(real_columns(name))
    for name, file in MIXED.items():
        yield name, read_mixed(file, name)
    yield "two moons", pd.DataFrame(TwoMoons().sample(2000, random_state=0))


def calibration():
    """Yield a row for each table."""
    yield ["table", "fitted", "columns", "new", "flagged", "distance", "least p of the test"]
    for name, table in tables():
        flagged, tests = [], []
        for seed in SPLITS:
            rows = table.sample(frac=1, random_state=seed).reset_index(drop=True)
            half = min(len(rows) // 2, MAX_ROWS)
            train, new = rows[:half], rows[half : 2 * half]
            detector = MADEOutlierDetector(contamination=CONTAMINATION).fit(train)
            flagged.append((detector.predict(new) == -1).mean())
            tests.append(kstest(detector.p_values(new), "uniform"))
        distance = np.mean([test.statistic for test in tests])
        least = min(test.pvalue for test in tests)
        sizes = len(train), table.shape[1], len(new)
        yield [name, *sizes, f"{np.mean(flagged):.3f}", f"{distance:.3f}", f"{least:.1g}"]


def shifted(rows, rng):
    """Anomalies: one cell of each row, two standard deviations and more from where it was."""
    odd = rows.copy()
    column = rng.randint(rows.shape[1], size=len(rows))
    odd[np.arange(len(rows)), column] += rng.choice([-1, 1], len(rows)) * rng.uniform(
        2, 5, len(rows)
    )
    return odd


def discoveries():
    """Yield what was found in each kind of generated rows."""
    yield ["rows", "runs", "false", "power"]
    for name, source in {
        "Gaussian of 5": CorrelatedGaussian(5),
        "two moons": TwoMoons(),
    }.items():
        false, power = [], []
        for run in range(N_RUNS):
            rng = np.random.RandomState(run)
            drawn = source.sample(N_TRAIN + N_NEW, random_state=run)
            train, new = drawn[:N_TRAIN], drawn[N_TRAIN:]
            new[:N_ODD] = shifted(new[:N_ODD], rng)
            detector = MADEOutlierDetector(false_discovery_rate=RATE).fit(train)
            found = detector.predict(new) == -1
            false.append(found[N_ODD:].sum() / max(found.sum(), 1))
            power.append(found[:N_ODD].mean())
        cells = (
            f"{np.mean(x):.3f} ± {standard_error(np.array(x)):.3f}" for x in (false, power)
        )
        yield [name, N_RUNS, *cells]


if __name__ == "__main__":
    write("anomaly_calibration", calibration())
    write("anomaly_discoveries", discoveries())
