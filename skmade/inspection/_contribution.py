"""Which features make a row's score, beside typical rows."""

import numpy as np
from sklearn.utils import _safe_indexing

from ._estimators import collected, open_density, rows_of
from ._style import DATA, LIGHT, MARKED, MODEL, one_axes, tidy

# Beyond so many widths of the widest band the axis becomes logarithmic.
LINEAR_REACH = 15

# Of so many cells a detector is asked what would be typical: it takes its time.
N_EXPLAINED = 3


class ContributionDisplay:
    """Each feature's part of the log-density of one row, beside typical rows.

    Parts are shown less their medians among typical rows, so that zero is typical for
    every feature. A part far to the left of its band is what makes the row unusual.

    It is recommended to use `from_estimator` to create a display.

    Parameters
    ----------
    parts : array-like of shape (n_features,)
        Parts of the row's log-density, in nats.
    typical_parts : array-like of shape (n_samples, n_features)
        Parts of typical rows.
    feature_names : list of str
        Names of the features.
    cells : list of str, default=None
        The row's cells as text, written beside the names.
    typical_cells : dict of int to str, default=None
        What would be typical of some cells, by position, written beside them.
    quantiles : tuple of float, default=(0.05, 0.95)
        Ends of the bands of typical rows.

    Attributes
    ----------
    differences : ndarray of shape (n_features,)
        Parts of the row less the medians of typical rows.
    bands : ndarray of shape (2, n_features)
        Ends of the bands, less the medians.
    order : ndarray of shape (n_features,)
        Positions of the features from the most unusual on.
    points_ : PathCollection
        The parts that are shown.
    bands_ : LineCollection
        The bands that are shown.
    ax_ : Axes
        The axes that were drawn on.
    figure_ : Figure
        Their figure.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmade import MADEDensity
    >>> from skmade.inspection import ContributionDisplay
    >>> X = load_iris(as_frame=True).data
    >>> density = MADEDensity(n_estimators=1, random_state=0).fit(X)
    >>> ContributionDisplay.from_estimator(density, X, row=41)
    <...>
    """

    def __init__(
        self,
        parts,
        typical_parts,
        feature_names,
        *,
        cells=None,
        typical_cells=None,
        quantiles=(0.05, 0.95),
    ):
        self.parts = np.asarray(parts, dtype=np.float64)
        self.typical_parts = np.asarray(typical_parts, dtype=np.float64)
        self.feature_names = list(feature_names)
        self.cells = cells
        self.typical_cells = typical_cells
        self.quantiles = quantiles

    @property
    def differences(self):
        """Parts of the row less the medians of typical rows."""
        return self.parts - np.median(self.typical_parts, axis=0)

    @property
    def bands(self):
        """Quantiles of the parts of typical rows, less their medians."""
        low, high = np.quantile(self.typical_parts, self.quantiles, axis=0)
        return np.stack([low, high]) - np.median(self.typical_parts, axis=0)

    @property
    def order(self):
        """Positions of the features from the most unusual on."""
        return np.argsort(self.differences, kind="stable")

    @classmethod
    def from_estimator(
        cls, estimator, X, row, *, quantiles=(0.05, 0.95), max_features=20, ax=None
    ):
        """Draw the parts of one row, and the bands of typical rows.

        Parameters
        ----------
        estimator : estimator
            A fitted density with `score_features`. It may be inside of a Pipeline, whose
            transformed columns are then the features, or of a search or a detector. If it is
            a `MADEOutlierDetector` itself, what that tells by `explain` is written beside the
            oddest cells.
        X : array-like of shape (n_samples, n_features)
            Typical rows, such as those of fit.
        row : int or array-like of shape (1, n_features)
            The row to explain: its position in X, or a table of one row like X.
        quantiles : tuple of float, default=(0.05, 0.95)
            Ends of the bands of typical rows.
        max_features : int, default=20
            Show at most so many features, the most unusual ones.
        ax : Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        display : ContributionDisplay
            The display, drawn.
        """
        density, transformers = open_density(estimator, cls.__name__, "score_features")
        X = collected(X)
        table = _safe_indexing(X, [row]) if isinstance(row, int | np.integer) else row
        own, cells = rows_of(density, transformers, table)
        if len(cells[0].values) != 1:
            raise ValueError(f"row must be one row, got {len(cells[0].values)}.")
        typical, _ = rows_of(density, transformers, X)
        return cls(
            density.score_features(own)[0],
            density.score_features(typical),
            [column.name for column in cells],
            cells=[_as_text(column.cell(0)) for column in cells],
            typical_cells=_typical_cells(estimator, table, [column.name for column in cells]),
            quantiles=quantiles,
        ).plot(ax, max_features=max_features)

    def plot(self, ax=None, *, max_features=20):
        """Draw the parts and the bands.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw on; None makes a figure.
        max_features : int, default=20
            Show at most so many features, the most unusual ones.

        Returns
        -------
        display : ContributionDisplay
            The display itself.
        """
        shown = self.order[:max_features]
        new = ax is None
        ax = one_axes(self, ax)
        if new:
            ax.figure.set_size_inches(6.4, max(2.6, 1.6 + 0.27 * len(shown)))
        heights = np.arange(len(shown))
        (low, high), differences = self.bands[:, shown], self.differences[shown]
        self.bands_ = ax.hlines(heights, low, high, color=LIGHT, linewidth=7)
        colors = np.where(differences < low, MARKED, MODEL)
        self.points_ = ax.scatter(differences, heights, color=colors, zorder=3)
        ax.axvline(0, color=DATA, linewidth=1, zorder=0)
        self._label(ax, shown)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _label(self, ax, shown):
        """Name the features, the row's score and the axes."""
        names = [self.feature_names[position] for position in shown]
        if self.cells is not None:
            names = [f"{name} = {self.cells[k]}" for name, k in zip(names, shown, strict=True)]
        if self.typical_cells:
            added = [self.typical_cells.get(int(k)) for k in shown]
            names = [
                f"{name} (typical: {cell})" if cell else name
                for name, cell in zip(names, added, strict=True)
            ]
        widest = np.ptp(self.bands, axis=0).max()
        if np.abs(self.differences).max() > LINEAR_REACH * widest > 0:
            ax.set_xscale("symlog", linthresh=widest)
        ax.set_yticks(np.arange(len(shown)), names)
        ax.invert_yaxis()
        share = 100 * (self.quantiles[1] - self.quantiles[0])
        typical = np.median(self.typical_parts.sum(axis=1))
        # Long names leave little room: the texts may reach to the left of the axes.
        ax.set_xlabel(
            "part of the log-density, less its median [nats]\n"
            f"(grey: {share:g} % of typical rows)",
            loc="right",
        )
        ax.set_title(
            f"log-density {self.parts.sum():.1f} nats (typical: {typical:.1f})", loc="right"
        )
        tidy(ax)


def _typical_cells(estimator, table, names):
    """Return what a detector says would be typical of the oddest cells, by position."""
    if not hasattr(estimator, "explain"):
        return None
    told = estimator.explain(table, n_cells=N_EXPLAINED)
    columns = (told[name] for name in ("column", "typical", "low", "high"))
    return {
        names.index(str(column)) if str(column) in names else int(column): (
            f"{_as_text(low)} to {_as_text(high)}" if _is_known(low) else str(typical)
        )
        for column, typical, low, high in zip(*columns, strict=True)
    }


def _is_known(end):
    """Whether the end of an interval is a number, or the text of a date."""
    return end != "nan" if isinstance(end, str) else not np.isnan(end)


def _as_text(cell):
    """Write a cell."""
    if isinstance(cell, float):
        return "missing" if np.isnan(cell) else f"{cell:.4g}"
    return "missing" if cell is None else str(cell)
