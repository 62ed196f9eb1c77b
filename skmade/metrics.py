"""Scorers for any density estimator."""

from typing import Any

import numpy as np


def mean_log_likelihood(estimator: Any, X: Any, y: Any = None) -> float:
    """Mean log-likelihood per row, in nats.

    `score` of a density estimator is a total in some estimators (`MADEDensity`,
    `KernelDensity`) and a mean in others (`GaussianMixture`); this mean of
    ``score_samples`` compares them all. Transformers before the density in a Pipeline
    change its units: compare only densities behind the same transformers.

    Parameters
    ----------
    estimator : estimator
        A fitted density estimator or Pipeline with ``score_samples``.
    X : array-like of shape (n_samples, n_features)
        Rows to score.
    y : None
        Ignored; here so that the function serves as ``scoring`` in a search.

    Returns
    -------
    score : float
        Mean of ``estimator.score_samples(X)``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.mixture import GaussianMixture
    >>> from skmade.metrics import mean_log_likelihood
    >>> X = load_iris().data
    >>> mixture = GaussianMixture(random_state=0).fit(X)
    >>> bool(mean_log_likelihood(mixture, X) == mixture.score(X))
    True
    """
    return float(np.mean(estimator.score_samples(X)))
