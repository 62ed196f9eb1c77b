"""How long it takes to import skmade, and to load a density and score a row."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from functools import partial

import joblib
from clock import digits, duration, stated

from skmade import MADEDensity
from skmade.datasets import CorrelatedGaussian

N_COLUMNS = 16
IMPORTS = ("skmade", "torch", "sklearn", "sklearn.neighbors")

# Run in a fresh process; interpreter start-up is not in it.
TIMED = """
import time
begin = time.perf_counter()
{statement}
print(time.perf_counter() - begin)
"""
LOAD_AND_SCORE = """
import joblib
joblib.load({path!r}).score_samples({row})
"""


def cases(options):
    """What is measured of fresh processes: name to function that returns facts."""
    return {"import": partial(imports, options), "load": partial(load_and_score, options)}


def imports(options):
    """Time the imports in turn."""
    statements = {name: f"import {name}" for name in IMPORTS}
    taken = fresh(statements, options)
    beside = ", ".join(f"{name} {duration(taken[name])}" for name in IMPORTS[1:])
    of_torch = digits(taken["skmade"] / taken["torch"])
    measured = f"{duration(taken['skmade'])}, {of_torch} times torch ({beside})"
    return {"rows": [stated("import skmade", measured)], "seconds_of": taken}


def load_and_score(options):
    """Time loading a density from a file and scoring a row, imports included."""
    X = CorrelatedGaussian(N_COLUMNS).sample(1000, random_state=0)
    density = MADEDensity(max_iter=1, random_state=0).fit(X)
    with tempfile.TemporaryDirectory() as folder:
        path = str(pathlib.Path(folder) / "density.joblib")
        joblib.dump(density, path)
        row = json.dumps(X[:1].tolist())
        taken = fresh({"load": LOAD_AND_SCORE.format(path=path, row=row)}, options)
    line = f"load a density with joblib and score one row x {N_COLUMNS} columns, with imports"
    return {"rows": [stated(line, duration(taken["load"]))], "seconds_of": taken}


def fresh(statements, options):
    """Median seconds of statements, each run in fresh processes, in turn."""
    taken = {name: [] for name in statements}
    for _ in range(options.repeat + 1):  # the first reads files into the system's cache
        for name, statement in statements.items():
            taken[name].append(in_process(TIMED.format(statement=statement), options.threads))
    return {name: statistics.median(values[1:]) for name, values in taken.items()}


def in_process(code, n_threads):
    """Run code in a fresh process and return the number it prints."""
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(n_threads))
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, **limits},
    )
    return float(done.stdout)
