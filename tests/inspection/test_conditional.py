"""Fans of quantiles and probabilities of labels along a column."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmade.inspection import ConditionalDisplay
from tests.configurations import quick

from .conftest import X

FRAME = pd.DataFrame(X, columns=["a", "b", "c"]).assign(
    label=np.where(X[:, 0] > 0, "up", "down"), count=(np.abs(X[:, 1]) * 2).astype(int)
)


@pytest.fixture(scope="module")
def mixed():
    """Return a density of a table with labels and counts."""
    return quick(max_iter=20, order_agnostic=True, n_masks=2).fit(FRAME)


def test_a_fan_has_the_quantiles_of_the_column(made):
    display = ConditionalDisplay.from_estimator(made, X, 1, 0, grid_resolution=12)
    assert display.values.shape == (12, 5)
    rows = np.full((12, 3), np.nan)
    rows[:, 0] = display.grid
    expected = made.conditional(rows, 1).ppf(np.array([[0.05, 0.25, 0.5, 0.75, 0.95]]))
    assert_allclose(display.values, expected)
    assert len(display.bands_) == 2
    assert_allclose(display.line_.get_ydata(), expected[:, 2])
    assert display.ax_.get_xlabel() == "x0"
    assert display.ax_.get_ylabel() == "x1"
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == [
        "90 %",
        "50 %",
        "median",
    ]
    again = display.plot()
    assert again.ax_ is display.ax_


def test_levels_may_be_others(made):
    display = ConditionalDisplay.from_estimator(
        made, X, "x2", "x0", levels=(0.1, 0.9), grid_resolution=5
    )
    assert display.line_ is None
    assert len(display.bands_) == 1


def test_labels_have_probabilities(mixed):
    display = ConditionalDisplay.from_estimator(mixed, FRAME, "label", "a", grid_resolution=8)
    assert display.levels == ["down", "up"]
    assert_allclose(display.values.sum(axis=1), 1)
    assert display.values[0, 1] < display.values[-1, 1]
    assert len(display.bands_) == 2
    assert display.ax_.get_ylabel() == "probability of label"


def test_counts_and_pipelines(mixed):
    display = ConditionalDisplay.from_estimator(mixed, FRAME, "count", "b", grid_resolution=6)
    assert_allclose(display.values, np.rint(display.values))
    pipeline = make_pipeline(StandardScaler(), quick()).fit(X)
    display = ConditionalDisplay.from_estimator(pipeline, X, 1, 0, grid_resolution=4)
    assert np.abs(display.grid).max() < 5


def test_wrong_calls(made, mixed):
    kde = KernelDensity().fit(X)
    with pytest.raises(TypeError, match="method 'conditional', which KernelDensity lacks"):
        ConditionalDisplay.from_estimator(kde, X, 1, 0)
    with pytest.raises(ValueError, match="column of numbers other than 'x1'"):
        ConditionalDisplay.from_estimator(made, X, 1, 1)
    with pytest.raises(ValueError, match="got 'label'"):
        ConditionalDisplay.from_estimator(mixed, FRAME, "a", "label")
    with pytest.raises(ValueError, match="no column of X"):
        ConditionalDisplay.from_estimator(made, X, "height", 0)
