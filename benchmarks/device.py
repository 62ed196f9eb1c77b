"""Fits on another device beside fits on the CPU: the same models, as fast, and nothing left.

    python benchmarks/device.py --device cuda

Four tables of scikit-learn and a correlated Gaussian, three seeds each: mean held-out
log-likelihoods on both, and how far seeds differ on the CPU. Then seconds of three epochs of
50,000 rows of 32 columns with two layers of 512 units, the calls in turn, and the device's
memory before and after, that of torch's products included.
"""

import argparse
import time

import numpy as np
import torch
from sklearn import datasets
from sklearn.model_selection import train_test_split

from skmade import MADEDensity
from skmade.datasets import CorrelatedGaussian

LOADERS = ("iris", "wine", "breast_cancer", "diabetes")
N_SEEDS = 3


def likelihoods(name, device, max_iter):
    """Mean held-out log-likelihood with each seed."""
    if name in LOADERS:
        X = getattr(datasets, f"load_{name}")().data
    else:
        X = CorrelatedGaussian(8).sample(800, random_state=0)
    found = []
    for seed in range(N_SEEDS):
        train, test = train_test_split(X, test_size=0.2, random_state=0)
        density = MADEDensity(device=device, max_iter=max_iter, random_state=seed)
        found.append(density.fit(train).score_samples(test).mean())
    return np.array(found)


def seconds(device, n_rows, order_agnostic):
    """How long three epochs of a large table take."""
    X = CorrelatedGaussian(32).sample(n_rows, random_state=0)
    density = MADEDensity((512, 512), device=device, max_iter=3, order_agnostic=order_agnostic)
    start = time.perf_counter()
    density.set_params(random_state=0).fit(X)
    return time.perf_counter() - start


def allocated(device):
    """Bytes of tensors on a CUDA device; on others nobody counts them."""
    return torch.cuda.memory_allocated() if device.startswith("cuda") else float("nan")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--max-iter", type=int, default=60)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    device = options.device
    MADEDensity(device=device, max_iter=2).fit(np.random.RandomState(0).normal(size=(200, 3)))
    before = allocated(device)
    print(f"table: CPU, {device}, difference (standard deviation of the seeds on the CPU)")
    for name in (*LOADERS, "correlated Gaussian"):
        here, there = (likelihoods(name, d, options.max_iter) for d in ("cpu", device))
        apart = there.mean() - here.mean()
        means = f"{here.mean():.3f}, {there.mean():.3f}, {apart:+.3f} ({here.std():.3f})"
        print(f"{name}: {means}", flush=True)
    for order_agnostic in (False, True):
        times = np.array(
            [
                [seconds(d, options.rows, order_agnostic) for d in ("cpu", device)]
                for _ in range(options.repeat)
            ]
        )
        here, there = np.median(times, axis=0)
        print(
            f"{options.rows} x 32, 2 x 512 units, order_agnostic={order_agnostic}: CPU "
            f"({torch.get_num_threads()} threads) {here:.1f} s, {device} {there:.1f} s, "
            f"median ratio {np.median(times[:, 0] / times[:, 1]):.1f}"
        )
    print(f"{device}: {before} bytes before, {allocated(device)} after")


if __name__ == "__main__":
    main()
