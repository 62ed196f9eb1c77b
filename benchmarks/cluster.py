"""Fits and scores of a table in partitions on a cluster of processes, beside one process.

    python benchmarks/cluster.py                # every case; writes docs/benchmarks/cluster*
    python benchmarks/cluster.py --only costs   # time of one row in each step
    python benchmarks/cluster.py --only "one process" "2 workers" --epochs 20
    python benchmarks/cluster.py --only shuffled sorted --rows 400000 --members 4 --epochs 4

The table has eight pairs of columns, each two moons, so its density is known. Workers
generate it partition by partition, and it is never in memory as a whole; one process alone
reads it from a memory map. Each case runs in a process of its own: one thread for each worker,
two threads for one process. `shuffled` and `sorted` are fits in partitions in this process, of
rows in random order and sorted by the first column. Memory is the anonymous memory of the
client above what there was before, in megabytes.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

N_PAIRS = 8
PARTITION_ROWS = 50_000
N_TEST = 20_000
N_COST_ROWS = 100_000
ORDERS = ("shuffled", "sorted")
CASES = ("costs", "one process", "1 worker", "2 workers", *ORDERS)


def rows_of(number, n_rows=PARTITION_ROWS):
    """Generate a partition of the table."""
    import numpy as np

    from skmade.datasets import TwoMoons

    moons = TwoMoons(noise=0.1).sample(n_rows * N_PAIRS, random_state=number)
    return np.ascontiguousarray(moons.reshape(n_rows, 2 * N_PAIRS))


def generated(n_rows):
    """Return the table as an array of dask."""
    import dask
    import dask.array as da
    import numpy as np

    empty = np.empty((0, 2 * N_PAIRS))
    shape = PARTITION_ROWS, 2 * N_PAIRS
    parts = [dask.delayed(rows_of)(number) for number in range(n_rows // PARTITION_ROWS)]
    return da.concatenate([da.from_delayed(part, shape, meta=empty) for part in parts])


def truth(X):
    """Mean log-density of rows."""
    from skmade.datasets import TwoMoons

    return float(TwoMoons(noise=0.1).score_samples(X.reshape(-1, 2)).mean()) * N_PAIRS


def mapped(n_rows, folder):
    """Write the table to a file, and map it."""
    import numpy as np

    shape = n_rows, 2 * N_PAIRS
    rows = np.lib.format.open_memmap(folder / "rows.npy", "w+", np.float64, shape)
    for number in range(n_rows // PARTITION_ROWS):
        rows[number * PARTITION_ROWS : (number + 1) * PARTITION_ROWS] = rows_of(number)
    rows.flush()
    return np.load(folder / "rows.npy", mmap_mode="r")


def density(epochs, n_members):
    """Return an estimator with every default but the numbers of epochs and members."""
    from skmade import MADEDensity

    return MADEDensity(max_iter=epochs, n_estimators=n_members, random_state=0)


def fit_and_score(X, *settings):
    """Fit and score a table; return likelihoods, seconds and megabytes."""
    from memory import PeakMemory

    test = rows_of(1_000_000, N_TEST)
    begin = time.perf_counter()
    with PeakMemory() as of_fit:
        fitted = density(*settings).fit(X)
    fit_seconds, begin = time.perf_counter() - begin, time.perf_counter()
    with PeakMemory() as of_score:
        scores = fitted.score_samples(X)
        mean = float(scores.mean())
    return {
        "fit": fit_seconds,
        "score": time.perf_counter() - begin,
        "fit memory": of_fit.megabytes,
        "score memory": of_score.megabytes,
        "held out": fitted.score(test) / N_TEST,
        "training rows": mean,
        "truth": truth(test),
    }


def on_cluster(n_workers, n_rows, *settings):
    """Fit and score on worker processes."""
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=n_workers, threads_per_worker=1, dashboard_address=":0", memory_limit=0
    )
    with cluster, Client(cluster) as client:
        client.run(
            lambda: __import__("skmade._training.loop")
        )  # as in a cluster that has worked
        return fit_and_score(generated(n_rows), *settings)


def in_one_process(n_rows, *settings):
    """Fit and score a memory map."""
    with tempfile.TemporaryDirectory() as folder:
        return fit_and_score(mapped(n_rows, pathlib.Path(folder)), *settings)


def in_order(order, n_rows, *settings):
    """Fit and score partitions of a table in memory, in this order."""
    import dask.array as da
    import numpy as np

    X = np.concatenate([rows_of(number) for number in range(n_rows // PARTITION_ROWS)])
    if order == "sorted":
        X = X[X[:, 0].argsort()]
    return fit_and_score(da.from_array(X, chunks=(PARTITION_ROWS, -1)), *settings)


def costs():
    """Microseconds that one row takes in each step, on one thread."""
    import dataclasses

    import numpy as np

    from skmade._dask import fitting as steps
    from skmade._input import fitted_ensemble
    from skmade._training.rows import InMemory, Rows

    X = rows_of(0, N_COST_ROWS)
    fitted = density(1, 1).fit(X[:20_000])
    ensemble, layout = fitted_ensemble(fitted)
    encoded = steps._encoded(X, layout, ensemble.table)
    rows = Rows(InMemory(encoded), n_members=1)
    timed = {
        "generate": lambda: rows_of(0, N_COST_ROWS),
        "survey": lambda: steps._survey_partition(X, density(1, 1), X[:0]),
        "check and draw": lambda: steps._chosen_rows(
            X, np.arange(0, N_COST_ROWS, 10), layout, ensemble.table.kinds
        ),
        "encode": lambda: steps._encoded(X, layout, ensemble.table),
        "train, one member, one epoch": lambda: train_once(ensemble, rows),
        "score, one member": lambda: fitted.score_samples(X),
    }
    seconds = {}
    for name, step in timed.items():
        begin = time.perf_counter()
        step()
        seconds[name] = 1e6 * (time.perf_counter() - begin) / N_COST_ROWS
    bytes_encoded = sum(
        getattr(encoded, field.name).nbytes for field in dataclasses.fields(encoded)
    )
    return seconds | {"bytes of an encoded row": bytes_encoded / N_COST_ROWS}


def train_once(ensemble, rows):
    """Train one member for an epoch."""
    from skmade._fitting import Run, read_schedule
    from skmade._training.loop import fit_network
    from skmade._training.members import stacks

    ((_, start, masks),) = stacks(ensemble)
    run = Run(resume=False, early_stopping=True, max_iter=1)
    schedule = read_schedule(density(1, 1), rows.n_rows, run)
    fit_network(ensemble.made, start, masks, rows, schedule, seed=0)


def run(case, n_rows, *settings):
    """Run one case in this process."""
    if case == "costs":
        return costs()
    if case == "one process":
        return in_one_process(n_rows, *settings)
    if case in ORDERS:
        return in_order(case, n_rows, *settings)
    return on_cluster(int(case.split()[0]), n_rows, *settings)


def rows_for_docs(found):
    """Yield a table of the cases that have been run."""
    yield ["", "fit [s]", "score [s]", "client: fit [MB]", "score [MB]", "held out [nats]"]
    for case, told in found.items():
        yield [
            case,
            f"{told['fit']:.0f}",
            f"{told['score']:.0f}",
            f"{told['fit memory']:.0f}",
            f"{told['score memory']:.0f}",
            f"{told['held out']:.3f} (truth {told['truth']:.3f})",
        ]


def main():
    """Run the cases, each in a process of its own, and write the tables."""
    from report import write

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--members", type=int, default=2)
    parser.add_argument("--here", choices=CASES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.here:
        print(json.dumps(run(chosen.here, chosen.rows, chosen.epochs, chosen.members)))
        return
    found = {}
    for case in chosen.only:
        threads = "2" if case == "one process" else "1"
        environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        names = "rows", "epochs", "members"
        options = [word for n in names for word in (f"--{n}", str(getattr(chosen, n)))]
        told = subprocess.run(
            [sys.executable, __file__, "--here", case, *options],
            env=environment,
            stdout=subprocess.PIPE,
            check=True,
        )
        found[case] = json.loads(told.stdout.splitlines()[-1])
        print(case, json.dumps(found[case], indent=1), flush=True)
    per_row = found.pop("costs", None)
    if per_row is not None:
        lines = [["step", "microseconds a row"]]
        write("cluster_costs", lines + [[k, f"{v:.2f}"] for k, v in per_row.items()])
    for name, orders in {"cluster": False, "cluster_order": True}.items():
        told = {case: facts for case, facts in found.items() if (case in ORDERS) == orders}
        if told:
            write(name, rows_for_docs(told))


if __name__ == "__main__":
    main()
