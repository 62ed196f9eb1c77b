"""One column along another: a fan of quantiles, or the probabilities of labels."""

import numpy as np

from ._columns import as_days, as_times, choose
from ._estimators import name_of, open_density, rows_of
from ._marginals import rows_with, show
from ._style import DATA, MODEL, MODELS, as_dates, one_axes, tidy

# Opacity of the bands, of the inner ones more as they lie upon the others.
BAND_ALPHA = 0.2

# So many rows of the data are drawn as points.
MAX_POINTS = 1000


class ConditionalDisplay:
    """The distribution of a column along another one, with the data.

    Of numbers it is a fan: bands between pairs of quantiles, and a line through the median. Of
    labels it is their probabilities, one upon the other. The other columns are left open.

    It is recommended to use `from_estimator` to create a display.

    Parameters
    ----------
    grid : ndarray of shape (n_points,)
        Values of the column on the horizontal axis.
    values : ndarray of shape (n_points, n_levels) or (n_points, n_labels)
        Quantiles, or the probabilities of labels.
    levels : list
        Probabilities of the quantiles, in order, or the labels.
    names : tuple of str
        Names of the column along the horizontal axis, and of the one that is shown.
    data : tuple of ndarray or None, default=None
        Cells of both columns of some rows, for points behind a fan.
    estimator_name : str, default=None
        Name for the title.

    Attributes
    ----------
    bands_ : list of PolyCollection
        Bands of a fan from the outermost on, or of labels in their order.
    line_ : Line2D or None
        The median, if it is among the quantiles.
    ax_ : Axes
        The axes that were drawn on.
    figure_ : Figure
        Their figure.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmade import MADEDensity
    >>> from skmade.inspection import ConditionalDisplay
    >>> X = load_iris(as_frame=True).data
    >>> density = MADEDensity(n_estimators=2, order_agnostic=True, random_state=0).fit(X)
    >>> ConditionalDisplay.from_estimator(
    ...     density, X, "petal width (cm)", "petal length (cm)", grid_resolution=10
    ... )
    <...>
    """

    def __init__(self, grid, values, levels, names, *, data=None, estimator_name=None):
        self.grid = grid
        self.values = values
        self.levels = list(levels)
        self.names = names
        self.data = data
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        column,
        along,
        *,
        levels=(0.05, 0.25, 0.5, 0.75, 0.95),
        grid_resolution=40,
        name=None,
        ax=None,
    ):
        """Draw the distribution of a column along another of a fitted density.

        Parameters
        ----------
        estimator : estimator
            A fitted density with `conditional`. It may be inside of a Pipeline, whose
            transformed columns are then meant, or of a search or a detector.
        X : array-like of shape (n_samples, n_features)
            Rows, which say how far the horizontal axis goes, and are its points.
        column : str or int
            The column whose distribution is shown, by name or position.
        along : str or int
            The column of numbers on the horizontal axis.
        levels : array-like, default=(0.05, 0.25, 0.5, 0.75, 0.95)
            Probabilities of the quantiles, in order; not for labels.
        grid_resolution : int, default=40
            Number of points on the horizontal axis.
        name : str, default=None
            Name for the title; None is the name of the density's class.
        ax : Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        display : ConditionalDisplay
            The display, drawn.
        """
        density, transformers = open_density(estimator, cls.__name__, "conditional")
        rows, columns = rows_of(density, transformers, X)
        shown, across = choose(columns, [column, along])
        if shown == across or not columns[across].is_number:
            raise ValueError(
                f"`along` must be a column of numbers other than {columns[shown].name!r}, got "
                f"{columns[across].name!r}."
            )
        kinds = getattr(density, "feature_types_", ["continuous"] * len(columns))
        feature = show(columns[across], across, kinds[across], grid_resolution)
        points = np.arange(len(feature.grid))
        given = density.conditional(
            rows_with(rows, {across: (feature, points)}, len(points)), shown
        )
        data = None
        if hasattr(given, "ppf"):
            values = given.ppf(np.asarray(levels, dtype=np.float64)[None])
            if values.dtype.kind == "m":  # which matplotlib does not draw
                values = as_days(values)
            if columns[shown].is_number:
                data = columns[across].values, columns[shown].values
        else:
            values, levels = given.probabilities(), given.support.tolist()
        grid = feature.grid
        if feature.days == "dates":
            grid = as_times(grid, "dates")
        return cls(
            grid,
            values,
            levels,
            (columns[across].label, columns[shown].label),
            data=data,
            estimator_name=name_of(estimator) if name is None else name,
        ).plot(ax)

    def plot(self, ax=None):
        """Draw the fan or the probabilities.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        display : ConditionalDisplay
            The display itself.
        """
        ax = one_axes(self, ax)
        self.line_ = None
        if isinstance(self.levels[0], float):
            self._plot_fan(ax)
        else:
            self._plot_labels(ax)
        title = f"{self.estimator_name}: " if self.estimator_name else ""
        ax.set(
            xlabel=self.names[0],
            title=f"{title}{self.names[1]} given {self.names[0]}",
            xlim=self.grid[[0, -1]],
        )
        for axis, points in [(ax.xaxis, self.grid), (ax.yaxis, self.values)]:
            if np.asarray(points).dtype.kind == "M":
                as_dates(axis)
        ax.legend(loc="best", frameon=False)
        tidy(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _plot_fan(self, ax):
        """Draw bands between pairs of quantiles, from the outermost on, and the median."""
        if self.data is not None:
            step = -(-len(self.data[0]) // MAX_POINTS)
            ax.plot(*(cells[::step] for cells in self.data), ".", color=DATA, markersize=3)
        self.bands_ = []
        for k in range(len(self.levels) // 2):
            low, high = self.levels[k], self.levels[-1 - k]
            band = ax.fill_between(
                self.grid,
                self.values[:, k],
                self.values[:, -1 - k],
                color=MODEL,
                alpha=BAND_ALPHA,
                linewidth=0,
                label=f"{100 * (high - low):.3g} %",
            )
            self.bands_.append(band)
        if 0.5 in self.levels:
            middle = self.values[:, self.levels.index(0.5)]
            (self.line_,) = ax.plot(self.grid, middle, color=MODEL, label="median")
        ax.set_ylabel(self.names[1])

    def _plot_labels(self, ax):
        """Draw the probabilities of labels, one upon the other."""
        colors = [MODELS[k % len(MODELS)] for k in range(len(self.levels))]
        self.bands_ = ax.stackplot(
            self.grid,
            self.values.T,
            labels=list(map(str, self.levels)),
            colors=colors,
            alpha=0.8,
        )
        ax.set(ylabel=f"probability of {self.names[1]}", ylim=(0, 1))
