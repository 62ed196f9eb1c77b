"""The picture of how well drawn rows stand for real ones."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import ks_2samp
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmade.inspection import QualityDisplay
from skmade.metrics import c2st

from .conftest import TEST, Scorer, X

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def shuffled(table):
    """Return a table whose columns are each in an order of their own."""
    rng = np.random.RandomState(0)
    return pd.DataFrame(
        {name: table[name].array[rng.permutation(len(table))] for name in table}
    )


@pytest.fixture
def dependent():
    """Return a table of numbers and labels that depend on each other, with holes."""
    rng = np.random.RandomState(0)
    label = rng.choice(["a", "b", "c"], size=300)
    number = np.where(label == "a", 3.0, 0.0) + rng.normal(size=300)
    number[::10] = np.nan
    return pd.DataFrame({"label": label, "number": number, "noise": rng.normal(size=300)})


def test_quality_of_draws(density):
    display = QualityDisplay.from_estimator(density, TEST, random_state=0)
    assert display.axes_.shape == (3,)
    assert len(display.real_probabilities) == len(display.drawn_probabilities) == 150
    assert 0.5 < display.score <= 1
    assert display.feature_names == ["x0", "x1", "x2"]
    assert display.column_differences.max() < 0.3
    more = QualityDisplay.from_estimator(density, TEST, n_drawn=300, random_state=0)
    assert len(more.drawn_probabilities) == 300


def test_what_is_drawn_is_what_was_found(dependent):
    drawn = shuffled(dependent)
    display = QualityDisplay.from_samples(dependent, drawn, random_state=0)
    assert display.score == c2st(dependent, drawn, random_state=0)
    assert_allclose(display.column_differences, 0, atol=1e-12)
    assert display.pair_differences[1, 0] > 2 * display.pair_chances[1, 0]
    assert_array_equal(display.pair_differences, display.pair_differences.T)
    points = display.points_.get_offsets()
    assert_array_equal(points[:, 0], display.column_differences[display.order])
    ends = [path.vertices[1, 0] for path in display.bars_.get_paths()]
    assert_array_equal(ends, display.column_chances[display.order])
    columns, pairs, classifier = (ax.get_title().split("\n") for ax in display.axes_)
    assert columns[0] == "Columns"
    assert columns[1].startswith("0.000 on average, ")
    below = display.pair_differences[np.tril_indices(3, -1)]
    assert pairs[1].startswith(f"{below.mean():.3f} on average, ")
    assert classifier[1].startswith(f"score {display.score:.2f}")
    real, drawn = (patch.get_data().values for patch in display.axes_[2].patches)
    assert_allclose([real.sum(), drawn.sum()], 1)
    middles = np.arange(0.02, 1, 0.04)
    assert drawn @ middles > real @ middles


def test_columns_that_differ_most_come_first(dependent):
    drawn = dependent.assign(noise=dependent["noise"] + 1)
    display = QualityDisplay.from_samples(dependent, drawn, random_state=0, max_features=2)
    names = [text.get_text() for text in display.axes_[0].get_yticklabels()]
    assert names == ["noise", "label"]
    expected = ks_2samp(dependent["noise"], drawn["noise"]).statistic
    assert display.points_.get_offsets()[0, 0] == expected
    values = display.image_.get_array()
    assert values.shape == (2, 2)
    assert values[1, 0] == display.pair_differences[2, 0]
    assert values.mask.tolist() == [[True, True], [False, True]]
    written = [text.get_text() for text in display.axes_[1].texts]
    assert written == ["noise", "label", f"{values[1, 0]:.2f}"]


def test_any_sampler_and_table(dependent):
    expected = QualityDisplay.from_samples(dependent, shuffled(dependent), random_state=0)
    tables = [pl.from_pandas(table) for table in (dependent, shuffled(dependent))]
    display = QualityDisplay.from_samples(*tables, random_state=0)
    assert display.score == expected.score
    assert_array_equal(display.pair_differences, expected.pair_differences)
    one = QualityDisplay.from_samples(dependent[["noise"]], shuffled(dependent)[["noise"]])
    assert one.axes_[1].get_title() == "Pairs\nnone"


def test_quality_of_a_mixed_table(mixed, mixed_made):
    display = QualityDisplay.from_estimator(mixed_made, mixed, random_state=0)
    assert display.feature_names == ["size", "colour", "n", "new"]
    again = QualityDisplay.from_estimator(mixed_made, mixed, random_state=0)
    assert display.score == again.score


def test_columns_behind_a_pipeline(others):
    density = make_pipeline(StandardScaler(), others["KernelDensity"]).fit(X)
    display = QualityDisplay.from_estimator(density, TEST, random_state=0)
    assert display.column_differences.max() < 0.4


def test_places_to_draw_in(dependent):
    figure, axes = plt.subplots(1, 3)
    display = QualityDisplay.from_samples(dependent, shuffled(dependent), ax=axes)
    assert display.figure_ is figure
    assert_array_equal(display.axes_, axes)
    figure, ax = plt.subplots()
    assert display.plot(ax, max_features=1).figure_ is figure
    long = pd.DataFrame({"a name that is very long indeed": [1.0, 2, 3]})
    names = QualityDisplay.from_samples(long, long).axes_[0].get_yticklabels()
    assert names[0].get_text() == "a name that is very l…"


def test_quality_refuses(dependent):
    with pytest.raises(TypeError, match="'sample', which Scorer lacks"):
        QualityDisplay.from_estimator(Scorer(), X)
    with pytest.raises(ValueError, match=r"X_drawn lacks \['noise'\]"):
        QualityDisplay.from_samples(dependent, dependent[["label", "number"]])


def test_draws_without_names_have_those_of_fit():
    table = pd.DataFrame({"a": np.arange(50.0), "b": np.arange(50.0) + 1000})
    mixture = GaussianMixture(random_state=0).fit(table)
    for names in (["a", "b"], ["b", "a"]):
        display = QualityDisplay.from_estimator(mixture, table[names], random_state=0)
        assert display.column_differences.max() < 0.5


@pytest.mark.parametrize("wrong", [{"n_drawn": 0}, {"n_drawn": 2.5}, {"max_features": 0}])
def test_numbers_of_rows_and_columns(density, wrong):
    with pytest.raises((TypeError, ValueError), match=next(iter(wrong))):
        QualityDisplay.from_estimator(density, TEST, **wrong)


def test_names_are_no_formulas():
    table = pd.DataFrame({r"$\frac$": [1.0, 2, 3], "b": [1.0, 2, 3]})
    QualityDisplay.from_samples(table, table).figure_.canvas.draw()
