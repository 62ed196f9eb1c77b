"""Warnings point at the line of the user, whatever calls lie between."""

import linecache
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skmade import MADEOutlierDetector
from skmade.datasets import CorrelatedGaussian
from tests.configurations import quick

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = CorrelatedGaussian(3).sample(120, random_state=0)
HOLES = np.where(np.arange(3) == 2, np.nan, X[:5])
FAR = [np.nan, np.nan, 4.0]
CONSTANT = np.column_stack([X, np.full(120, 7.0)])
TEXT = pd.DataFrame({"x": X[:, 0], "name": [f"name {number}" for number in range(120)]})
OF_CONSTANT = "Constant in fit: column 3"


def plain(**parameters):
    """Return an estimator that learns next to nothing, of a natural ordering."""
    return quick(max_iter=1, early_stopping=False, ordering="natural", **parameters)


@pytest.fixture(scope="module")
def fitted():
    return plain().fit(X)


# What is called, and what is warned of. The last call of a line is the user's.
CALLS = {
    "fit": (lambda _: plain().fit(CONSTANT), OF_CONSTANT),
    "fit to text": (lambda _: plain().fit(TEXT), "column 'name' has 120 levels in 120 rows"),
    "fit, narrow": (lambda _: plain(hidden_layer_sizes=1).fit(X), "hidden layer of 1 units"),
    "first partial_fit": (lambda _: plain().partial_fit(CONSTANT), OF_CONSTANT),
    "partial_fit": (lambda _: plain().partial_fit(X).partial_fit(HOLES), "Cells are missing"),
    "warm start": (
        lambda _: plain(warm_start=True).fit(X).fit(HOLES),
        "Set conditioning_weights=True before the first fit",
    ),
    "sample": (
        lambda fitted: fitted.sample(500, random_state=0, given=FAR),
        "different draws fit the given cells",
    ),
    "impute": (
        lambda fitted: fitted.impute([FAR] * 20, random_state=0),
        "less than 5 effective draws",
    ),
    "fit in a Pipeline": (
        lambda _: make_pipeline(FunctionTransformer(), plain()).fit(CONSTANT),
        OF_CONSTANT,
    ),
    "fit in a search": (
        lambda _: GridSearchCV(plain(), {"n_components": [1]}, cv=2).fit(CONSTANT),
        OF_CONSTANT,
    ),
    "fit of a detector": (lambda _: MADEOutlierDetector(plain()).fit(CONSTANT), OF_CONSTANT),
    "fit of a detector to a core": (
        lambda _: MADEOutlierDetector(plain(), support_fraction=0.8).fit(CONSTANT),
        OF_CONSTANT,
    ),
    "fit_predict of a detector": (
        lambda _: MADEOutlierDetector(plain()).fit_predict(CONSTANT),
        OF_CONSTANT,
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_warnings_are_at_the_line_of_the_call(name, fitted):
    call, message = CALLS[name]
    with pytest.warns(UserWarning, match=message) as caught:
        call(fitted)
    assert {warning.filename for warning in caught} == {__file__}
    of_call = linecache.getline(__file__, caught[0].lineno)
    assert of_call.lstrip().startswith((f'"{name}": (lambda', "lambda"))


def test_warnings_of_divergence_are_at_the_line_of_the_call():
    with pytest.warns(ConvergenceWarning, match="Training diverged") as caught:
        quick(learning_rate_init=1e30, max_iter=20).fit(X)
    assert caught[0].filename == __file__


def test_warnings_of_another_version_are_at_the_line_that_loads(fitted, monkeypatch):
    monkeypatch.setattr("skmade._density.current_version", lambda: "0.0.9")
    data = pickle.dumps(fitted)
    monkeypatch.undo()
    with pytest.warns(UserWarning, match="saved by skmade 0.0.9") as caught:
        pickle.loads(data)
    assert caught[0].filename == __file__
