"""TorchScript: what it compiles is what is written, and nothing is lost without it."""

import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skmade._training import intervals, mixtures, passes
from skmade._training.compiled import compiled
from skmade._training.passes import activate

ROOT = Path(__file__).resolve().parents[2]

# Columns of each kind, with holes, atoms, ends and codes, for each way of training.
FITS = """
import sys, types, warnings
import numpy as np
import torch
if sys.argv[2] == "without":
    del torch.jit.script
from skmade import MADEDensity
from skmade._training import passes
compiled = not isinstance(passes.way_back, types.FunctionType)
assert compiled == (sys.argv[2] == "with"), passes.way_back
warnings.simplefilter("ignore")
rng = np.random.RandomState(0)
X = rng.normal(size=(200, 7))
X[:, 1] = X[:, 1] * (rng.uniform(size=200) < 0.5)
X[:, 2] = rng.poisson(3, size=200)
X[:, 3] = rng.randint(3, size=200)
X[:, 4] = X[:, 0] > 0
X[:, 5] = np.abs(X[:, 5])
X[:, 6] = rng.choice([1.0, 3.0, 9.0, 20.0], size=200)
holes = np.where(rng.uniform(size=X.shape) < 0.1, np.nan, X)
kinds = {"feature_types": ["continuous", "continuous", "count", "categorical", "binary"]
         + ["continuous", "count"], "bounds": {5: (0, None)}}
found = {}
for name, options in {
    "default": {},
    "agnostic": {"order_agnostic": True, "n_masks": 3, "activation": "tanh"},
    "softplus": {"activation": "softplus", "dropout": 0.0},
    "logistic": {"activation": "logistic", "direct_connections": False},
}.items():
    density = MADEDensity((16, 16), n_estimators=4, max_iter=3, random_state=0, **kinds)
    density.set_params(**options).fit(holes)
    found[name + " weights"] = density._state["weights"]
    found[name + " scores"] = density.score_samples(holes)
np.savez(sys.argv[1], **found)
"""


def fits(path, how):
    """Return what fits find in a process of their own, with TorchScript or without."""
    command = [sys.executable, "-c", FITS, str(path), how]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return np.load(path)


@pytest.mark.slow
def test_fits_are_the_same_without_torchscript(tmp_path):
    expected, found = (fits(tmp_path / f"{how}.npz", how) for how in ("with", "without"))
    assert len(expected.files) == 8
    for name in expected.files:
        assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_training_is_imported_without_a_warning():
    code = "import skmade._training.loop"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_functions_are_compiled_where_torch_can():
    assert isinstance(activate, torch.jit.ScriptFunction)


@pytest.mark.parametrize("error", [RuntimeError, OSError, AttributeError])
def test_functions_that_torch_cannot_compile_stay_as_they_are(error, monkeypatch):
    def script(_):
        raise error("gone")

    def function(values: torch.Tensor) -> torch.Tensor:
        return values + 1

    monkeypatch.setattr(torch.jit, "script", script)
    assert compiled(function) is function


@pytest.mark.parametrize("module", [intervals, mixtures, passes])
def test_no_function_is_left_uncompiled(module):
    # One that TorchScript does not take stays as it is, without a word.
    own = [
        one
        for one in vars(module).values()
        if getattr(one, "__module__", "") == module.__name__
    ]
    assert not [one.__name__ for one in own if isinstance(one, types.FunctionType)]
