"""Calibration of MADEDensity where the truth is known.

    python benchmarks/calibration.py                 # all generators, defaults
    python benchmarks/calibration.py --only ring

Each generator gives 5000 rows to fit and 5000 to score. A row's level is the share of the
density's own draws that are less probable (for its score) or smaller (for each number):
held-out levels of a calibrated density are uniform, and the table says how far they are from
it (Kolmogorov's distance, the largest over score and columns). The gap is the truth's mean
log-density minus that of MADEDensity, in nats per row.
"""

import argparse
import time

import numpy as np
import torch
from report import write
from scipy import stats
from store import is_done, keep, measured

from skmade import MADEDensity
from skmade.datasets import CorrelatedGaussian, Ring, ThreeGaussians

N_ROWS, N_DRAWS = 5000, 50_000


class StudentT:
    """Three columns of heavy tails; the second depends on the first."""

    law = stats.t(3)

    def sample(self, n_samples, random_state):
        """Draw rows."""
        noise = self.law.rvs((n_samples, 3), random_state=random_state)
        return np.column_stack(
            [noise[:, 0], 0.8 * noise[:, 0] + 0.6 * noise[:, 1], noise[:, 2]]
        )

    def score_samples(self, X):
        """Log-density of each row."""
        second = (X[:, 1] - 0.8 * X[:, 0]) / 0.6
        logs = [self.law.logpdf(part) for part in (X[:, 0], second, X[:, 2])]
        return np.sum(logs, axis=0) - np.log(0.6)


class Mixed:
    """A yes or no, a count that depends on it, and two numbers that depend on both."""

    def sample(self, n_samples, random_state):
        """Draw rows."""
        rng = np.random.RandomState(random_state)
        yes = (rng.uniform(size=n_samples) < 0.3).astype(float)
        count = rng.poisson(2 + 6 * yes).astype(float)
        first = rng.normal(0.3 * count, 0.5 + 0.5 * yes)
        return np.column_stack([yes, count, first, rng.normal(np.sin(first), 0.3)])

    def score_samples(self, X):
        """Log-density of each row: masses of the first two columns, densities of the others."""
        yes, count, first, second = X.T
        return (
            stats.bernoulli.logpmf(yes, 0.3)
            + stats.poisson.logpmf(count, 2 + 6 * yes)
            + stats.norm.logpdf(first, 0.3 * count, 0.5 + 0.5 * yes)
            + stats.norm.logpdf(second, np.sin(first), 0.3)
        )


GENERATORS = {
    "Gaussian, 5 columns": CorrelatedGaussian(5),
    "Student t3, 3 columns": StudentT(),
    "mixture, 2 columns": ThreeGaussians(),
    "ring, 2 columns": Ring(),
    "mixed, 4 columns": Mixed(),
}
KINDS = {"mixed, 4 columns": ["binary", "count", "continuous", "continuous"]}


def levels(draws, values, rng):
    """Return the share of draws below each value; a random part of those that are equal."""
    draws = np.sort(draws)
    below = np.searchsorted(draws, values, side="left")
    upto = np.searchsorted(draws, values, side="right")
    return (below + rng.uniform(size=len(values)) * (upto - below)) / len(draws)


def distance(density, test):
    """Largest Kolmogorov distance of held-out levels from uniform, over score and columns."""
    rng = np.random.RandomState(0)
    draws = density.sample(N_DRAWS, random_state=0)
    pairs = [(density.score_samples(draws), density.score_samples(test))]
    pairs += list(zip(draws.T, test.T, strict=True))
    return max(stats.kstest(levels(*pair, rng), "uniform").statistic for pair in pairs)


PROTOCOL, OURS = "calibration", "MADEDensity"


def run(name):
    """Fit and compare with the truth, unless that has been done."""
    if is_done(PROTOCOL, name, OURS, 0):
        return
    generator = GENERATORS[name]
    train, test = (generator.sample(N_ROWS, random_state=seed) for seed in (0, 1))
    begin = time.perf_counter()
    density = MADEDensity(feature_types=KINDS.get(name, "auto"), random_state=0).fit(train)
    facts = {
        "seconds": time.perf_counter() - begin,
        "score": float(density.score_samples(test).mean()),
        "truth": float(generator.score_samples(test).mean()),
        "distance": float(distance(density, test)),
    }
    keep(PROTOCOL, name, OURS, 0, facts)
    print(f"{name}: {facts['score']:.3f} {facts['truth']:.3f}", flush=True)


def rows():
    """Yield the table's rows, of generators that have been run."""
    yield ["generator", OURS, "truth", "gap", "Kolmogorov distance", "seconds"]
    for (name, _, _), facts in measured(PROTOCOL).items():
        score, truth = facts["score"], facts["truth"]
        yield [
            name,
            f"{score:.3f}",
            f"{truth:.3f}",
            f"{truth - score:.3f}",
            f"{facts['distance']:.3f}",
            f"{facts['seconds']:.0f}",
        ]


def write_reports():
    """Write the table of what has been run."""
    write("calibration", rows())


def main():
    """Fit the generators asked for and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=GENERATORS, default=list(GENERATORS))
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--report", action="store_true", help="run nothing")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    for name in () if chosen.report else chosen.only:
        run(name)
    write_reports()


if __name__ == "__main__":
    main()
