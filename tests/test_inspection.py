"""What the displays draw: the data of lines, bars and contours, not only that they draw."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pytest
from conftest import quick
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmade import MADEOutlierDetector
from skmade.datasets import CorrelatedGaussian, TwoMoons
from skmade.inspection import (
    CalibrationDisplay,
    ContributionDisplay,
    DensityDisplay,
    SampleDisplay,
    TrainingHistoryDisplay,
)

mpl.use("agg")
import matplotlib.pyplot as plt

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

GAUSSIAN = CorrelatedGaussian(3)
X = GAUSSIAN.sample(200, random_state=0)
TEST = GAUSSIAN.sample(150, random_state=1)


@pytest.fixture(autouse=True)
def _close_figures():
    """Close what a test has drawn."""
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def made():
    """Return a fitted MADEDensity of three columns."""
    return quick(max_iter=20, n_components=1).fit(X)


@pytest.fixture(scope="module")
def others():
    """Return fitted densities of scikit-learn."""
    return {
        "KernelDensity": KernelDensity(bandwidth=0.4).fit(X),
        "GaussianMixture": GaussianMixture(random_state=0).fit(X),
    }


@pytest.fixture(params=["MADEDensity", "KernelDensity", "GaussianMixture"])
def density(request, made, others):
    """Return a fitted density of each kind."""
    return made if request.param == "MADEDensity" else others[request.param]


@pytest.fixture(scope="module")
def mixed():
    """Return a DataFrame of numbers, labels, counts and truths, with missing cells."""
    rng = np.random.RandomState(0)
    colour = rng.choice(["blue", "green", "red"], size=150, p=[0.5, 0.3, 0.2])
    table = pd.DataFrame(
        {
            "size": np.where(colour == "red", 4.0, 0.0) + rng.normal(size=150),
            "colour": pd.Categorical(colour),
            "n": rng.poisson(2, size=150),
            "new": rng.random_sample(150) < 0.3,
        },
        index=np.arange(150) + 7,
    )
    table.loc[7::10, "size"] = np.nan
    table.loc[8::10, "colour"] = None
    return table


@pytest.fixture(scope="module")
def mixed_made(mixed):
    """Return a density of the mixed table."""
    return quick(max_iter=20, feature_types={"n": "count"}).fit(mixed)


def test_matplotlib_is_imported_where_something_is_drawn(made, monkeypatch):
    code = "import sys, skmade.inspection; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"DensityDisplay.from_estimator requires matplotlib"):
        DensityDisplay.from_estimator(made, X)
    with pytest.raises(ImportError, match=r"CalibrationDisplay.plot requires matplotlib"):
        CalibrationDisplay([0.5]).plot()


# The history of training


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


# Densities


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
        assert 0.97 < heights @ np.diff(edges) <= 1
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


class Scorer:
    """A density that does nothing but score."""

    def score_samples(self, rows):
        """Score like a Gaussian."""
        return GAUSSIAN.score_samples(rows)


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


# Calibration


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
    rows = density.sample(2000)
    rows = rows[0] if isinstance(rows, tuple) else rows
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


def test_global_generator_is_untouched(others):
    before = np.random.mtrand._rand.get_state()[1].copy()
    for density in others.values():
        CalibrationDisplay.from_estimator(density, TEST, n_drawn=50)
    assert_array_equal(np.random.mtrand._rand.get_state()[1], before)


# Contributions


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


# Samples


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


# Axes that are given


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax, density: TrainingHistoryDisplay.from_estimator(density, ax=ax),
        lambda ax, density: DensityDisplay.from_estimator(density, X, features=[0], ax=ax),
        lambda ax, density: CalibrationDisplay.from_estimator(density, X, ax=ax),
        lambda ax, density: ContributionDisplay.from_estimator(density, X, 0, ax=ax),
        lambda ax, density: SampleDisplay.from_estimator(density, X, features=[0], ax=ax),
    ],
)
def test_given_axes_are_drawn_on(made, draw):
    figure, ax = plt.subplots(figsize=(3, 2))
    display = draw(ax, made)
    assert display.figure_ is figure
    assert figure.axes == [ax]
    assert plt.get_fignums() == [figure.number]
    assert tuple(figure.get_size_inches()) == (3, 2)
    assert ax.lines or ax.patches


def test_grids_take_the_place_of_one_of_the_axes_or_those_given(made):
    figure, (left, right) = plt.subplots(1, 2)
    display = SampleDisplay.from_estimator(made, X, ax=right)
    assert {ax.figure for ax in display.axes_} == {figure}
    assert not right.axison
    assert display.axes_[0].get_position().x0 >= left.get_position().x1
    given = plt.subplots(1, 3)[1]
    display = SampleDisplay.from_estimator(made, X, ax=given)
    assert_array_equal(display.axes_, given)
    with pytest.raises(ValueError, match="ax holds 3 axes, 9 are needed"):
        DensityDisplay.from_estimator(made, X, grid_resolution=3, ax=given)
