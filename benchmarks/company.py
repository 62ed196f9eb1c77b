"""How much longer calls take beside busy processes, and beside each other.

    python benchmarks/company.py                    # everything that has not been measured
    python benchmarks/company.py --only beside      # some parts
    python benchmarks/company.py --busy 4 --again   # beside four processes, measure anew
    python benchmarks/company.py --report           # the table of what has been measured
    python benchmarks/company.py --small --repeat 1 # does it run? Writes no table

Threads are as many as torch and BLAS take by themselves, since that is what users have: leave
OMP_NUM_THREADS unset, and the machine idle. The company is started and ended here: loops of
pure Python, a process each, that run during the timed call only. A call is timed alone and in
company in turn, and the row says how many times longer the second takes: the ratio of medians
of `--repeat` rounds. On two cores, a fair share beside two loops is twice the time. Parts:

    beside   fit, score_samples, sample and impute of MADEDensity with every default, then of a
             flow (where zuko is installed) and of scikit-learn's estimators
    two      two fits at once, in two processes and in two threads, to one after the other
    threads  whether one random_state is one model, whatever the threads, jobs and neighbours

Each case is kept by store.py; the table goes to docs/benchmarks.
"""

import contextlib
import hashlib
import math
import os
import pathlib
import statistics
import subprocess
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context

import joblib
import numpy as np
import torch
from clock import PAUSE, at_least, at_most, duration, in_turn, seconds, stated, times
from peers import Flow
from runs import measure, parser_of
from sklearn.datasets import load_breast_cancer
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

from skmade import MADEDensity

# What has to hold.
BESIDE_BOUND = 2.5  # times the time alone
TWO_BOUND = 1.15  # times one fit after the other

# Short calls are repeated for so many seconds.
LEAST = 0.5

N_TRAIN = 455
N_ROWS = 10_000  # to score and to draw
HOLES = 0.2
MAF_EPOCHS = 30
SMALL_EPOCHS = 2  # of all fits, with --small
N_COMPONENTS = 10
BANDWIDTH = 0.5

# A loop that ends when its parent is gone, should that be killed.
LOOP = """
import os, sys
print(flush=True)
while os.getppid() == int(sys.argv[1]):
    for _ in range(1_000_000):
        pass
"""

# One random_state, one model: by OMP_NUM_THREADS, by n_jobs and the backend of joblib, and in
# company.
CONFIGURATIONS = {
    **{f"OMP_NUM_THREADS={n}": {"n_threads": n} for n in (1, 2, 4)},
    **{
        f"n_jobs={n_jobs} ({backend})": {"n_jobs": n_jobs, "backend": backend}
        for backend in ("threading", "loky")
        for n_jobs in (1, 2, -1)
    },
    "in company": {"in_company": True},
}


@contextlib.contextmanager
def company(n_busy):
    """Have so many processes busy, until the block ends, also by an error or Ctrl-C."""
    command = [sys.executable, "-c", LOOP, str(os.getpid())]
    loops = []
    try:
        for _ in range(n_busy):
            loops.append(
                subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            )
        for loop in loops:
            loop.stdout.readline()  # it has begun
        yield
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.communicate()


def timed(call, n_calls, n_busy):
    """Seconds of one of several calls, beside so many busy processes."""
    time.sleep(PAUSE)
    with company(n_busy):
        return seconds(lambda: [call() for _ in range(n_calls)]) / n_calls


def beside(name, prepare, options):
    """Time the calls of an estimator alone and in company, and say what became of them."""
    rows, taken = [], {}
    for method, call in prepare(options).items():
        n_calls = max(1, math.ceil(LEAST / seconds(call)))
        rounds = [
            [timed(call, n_calls, n_busy) for n_busy in (0, options.busy)]
            for _ in range(options.repeat)
        ]
        alone, busy = map(statistics.median, zip(*rounds, strict=True))
        taken[method] = rounds
        line = f"{name}, {method}, beside {options.busy} busy processes to alone"
        about = f"{duration(busy)} to {duration(alone)}"
        if prepare is ours:
            rows.append(at_most(line, busy / alone, BESIDE_BOUND, about, times))
        else:
            rows.append(stated(line, f"{times(busy / alone)} ({about})"))
    return {"rows": rows, "seconds_of": taken}


def tables(options):
    """Rows of breast cancer: to fit, with holes to complete, and jittered ones to score."""
    rng = np.random.default_rng(0)
    X = rng.permutation(load_breast_cancer().data)
    train, held_out = X[:N_TRAIN], X[N_TRAIN:].copy()
    held_out[rng.random(held_out.shape) < HOLES] = np.nan
    rows = rng.choice(train, n_rows(options))
    rows += 0.01 * train.std(axis=0) * rng.standard_normal(rows.shape)
    return train, held_out[:20] if options.small else held_out, rows


def standardised(options):
    """Rows to fit and to score, in units of the former's standard deviations."""
    train, _, rows = tables(options)
    center, spread = train.mean(axis=0), train.std(axis=0)
    return (train - center) / spread, (rows - center) / spread


def n_rows(options):
    """How many rows are scored and drawn."""
    return N_ROWS // 10 if options.small else N_ROWS


def unfitted(small):
    """Return a density with every default."""
    return MADEDensity(random_state=0, **({"max_iter": SMALL_EPOCHS} if small else {}))


