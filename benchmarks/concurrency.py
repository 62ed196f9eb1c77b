"""How long two fits at once take, beside one fit alone: in two threads, in two processes.

    python benchmarks/concurrency.py

It uses as many threads as torch takes by itself, since that is what users have: leave
OMP_NUM_THREADS unset, and the machine idle. The goal is that both together take at most 1.5
times as long as one.
"""

import argparse
import os
import statistics
import warnings

import joblib
import numpy as np
import torch
from clock import in_turn

from skmade import MADEDensity

GOAL = 1.5


def fit(seed, n_rows):
    """Fit with the defaults, except for the number of epochs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        X = np.random.RandomState(seed).normal(size=(n_rows, 10))
        MADEDensity(max_iter=10, random_state=seed).fit(X)


def two_fits(backend, n_rows):
    """Fit twice at the same time."""
    with joblib.parallel_config(backend=backend, n_jobs=2):
        joblib.Parallel()(joblib.delayed(fit)(seed, n_rows) for seed in (0, 1))


def main():
    """Print medians of seconds, and how they compare with one fit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    rows = arguments.rows
    calls = {
        "one fit alone": lambda: fit(0, rows),
        "two fits, one after the other": lambda: [fit(seed, rows) for seed in (0, 1)],
        "two fits in two threads": lambda: two_fits("threading", rows),
        "two fits in two processes": lambda: two_fits("loky", rows),
    }
    print(
        f"{rows} rows, {os.cpu_count()} processors, {torch.get_num_threads()} torch threads, "
        f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}"
    )
    medians = [statistics.median(t) for t in in_turn(*calls.values(), repeat=arguments.repeat)]
    for name, median in zip(calls, medians, strict=True):
        print(f"{name:<32}{median:>8.2f} s{median / medians[0]:>8.2f} times one")
    print(f"The goal for two at once is {GOAL} times one.")


if __name__ == "__main__":
    main()
