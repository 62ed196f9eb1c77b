"""Real columns beside drawn ones."""

from typing import Any

import numpy as np

from ._columns import as_days, as_times, choose
from ._estimators import draw, generator, open_density, rows_of
from ._style import LIGHT, MODEL, as_dates, grid_of_axes, tidy

# Histograms have so many bins, and bars are for so many values at most.
MIN_BINS, MAX_BINS, MAX_VALUES = 15, 40, 12
OTHER = "other"

# Labels of so many letters fit beside each other.
MAX_LETTERS = 24

# Inches of one of the axes.
CELL_SIZE = (2.6, 2.2)

REAL: dict[str, Any] = {"color": LIGHT, "label": "real", "fill": True}
DRAWN: dict[str, Any] = {"color": MODEL, "label": "drawn", "linewidth": 1.5}


class SampleDisplay:
    """Histograms of the columns of real and of drawn rows.

    Numbers are drawn as densities in common bins, labels and integers of few values as
    shares of the rows.

    It is recommended to use `from_estimator` to create a display.

    Parameters
    ----------
    real : list of ndarray
        Values of each column of real rows: numbers, or labels as text; without missing
        cells.
    drawn : list of ndarray
        Values of the same columns of drawn rows.
    feature_names : list of str
        Names of the columns.

    Attributes
    ----------
    axes_ : ndarray of Axes
        The axes of the columns.
    figure_ : Figure
        Their figure.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.mixture import GaussianMixture
    >>> from skmade.inspection import SampleDisplay
    >>> X = load_iris(as_frame=True).data
    >>> mixture = GaussianMixture(3, random_state=0).fit(X)
    >>> SampleDisplay.from_estimator(mixture, X, random_state=0)
    <...>
    """

    def __init__(self, real, drawn, feature_names):
        self.real = list(real)
        self.drawn = list(drawn)
        self.feature_names = list(feature_names)

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        features=None,
        n_drawn=None,
        random_state=None,
        n_columns=4,
        ax=None,
    ):
        """Draw rows from a fitted density, and their columns beside those of X.

        Parameters
        ----------
        estimator : estimator
            A fitted density with `sample`. It may be inside of a Pipeline, whose
            transformed columns are then shown, or of a search or a detector.
        X : array-like of shape (n_samples, n_features)
            Real rows.
        features : list of str or int, default=None
            Columns to show, by name or position; None is all.
        n_drawn : int, default=None
            Number of rows to draw; None is as many as X has.
        random_state : int, RandomState instance or None, default=None
            Source of the draws.
        n_columns : int, default=4
            Number of axes next to each other.
        ax : Axes or array of Axes, default=None
            Axes to draw the grid in the place of, or one for each column; None makes a
            figure.

        Returns
        -------
        display : SampleDisplay
            The display, drawn.
        """
        density, transformers = open_density(estimator, cls.__name__, "sample")
        _, real = rows_of(density, transformers, X)
        n_drawn = len(real[0].values) if n_drawn is None else n_drawn
        rows = draw(density, n_drawn, generator(random_state))
        drawn = rows_of(density, [], rows)[1]
        shown = choose(real, features)
        return cls(
            [_cells_of(real[position]) for position in shown],
            [_cells_of(drawn[position]) for position in shown],
            [real[position].label for position in shown],
        ).plot(ax, n_columns=n_columns)

    def plot(self, ax=None, *, n_columns=4):
        """Draw the columns.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            Axes to draw the grid in the place of, or one for each column; None makes a
            figure.
        n_columns : int, default=4
            Number of axes next to each other.

        Returns
        -------
        display : SampleDisplay
            The display itself.
        """
        n_shown = len(self.feature_names)
        if ax is not None and np.size(ax) == n_shown:
            grid = grid_of_axes(self, ax, 1, n_shown, CELL_SIZE)
        else:
            n_columns = min(n_columns, n_shown)
            grid = grid_of_axes(self, ax, -(-n_shown // n_columns), n_columns, CELL_SIZE)
        self.axes_ = grid.ravel()[:n_shown]
        for spare in grid.ravel()[n_shown:]:
            spare.set_axis_off()
        self.figure_ = self.axes_[0].figure
        columns = zip(self.axes_, self.real, self.drawn, self.feature_names, strict=True)
        for axes, real, drawn, name in columns:
            _plot_column(axes, real, drawn)
            axes.set(xlabel=name, yticks=[])
            tidy(axes)
        if ax is None:
            handles = self.axes_[0].get_legend_handles_labels()
            self.figure_.legend(*handles, loc="outside upper right", ncols=2, frameon=False)
        else:
            self.axes_[0].legend(frameon=False, fontsize="small")
        return self


def _cells_of(column):
    """Return the observed cells of a column, dates and durations as such."""
    cells = column.observed()
    return cells if column.days is None else as_times(cells, column.days)


def _plot_column(ax, real, drawn):
    """Draw one column of both tables: shares of labels, or densities of numbers in bins."""
    if real.dtype.kind in "mM":
        _plot_densities(ax, as_days(real), as_days(drawn))
        if real.dtype.kind == "M":
            as_dates(ax.xaxis)
        return
    values = np.unique(np.concatenate([real, drawn]))
    if real.dtype == object:
        _plot_shares(ax, *_merged(real, drawn))
    elif len(values) <= MAX_VALUES and (values == np.round(values)).all():
        _plot_shares(ax, real, drawn, values)
    else:
        _plot_densities(ax, real, drawn)


def _merged(real, drawn):
    """Return labels of both tables, of which the rarest are called other, and all of them."""
    labels, counts = np.unique(real, return_counts=True)
    if len(labels) > MAX_VALUES:
        labels = labels[np.argsort(-counts, kind="stable")[: MAX_VALUES - 1]]
    merged = [np.where(np.isin(own, labels), own, OTHER) for own in (real, drawn)]
    has_other = any((own == OTHER).any() for own in merged)
    return *merged, [*labels, OTHER] if has_other else labels


def _plot_shares(ax, real, drawn, values):
    """Draw a pair of bars for each value."""
    places = np.arange(len(values))
    for offset, own, style in [(-0.2, real, REAL), (0.2, drawn, DRAWN)]:
        shares = [np.mean(own == value) for value in values]
        ax.bar(places + offset, shares, 0.4, color=style["color"], label=style["label"])
    texts = [value if isinstance(value, str) else f"{value:g}" for value in values]
    crowded = sum(map(len, texts)) > MAX_LETTERS
    ax.set_xticks(places, texts, rotation=90 if crowded else 0)
    ax.set_ylabel("share of rows")


def _plot_densities(ax, real, drawn):
    """Draw histograms in common bins, which hold all real rows; drawn ones may lie outside."""
    edges = _edges(real)
    for own, style in [(real, REAL), (drawn, DRAWN)]:
        counts = np.histogram(own, edges)[0]
        ax.stairs(counts / (len(own) * np.diff(edges)), edges, **style)
    ax.set_ylabel("density")


def _edges(real):
    """Return the edges of bins: about as wide as the rows ask for, whole for integers."""
    n_bins = len(np.histogram_bin_edges(real, bins="auto")) - 1
    edges = np.histogram_bin_edges(real, bins=int(np.clip(n_bins, MIN_BINS, MAX_BINS)))
    if (real == np.round(real)).all():
        width = np.ceil(edges[1] - edges[0])
        return np.arange(real.min() - 0.5, real.max() + 0.5 + width, width)
    return edges
