"""Time of `sample` as a multiple of the time of `score_samples`, on as many rows.

    python benchmarks/speed.py [--threads 2] [--repeat 5]

One member, one mask, 2 x 256 units. The two calls are timed in turn in one process;
medians are printed.
"""

import argparse
import statistics
import time
import warnings

import numpy as np
import torch

from skmade import MADEDensity


def seconds(call):
    """Wall time of one call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def run(n_features, n_rows, n_components, repeat):
    """Median seconds of scoring and of sampling `n_rows` rows."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(n_rows, n_features))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one epoch is enough here, and 2 x 256 units too few
        density = MADEDensity(
            (256, 256), n_components=n_components, n_estimators=1, max_iter=1, random_state=0
        ).fit(X[:1000])
    pairs = [
        (seconds(lambda: density.score_samples(X)), seconds(lambda: density.sample(n_rows)))
        for _ in range(repeat + 1)
    ][1:]
    return (statistics.median(column) for column in zip(*pairs, strict=True))


def main():
    """Print a Markdown table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print("| columns | rows | components | score, s | sample, s | sample / score |")
    print("|---|---|---|---|---|---|")
    for n_features, n_rows, n_components in [
        (8, 10_000, 10),
        (32, 10_000, 10),
        (64, 1_000, 10),
        (64, 10_000, 10),
        (64, 10_000, 1),
    ]:
        score, sample = run(n_features, n_rows, n_components, options.repeat)
        print(
            f"| {n_features} | {n_rows} | {n_components} | {score:.3f} | {sample:.3f} "
            f"| {sample / score:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
