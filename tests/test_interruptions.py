"""Interruptions, the state of the process and its memory: fits leave nothing but the model."""

import copy
import gc
import itertools
import os
import pickle
import random
import signal
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.exceptions import NotFittedError
from threadpoolctl import ThreadpoolController

from skmade import _threads
from tests.configurations import quick

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("heeds_ctrl_c"),
]

X = np.random.RandomState(0).normal(size=(80, 3)) * [1.0, 50.0, 0.01]
HOLES = np.where(np.random.RandomState(1).random_sample(X.shape) < 0.2, np.nan, X)

N_THREADS = 4


class LineCounter:
    """A trace function that counts lines of the package, and raises at one of them."""

    def __init__(self, stop=None):
        self.count, self.stop = 0, stop

    def __call__(self, frame, event, _):
        if not (frame.f_globals.get("__package__") or "").startswith("skmade"):
            return None
        if event == "line":
            self.count += 1
            if self.count == self.stop:
                raise KeyboardInterrupt
        return self


@contextmanager
def traced(counter):
    """Trace with a counter, and leave the trace function of a coverage run as it was."""
    before = sys.gettrace()
    sys.settrace(counter)
    try:
        yield counter
    finally:
        sys.settrace(before)


TINY = pd.DataFrame(X[:12, :2], columns=["a", "b"])
OLD = TINY.rename(columns={"a": "c"})


def tiny(**parameters):
    return quick(hidden_layer_sizes=(4,), n_components=1, max_iter=2, **parameters)


# An estimator, and what is interrupted.
CHANGES = {
    "first fit": (lambda: tiny(), lambda density: density.fit(TINY)),
    "another fit": (lambda: tiny().fit(OLD), lambda density: density.fit(TINY)),
    "fit without names": (lambda: tiny().fit(OLD), lambda density: density.fit(X[:12])),
    "warm start": (lambda: tiny(warm_start=True).fit(TINY), lambda d: d.fit(TINY)),
    "partial fit": (lambda: tiny().partial_fit(TINY), lambda d: d.partial_fit(TINY)),
}


def describe(density):
    """Return all that an estimator holds, in a form that compares."""
    return pickle.dumps({key: vars(density)[key] for key in sorted(vars(density))})


@pytest.mark.parametrize(("make", "change"), CHANGES.values(), ids=CHANGES.keys())
def test_ctrl_c_at_any_line_leaves_the_old_or_the_new_model(make, change):
    old = make()
    new = change(copy.deepcopy(old))
    changed = copy.deepcopy(old)
    with traced(LineCounter()) as counter:
        change(changed)
    total = counter.count
    assert total > 500  # of this thread: Ctrl-C is raised in no other
    # Over all of it, and each line of its end, where the estimator changes.
    stops = [*np.linspace(1, total, 15, dtype=int), *range(total - 10, total + 1)]
    outcomes = [interrupted(old, change, LineCounter(stop)) for stop in stops]
    assert {describe(density) for density in outcomes} <= {describe(old), describe(new)}
    assert describe(outcomes[0]) == describe(old)
    assert describe(change(outcomes[7])) == describe(new)


def interrupted(old, change, counter):
    """Return a copy of an estimator after a change that did not come to its end."""
    density = copy.deepcopy(old)
    with traced(counter), pytest.raises(KeyboardInterrupt):
        change(density)
    return density


def press_ctrl_c():
    signal.raise_signal(signal.SIGINT)


def fail():
    raise RuntimeError("injected")


@pytest.mark.parametrize("happens", [press_ctrl_c, fail])
@pytest.mark.parametrize(
    ("name", "n_steps"),
    [*itertools.product(CHANGES, [0]), ("first fit", 1), ("another fit", 1)],
)
def test_a_failing_step_leaves_the_old_model(name, n_steps, happens, monkeypatch):
    from skmade._training.adamw import AdamW

    done, step = [], AdamW.step

    def failing(self, *arguments):
        if len(done) == n_steps:
            happens()
        done.append(step(self, *arguments))

    make, change = CHANGES[name]
    density = make()
    old, new = describe(density), describe(change(copy.deepcopy(density)))
    monkeypatch.setattr(AdamW, "step", failing)
    with pytest.raises((KeyboardInterrupt, RuntimeError)):
        change(density)
    monkeypatch.undo()
    assert describe(density) == old
    assert describe(change(density)) == new


@pytest.mark.parametrize("happens", [press_ctrl_c, fail])
def test_an_interrupted_first_fit_leaves_an_unfitted_estimator(happens, monkeypatch):
    monkeypatch.setattr("skmade._training.adamw.AdamW.step", lambda *_: happens())
    density = tiny()
    with pytest.raises((KeyboardInterrupt, RuntimeError)):
        density.fit(TINY)
    with pytest.raises(NotFittedError):
        density.score_samples(TINY)
    assert vars(density) == vars(tiny())


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers")
# Python cannot raise what comes while it forgets a thread, and says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_at_random_moments():
    def alarm(*_):
        raise KeyboardInterrupt

    old = tiny().fit(OLD)
    start = time.perf_counter()
    new = copy.deepcopy(old).fit(TINY)
    duration = time.perf_counter() - start
    rng = np.random.RandomState(0)
    before = signal.signal(signal.SIGALRM, alarm)
    n_interrupted = 0
    try:
        for _ in range(200):
            density = copy.deepcopy(old)
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-4, duration))
                density.fit(TINY)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                n_interrupted += 1
            assert describe(density) in (describe(old), describe(new))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert n_interrupted > 50


