"""How far MADEDensity is from the truth as rows grow, beside what else there is.

    python benchmarks/learning_curve.py                        # all generators and sizes
    python benchmarks/learning_curve.py --only ring --sizes 50 100 --seeds 0
    python benchmarks/learning_curve.py --report               # the table of what has been run

The gap is the truth's mean log-density of 5000 fresh rows minus that of the density that was
fitted, in nats per row: a divergence, 0 at best. MADEDensity has every default; KernelDensity
and GaussianMixture are tuned as in peers.py, on standardised rows. Of a seed, fewer rows are
the first of more rows and the fresh rows are the same. Each run is kept in
benchmarks/results, so that a benchmark that was stopped goes on where it was.
"""

import argparse
import time
import warnings

import numpy as np
import torch
from peers import tuned_gmm, tuned_kde
from report import standard_error, write
from sklearn.exceptions import ConvergenceWarning
from store import conditions, load, path_of, save
from tables import split_of_known

from skmade import MADEDensity
from skmade.datasets import CorrelatedGaussian, ThreeGaussians, TwoMoons

SIZES = (50, 100, 200, 500, 1000, 2000, 5000, 10_000)
SEEDS = (0, 1, 2)


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
    "MADEDensity": lambda train, seed: MADEDensity(random_state=seed).fit(train),
    "GaussianMixture": tuned_gmm,
    "KernelDensity": tuned_kde,
}


def place_of(name, n_rows, method, seed):
    """Return the file of a run."""
    return path_of("learning-curve", f"{name}-{n_rows}", method, seed)


def run(name, n_rows, method, seed):
    """Fit and score, unless that has been done."""
    path = place_of(name, n_rows, method, seed)
    if load(path) is not None:
        return
    split = split_of_known(GENERATORS[name], n_rows, seed)
    begin = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        density = METHODS[method](split.train, seed)
    seconds = time.perf_counter() - begin
    scores, truth = density.score_samples(split.test), split.truth.score_samples(split.test)
    gap = float(np.mean(truth - scores))
    save(path, scores, {"seconds": seconds, "gap": gap, **conditions()})
    print(
        f"{name} {n_rows} rows {method} seed {seed}: gap {gap:.3f} in {seconds:.0f} s",
        flush=True,
    )


def gap_of(name, n_rows, method, seeds):
    """Write the mean gap over the seeds that have been run, and its standard error."""
    loaded = [load(place_of(name, n_rows, method, seed)) for seed in seeds]
    gaps = np.array([result[1]["gap"] for result in loaded if result is not None])
    if not len(gaps):
        return ""
    error = f" ± {standard_error(gaps):.3f}" if len(gaps) > 1 else ""
    return f"{gaps.mean():.3f}{error}"


def rows(names, sizes, seeds):
    """Yield the table's rows, of generators and sizes that have been run."""
    yield ["generator", "rows", *METHODS]
    for name in names:
        for n_rows in sizes:
            gaps = [gap_of(name, n_rows, method, seeds) for method in METHODS]
            if any(gaps):
                yield [name, n_rows, *gaps]


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
                    run(name, n_rows, method, seed)
    write("learning_curve", rows(GENERATORS, SIZES, sorted({*SEEDS, *chosen.seeds})))


if __name__ == "__main__":
    main()
