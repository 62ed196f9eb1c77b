"""The log-likelihood as training went on."""

import numpy as np

from ._estimators import name_of, open_density
from ._style import DATA, MARKED, MODEL, one_axes, tidy


class TrainingHistoryDisplay:
    """Log-likelihood of training and held-out rows for each epoch.

    It is recommended to use `from_estimator` to create a display.

    Parameters
    ----------
    train : array-like of shape (n_epochs,)
        Mean log-likelihood of the training rows, in nats per row.
    validation : array-like of shape (n_epochs,), default=None
        Mean log-likelihood of the held-out rows, in nats per row.
    step_name : str, default='epoch'
        What the steps of training are called.
    estimator_name : str, default=None
        Name for the title.

    Attributes
    ----------
    best_epoch : int or None
        Epoch, from 1, with the largest held-out log-likelihood; None without held-out rows.
    lines_ : list of Line2D
        The curves.
    ax_ : Axes
        The axes that were drawn on.
    figure_ : Figure
        Their figure.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmade import MADEDensity
    >>> from skmade.inspection import TrainingHistoryDisplay
    >>> density = MADEDensity(n_estimators=1, random_state=0).fit(load_iris().data)
    >>> TrainingHistoryDisplay.from_estimator(density)
    <...>
    """

    def __init__(self, train, validation=None, *, step_name="epoch", estimator_name=None):
        self.train = np.asarray(train, dtype=np.float64)
        some = validation is not None and len(validation) > 0
        self.validation = np.asarray(validation, dtype=np.float64) if some else None
        self.step_name = step_name
        self.estimator_name = estimator_name

    @property
    def best_epoch(self):
        """Epoch with the largest held-out log-likelihood."""
        return None if self.validation is None else int(np.nanargmax(self.validation)) + 1

    @classmethod
    def from_estimator(cls, estimator, *, name=None, ax=None):
        """Draw the history of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted density that keeps its history: a MADEDensity (its curves are averages
            over members) or a GaussianMixture (a step is an iteration of EM). It may be
            inside of a Pipeline, a search or a detector.
        name : str, default=None
            Name for the title; None is the name of the density's class.
        ax : Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        display : TrainingHistoryDisplay
            The display, drawn.
        """
        density, _ = open_density(estimator, cls.__name__)
        name = name_of(estimator) if name is None else name
        if hasattr(density, "history_"):
            history = density.history_
            return cls(history["train"], history["validation"], estimator_name=name).plot(ax)
        if hasattr(density, "lower_bounds_"):
            bounds = density.lower_bounds_
            return cls(bounds, step_name="iteration of EM", estimator_name=name).plot(ax)
        raise TypeError(
            f"{cls.__name__} needs an estimator with the attribute 'history_', which "
            f"{type(density).__name__} lacks."
        )

    def plot(self, ax=None):
        """Draw the curves.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        display : TrainingHistoryDisplay
            The display itself.
        """
        ax = one_axes(self, ax)
        self.lines_ = []
        curves = [(self.train, "training rows", DATA)]
        if self.validation is not None:
            curves.append((self.validation, "held-out rows", MODEL))
        for curve, label, color in curves:
            self.lines_ += ax.plot(1 + np.arange(len(curve)), curve, color=color, label=label)
        if self.best_epoch is not None and self.validation is not None:
            best = self.validation[self.best_epoch - 1]
            label = f"best: {best:.2f} nats in {self.step_name} {self.best_epoch}"
            ax.plot([self.best_epoch], [best], "o", color=MARKED, label=label)
        ax.set(
            xlabel=self.step_name,
            ylabel="log-likelihood [nats per row]",
            title=self.estimator_name,
        )
        ax.legend(loc="lower right", frameon=False)
        tidy(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self
