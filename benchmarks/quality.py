"""Held-out log-likelihood of MADEDensity.

    python benchmarks/quality.py                    # everything there is data for
    python benchmarks/quality.py --only mushrooms   # one table

Generators of `skmade.datasets` need no data. Binary tables are read from the folder in the
environment variable SKMADE_BENCHMARK_DATA (default: benchmarks/data) as
`binary/<name>.npz` with the arrays train, valid and test. Mushrooms and DNA come from the
data sets of github.com/mgermain/MADE, adult and connect4 from LIBSVM, the others from
github.com/arranger1044/DEBD. Log-likelihoods are mean nats per test row.
"""

import argparse
import os
import pathlib
import time

import numpy as np

from skmade import MADEDensity
from skmade.datasets import CorrelatedGaussian, Ring, ThreeGaussians, TwoMoons

DATA = pathlib.Path(
    os.environ.get("SKMADE_BENCHMARK_DATA", pathlib.Path(__file__).parent / "data")
)
GENERATORS = {
    "gaussian": CorrelatedGaussian(5),
    "two-moons": TwoMoons(),
    "ring": Ring(),
    "three-gaussians": ThreeGaussians(),
}
# One network, eight orderings, as the paper's "MADE mask sampling".
BINARY = {
    "hidden_layer_sizes": (500, 500),
    "order_agnostic": True,
    "n_masks": 8,
    "n_estimators": 1,
    "random_state": 0,
}
# Germain et al. 2015, table 4: MADE with mask sampling.
PUBLISHED = {"adult": -13.13, "connect4": -11.90, "dna": -79.66, "mushrooms": -9.69}


def run_generator(name):
    """Fit 3000 rows with every default; compare with the true density on 5000 others."""
    generator = GENERATORS[name]
    train, test = generator.sample(3000, random_state=0), generator.sample(5000, random_state=1)
    begin = time.perf_counter()
    density = MADEDensity(random_state=0).fit(train)
    seconds = time.perf_counter() - begin
    scores, truth = density.score_samples(test), generator.score_samples(test)
    return name, scores.mean(), standard_error(scores - truth), truth.mean(), seconds


def run_binary(name):
    """Fit the training rows, stop by the validation rows, score the test rows."""
    with np.load(DATA / "binary" / f"{name}.npz") as table:
        train, valid, test = table["train"], table["valid"], table["test"]
    begin = time.perf_counter()
    density = MADEDensity(**BINARY).fit(train, X_val=valid)
    seconds = time.perf_counter() - begin
    scores = density.score_samples(test)
    return name, scores.mean(), standard_error(scores), PUBLISHED.get(name, np.nan), seconds


def standard_error(values):
    """Return the standard error of the mean."""
    return values.std(ddof=1) / np.sqrt(len(values))


def main():
    """Run the tables asked for and print them as Markdown."""
    folder = DATA / "binary"
    tables = sorted(path.stem for path in folder.glob("*.npz"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=[*GENERATORS, *tables])
    chosen = parser.parse_args().only or [*GENERATORS, *tables]
    if not tables:
        print(f"No binary tables in {folder}: see the top of this file for their sources.\n")
    print("| table | MADEDensity | standard error | truth or published | seconds of fit |")
    print("|---|---|---|---|---|")
    for name in chosen:
        run = run_generator if name in GENERATORS else run_binary
        name, mean, error, reference, seconds = run(name)
        print(
            f"| {name} | {mean:.3f} | {error:.3f} | {reference:.3f} | {seconds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
