"""The scorer of density estimators."""

from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.utils.metadata_routing import MetadataRequest
from sklearn.utils.validation import _check_sample_weight


# Its docstring is that of its one instance that users import, as if it were a function.
class _MeanLogLikelihood:
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
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row. A row of weight 2 counts as two rows, and one of weight 0 as
        none. None counts each row once.

    Returns
    -------
    score : float
        Mean of ``estimator.score_samples(X)``: the sum of weights times log-densities over
        the sum of weights.

    Notes
    -----
    Under scikit-learn's metadata routing, searches and ``cross_validate`` pass their weights to
    ``mean_log_likelihood.set_score_request(sample_weight=True)``, and pass none if it is
    False. Either is a new scorer. `mean_log_likelihood` itself never changes, since all code
    shares it; weights that are passed to a search with it raise an error. Without
    metadata routing, searches pass the weights of ``fit``, and ``cross_validate`` passes none.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.mixture import GaussianMixture
    >>> from skmade.metrics import mean_log_likelihood
    >>> X = load_iris().data
    >>> mixture = GaussianMixture(random_state=0).fit(X)
    >>> bool(mean_log_likelihood(mixture, X) == mixture.score(X))
    True
    >>> round(mean_log_likelihood(mixture, X[:2]), 3)
    -1.787
    >>> round(mean_log_likelihood(mixture, X[:2], sample_weight=[3, 1]), 3)
    -1.697
    """

    def __init__(self, weights: bool | str | None = None) -> None:
        self._weights = weights  # whether they are requested, or by which name

    def __call__(
        self, estimator: Any, X: Any, y: Any = None, *, sample_weight: Any = None
    ) -> float:
        scores = estimator.score_samples(X)
        if sample_weight is None:
            return float(np.mean(scores))
        scores = np.asarray(scores)  # of partitions too
        weights = _check_sample_weight(sample_weight, scores, ensure_non_negative=True)
        counted = weights > 0  # a row that does not count may have a log-density of -inf
        return float(np.average(scores[counted], weights=weights[counted]))

    def __repr__(self) -> str:
        if self._weights is None:
            return "mean_log_likelihood"
        return f"mean_log_likelihood.set_score_request(sample_weight={self._weights!r})"

    def set_score_request(self, *, sample_weight: bool | str | None) -> "_MeanLogLikelihood":
        """Return a scorer that asks scikit-learn's metadata routing for weights, or not.

        This scorer stays as it is: everyone who imports it shares it.

        Parameters
        ----------
        sample_weight : bool, str or None
            Whether the scorer gets the weights that are passed to a search, or the name by
            which they are passed. None: a search that is passed weights raises an error.

        Returns
        -------
        scorer : callable
            A scorer with this request.
        """
        if not get_config()["enable_metadata_routing"]:
            raise RuntimeError(
                "set_score_request has an effect with metadata routing alone: enable it by "
                "sklearn.set_config(enable_metadata_routing=True)."
            )
        scorer = _MeanLogLikelihood(sample_weight)
        scorer.get_metadata_routing()  # raises for what is no request
        return scorer

    def get_metadata_routing(self) -> Any:
        """Return what the scorer asks of scikit-learn's metadata routing.

        Returns
        -------
        routing : MetadataRequest
            The request of ``sample_weight``.
        """
        request = MetadataRequest(owner="mean_log_likelihood")
        request.score.add_request(param="sample_weight", alias=self._weights)
        return request

    def _accept_sample_weight(self) -> bool:
        # What searches ask of scorers where metadata routing is off.
        return True


mean_log_likelihood = _MeanLogLikelihood()
