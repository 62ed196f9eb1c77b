"""The bars of real and of drawn columns."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmade.inspection import SampleDisplay

from .conftest import Scorer, X

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_samples_of_numbers(density):
    display = SampleDisplay.from_estimator(density, X, n_drawn=5000, random_state=0)
    assert display.axes_.shape == (3,)
    assert len(display.figure_.axes) == 3
    for position, ax in enumerate(display.axes_):
        real, drawn = (patch.get_data() for patch in ax.patches)
        assert_array_equal(real.edges, drawn.edges)
        counts = np.histogram(X[:, position], real.edges)[0]
        assert counts.sum() == 200
        assert_allclose(real.values * np.diff(real.edges), counts / 200)
        assert 0.9 < drawn.values @ np.diff(drawn.edges) <= 1
        assert np.abs(real.values - drawn.values) @ np.diff(real.edges) < 0.5
        assert ax.get_xlabel() == f"x{position}"
    assert [text.get_text() for text in display.figure_.legends[0].texts] == ["real", "drawn"]


def test_samples_of_a_mixed_table(mixed, mixed_made):
    display = SampleDisplay.from_estimator(mixed_made, mixed, random_state=0, n_columns=3)
    assert len(display.axes_) == 4
    drawn = mixed_made.sample(150, random_state=np.random.RandomState(0).randint(2**31 - 1))
    for name, ax in zip(["colour", "new"], display.axes_[[1, 3]], strict=True):
        heights = np.array([bar.get_height() for bar in ax.patches]).reshape(2, -1)
        for row, table in zip(heights, (mixed, drawn), strict=True):
            shares = table[name].dropna().astype(str).value_counts(normalize=True)
            assert_allclose(row, shares.sort_index())
    counts = display.axes_[2]
    assert counts.get_ylabel() == "share of rows"
    one = SampleDisplay.from_estimator(mixed_made, mixed, features=["n"], random_state=0)
    assert [ax.get_xlabel() for ax in one.axes_] == ["n"]


def test_rare_labels_are_merged():
    labels = np.array([f"l{k}" for k in range(30) for _ in range(31 - k)], dtype=object)
    display = SampleDisplay([labels], [labels[::2]], ["label"]).plot()
    (ax,) = display.axes_
    texts = [text.get_text() for text in ax.get_xticklabels()]
    assert texts == [*(f"l{k}" for k in range(11)), "other"]
    heights = np.array([bar.get_height() for bar in ax.patches]).reshape(2, 12)
    assert_allclose(heights.sum(axis=1), 1)


def test_bins_of_integers_are_whole():
    numbers = np.random.RandomState(0).poisson(300, size=500).astype(float)
    display = SampleDisplay([numbers], [numbers], ["n"]).plot()
    edges = display.axes_[0].patches[0].get_data().edges
    assert_array_equal(edges % 1, 0.5)
    assert len(np.unique(np.diff(edges))) == 1


def test_samples_refuse():
    with pytest.raises(TypeError, match="'sample', which Scorer lacks"):
        SampleDisplay.from_estimator(Scorer(), X)
