"""Whether a classifier can tell drawn rows from real ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from ._tables import Column, read_together
from ._trees import binnable, generator, labelled, matrices, seed_of


@dataclass(frozen=True)
class Detection:
    """What a classifier made of rows that it was not trained on."""

    probability: NDArray[np.float64]  # that a row is drawn; the real rows come first
    areas: NDArray[np.float64]  # under the ROC curve, of each fold

    @property
    def score(self) -> float:
        """Return the mean over folds of the score; an area below a half is chance."""
        return float(np.mean(1 - (2 * np.maximum(self.areas, 0.5) - 1)))


def c2st(X_real: Any, X_drawn: Any, *, cv: int = 3, random_state: Any = None) -> float:
    r"""Score how hard drawn rows are to tell from real ones: 1 if they cannot be, 0 if always.

    Boosted trees learn to tell both kinds of rows from each other, and are asked about rows
    that they have not seen (a classifier two-sample test). With :math:`A_k` the area under the
    ROC curve on fold :math:`k`, the score is

    .. math:: \frac{1}{K} \sum_{k=1}^K \left( 1 - 2 \max(A_k - \tfrac12, 0) \right).

    Parameters
    ----------
    X_real : array-like of shape (n_real, n_features)
        Real rows, best those that the sampler was not trained on. A DataFrame of pandas or
        polars, or an array, with numbers, labels, dates and missing cells.
    X_drawn : array-like of shape (n_drawn, n_features)
        Drawn rows of the same columns. There may be more or fewer of them: the area does not
        depend on how many rows are real. A classifier that learns from more rows tells them
        apart better, though: compare samplers by as many rows.
    cv : int, default=3
        Number of folds, each with the same share of drawn rows.
    random_state : int, RandomState instance or None, default=None
        Source of the folds and of the trees' randomness.

    Returns
    -------
    score : float
        Between 0 and 1. Rows of the same distribution score a little below 1, as the area on
        each fold has an error from its number of rows.

    Raises
    ------
    ValueError
        If the tables have different columns, a column holds numbers in one and text in the
        other, a cell is infinite, or a table has fewer rows than there are folds.
    TypeError
        If the cells of a column are no single values, or `cv` is no int.

    See Also
    --------
    nearer_share : Whether drawn rows are copies of those of training, which this rewards.

    Notes
    -----
    Both tables together decide what a column is. Text, categories and truth values are labels,
    everything else is numbers. Integers and floats are the same, and so are categories with
    other lists of labels. DataFrames may have their columns in another order. A missing cell
    is a value of its own. Of a column with more than 255 labels, the rarest count as one.

    Trees need rows: they tell nothing apart if both tables have less than thirty.

    The test is that of [1]_ (section 3) with the area in place of the accuracy, which does not
    depend on the numbers of rows. The score is that of the detection metrics of SDMetrics [2]_,
    with boosted trees in place of a logistic regression, which sees only means.

    References
    ----------
    .. [1] D. Lopez-Paz and M. Oquab, "Revisiting classifier two-sample tests", ICLR 2017,
       https://arxiv.org/abs/1610.06545.
    .. [2] SDMetrics, "Detection metrics: single table",
       https://docs.sdv.dev/sdmetrics/metrics/metrics-in-beta/detection-single-table.

    Examples
    --------
    >>> import numpy as np
    >>> from skmade.metrics import c2st
    >>> rng = np.random.RandomState(0)
    >>> covariance = [[1, 0.9], [0.9, 1]]
    >>> X_real = rng.multivariate_normal([0, 0], covariance, size=1000)
    >>> X_drawn = rng.multivariate_normal([0, 0], covariance, size=1000)
    >>> round(c2st(X_real, X_drawn, random_state=0), 2)
    0.97
    >>> X_independent = rng.normal(size=(1000, 2))  # the same columns, without their relation
    >>> round(c2st(X_real, X_independent, random_state=0), 2)
    0.39
    """
    columns = read_together({"X_real": X_real, "X_drawn": X_drawn})
    return detect(columns, cv, random_state).score


def detect(columns: list[Column], cv: Any, random_state: Any) -> Detection:
    """Ask a classifier, by folds, which rows of two tables are of the second."""
    real, drawn = matrices(columns)
    if not isinstance(cv, int | np.integer):
        raise TypeError(f"cv={cv!r} is no number of folds: pass an int of at least 2.")
    if cv < 2 or min(len(real), len(drawn)) < cv:
        raise ValueError(
            f"cv={cv} is no number of folds for {len(real)} real and {len(drawn)} drawn rows: "
            "pass at least 2, and at most as many as either has."
        )
    rng = generator(random_state)
    X = np.concatenate([real, drawn])
    y = np.repeat([0, 1], [len(real), len(drawn)])
    probability, areas = np.full(len(X), 0.5), []
    folds = StratifiedKFold(cv, shuffle=True, random_state=seed_of(rng))
    for train, test in folds.split(X, y):
        trees = HistGradientBoostingClassifier(
            categorical_features=labelled(columns), random_state=seed_of(rng)
        )
        known, asked = binnable(X[train], X[test])
        probability[test] = trees.fit(known, y[train]).predict_proba(asked)[:, 1]
        areas.append(roc_auc_score(y[test], probability[test]))
    return Detection(probability, np.array(areas))
