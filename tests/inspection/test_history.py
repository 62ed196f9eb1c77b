"""The lines of a training history."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline

from skmade.inspection import TrainingHistoryDisplay
from tests.configurations import quick

from .conftest import X

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_history_of_made(made):
    display = TrainingHistoryDisplay.from_estimator(make_pipeline(made))
    train, held_out = display.lines_
    assert_array_equal(train.get_ydata(), made.history_["train"])
    assert_array_equal(held_out.get_ydata(), made.history_["validation"])
    assert_array_equal(held_out.get_xdata(), np.arange(1, made.n_iter_ + 1))
    best = display.ax_.lines[2]
    assert best.get_ydata() == [max(made.history_["validation"])]
    assert best.get_xdata() == [1 + np.argmax(made.history_["validation"])]
    assert display.ax_.get_title() == "MADEDensity"
    assert "nats" in display.ax_.get_ylabel()
    assert display.figure_ is display.ax_.figure


def test_history_without_held_out_rows():
    density = quick(early_stopping=False).fit(X)
    display = TrainingHistoryDisplay.from_estimator(density)
    assert len(display.lines_) == len(display.ax_.lines) == 1
    assert display.best_epoch is None


def test_history_of_others(others):
    mixture = others["GaussianMixture"]
    display = TrainingHistoryDisplay.from_estimator(mixture, name="EM")
    assert_array_equal(display.lines_[0].get_ydata(), mixture.lower_bounds_)
    assert display.ax_.get_title() == "EM"
    with pytest.raises(TypeError, match="'history_', which KernelDensity lacks"):
        TrainingHistoryDisplay.from_estimator(others["KernelDensity"])
