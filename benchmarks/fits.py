"""Seconds of fits with this checkout and with another one, in turn, in processes of their own.

    python benchmarks/fits.py --other ../before     # a checkout of the commit to compare with
    python benchmarks/fits.py --other ../before --only adult concrete --repeat 5

Every default, but for large tables the number of epochs (`EPOCHS`). Prints medians, and the
median of the ratios. Threads are as many as torch takes by itself: leave the machine idle.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
TABLES = ("breast-cancer", "wine-recognition", "concrete", "5000 x 10", "power-plant", "adult")
EPOCHS = {"5000 x 10": 20, "power-plant": 20, "adult": 5}
CHILD = """
import sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np, pandas as pd
from skmade import MADEDensity
name, epochs, here = sys.argv[1:]
sys.path.insert(0, here)
import tables
if name == "5000 x 10":
    X = np.random.RandomState(0).normal(size=(5000, 10))
    X[:, 5:] += np.sin(X[:, :5])
elif name == "adult":
    X = pd.read_csv(tables.DATA / "mixed" / "adult_train.csv.gz")
else:
    X = tables.continuous_split(name, 0).train
options = {} if epochs == "all" else {"max_iter": int(epochs)}
MADEDensity(n_estimators=1, max_iter=1, random_state=0).fit(X[:200])
start = time.perf_counter()
density = MADEDensity(random_state=0, **options).fit(X)
print(time.perf_counter() - start, density.best_validation_score_)
"""


def fit(checkout, name):
    """Return seconds, and the held-out log-likelihood of the fit."""
    task = [name, str(EPOCHS.get(name, "all")), str(HERE)]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *task],
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(number) for number in done.stdout.split()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--other", type=pathlib.Path, required=True)
    parser.add_argument("--only", nargs="+", default=TABLES, choices=TABLES)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    for name in options.only:
        pairs = [
            [fit(path.resolve(), name) for path in (HERE.parent, options.other)]
            for _ in range(options.repeat)
        ]
        ratio = statistics.median(own[0] / other[0] for own, other in pairs)
        own, other = (statistics.median(pair[k][0] for pair in pairs) for k in (0, 1))
        scores = " and ".join(f"{score:.3f}" for _, score in pairs[0])
        times = f"{own:.2f} s, other {other:.2f} s, ratio {ratio:.2f}"
        print(f"{name}: {times}; held out {scores}", flush=True)


if __name__ == "__main__":
    main()
