"""Tables of many columns: what is left out, and what is said of memory."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn import config_context

from skmade import MADEDensity, _parameters
from skmade._training import members, schedule

X = np.random.RandomState(0).normal(size=(60, 5)) @ np.triu(np.ones((5, 5)))


def quick(**options):
    """Return a density that is fitted at once."""
    return MADEDensity((16,), n_estimators=4, max_iter=2, random_state=0, **options)


def test_too_many_direct_connections_are_left_out_with_a_warning(monkeypatch):
    monkeypatch.setattr(_parameters, "MAX_DIRECT_WEIGHTS", 100)
    with pytest.warns(UserWarning, match=r"5 columns are too many for direct connections.*750"):
        density = quick(warm_start=True).fit(X)
    assert not density._state["architecture"]["direct_connections"]
    assert density.fit(X).n_iter_ == 4  # a warm start goes on without them, in silence
    assert quick(direct_connections=False).fit(X).n_iter_ == 2


def test_a_fit_that_takes_most_of_the_memory_warns(monkeypatch):
    quick().fit(X)  # warnings are errors
    monkeypatch.setattr(members, "_machine_bytes", lambda: 2**18)
    with pytest.warns(UserWarning, match=r"take about 0\.0 GB of the machine's 0\.0 GB"):
        quick().fit(X)


def test_the_model_does_not_depend_on_how_many_stacks_fit_in_memory():
    with config_context(working_memory=1e-3):
        narrow = quick().fit(X)
    assert_array_equal(narrow._state["weights"], quick().fit(X)._state["weights"])


def test_steps_in_slices_follow_the_same_gradient(monkeypatch):
    whole = quick(dropout=0.1).fit(X)
    monkeypatch.setattr(schedule, "MAX_STEP_BYTES", 2**15)
    sliced = quick(dropout=0.1).fit(X)
    parts = [density._state["weights"] for density in (whole, sliced)]
    assert (parts[0] != parts[1]).any()  # sums are of other parts
    np.testing.assert_allclose(*parts, rtol=1e-3, atol=1e-4)
