"""The line of ranks, and the band in which it lies if the density is right."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

from skmade.inspection import CalibrationDisplay
from skmade.inspection._estimators import draw
from tests.configurations import quick

from .conftest import TEST, Scorer, X

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_calibration(density):
    display = CalibrationDisplay.from_estimator(density, TEST, n_drawn=1000, random_state=0)
    x, y = display.line_.get_data()
    assert_array_equal(x[1:-1], display.pit)
    assert_allclose(y, [*np.arange(151) / 150, 1])
    assert_allclose(display.distance, stats.kstest(display.pit, "uniform").statistic)
    low, high = display.band_.get_datalim(display.ax_.transData).intervaly
    expected = stats.kstwobign.ppf(0.95) * np.sqrt(1 / 150 + 1 / 1000)
    assert_allclose([low, high], [-expected, 1 + expected])
    assert display.distance < 2 * display.half_width  # the density is about right


def test_ranks_of_own_draws_are_uniform(density):
    rows = draw(density, 2000, np.random.RandomState(0))
    display = CalibrationDisplay.from_estimator(density, rows, random_state=0)
    assert display.distance < display.half_width * 1.7  # alpha 1e-4


def test_ranks_with_ties_are_uniform():
    table = (np.random.RandomState(0).random_sample((2000, 1)) < 0.3).astype(float)
    density = quick(max_iter=1).fit(table)
    rows = density.sample(2000, random_state=1)
    display = CalibrationDisplay.from_estimator(density, rows, random_state=0)
    assert len(np.unique(density.score_samples(rows))) == 2
    assert display.distance < display.half_width * 1.7


def test_a_narrow_model_is_above_the_band():
    narrow = KernelDensity(bandwidth=0.02).fit(X)
    display = CalibrationDisplay.from_estimator(narrow, TEST, random_state=0)
    x, y = display.line_.get_data()
    assert (y - x).max() > display.half_width


def test_calibrations_share_axes(made, others):
    first = CalibrationDisplay.from_estimator(made, TEST, random_state=0)
    second = CalibrationDisplay.from_estimator(
        others["GaussianMixture"], TEST, random_state=0, ax=first.ax_
    )
    assert second.ax_ is first.ax_
    assert second.band_ is None
    assert first.line_.get_color() != second.line_.get_color()
    labels = [text.get_text() for text in first.ax_.get_legend().get_texts()]
    assert labels[0] == "95 % band"
    assert [label.split()[0] for label in labels[1:]] == ["MADEDensity", "GaussianMixture"]


def test_calibration_of_named_columns():
    table = pd.DataFrame(X, columns=list("abc"))
    for density in (quick(), GaussianMixture(random_state=0)):
        display = CalibrationDisplay.from_estimator(density.fit(table), table, random_state=0)
        assert len(display.pit) == 200


def test_calibration_refuses(mixed, mixed_made):
    with pytest.raises(ValueError, match="'size' has missing cells"):
        CalibrationDisplay.from_estimator(mixed_made, mixed)
    with pytest.raises(TypeError, match="'sample', which Scorer lacks"):
        CalibrationDisplay.from_estimator(Scorer(), X)
    with pytest.raises(TypeError, match="draws no rows"):
        CalibrationDisplay.from_estimator(KernelDensity(kernel="linear").fit(X), X)
