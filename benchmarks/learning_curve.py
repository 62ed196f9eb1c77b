"""How far MADEDensity is from the truth as rows grow, beside what else there is.

    python benchmarks/learning_curve.py                        # all generators and sizes
    python benchmarks/learning_curve.py --only ring --sizes 50 100 --seeds 0
    python benchmarks/learning_curve.py --report               # the table of what has been run

The gap is the truth's mean log-density of 5000 fresh rows minus that of the density that was
fitted, in nats per row: a divergence, 0 at best. MADEDensity has every default; KernelDensity
and GaussianMixture are tuned as in peers.py, on standardised rows. Of a seed, fewer rows are
the first of more rows and the fresh rows are the same. Each run is kept by store.py.
"""

import argparse
from functools import partial

import numpy as np
import torch
from likelihood import means, of_seeds, run
from peers import tuned_gmm, tuned_kde
from report import standard_error, write
from store import measured
from tables import split_of_known

from skmade import MADEDensity
from skmade.datasets import CorrelatedGaussian, ThreeGaussians, TwoMoons

SIZES = (50, 200, 500, 1000, 2000, 5000)
SEEDS = (0, 1)


class BentGaussian:
    """Eight correlated normal columns; the last four get half the squares of the first four.

    The shift leaves volumes as they are: the density is that of the normal columns.
    """

    normal = CorrelatedGaussian(8, correlation=0.6)

    def sample(self, n_samples, random_state):
        """Draw rows."""
        X = self.normal.sample(n_samples, random_state)
        X[:, 4:] += 0.5 * X[:, :4] ** 2
        return X

    def score_samples(self, X):
        """Log-density of each row."""
        return self.normal.score_samples(np.hstack([X[:, :4], X[:, 4:] - 0.5 * X[:, :4] ** 2]))


GENERATORS = {
    "moons": TwoMoons(),
    "three-gaussians": ThreeGaussians(),
    "gaussian-5": CorrelatedGaussian(5),
    "bent-8": BentGaussian(),
}
METHODS = {
    "MADEDensity": lambda split, seed: MADEDensity(random_state=seed).fit(split.train),
    "GaussianMixture": lambda split, seed: tuned_gmm(split.train, seed),
    "KernelDensity": lambda split, seed: tuned_kde(split.train, seed),
}


PROTOCOL = "learning-curve"


def split_of(generator, n_rows, table, seed):
    """Rows to fit and to score."""
    return split_of_known(generator, n_rows, seed)


def gap_of(runs, table, method):
    """Write the mean gap over the seeds that have been run, and its standard error."""
    facts = of_seeds(runs, table, method)
    if not facts:
        return ""
    gaps = means(facts, "gap")
    error = f" ± {standard_error(gaps):.3f}" if len(gaps) > 1 else ""
    return f"{gaps.mean():.3f}{error}"


def rows():
    """Yield the table's rows, of generators and sizes that have been run."""
    runs = measured(PROTOCOL)
    yield ["generator", "rows", *METHODS]
    for name in GENERATORS:
        for n_rows in SIZES:
            gaps = [gap_of(runs, f"{name}-{n_rows}", method) for method in METHODS]
            if any(gaps):
                yield [name, n_rows, *gaps]


def write_reports():
    """Write the table of what has been run."""
    write("learning_curve", rows())


def main():
    """Run what is asked for, then write the table of all that has been run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=GENERATORS, default=list(GENERATORS))
    parser.add_argument("--sizes", nargs="*", type=int, choices=SIZES, default=SIZES)
    parser.add_argument("--seeds", nargs="*", type=int, default=SEEDS)
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=list(METHODS))
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--report", action="store_true", help="run nothing")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    for seed in () if chosen.report else chosen.seeds:
        for name in chosen.only:
            for n_rows in chosen.sizes:
                for method in chosen.methods:
                    table, drawn = (
                        f"{name}-{n_rows}",
                        partial(split_of, GENERATORS[name], n_rows),
                    )
                    run(PROTOCOL, table, method, seed, METHODS[method], drawn)
    write_reports()


if __name__ == "__main__":
    main()
