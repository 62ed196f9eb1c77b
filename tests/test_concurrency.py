"""Threads, interrupts, and the state of the process, which is left alone."""

import copy
import pickle
import random
import threading
import warnings

import numpy as np
import pytest
import torch
from configurations import CONFIGURATIONS, QUICK, numbers
from numpy.testing import assert_array_equal

from skmade import MADEDensity

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def X():
    """Return three continuous columns and a binary one."""
    return numbers(120)


@pytest.fixture(scope="module")
def fitted(X):
    """Return a fitted estimator that tests must not change."""
    return CONFIGURATIONS["Gaussian conditionals"].density(n_components=3).fit(X)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_fit_keeps_the_old_model(fitted, X, monkeypatch, interruption):
    def interrupt(self):
        raise interruption

    density = copy.deepcopy(fitted)
    state = copy.deepcopy(vars(density))
    monkeypatch.setattr("skmade._training._Stack._update_average", interrupt)
    with pytest.raises(interruption):
        density.fit(X[:, :2])
    assert vars(density).keys() == state.keys()
    monkeypatch.undo()
    assert_array_equal(density.score_samples(X), fitted.score_samples(X))


def global_state():
    return (
        random.getstate(),
        pickle.dumps(np.random.mtrand._rand.get_state()),
        torch.random.get_rng_state().numpy().tobytes(),
        torch.get_default_dtype(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        np.geterr(),
        list(warnings.filters),
    )


@pytest.mark.parametrize("seed", [0, None])
def test_global_state_is_untouched(X, seed):
    before = global_state()
    density = MADEDensity(**{**QUICK, "n_estimators": 2, "random_state": seed}).fit(X)
    density.partial_fit(X).score_samples(X)
    density.sample(3, random_state=seed)
    with pytest.raises(ValueError, match="infinity"):
        density.fit(np.full((3, 2), np.inf))
    assert global_state() == before


def test_threads_get_the_serial_answer(fitted, X):
    expected, expected_rows = fitted.score_samples(X), fitted.sample(20, random_state=0)
    wrong = []

    def work():
        for _ in range(5):
            same = np.array_equal(fitted.score_samples(X), expected)
            drawn = fitted.sample(20, random_state=0)
            if not same or not np.array_equal(drawn, expected_rows):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