def ours(options):
    """Calls of MADEDensity."""
    train, holes, rows = tables(options)
    density = unfitted(options.small).fit(train)
    return {
        "fit": lambda: unfitted(options.small).fit(train),
        "score_samples": lambda: density.score_samples(rows),
        "sample": lambda: density.sample(len(rows), random_state=0),
        "impute": lambda: density.impute(holes, random_state=0),
    }


def maf(options):
    """Calls of zuko's masked autoregressive flow."""
    train, rows = standardised(options)
    epochs = SMALL_EPOCHS if options.small else MAF_EPOCHS
    fit = partial(Flow, "MAF", train, 0, max_epochs=epochs)
    flow = fit()
    return {
        f"fit of {epochs} epochs": fit,
        "log_prob": lambda: flow.score_samples(rows),
        "sample": lambda: flow.sample(len(rows)),
    }


def classical(estimator, options):
    """Calls of an estimator of scikit-learn."""
    train, rows = standardised(options)
    estimator.fit(train)
    return {
        "score_samples": lambda: estimator.score_samples(rows),
        "sample": lambda: estimator.sample(len(rows)),
    }


def beside_cases(options):
    """What is measured beside busy processes: name to function that returns facts."""
    mixture = GaussianMixture(N_COMPONENTS, reg_covar=1e-4, random_state=0)
    calls = {
        "MADEDensity": ours,
        "MAF of zuko": maf,
        "GaussianMixture": partial(classical, mixture),
        "KernelDensity": partial(classical, KernelDensity(bandwidth=BANDWIDTH)),
    }
    if find_spec("zuko") is None:
        del calls["MAF of zuko"]
    return {
        name.replace(" ", "-"): partial(beside, name, prepare, options)
        for name, prepare in calls.items()
    }


def fit(small, X):
    """Fit with the defaults, in a worker."""
    unfitted(small).fit(X)


def two_fits(where, executor, options):
    """Time two fits of one table at once, to one after the other in the same two workers."""
    call = partial(fit, options.small, tables(options)[0])
    with executor() as first, executor() as second:
        workers = (first, second)

        def in_sequence():
            for worker in workers:
                worker.submit(call).result()

        def at_once():
            for future in [worker.submit(call) for worker in workers]:
                future.result()

        at_once()  # the workers import what they need
        taken = in_turn(in_sequence, at_once, repeat=options.repeat)
    in_sequence, at_once = map(statistics.median, taken)
    about = f"{duration(at_once)} to {duration(in_sequence)}"
    line = f"MADEDensity, two fits at once in two {where}, to one after the other"
    rows = [at_most(line, at_once / in_sequence, TWO_BOUND, about, times)]
    return {"rows": rows, "seconds_of": taken}


def two_cases(options):
    """What is measured of two fits at once: name to function that returns facts."""
    workers = {
        "threads": partial(ThreadPoolExecutor, 1),
        "processes": partial(
            ProcessPoolExecutor,
            1,
            mp_context=get_context("spawn"),
            initializer=warnings.simplefilter,
            initargs=("ignore",),
        ),
    }
    return {name: partial(two_fits, name, one, options) for name, one in workers.items()}


def print_digest(small, n_jobs, backend):
    """Fit and print a digest of the weights, in a process of its own."""
    warnings.simplefilter("ignore")
    X = load_breast_cancer().data[:N_TRAIN]
    context = contextlib.nullcontext() if backend is None else joblib.parallel_config(backend)
    with context:
        density = unfitted(small).set_params(n_jobs=n_jobs).fit(X)
    print(hashlib.sha256(density._state["weights"].tobytes()).hexdigest())


def digest(options, n_threads=None, n_jobs=None, backend=None, in_company=False):
    """Fit in a fresh process and return the digest of the weights."""
    call = f"company.print_digest({options.small!r}, {n_jobs!r}, {backend!r})"
    limits = {} if n_threads is None else {"OMP_NUM_THREADS": str(n_threads)}
    paths = (str(pathlib.Path(__file__).parent), os.environ.get("PYTHONPATH"))
    with company(options.busy if in_company else 0):
        done = subprocess.run(
            [sys.executable, "-c", f"import company; {call}"],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**os.environ, **limits, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
    return done.stdout.split()[-1]


def equal_models(options):
    """Count the configurations whose weights are, bit for bit, those of the first."""
    digests = {}
    for name, configuration in CONFIGURATIONS.items():
        digests[name] = digest(options, **configuration)
        print(f"{name}: {digests[name]}", flush=True)
    expected = next(iter(digests.values()))
    others = [name for name, found in digests.items() if found != expected]
    row = at_least(
        "MADEDensity, models equal bit for bit with 1, 2, 4 threads, 1, 2, -1 jobs of threads "
        f"and processes, and beside {options.busy} busy processes",
        len(digests) - len(others),
        len(digests),
        f"not {', '.join(others)}" if others else "",
        str,
    )
    return {"rows": [row], "digests": digests}


PARTS = {
    "beside": beside_cases,
    "two": two_cases,
    "threads": lambda options: {"equal": partial(equal_models, options)},
}


def main():
    """Measure what is asked for, then write the table."""
    parser = parser_of(__doc__, PARTS, repeat=3)
    parser.add_argument("--busy", type=int, default=2, help="how many processes are company")
    parser.set_defaults(threads=torch.get_num_threads())
    measure("company", PARTS, parser.parse_args())


if __name__ == "__main__":
    main()
