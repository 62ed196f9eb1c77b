"""The density of single columns and of pairs, with the data."""

import numpy as np

from ._columns import choose
from ._estimators import draw, generator, marginalises, name_of, open_density, rows_of
from ._marginals import density_by_cells, density_by_draws, mass_levels, show
from ._style import LIGHT, MODEL, SHADES, as_dates, grid_of_axes, one_axes, tidy

MAX_FEATURES = 6

# Points of a grid in each direction: for one feature, for two, for each of many pairs.
RESOLUTIONS = {1: 300, 2: 80}
PAIR_RESOLUTION = 25

# Contours hold these shares of the density on the grid.
SHARES = (0.95, 0.8, 0.5, 0.2)

# Bins of histograms; and points, up to how many they are large.
N_BINS, MAX_LARGE_POINTS = 30, 25

# So many rows of the data are drawn as points.
MAX_POINTS = 1000

# Inches of one of the axes in a grid.
CELL_SIZE = (2.1, 2.0)


class DensityDisplay:
    """Density of one feature, of two, or of up to six in a grid of pairs, with the data.

    One feature is a curve over a histogram of the data, or probabilities over bars of
    labels and counts. Two are contours that hold 20, 50, 80 and 95 % of the density on the
    grid, with rows as points. More have single features on the diagonal of a grid of axes
    and pairs below it.

    It is recommended to use `from_estimator` to create a display.

    Parameters
    ----------
    features : list of ShownFeature
        The features that are shown, with their data and grids.
    marginals : list of ndarray
        Points and density of each feature, (2, n_points); empty for two features.
    joints : dict of ndarray
        Density of each pair of positions in `features` on their grids.
    estimator_name : str, default=None
        Name for the title.
    n_drawn : int, default=None
        Number of drawn rows that the densities are smoothed from; None if they are exact.

    Attributes
    ----------
    axes_ : ndarray of Axes
        The axes as a grid, None above the diagonal; of shape (1, 1) for one or two
        features.
    ax_ : Axes
        The first of the axes.
    figure_ : Figure
        Their figure.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KernelDensity
    >>> from skmade.inspection import DensityDisplay
    >>> X = load_iris().data[:, :2]
    >>> kde = KernelDensity(bandwidth=0.2).fit(X)
    >>> DensityDisplay.from_estimator(kde, X)
    <...>
    """

    def __init__(self, features, marginals, joints, *, estimator_name=None, n_drawn=None):
        self.features = list(features)
        self.marginals = list(marginals)
        self.joints = joints
        self.estimator_name = estimator_name
        self.n_drawn = n_drawn

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        features=None,
        grid_resolution=None,
        marginals="auto",
        n_drawn=4000,
        random_state=None,
        name=None,
        ax=None,
    ):
        """Draw the density of the features of a fitted estimator, and the rows of X.

        Parameters
        ----------
        estimator : estimator
            A fitted density with `score_samples`. It may be inside of a Pipeline, whose
            transformed columns are then the features, or of a search or a detector.
        X : array-like of shape (n_samples, n_features)
            Rows to show, such as those of fit.
        features : list of str or int, default=None
            Columns to show, by name or position, six at most; None is all.
        grid_resolution : int, default=None
            Points of the grids in each direction; None is 300 for one feature, 80 for two,
            and 25 for each pair of more.
        marginals : {'auto', 'exact', 'drawn'}, default='auto'
            How the density of some of the columns is found. 'exact' scores rows whose other
            cells are missing, which MADEDensity can do; 'drawn' smooths drawn rows, for
            densities that have `sample`; 'auto' is exact if it can be.
        n_drawn : int, default=4000
            Number of rows to draw for that.
        random_state : int, RandomState instance or None, default=None
            Source of the draws.
        name : str, default=None
            Name for the title; None is the name of the density's class.
        ax : Axes or array of Axes, default=None
            Axes to draw on, or in the place of; None makes a figure.

        Returns
        -------
        display : DensityDisplay
            The display, drawn.
        """
        density, transformers = open_density(estimator, cls.__name__, "score_samples")
        rows, columns = rows_of(density, transformers, X)
        shown, fine = (
            _shown_features(density, columns, features, resolution)
            for resolution in (grid_resolution, grid_resolution or RESOLUTIONS[1])
        )
        partial = len(shown) < len(columns) or len(shown) > 2
        n_drawn = _n_drawn(density, partial, marginals, n_drawn)
        if n_drawn is None:

            def on_grid(*own):
                return density_by_cells(density, rows, own)
        else:
            drawn = rows_of(density, [], draw(density, n_drawn, generator(random_state)))[1]

            def on_grid(*own):
                return density_by_draws(drawn, own)

        pairs = [(i, j) for j in range(len(shown)) for i in range(j)]
        return cls(
            shown,
            [np.stack([f.grid, on_grid(f)]) for f in fine] if len(shown) != 2 else [],
            {(i, j): on_grid(shown[i], shown[j]) for i, j in pairs},
            estimator_name=name_of(estimator) if name is None else name,
            n_drawn=n_drawn,
        ).plot(ax)

    def plot(self, ax=None):
        """Draw the densities and the data.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            Axes to draw on, or in the place of; None makes a figure.

        Returns
        -------
        display : DensityDisplay
            The display itself.
        """
        n_shown = len(self.features)
        if n_shown > 2:
            self.axes_ = grid_of_axes(self, ax, n_shown, n_shown, CELL_SIZE)
            self._plot_grid()
        else:
            ax = one_axes(self, ax)
            self.axes_ = np.array([[ax]])
            if n_shown == 1:
                self._plot_marginal(ax, 0)
            else:
                self._plot_joint(ax, 0, 1)
            ax.set_title(self._title())
        self.ax_ = self.axes_[0, 0]
        self.figure_ = self.ax_.figure
        return self

    def _title(self):
        """Name the density, and say what contours are and whether it is exact."""
        title = self.estimator_name or "density"
        if len(self.features) > 1 and not all(feature.discrete for feature in self.features):
            title += ": contours hold 20, 50, 80, 95 %"
        if self.n_drawn is not None:
            title += f"\n(smoothed from {self.n_drawn} drawn rows)"
        return title

    def _plot_grid(self):
        """Draw single features on the diagonal, and pairs below it."""
        last = len(self.features) - 1
        for (row, column), ax in np.ndenumerate(self.axes_):
            if column > row:
                ax.remove()
                self.axes_[row, column] = None
                continue
            if column == row:
                self._plot_marginal(ax, row)
            else:
                self._plot_joint(ax, column, row)
            if row < last:
                ax.set_xlabel("")
                ax.tick_params(labelbottom=False)
            if column == row:
                ax.set(ylabel="", yticks=[])
            elif column > 0:
                ax.set_ylabel("")
                ax.tick_params(labelleft=False)
        self.axes_[0, 0].figure.suptitle(self._title())

    def _plot_marginal(self, ax, position):
        """Draw the density of one feature over the data."""
        feature, (points, density) = self.features[position], self.marginals[position]
        data = feature.data[~np.isnan(feature.data)]
        if feature.discrete:
            shares = [np.mean(data == value) for value in points]
            ax.bar(points, shares, 0.8, color=LIGHT, label="data")
            size = 4 if len(points) <= MAX_LARGE_POINTS else 2
            ax.plot(points, density, "o", color=MODEL, markersize=size, label="probability")
        else:
            bins = np.linspace(points[0], points[-1], N_BINS + 1)
            counts = np.histogram(data, bins)[0]
            heights = counts / (len(data) * np.diff(bins))
            ax.stairs(heights, bins, fill=True, color=LIGHT, label="data")
            ax.plot(points, density, color=MODEL, label="density")
            # The peak at a value that recurs may be a hundred times as high as the rest.
            ax.set_ylim(0, min(1.05 * max(density.max(), heights.max()), 3 * heights.max()))
        ax.set(xlabel=feature.name, ylabel="probability" if feature.discrete else "density")
        if len(self.features) == 1:
            ax.legend(frameon=False)
        _label_levels(ax.xaxis, feature)
        tidy(ax)

    def _plot_joint(self, ax, first, second):
        """Draw the density of a pair under the data."""
        x, y = self.features[first], self.features[second]
        density = self.joints[first, second].T
        levels = mass_levels(density, SHARES)
        if x.discrete or y.discrete or len(levels) < 2:
            ax.pcolormesh(x.grid, y.grid, density, cmap="Blues", shading="nearest")
        else:
            shades = SHADES[-len(levels) :]
            ax.contourf(x.grid, y.grid, density, [*levels, np.inf], colors=shades)
        step = -(-len(x.data) // MAX_POINTS)
        points = [_spread(feature)[::step] for feature in (x, y)]
        size = 3 if len(self.features) == 2 else 1.5
        ax.plot(*points, ".", color="black", alpha=0.5, markersize=size, zorder=2)
        ends = [_ends(feature) for feature in (x, y)]
        ax.set(xlabel=x.name, ylabel=y.name, xlim=ends[0], ylim=ends[1])
        for axis, feature in [(ax.xaxis, x), (ax.yaxis, y)]:
            _label_levels(axis, feature)
        tidy(ax)


def _shown_features(density, columns, features, resolution):
    """Return the chosen columns with their grids."""
    positions = choose(columns, features)
    if not 1 <= len(positions) <= MAX_FEATURES:
        raise ValueError(
            f"From 1 to {MAX_FEATURES} features can be shown, got {len(positions)}: choose "
            "some by `features`."
        )
    if resolution is None:
        resolution = RESOLUTIONS.get(len(positions), PAIR_RESOLUTION)
    kinds = getattr(density, "feature_types_", ["continuous"] * len(columns))
    return [show(columns[p], p, kinds[p], resolution) for p in positions]


def _n_drawn(density, partial, marginals, n_drawn):
    """Return how many rows to draw for marginals; None if they are exact."""
    if marginals not in ("auto", "exact", "drawn"):
        raise ValueError(f"marginals must be 'auto', 'exact' or 'drawn', got {marginals!r}.")
    exact = not partial or marginalises(density)
    if marginals == "exact" and not exact:
        raise TypeError(
            f"{type(density).__name__} does not score rows with missing cells: its marginals "
            "cannot be exact."
        )
    if exact and marginals != "drawn":
        return None
    if not hasattr(density, "sample"):
        raise TypeError(
            f"{type(density).__name__} neither scores rows with missing cells nor has the "
            "method 'sample': only all of its columns together can be shown, two at most."
        )
    return n_drawn


def _ends(feature):
    """Return the ends of an axis."""
    margin = 0.5 if feature.discrete else 0
    return feature.grid[0] - margin, feature.grid[-1] + margin


def _spread(feature):
    """Return the data, points of a discrete feature apart, so that they can be seen."""
    if not feature.discrete:
        return feature.data
    return feature.data + np.random.RandomState(0).uniform(-0.25, 0.25, len(feature.data))


def _label_levels(axis, feature):
    """Write the labels of a feature that has them, and days as dates."""
    if feature.days == "dates":
        as_dates(axis)
    if feature.levels is not None:
        axis.set_ticks(feature.grid, feature.levels)
