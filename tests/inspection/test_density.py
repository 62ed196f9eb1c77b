"""The curves, contours and bars of densities, of tables and estimators of every kind."""

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmade.datasets import TwoMoons
from skmade.inspection import DensityDisplay
from tests.configurations import quick

from .conftest import GAUSSIAN, Scorer, X

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_density_of_one_column():
    column = X[:, :1]
    for density in (quick(), KernelDensity(bandwidth=0.4), GaussianMixture(random_state=0)):
        display = DensityDisplay.from_estimator(density.fit(column), column)
        (line,) = display.ax_.lines
        x, y = line.get_data()
        assert_allclose(y, np.exp(density.score_samples(x[:, None])))
        assert_allclose(np.trapezoid(y, x), 1, atol=0.05)
        (bars,) = [p for p in display.ax_.patches if hasattr(p, "get_data")]
        heights, edges, _ = bars.get_data()
        assert 0.97 < heights @ np.diff(edges) < 1 + 1e-12
        assert display.n_drawn is None
        assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("x0", "density")


def test_density_of_two_columns(density):
    pair = X[:, :2]
    fitted = type(density)(**density.get_params()).fit(pair)
    display = DensityDisplay.from_estimator(fitted, pair, grid_resolution=41)
    x, y = (feature.grid for feature in display.features)
    grid = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)
    expected = np.exp(fitted.score_samples(grid.reshape(-1, 2))).reshape(41, 41)
    assert_allclose(display.joints[0, 1], expected)
    (points,) = display.ax_.lines
    assert_array_equal(np.transpose(points.get_data()), pair)
    # Contours hold the shares of the density that they tell.
    (contours,) = [c for c in display.ax_.collections if hasattr(c, "levels")]
    for level, share in zip(contours.levels, (0.95, 0.8, 0.5, 0.2), strict=False):
        assert_allclose(expected[expected >= level].sum() / expected.sum(), share, atol=0.02)


def test_marginals_are_those_of_the_truth(density):
    display = DensityDisplay.from_estimator(density, X, features=[2], random_state=0)
    x, y = display.ax_.lines[0].get_data()
    truth = stats.norm(0, np.sqrt(GAUSSIAN.covariance[2, 2])).pdf(x)
    assert np.trapezoid(np.abs(y - truth), x) < 0.25
    is_exact = hasattr(density, "feature_types_")
    assert display.n_drawn == (None if is_exact else 4000)
    assert ("4000 drawn rows" in display.ax_.get_title()) != is_exact


def test_exact_and_drawn_marginals_agree(made):
    exact, drawn = (
        DensityDisplay.from_estimator(
            made, X, features=[0, 2], marginals=kind, grid_resolution=30, random_state=0
        )
        for kind in ("exact", "drawn")
    )
    cell = np.prod([np.diff(feature.grid)[0] for feature in exact.features])
    assert_allclose(exact.joints[0, 1].sum() * cell, 1, atol=0.06)
    assert np.abs(exact.joints[0, 1] - drawn.joints[0, 1]).sum() * cell < 0.3


def test_pairs_of_three_columns(density):
    display = DensityDisplay.from_estimator(density, X, grid_resolution=12, random_state=0)
    drawn_on = [ax for ax in display.axes_.flat if ax is not None]
    assert len(drawn_on) == len(display.figure_.axes) == 6
    assert display.axes_.shape == (3, 3)
    assert [ax.get_xlabel() for ax in display.axes_[2]] == ["x0", "x1", "x2"]
    assert [ax.get_ylabel() for ax in display.axes_[1:, 0]] == ["x1", "x2"]
    for (first, second), joint in display.joints.items():
        ax = display.axes_[second, first]
        assert_array_equal(np.transpose(ax.lines[0].get_data()), X[:, [first, second]])
        # The sum of a joint density over one column is the marginal density of the other.
        width = np.diff(display.features[first].grid)[0]
        points, marginal = display.marginals[second]
        assert_allclose(joint.sum(axis=0) * width, marginal, atol=0.1 * marginal.max())
        assert_array_equal(display.axes_[second, second].lines[0].get_xdata(), points)


