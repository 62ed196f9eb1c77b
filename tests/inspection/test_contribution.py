"""The parts of one row's score, beside the bands of typical rows."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmade import MADEOutlierDetector
from skmade.inspection import ContributionDisplay
from tests.configurations import quick

from .conftest import X

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("wrap", ["plain", "Pipeline", "detector"])
def test_contributions(made, wrap):
    typical, odd = X, np.array([[0.0, 9.0, 0.0]])
    estimator = made
    if wrap == "Pipeline":
        scaler = StandardScaler(with_std=False).fit(X)
        estimator = make_pipeline(scaler, quick(max_iter=20, n_components=1)).fit(X)
        behind = scaler.transform(typical), scaler.transform(odd)
        density = estimator[-1]
    else:
        behind, density = (typical, odd), made
    if wrap == "detector":
        estimator = MADEOutlierDetector(made).fit(X)
        density = estimator.estimator_
    display = ContributionDisplay.from_estimator(estimator, typical, odd)
    parts, own = density.score_features(behind[0]), density.score_features(behind[1])[0]
    expected = own - np.median(parts, axis=0)
    x, y = display.points_.get_offsets().T
    assert_allclose(x, np.sort(expected))
    assert_array_equal(y, [0, 1, 2])
    low, high = np.quantile(parts, (0.05, 0.95), axis=0) - np.median(parts, axis=0)
    bands = np.array([path.vertices[:, 0] for path in display.bands_.get_paths()])
    assert_allclose(bands, np.stack([low, high], axis=1)[np.argsort(expected)])
    first = display.ax_.get_yticklabels()[0].get_text()
    assert first.split(" = ")[0] == f"x{np.argmin(expected)}"
    assert f"{own.sum():.1f} nats" in display.ax_.get_title(loc="right")
    # What lies below its band is marked.
    unusual = np.sort(expected) < low[np.argsort(expected)]
    colors = display.points_.get_facecolors()
    assert unusual.any()
    assert_array_equal((colors[:, 0] > 0.5), unusual)


def test_contributions_of_a_mixed_table(mixed, mixed_made):
    display = ContributionDisplay.from_estimator(mixed_made, mixed, 0, max_features=3)
    assert len(display.points_.get_offsets()) == 3
    table = ContributionDisplay.from_estimator(mixed_made, mixed, mixed.iloc[[0]])
    assert_array_equal(table.parts, display.parts)
    texts = [text.get_text() for text in table.ax_.get_yticklabels()]
    assert "size = missing" in texts
    assert f"colour = {mixed['colour'].iloc[0]}" in texts
    with pytest.raises(ValueError, match="one row, got 2"):
        ContributionDisplay.from_estimator(mixed_made, mixed, mixed.iloc[:2])


def test_far_rows_have_a_logarithmic_axis(made):
    far = ContributionDisplay.from_estimator(made, X, [[1e6, 0, 0]])
    assert far.ax_.get_xscale() == "symlog"
    near = ContributionDisplay.from_estimator(made, X, 0)
    assert near.ax_.get_xscale() == "linear"


def test_contributions_refuse_what_has_no_parts(others):
    for name, density in others.items():
        for estimator in (density, make_pipeline(density), MADEOutlierDetector(density).fit(X)):
            with pytest.raises(TypeError, match=f"'score_features', which {name} lacks"):
                ContributionDisplay.from_estimator(estimator, X, 0)


def test_a_detector_tells_what_would_be_typical():
    detector = MADEOutlierDetector(quick(max_iter=20)).fit(X)
    odd = np.array([[0.0, 9.0, 0.0]])
    display = ContributionDisplay.from_estimator(detector, X, odd)
    told = detector.explain(odd)
    assert sorted(display.typical_cells) == sorted(told["column"].tolist())
    texts = [text.get_text() for text in display.ax_.get_yticklabels()]
    (written,) = [text for text in texts if text.startswith("x1 = 9")]
    first = told[told["column"] == 1][0]
    assert written == f"x1 = 9 (typical: {first['low']:.4g} to {first['high']:.4g})"


def test_a_detector_of_labels_tells_the_likeliest(mixed):
    detector = MADEOutlierDetector(quick(max_iter=20)).fit(mixed)
    display = ContributionDisplay.from_estimator(detector, mixed, mixed.iloc[[0]])
    labels = set(mixed["colour"].cat.categories)
    assert set(display.typical_cells.values()) & labels


@pytest.mark.parametrize("names", [[2, 0, 1], ["b", "c", "a"]])
def test_what_is_typical_is_written_at_its_own_cell(names):
    table = pd.DataFrame(X, columns=names)
    detector = MADEOutlierDetector(quick(max_iter=20)).fit(table)
    odd = table.iloc[[0]].copy()
    odd.iloc[0, 1] = 9.0
    display = ContributionDisplay.from_estimator(detector, table, odd)
    told = detector.explain(odd, n_cells=1)
    assert told["column"][0] == names[1]
    assert display.typical_cells[1] == f"{told['low'][0]:.4g} to {told['high'][0]:.4g}"