# Global state

BLAS = ThreadpoolController().select(user_api="blas")


def in_another_thread(function):
    """Return what a function returns in a thread that begins now."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def global_state():
    """Return what a library should leave as it is."""
    return {
        "random": random.getstate(),
        "numpy generator": pickle.dumps(np.random.mtrand._rand.get_state()),
        "torch generator": torch.random.get_rng_state().numpy().tobytes(),
        "default type": torch.get_default_dtype(),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "threads of other threads": in_another_thread(torch.get_num_threads),
        "threads of BLAS": [one["num_threads"] for one in BLAS.info()],
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "precision": torch.get_float32_matmul_precision(),
        "environment": dict(os.environ),
        "floating-point errors": np.geterr(),
        "print options": np.get_printoptions(),
        "filters": list(warnings.filters),
        "scikit-learn": sklearn.get_config(),
        "Ctrl-C": signal.getsignal(signal.SIGINT),
        "turns": sys.getswitchinterval(),
        "folder": os.getcwd(),
    }


@pytest.fixture
def known_state(monkeypatch):
    """Begin in a state that no test before can have left, and restore the session's own."""
    before = torch.get_default_dtype(), torch.get_num_threads(), np.geterr()
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(3)
    torch.manual_seed(98765)
    random.seed(98765)
    np.random.mtrand._rand.seed(98765)
    np.seterr(divide="warn", over="warn", under="ignore", invalid="warn")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with torch.enable_grad():
        yield
    torch.set_default_dtype(before[0])
    torch.set_num_threads(before[1])
    np.seterr(**before[2])


USES = {
    "fit": lambda density: density.fit(X),
    "fit without seed": lambda density: density.set_params(random_state=None).fit(X),
    "partial_fit": lambda density: density.partial_fit(X),
    "score_samples": lambda density: density.score_samples(HOLES),
    "score_features": lambda density: density.score_features(X),
    "sample": lambda density: density.sample(3, random_state=0),
    "sample without seed": lambda density: density.sample(3),
    "impute": lambda density: density.impute(HOLES),
    "bad rows in fit": lambda density: density.fit(np.full((3, 2), np.inf)),
    "bad rows": lambda density: density.score_samples("no table"),
    "bad parameter": lambda density: density.set_params(alpha=-1).fit(X),
    "divergence": lambda density: density.set_params(
        learning_rate_init=1e30, early_stopping=False, max_iter=20
    ).fit(X),
}
RAISES = {"bad rows in fit", "bad rows", "bad parameter", "divergence"}


@pytest.fixture(scope="module")
def fitted_before():
    """Return an estimator that was fitted before the known state began."""
    return quick(n_estimators=2, max_iter=2).fit(X)


@pytest.mark.parametrize("use", USES)
@pytest.mark.usefixtures("known_state")
@pytest.mark.filterwarnings("ignore:.*effective draws")
def test_global_state_is_untouched(fitted_before, use):
    density = copy.deepcopy(fitted_before)
    before = global_state()
    if use in RAISES:
        with pytest.raises(ValueError, match=r"infinity|table|alpha|diverged"):
            USES[use](density)
    else:
        USES[use](density)
    after = global_state()
    assert {key for key in before if before[key] != after[key]} == set()


@pytest.mark.parametrize("happens", [press_ctrl_c, fail])
@pytest.mark.usefixtures("known_state")
def test_global_state_is_untouched_by_an_interrupted_fit(happens, monkeypatch):
    monkeypatch.setattr("skmade._training.adamw.AdamW.step", lambda *_: happens())
    before = global_state()
    with pytest.raises((KeyboardInterrupt, RuntimeError)):
        quick().fit(X)
    after = global_state()
    assert {key for key in before if before[key] != after[key]} == set()


# Memory

STATM = Path("/proc/self/statm")


def resident_megabytes():
    """Return how much memory this process holds."""
    gc.collect()
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.slow
@pytest.mark.skipif(not STATM.exists(), reason="the system does not tell its memory")
def test_many_fits_take_no_more_memory_than_a_few():
    sizes = []
    for n_fits in itertools.count():
        if n_fits in (20, 220):
            sizes.append(resident_megabytes())
        if n_fits == 220:
            break
        density = quick(hidden_layer_sizes=(64, 64), n_estimators=4, max_iter=2).fit(X)
        density.score_samples(X)
        density.sample(10)
    assert sizes[1] - sizes[0] < 20


def test_a_call_that_ctrl_c_kept_from_leaving_limits_no_later_one():
    class Interrupts(LineCounter):
        def __call__(self, frame, event, _):
            if frame.f_code.co_name == "leave" and event == "line":
                raise KeyboardInterrupt
            return self

    before = _threads._limit.inside
    with traced(Interrupts()), pytest.raises(KeyboardInterrupt), _threads.one_thread_inside():
        pass
    with _threads.one_thread_inside():
        pass
    assert len(before) == 0
    assert _threads._limit.limiter is None
