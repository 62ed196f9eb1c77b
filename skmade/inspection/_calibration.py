"""Whether the model's own draws are as dense as the rows are."""

import numpy as np
from scipy.special import kolmogi

from ._estimators import draw, generator, name_of, open_density, rows_of, score_drawn
from ._style import DATA, MODELS, one_axes, tidy

# Tells curves of other displays on the same axes, to take another colour.
GID = "CalibrationDisplay"


class CalibrationDisplay:
    """Probability-probability plot of the log-density.

    The log-density of a row has a rank among those of rows that the model draws: the share
    of draws that are less dense, its probability integral transform (PIT). If the rows come
    from the model, ranks are uniform, and their distribution function is the diagonal. A
    curve above it tells that rows are less dense than the model expects of its own (it is
    too narrow, or the rows were trained on others), below it that they are denser.

    It is recommended to use `from_estimator` to create a display.

    Parameters
    ----------
    pit : array-like of shape (n_samples,)
        For each row, the share of drawn rows that are less dense.
    n_drawn : int, default=None
        Number of drawn rows; None means that there is no error from drawing.
    level : float, default=0.95
        Probability that a calibrated curve is inside of the band, everywhere.
    estimator_name : str, default=None
        Name for the legend.

    Attributes
    ----------
    distance : float
        Largest distance of the curve from the diagonal (Kolmogorov and Smirnov).
    half_width : float
        Half of the band's width: Kolmogorov's quantile for two samples.
    line_ : Line2D
        The curve.
    band_ : PolyCollection or None
        The band around the diagonal; None if another display drew its own on these axes.
    ax_ : Axes
        The axes that were drawn on.
    figure_ : Figure
        Their figure.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.mixture import GaussianMixture
    >>> from skmade.inspection import CalibrationDisplay
    >>> X = load_iris().data
    >>> mixture = GaussianMixture(3, random_state=0).fit(X[::2])
    >>> CalibrationDisplay.from_estimator(mixture, X[1::2], random_state=0)
    <...>
    """

    def __init__(self, pit, *, n_drawn=None, level=0.95, estimator_name=None):
        self.pit = np.sort(np.asarray(pit, dtype=np.float64))
        self.n_drawn = n_drawn
        self.level = level
        self.estimator_name = estimator_name

    @property
    def distance(self):
        """Largest distance of the curve from the diagonal."""
        n_rows = len(self.pit)
        steps = np.arange(n_rows + 1) / n_rows
        return float(max((steps[1:] - self.pit).max(), (self.pit - steps[:-1]).max()))

    @property
    def half_width(self):
        """Half of the width of the band."""
        variance = 1 / len(self.pit) + (0 if self.n_drawn is None else 1 / self.n_drawn)
        return float(kolmogi(1 - self.level) * np.sqrt(variance))

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        n_drawn=2000,
        level=0.95,
        random_state=None,
        name=None,
        ax=None,
    ):
        """Draw the plot of a fitted density and rows, best held out from its training.

        Parameters
        ----------
        estimator : estimator
            A fitted density with `score_samples` and `sample`. It may be inside of a
            Pipeline, a search or a detector.
        X : array-like of shape (n_samples, n_features)
            Rows without missing cells.
        n_drawn : int, default=2000
            Number of rows to draw.
        level : float, default=0.95
            Probability that a calibrated curve is inside of the band, everywhere.
        random_state : int, RandomState instance or None, default=None
            Source of the draws, and of the ranks of rows that are as dense as draws.
        name : str, default=None
            Name for the legend; None is the name of the density's class.
        ax : Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        display : CalibrationDisplay
            The display, drawn.
        """
        density, transformers = open_density(estimator, cls.__name__, "score_samples", "sample")
        rows, columns = rows_of(density, transformers, X)
        for column in columns:
            if len(column.observed()) < len(column.values):
                raise ValueError(
                    f"Column {column.name!r} has missing cells, which drawn rows have not: "
                    "their scores cannot be compared."
                )
        rng = generator(random_state)
        drawn = score_drawn(density, draw(density, n_drawn, rng), rows)
        return cls(
            ranks_among(density.score_samples(rows), drawn, rng),
            n_drawn=n_drawn,
            level=level,
            estimator_name=name_of(estimator) if name is None else name,
        ).plot(ax)

    def plot(self, ax=None, *, name=None):
        """Draw the curve, the diagonal and the band.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw on; None makes a figure. Several displays may share them.
        name : str, default=None
            Name for the legend; None is `estimator_name`.

        Returns
        -------
        display : CalibrationDisplay
            The display itself.
        """
        ax = one_axes(self, ax)
        if name is None:
            name = self.estimator_name or "rows"
        n_before = sum(line.get_gid() == GID for line in ax.lines)
        self.band_ = self._plot_band(ax) if n_before == 0 else None
        steps = np.arange(len(self.pit) + 1) / len(self.pit)
        (self.line_,) = ax.step(
            np.concatenate([[0], self.pit, [1]]),
            np.append(steps, 1),
            where="post",
            color=MODELS[n_before % len(MODELS)],
            gid=GID,
            label=f"{name} (distance {self.distance:.2f})",
        )
        ax.set(
            xlabel="share of drawn rows with a lower log-density",
            ylabel="share of rows with a lower log-density",
            xlim=(0, 1),
            ylim=(0, 1),
            aspect="equal",
            title="Are the rows as dense as the model's draws?",
        )
        ax.legend(loc="best")
        tidy(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _plot_band(self, ax):
        """Draw the diagonal and the band."""
        shares = np.array([0.0, 1.0])
        ax.plot(shares, shares, color=DATA, linewidth=1)
        return ax.fill_between(
            shares,
            shares - self.half_width,
            shares + self.half_width,
            color=DATA,
            alpha=0.25,
            linewidth=0,
            label=f"{100 * self.level:g} % band",
        )


def ranks_among(scores, drawn, rng):
    """Return the share of draws that score less than each row, uniform if it is a draw.

    A row that scores the same as some draws is put among them at random.
    """
    drawn = np.sort(drawn)
    first, last = (np.searchsorted(drawn, scores, side=side) for side in ("left", "right"))
    ranks = first + rng.uniform(size=len(scores)) * (last - first + 1)
    return ranks / (len(drawn) + 1)
