"""How well drawn rows stand for real ones: columns, pairs, and a classifier's eye."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_scalar

from ..metrics._detection import detect
from ..metrics._differences import column_difference, pair_difference
from ..metrics._tables import read_together
from ._estimators import draw, generator, open_density, rows_of, with_names
from ._sample import DRAWN, REAL
from ._style import LIGHT, MODEL, SHADES, grid_of_axes, tidy

# Pairs that differ by more have the darkest shade, and those that do not the lightest.
DARKEST, LIGHTEST = 0.3, "0.97"

# The axis of columns is as long at least.
SHORTEST = 0.1

# Beside a triangle of pairs, room for its last names, as a share of its width; and the place of
# its colour bar, in the empty half.
ROOM_FOR_NAMES, BAR_PLACE = 0.4, (0.64, 0.95, 0.32, 0.03)

# Differences are written into the cells of so many columns.
MAX_WRITTEN = 8

# Letters of a name that is shown whole.
MAX_LETTERS = 22

# Inches of one of the axes: its width, its least height, and the height of a column.
WIDTH, MIN_HEIGHT, ROW_HEIGHT = 4.2, 3.2, 0.22


class QualityDisplay:
    """How far drawn rows differ from real ones: in columns, in pairs, and to a classifier.

    On the left, how far the distribution of each column differs: by the statistic of Kolmogorov
    and Smirnov for numbers, by the total variation of the shares of labels. In the middle, how
    far each pair of columns does: half of the difference of correlations for numbers, the total
    variation of the shares of pairs of labels, with numbers beside labels in ten bins. All of
    these are from 0 to 1, and leave out missing cells. (One less them, they are
    `KSComplement`, `TVComplement`, `CorrelationSimilarity` and `ContingencySimilarity` of
    SDMetrics.) By chance, as many rows of one distribution differ on average as far as the grey
    bars and the titles say.

    On the right, the probabilities of being drawn that a classifier gives to rows which it has
    not seen, with the score of `skmade.metrics.c2st`. Both histograms are the same if it can't
    tell the rows apart. It also sees which cells are missing: drawn rows without missing cells
    are told from real rows that have them.

    It is recommended to use `from_estimator` or `from_samples` to create a display.

    Parameters
    ----------
    feature_names : list of str
        Names of the columns.
    column_differences : array-like of shape (n_features,)
        How far the distribution of each column differs.
    column_chances : array-like of shape (n_features,)
        How far it would on average if all rows had the same distribution.
    pair_differences : array-like of shape (n_features, n_features)
        How far each pair does. The diagonal does not count.
    pair_chances : array-like of shape (n_features, n_features)
        How far it would on average if all rows had the same distribution.
    real_probabilities : array-like of shape (n_real,)
        Probabilities of being drawn that the classifier gives to real rows.
    drawn_probabilities : array-like of shape (n_drawn,)
        Those that it gives to drawn rows.
    score : float
        The classifier's score, as of `skmade.metrics.c2st`.

    Attributes
    ----------
    order : ndarray of shape (n_features,)
        Positions of the columns from the one that differs most on.
    points_ : PathCollection
        The differences of the columns that are shown.
    bars_ : LineCollection
        Those that chance makes.
    image_ : AxesImage
        The differences of their pairs.
    axes_ : ndarray of shape (3,)
        The axes that were drawn on.
    figure_ : Figure
        Their figure.

    See Also
    --------
    SampleDisplay : The distributions of the columns themselves.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.mixture import GaussianMixture
    >>> from skmade.inspection import QualityDisplay
    >>> X = load_wine(as_frame=True).data
    >>> mixture = GaussianMixture(3, reg_covar=1e-2, random_state=0).fit(X)
    >>> display = QualityDisplay.from_estimator(mixture, X, random_state=0)
    >>> round(display.score, 2)
    0.66
    """

    def __init__(
        self,
        feature_names,
        column_differences,
        column_chances,
        pair_differences,
        pair_chances,
        real_probabilities,
        drawn_probabilities,
        score,
    ):
        self.feature_names = list(feature_names)
        self.column_differences = np.asarray(column_differences, dtype=np.float64)
        self.column_chances = np.asarray(column_chances, dtype=np.float64)
        self.pair_differences = np.asarray(pair_differences, dtype=np.float64)
        self.pair_chances = np.asarray(pair_chances, dtype=np.float64)
        self.real_probabilities = np.asarray(real_probabilities, dtype=np.float64)
        self.drawn_probabilities = np.asarray(drawn_probabilities, dtype=np.float64)
        self.score = score

    @property
    def order(self):
        """Positions of the columns from the one that differs most on."""
        return np.argsort(-self.column_differences, kind="stable")

    @classmethod
    def from_estimator(
        cls, estimator, X, *, n_drawn=None, cv=3, random_state=None, max_features=30, ax=None
    ):
        """Draw rows from a fitted density, and how far they differ from those of X.

        Parameters
        ----------
        estimator : estimator
            A fitted density with `sample`. It may be inside of a Pipeline, whose
            transformed columns are then compared, or of a search or a detector.
        X : array-like of shape (n_samples, n_features)
            Real rows, best held out from its training.
        n_drawn : int, default=None
            Number of rows to draw; None is as many as X has.
        cv : int, default=3
            Number of folds of the classifier.
        random_state : int, RandomState instance or None, default=None
            Source of the draws and of the classifier's folds.
        max_features : int or None, default=30
            Show at most so many columns, those that differ most; None shows all.
        ax : Axes or array of Axes, default=None
            Axes to draw the three axes in the place of, or three axes; None makes a figure.

        Returns
        -------
        display : QualityDisplay
            The display, drawn.
        """
        density, transformers = open_density(estimator, cls.__name__, "sample")
        rows, columns = rows_of(density, transformers, X)
        rng = generator(random_state)
        n_drawn = len(columns[0].values) if n_drawn is None else n_drawn
        check_scalar(n_drawn, "n_drawn", Integral, min_val=1)
        drawn = with_names(density, draw(density, n_drawn, rng), rows)
        tables = read_together({"X": rows, "drawn rows": drawn})
        names = [column.name for column in columns]
        return cls(names, *_compared(tables, cv, rng)).plot(ax, max_features=max_features)

    @classmethod
    def from_samples(
        cls, X_real, X_drawn, *, cv=3, random_state=None, max_features=30, ax=None
    ):
        """Draw how far drawn rows of any sampler differ from real ones.

        Parameters
        ----------
        X_real : array-like of shape (n_real, n_features)
            Real rows, best those that the sampler was not trained on.
        X_drawn : array-like of shape (n_drawn, n_features)
            Drawn rows of the same columns.
        cv : int, default=3
            Number of folds of the classifier.
        random_state : int, RandomState instance or None, default=None
            Source of the classifier's folds.
        max_features : int or None, default=30
            Show at most so many columns, those that differ most; None shows all.
        ax : Axes or array of Axes, default=None
            Axes to draw the three axes in the place of, or three axes; None makes a figure.

        Returns
        -------
        display : QualityDisplay
            The display, drawn.
        """
        tables = read_together({"X_real": X_real, "X_drawn": X_drawn})
        names = [str(column.name) for column in tables]
        compared = _compared(tables, cv, generator(random_state))
        return cls(names, *compared).plot(ax, max_features=max_features)

    def plot(self, ax=None, *, max_features=30):
        """Draw the differences of columns and pairs, and the classifier's probabilities.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            Axes to draw the three axes in the place of, or three axes; None makes a figure.
        max_features : int or None, default=30
            Show at most so many columns, those that differ most; None shows all.

        Returns
        -------
        display : QualityDisplay
            The display itself.
        """
        if max_features is not None:
            check_scalar(max_features, "max_features", Integral, min_val=1)
        shown = self.order[:max_features]
        height = max(MIN_HEIGHT, 1.2 + ROW_HEIGHT * len(shown))
        self.axes_ = grid_of_axes(self, ax, 1, 3, (WIDTH, height)).ravel()
        self.figure_ = self.axes_[0].figure
        names = [_shortened(self.feature_names[position]) for position in shown]
        self.points_, self.bars_ = self._plot_columns(self.axes_[0], shown, names)
        self.image_ = self._plot_pairs(self.axes_[1], shown, names)
        self._plot_probabilities(self.axes_[2])
        return self

    def _plot_columns(self, ax, shown, names):
        """Draw a dot and a bar for each column, and return them."""
        differences, heights = self.column_differences[shown], np.arange(len(shown))
        chances = self.column_chances[shown]
        bars = ax.hlines(heights, 0, chances, color=LIGHT, linewidth=7)
        points = ax.scatter(differences, heights, color=MODEL, zorder=3, clip_on=False)
        ax.set_xlim(0, max(SHORTEST, 1.05 * max(differences.max(), chances.max())))
        ax.set_ylim(len(shown) - 0.5, -0.5)
        ax.set_yticks(heights, names)
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel("difference of distributions (grey: by chance)")
        _title(ax, "Columns", _averages(self.column_differences, self.column_chances))
        tidy(ax)
        return points, bars

    def _plot_pairs(self, ax, shown, names):
        """Draw a square for each pair below the diagonal, and return the image."""
        from matplotlib.colors import LinearSegmentedColormap

        count = len(shown)
        below = np.tri(count, k=-1, dtype=bool)
        values = np.where(below, self.pair_differences[np.ix_(shown, shown)], np.nan)
        colors = LinearSegmentedColormap.from_list("shades", [LIGHTEST, *SHADES])
        image = ax.imshow(values, cmap=colors, vmin=0, vmax=DARKEST, aspect="auto")
        for place, name in enumerate(names):  # each column hangs below its name
            ax.text(place - 0.4, place, name, ha="left", va="center", fontsize="small")
        if count <= MAX_WRITTEN:
            for row, column in np.argwhere(below):
                color = "white" if values[row, column] > 0.6 * DARKEST else "black"
                text = f"{values[row, column]:.2f}"
                ax.text(column, row, text, color=color, ha="center", va="center", fontsize=8)
        ax.set_xlim(-0.5, count * (1 + ROOM_FOR_NAMES) - 0.5)
        ax.set_ylim(count - 0.5, -0.5)
        ax.set_axis_off()
        every = np.tri(len(self.feature_names), k=-1, dtype=bool)
        _title(ax, "Pairs", _averages(self.pair_differences[every], self.pair_chances[every]))
        bar = ax.figure.colorbar(
            image, cax=ax.inset_axes(BAR_PLACE), orientation="horizontal", extend="max"
        )
        bar.set_label("difference of pairs")
        bar.outline.set_visible(False)
        return image

    def _plot_probabilities(self, ax):
        """Draw the histograms of the classifier's probabilities."""
        edges = np.linspace(0, 1, 26)
        for own, style in [(self.real_probabilities, REAL), (self.drawn_probabilities, DRAWN)]:
            counts = np.histogram(own, edges)[0]
            ax.stairs(counts / len(own), edges, **style)
        ax.set(xlim=(0, 1), ylim=(0, 1.15 * ax.get_ylim()[1]))  # with room for the legend
        ax.set(xlabel="probability of being drawn", ylabel="share of rows")
        _title(ax, "Classifier", f"score {self.score:.2f} (1: it can't tell)")
        ax.legend(frameon=False, loc="upper center", ncols=2)
        tidy(ax)


def _title(ax, what, found):
    """Write what axes show, and what was found."""
    ax.set_title(f"{what}\n{found}", fontsize="medium")


def _averages(differences, chances):
    """Return how far columns or pairs differ on average."""
    if not len(differences):
        return "none"
    return f"{differences.mean():.3f} on average, {chances.mean():.3f} by chance"


def _compared(columns, cv, rng):
    """Return what a display holds of two tables: differences, probabilities and score."""
    singles = np.array([column_difference(column) for column in columns])
    pairs = np.zeros((2, len(columns), len(columns)))
    for row, one in enumerate(columns):
        for place, other in enumerate(columns[:row]):
            pairs[:, row, place] = pairs[:, place, row] = pair_difference(one, other)
    detection = detect(columns, cv, rng)
    probabilities = np.split(detection.probability, [len(columns[0].cells[0])])
    return *singles.T, *pairs, *probabilities, detection.score


def _shortened(name):
    """Return the name of a column, cut if it would squeeze the axes."""
    name = str(name)
    name = name if len(name) <= MAX_LETTERS else f"{name[: MAX_LETTERS - 1]}…"
    return name.replace("$", r"\$")  # matplotlib reads formulas between two of them
