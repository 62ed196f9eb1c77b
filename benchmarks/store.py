"""Results of single runs, kept in files so that a benchmark can stop and go on."""

import json
import os
import pathlib
import platform
from importlib.metadata import version

import numpy as np

RESULTS = pathlib.Path(__file__).parent / "results"


def conditions():
    """Return what a run's seconds and scores depend on: machine, threads and versions."""
    import torch  # here, as what only reads results needs none

    return {
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "versions": {name: version(name) for name in ("skmade", "torch", "scikit-learn")},
    }


def path_of(protocol, table, method, seed, folder=RESULTS):
    """Return the file that holds the result of one run."""
    return folder / protocol / table / f"{method.replace(' ', '-')}-{seed}.npz"


def load(path):
    """Return the scores of the test rows and what is known of the run, or None."""
    if not path.exists():
        return None
    with np.load(path) as arrays:
        return arrays["scores"], json.loads(str(arrays["about"]))


def save(path, scores, about):
    """Write a result whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez_compressed(part, scores=scores, about=json.dumps(about))
    os.replace(part, path)


def load_facts(path):
    """Return a dictionary of plain values, or None where there is no such file."""
    return json.loads(path.read_text()) if path.exists() else None


def save_facts(path, facts):
    """Write a dictionary of plain values whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.json")
    part.write_text(json.dumps(facts, indent=1))
    os.replace(part, path)