def test_density_of_a_mixed_table(mixed, mixed_made):
    display = DensityDisplay.from_estimator(mixed_made, mixed, grid_resolution=9)
    assert len([ax for ax in display.axes_.flat if ax is not None]) == 10
    colour, number, new = display.axes_[1, 1], display.axes_[2, 2], display.axes_[3, 3]
    observed = mixed["colour"].dropna()
    shares = observed.value_counts(normalize=True, sort=False)
    assert_allclose([bar.get_height() for bar in colour.patches], shares)
    assert [text.get_text() for text in display.axes_[1, 0].get_yticklabels()] == list(
        shares.index
    )
    for ax in (colour, new):
        assert_allclose(ax.lines[0].get_ydata().sum(), 1, rtol=1e-6)
    assert_array_equal(number.lines[0].get_xdata(), np.arange(mixed["n"].max() + 1))
    # A joint probability sums to the probabilities of one column.
    assert_allclose(display.joints[1, 2].sum(axis=0), display.marginals[2][1], rtol=0.05)
    (mesh,) = [c for c in display.axes_[2, 1].collections if hasattr(c, "get_coordinates")]
    assert_allclose(mesh.get_array(), display.joints[1, 2].T)


@pytest.mark.parametrize("form", ["polars", "objects"])
def test_density_of_labels_in_other_tables(mixed, form):
    pair = mixed[["size", "colour"]]
    if form == "polars":
        colour = pl.Series(
            pair["colour"].astype(object).where(pair["colour"].notna(), None).to_list()
        )
        table, parameters = pl.DataFrame({"size": pair["size"].to_list(), "colour": colour}), {}
    else:
        table = pair.to_numpy(dtype=object)
        parameters = {"feature_types": ["continuous", "categorical"]}
    density = quick(**parameters).fit(table)
    display = DensityDisplay.from_estimator(density, table, features=[1])
    expected = DensityDisplay.from_estimator(quick().fit(pair), pair, features=["colour"])
    assert_allclose(display.marginals[0][1], expected.marginals[0][1], rtol=1e-6)


def test_density_behind_transformers_and_in_searches():
    pipeline = make_pipeline(StandardScaler(), PCA(2), KernelDensity(bandwidth=0.3))
    search = GridSearchCV(pipeline, {"kerneldensity__bandwidth": [0.3]}, cv=2).fit(X)
    display = DensityDisplay.from_estimator(search, X, grid_resolution=10)
    behind = search.best_estimator_[:-1].transform(X)
    assert_allclose(np.transpose(display.ax_.lines[0].get_data()), behind)
    assert display.ax_.get_xlabel() == "pca0"
    assert display.ax_.get_title().startswith("KernelDensity")


def test_density_of_a_truth_without_fit():
    moons = TwoMoons()
    display = DensityDisplay.from_estimator(moons, moons.sample(50, random_state=0))
    assert display.joints[0, 1].max() > 0.3


@pytest.mark.parametrize(
    ("estimator", "options", "error", "message"),
    [
        (StandardScaler(), {}, TypeError, "'score_samples', which StandardScaler lacks"),
        (Scorer(), {"features": [0]}, TypeError, "Scorer neither scores .* 'sample'"),
        (KernelDensity().fit(X), {"marginals": "exact"}, TypeError, "KernelDensity does not"),
        (KernelDensity(), {}, NotFittedError, "not fitted"),
        (quick(), {}, NotFittedError, "not fitted"),
        (KernelDensity(kernel="cosine").fit(X), {}, TypeError, "draws no rows"),
        (KernelDensity().fit(X), {"features": ["a"]}, ValueError, "'a' is no column"),
        (KernelDensity().fit(X), {"features": [3]}, ValueError, "none is 3"),
        (KernelDensity().fit(X), {"features": []}, ValueError, "From 1 to 6"),
        (KernelDensity().fit(X), {"features": [0] * 7}, ValueError, "From 1 to 6"),
        (KernelDensity().fit(X), {"marginals": "no"}, ValueError, "marginals must be"),
    ],
)
def test_densities_that_are_refused(estimator, options, error, message):
    with pytest.raises(error, match=message):
        DensityDisplay.from_estimator(estimator, X, **options)
