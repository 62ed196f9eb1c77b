"""Peak memory of scoring and of fitting large tables, each in a process of its own.

    python benchmarks/memory.py score --rows 1000000
    python benchmarks/memory.py fit --rows 10000000

Prints megabytes of anonymous memory above what there was before the call, and seconds, as
JSON. The rows to fit are a memory map of float32 in a temporary folder, the rows to score an
array in memory. Linux only: the kernel's count of the process's anonymous memory is read every
few milliseconds, so memory maps of files are not in it.
"""

import argparse
import ctypes
import gc
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial

import numpy as np
from clock import at_most, digits, duration, threads

from skmade import MADEDensity

N_COLUMNS = 16
N_FITTED = 5000
CHUNK = 100_000
INTERVAL = 0.005
ROWS = {"score": 1_000_000, "fit": 10_000_000}
BOUNDS = {"score": 200, "fit": 500}  # megabytes


class PeakMemory:
    """A context that tells by how many megabytes anonymous memory rose in it."""

    def __init__(self):
        self.megabytes = 0.0
        self._ended = threading.Event()
        self._poller = threading.Thread(target=self._poll, daemon=True)

    def __enter__(self):
        give_back_freed()
        self._before = self._peak = anonymous_memory()
        self._poller.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._poller.join()
        self.megabytes = (max(self._peak, anonymous_memory()) - self._before) / 1e6

    def _poll(self):
        while not self._ended.wait(INTERVAL):
            self._peak = max(self._peak, anonymous_memory())


def anonymous_memory():
    """Bytes of this process that are no map of a file."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    raise SystemExit("The memory that a process uses is read from /proc of Linux.")


def give_back_freed():
    """Return freed memory to the system, so that its use again counts."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


def chunks(n_rows, n_columns=N_COLUMNS):
    """Yield rows of correlated float32 numbers, a chunk at a time."""
    rng = np.random.default_rng(0)
    factor = np.linalg.cholesky(0.5 + 0.5 * np.eye(n_columns)).T.astype(np.float32)
    for begin in range(0, n_rows, CHUNK):
        size = (min(CHUNK, n_rows - begin), n_columns)
        yield rng.standard_normal(size, dtype=np.float32) @ factor


def score(n_rows):
    """Score rows in memory."""
    density = MADEDensity(max_iter=1, random_state=0).fit(next(chunks(N_FITTED)))
    X = np.empty((n_rows, N_COLUMNS), dtype=np.float32)
    fill(X)
    return measured(partial(density.score_samples, X))


def fit(n_rows):
    """Fit rows of a memory map, one epoch."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "rows.npy"
        shape = (n_rows, N_COLUMNS)
        X = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
        fill(X)
        X.flush()
        X = np.load(path, mmap_mode="r")
        return measured(partial(MADEDensity(max_iter=1, random_state=0).fit, X))


def fill(X):
    """Write rows into an array, a chunk at a time."""
    for begin, chunk in zip(range(0, len(X), CHUNK), chunks(len(X)), strict=True):
        X[begin : begin + CHUNK] = chunk


def measured(call):
    """Megabytes and seconds of a call."""
    begin = time.perf_counter()
    with PeakMemory() as peak:
        call()
    return {"megabytes": peak.megabytes, "seconds": time.perf_counter() - begin}


def cases(options):
    """What is measured in processes of their own: name to function that returns facts."""
    factor = 10 if options.small else 1
    return {name: partial(apart, name, ROWS[name] // factor, options) for name in ROWS}


def apart(name, n_rows, options):
    """Run this script in a process of its own and return the row of its answer."""
    command = [sys.executable, __file__, name, "--rows", str(n_rows)]
    done = subprocess.run(
        [*command, "--threads", str(options.threads)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    rate = f"{n_rows / answer['seconds']:.0f} rows/s, {duration(answer['seconds'])}"
    method = {"score": "score_samples", "fit": "fit, one epoch"}[name]
    line = f"memory of {method}, {n_rows} x {N_COLUMNS} of float32"
    row = at_most(
        line, answer["megabytes"], BOUNDS[name], rate, lambda value: f"{digits(value)} MB"
    )
    return {"rows": [row], "answer": answer}


def main():
    """Measure one call in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=ROWS)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    with threads(chosen.threads):
        measure = {"score": score, "fit": fit}[chosen.what]
        print(json.dumps(measure(chosen.rows or ROWS[chosen.what])))


if __name__ == "__main__":
    main()
