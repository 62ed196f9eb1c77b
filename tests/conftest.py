"""Fixtures that tests share: configurations, shapes of networks, estimators fitted once."""

import os

# Before NumPy and torch start their threads. Tests run in one process for each core
# (pytest-xdist), and more threads than cores wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import itertools
import signal

import pytest

from skmade._prediction import background
from tests.configurations import CONFIGURATIONS
from tests.ensembles import TRAININGS

# A script, which imports what is beside it.
collect_ignore = ["same_answers.py"]


@pytest.fixture
def without_background(monkeypatch):
    """Leave the density to the members, whatever is far out."""
    monkeypatch.setattr(background, "LOG_SHARE", -1e6)
    monkeypatch.setattr(background, "LOG_REST", 0.0)


@pytest.fixture
def heeds_ctrl_c():
    """Let Ctrl-C interrupt, which a shell's background jobs are started to ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=TRAININGS.values(), ids=TRAININGS.keys())
def configuration(request):
    """Options of `make_ensemble`, one set for each way of training."""
    return request.param


# Networks whose layers are one to three, of equal width or not, and too narrow for each
# degree of nine features to have a unit.
LAYERS = [(16,), (3,), (9, 9), (5, 16), (12, 7, 7), (8, 8, 8)]


@pytest.fixture(params=LAYERS, ids=str)
def layers(request):
    """Return the sizes of the hidden layers."""
    return request.param


@pytest.fixture(params=itertools.product([False, True], repeat=3), ids=str)
def parts(request):
    """Return which optional connections a network has."""
    names = ("residual", "direct_connections", "conditioning_weights")
    return dict(zip(names, request.param, strict=True))


@pytest.fixture(scope="module", params=CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())
def case(request):
    """Return a configuration of the estimator, for the contract."""
    return request.param


@pytest.fixture(scope="module")
def table(case):
    """Return the table of a configuration."""
    return case.make_table(120)


@pytest.fixture(scope="module")
def fitted(case, table):
    """Return a fitted estimator, which tests must not change."""
    return case.density().fit(table)


@pytest.fixture
def density(case):
    """Return an unfitted estimator."""
    return case.density()
