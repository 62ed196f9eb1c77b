"""Rounding noise and row order are no information: scores before and after.

    python benchmarks/disturbances.py                        # all tables
    python benchmarks/disturbances.py --only iris --seeds 0 1 2 3

Raw tables: iris and wine of scikit-learn, red wine, concrete and protein (a sample of rows)
from the folder in the environment variable SKMADE_BENCHMARK_DATA, see tables.py. Nine tenths
are fitted by default, the others scored. The training rows are disturbed: every cell by up to
eight ulps, one cell times 1 + 8e-15, half of the rows through single precision, all through
inches and back, one value written with an error in the eighth digit, the rows in another
order. "moved" is how far the held-out mean moves, the mean over the seeds of its size;
"seeds" is how far two seeds of the undisturbed table differ, on average over eight. "same"
says whether grids, kinds, atoms, codes and ends are the same, and "floor" is the largest
relative change of a column's smallest scale.
"""

import argparse
import itertools
import warnings

import numpy as np
from sklearn.datasets import load_iris, load_wine
from tables import real_columns

from skmade import MADEDensity

TABLES = ("iris", "wine", "wine-quality-red", "concrete", "protein-tertiary-structure")
N_SEEDS = 8  # whose distances are averaged
INCH = 2.54
SAME = ("kinds", "grids", "ends")


def read(name, max_rows):
    """Read a raw table, or some of its rows."""
    if name in ("iris", "wine"):
        return {"iris": load_iris, "wine": load_wine}[name]().data
    X = np.asarray(real_columns(name), dtype=np.float64)
    return X[np.random.RandomState(0).permutation(len(X))[:max_rows]]


def disturbances(X, seed):
    """Yield names and disturbed tables."""
    rng = np.random.RandomState(seed)
    yield "eight ulps", X * (1 + rng.randint(-8, 9, X.shape) * np.finfo(float).eps)
    one = X.copy()
    one[rng.randint(len(X))] *= 1 + 8e-15
    yield "one row, 8e-15", one
    half = X.copy()
    half[::2] = half[::2].astype(np.float32)
    yield "half single", half
    yield "inches and back", X / INCH * INCH
    digit = X.copy()
    digit[rng.randint(len(X))] *= 1 + 2e-8
    yield "an eighth digit", digit
    yield "another order", X[rng.permutation(len(X))]


def same(one, other):
    """Tell whether two fits learned the same of the columns, and how much floors moved."""
    one, other = one._state["table"], other._state["table"]
    equal = all(np.array_equal(one[name], other[name]) for name in SAME)
    for name in ("atoms", "codes"):
        shapes = one[name].shape == other[name].shape
        equal &= shapes and np.allclose(one[name], other[name], equal_nan=True)
    return equal, float(np.abs(other["scale_floor"] / one["scale_floor"] - 1).max())


def main():
    """Print a line for each table and disturbance."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=TABLES, choices=TABLES)
    parser.add_argument("--rows", type=int, default=3000, help="at most so many of each table")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{'table':28}{'disturbance':18}{'moved':>8}{'seeds':>8}  same  {'floor':>8}")
    for name in arguments.only:
        X = read(name, arguments.rows)
        n_train = 9 * len(X) // 10
        order = np.random.RandomState(0).permutation(len(X))
        train, test = X[order[:n_train]], X[order[n_train:]]

        def fitted(rows, seed, test=test):
            density = MADEDensity(random_state=seed).fit(rows)
            return density, density.score(test) / len(test)

        plain = {seed: fitted(train, seed) for seed in {*range(N_SEEDS), *arguments.seeds}}
        pairs = itertools.combinations([mean for _, mean in plain.values()], 2)
        by_seed = np.mean([abs(one - other) for one, other in pairs])
        moved: dict = {}
        for seed in arguments.seeds:
            density, mean = plain[seed]
            for disturbance, rows in disturbances(train, seed):
                other, other_mean = fitted(rows, seed)
                facts = abs(other_mean - mean), *same(density, other)
                moved.setdefault(disturbance, []).append(facts)
        for disturbance, facts in moved.items():
            distance, equal, floor = zip(*facts, strict=True)
            print(
                f"{name:28}{disturbance:18}{np.mean(distance):8.3f}{by_seed:8.3f}"
                f"{'   yes' if all(equal) else '    no'}{max(floor):10.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
