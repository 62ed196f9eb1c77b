"""Threads, forks and jobs: answers stay what they are in one thread."""

import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from tests.configurations import quick

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.RandomState(0).normal(size=(80, 3)) * [1.0, 50.0, 0.01]
HOLES = np.where(np.random.RandomState(1).random_sample(X.shape) < 0.2, np.nan, X)

N_THREADS = 4


# Threads


@pytest.fixture(scope="module")
def fitted():
    """Return a fitted estimator that tests must not change."""
    return quick(n_estimators=2, max_iter=2).fit(X)


@pytest.fixture
def eager_threads():
    """Let threads take turns as often as Python can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def in_threads(call, arguments):
    """Call a function for each argument in several threads that begin together."""
    barrier = threading.Barrier(N_THREADS)
    with ThreadPoolExecutor(N_THREADS, initializer=barrier.wait) as pool:
        return list(pool.map(call, arguments))


CALLS = [
    lambda density: density.score_samples(X),
    lambda density: density.score_samples(X[:5]),
    lambda density: density.score_samples(HOLES[:5]),
    lambda density: density.sample(20, random_state=0),
    lambda density: density.sample(3, random_state=1),
]


@pytest.mark.usefixtures("eager_threads")
def test_calls_in_threads_get_the_serial_answers(fitted):
    expected = [call(fitted) for call in CALLS]
    jobs = list(range(len(CALLS))) * 200
    answers = in_threads(lambda job: CALLS[job](fitted), jobs)
    assert len(answers) == 1000
    wrong = sum(
        not np.array_equal(answer, expected[job])
        for job, answer in zip(jobs, answers, strict=True)
    )
    assert wrong == 0


@pytest.mark.usefixtures("eager_threads")
def test_first_calls_after_loading_race_to_the_serial_answers(fitted):
    data = pickle.dumps(fitted)
    expected = [call(fitted) for call in CALLS]
    for _ in range(20):
        loaded = pickle.loads(data)
        answers = in_threads(lambda call, loaded=loaded: call(loaded), CALLS)
        for answer, right in zip(answers, expected, strict=True):
            assert_array_equal(answer, right)


def test_fits_in_threads_get_the_serial_answers():
    densities = [quick(max_iter=2, random_state=seed) for seed in range(8)]
    expected = [clone(density).fit(X).score_samples(X) for density in densities]
    answers = in_threads(lambda density: density.fit(X).score_samples(X), densities)
    assert_allclose(answers, expected, rtol=1e-4)


@pytest.mark.usefixtures("eager_threads")
def test_scores_while_another_thread_fits_are_of_the_old_or_the_new_model():
    density = quick(max_iter=2).fit(X)
    old = density.score_samples(X)
    seen, done = [], threading.Event()

    def score():
        while not done.is_set():
            seen.append(density.score_samples(X))

    thread = threading.Thread(target=score)
    thread.start()
    density.set_params(random_state=1).fit(X)
    done.set()
    thread.join()
    new = density.score_samples(X)
    assert seen
    assert (old != new).any()
    assert all(np.array_equal(s, old) or np.array_equal(s, new) for s in seen)


# Forks

# Run apart: torch must have two threads before the first fork. A child that hangs is killed
# by its alarm. The first child forks before this process has seen skmade, the second before
# it has fitted.
FORKS = """
import os, signal, warnings
import numpy as np
import torch

warnings.simplefilter("ignore")
torch.set_num_threads(2)
torch.ones(900, 900) @ torch.ones(900, 900)
X = np.random.RandomState(0).normal(size=(600, 8))

def fork(work):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        os._exit(0 if work() else 1)
    code = os.waitpid(child, 0)[1]
    assert code == 0, (work.__name__, code)

def fit():
    from skmade import MADEDensity
    density = MADEDensity(n_estimators=1, max_iter=1, random_state=0).fit(X)
    return np.isfinite(density.score_samples(X)).all() and torch.get_num_threads() == 2

fork(fit)
from skmade import MADEDensity
fork(fit)
density = MADEDensity(n_estimators=1, max_iter=1, random_state=0).fit(X)
scores, drawn = density.score_samples(X[:500]), density.sample(100, random_state=0)

def answer():
    same = np.array_equal(density.score_samples(X[:500]), scores)
    return same and np.array_equal(density.sample(100, random_state=0), drawn)

for _ in range(20):
    fork(answer)
fork(fit)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="forks of other systems can't be told")
def test_forked_children_finish_and_agree():
    done = subprocess.run(
        [sys.executable, "-c", FORKS], check=False, timeout=300, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


# Jobs


@pytest.fixture
def torch_threads():
    """Set how many threads torch has, until the test ends."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


MANY_STACKS = [
    quick(n_estimators=9, max_iter=3),  # in two rounds
    quick(n_estimators=5, max_iter=8, early_stopping=True, n_iter_no_change=1, tol=0.02),
    quick(n_estimators=4, max_iter=2, order_agnostic=True, n_masks=3),
    quick(n_estimators=4, max_iter=2, early_stopping=False),
]


@pytest.mark.parametrize("density", MANY_STACKS, ids=range(len(MANY_STACKS)))
def test_weights_are_the_same_bit_for_bit_for_any_number_of_threads(density, torch_threads):
    expected = clone(density).fit(HOLES)
    for n_threads in (1, 2, 4):
        torch_threads(n_threads)
        for n_jobs in (None, 1, 2):
            fitted = clone(density).set_params(n_jobs=n_jobs)
            with joblib.parallel_config(backend="threading"):
                fitted.fit(HOLES)
            assert_array_equal(fitted._state["weights"], expected._state["weights"])
            assert fitted.history_ == expected.history_
            assert torch.get_num_threads() == n_threads


@pytest.mark.slow
@pytest.mark.parametrize("density", MANY_STACKS, ids=range(len(MANY_STACKS)))
def test_weights_are_the_same_bit_for_bit_in_other_processes(density):
    expected = clone(density).fit(HOLES)
    with joblib.parallel_config(backend="loky"):
        fitted = clone(density).set_params(n_jobs=2).fit(HOLES)
    assert_array_equal(fitted._state["weights"], expected._state["weights"])


JOINED = {"rtol": 1e-4}  # jobs of their own processes have fewer threads, which add otherwise


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_jobs_of_every_backend_get_the_serial_answers(backend):
    density = quick(max_iter=2)
    members = quick(max_iter=1, n_estimators=9)  # trained in several stacks
    grid = GridSearchCV(density, {"n_components": [1, 2]}, cv=2)
    expected = clone(grid).fit(X)
    expected_scores = cross_val_score(density, X, cv=3)
    expected_members = clone(members).fit(X)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        grid.fit(X)
        scores = cross_val_score(density, X, cv=3)
        members.fit(X)
    for key in ("split0_test_score", "split1_test_score", "mean_test_score"):
        assert_allclose(grid.cv_results_[key], expected.cv_results_[key], **JOINED)
    assert grid.best_params_ == expected.best_params_
    assert_allclose(grid.score(X), expected.score(X), **JOINED)
    assert_allclose(scores, expected_scores, **JOINED)
    assert_allclose(members.score_samples(X), expected_members.score_samples(X), **JOINED)
    assert members.history_["train"] == pytest.approx(expected_members.history_["train"], 1e-4)
