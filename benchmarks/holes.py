"""What rows with holes cost, each with a pattern of its own, and how exact their scores are.

    python benchmarks/holes.py

It prints milliseconds a row to score and complete rows of 20 columns with 30 % holes, and how
far scores are from those of many draws, in nats, on average over rows.
"""

import argparse
import statistics
import sys
import warnings

import numpy as np
from clock import in_turn
from sklearn.datasets import load_breast_cancer

from skmade import MADEDensity
from skmade.datasets import CorrelatedGaussian

N_COLUMNS, SHARE = 20, 0.3
MEMBERS = {"default": {}, "order-agnostic": {"order_agnostic": True, "n_masks": 16}}
MANY_DRAWS = 2**15


def tables(n_rows):
    """Yield names of tables, rows to fit and rows with holes."""
    gaussian = CorrelatedGaussian(N_COLUMNS)
    cancer = load_breast_cancer().data[:, :N_COLUMNS]
    found = {
        "gaussian": (gaussian.sample(2000, random_state=0), gaussian.sample(n_rows, 1)),
        "breast cancer": (cancer[:400], np.resize(cancer[400:], (n_rows, N_COLUMNS))),
    }
    for name, (train, rows) in found.items():
        holes = np.random.RandomState(1).random_sample(rows.shape) < SHARE
        yield name, train, np.where(holes, np.nan, rows)


def error(density, X):
    """Mean distance of scores from those of many draws."""
    (module,) = (m for n, m in sys.modules.items() if n.endswith("scoring") and "skmade" in n)
    scores, kept = density.score_samples(X), module.N_DRAWS
    module.N_DRAWS = MANY_DRAWS
    try:
        return np.abs(scores - density.score_samples(X)).mean()
    finally:
        module.N_DRAWS = kept


def main():
    """Print a line for each table and way of training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--reference-rows", type=int, default=100)
    parser.add_argument("--max-iter", type=int, default=60)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{'ms a row':<32}{'score':>8}{'sample':>8}{'mean':>8}{'error, nats':>14}")
    for table, train, X in tables(options.rows):
        for name, own in MEMBERS.items():
            density = MADEDensity(max_iter=options.max_iter, random_state=0, **own).fit(train)
            seconds = in_turn(
                lambda density=density, X=X: density.score_samples(X),
                lambda density=density, X=X: density.impute(X, random_state=0),
                lambda density=density, X=X: density.impute(X, "mean"),
                repeat=options.repeat,
            )
            costs = "".join(f"{1e3 * statistics.median(s) / len(X):>8.2f}" for s in seconds)
            far = error(density, X[: options.reference_rows])
            print(f"{table + ', ' + name:<32}{costs}{far:>14.3f}", flush=True)


if __name__ == "__main__":
    main()
