"""`MADEOutlierDetector`: a density, and the score below which a row is an outlier."""

from numbers import Real
from typing import ClassVar

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2
from sklearn import get_config
from sklearn.base import BaseEstimator, OutlierMixin, _fit_context, clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ._density import MADEDensity

# The smallest scale of the default density, in standard deviations. With none, a row of
# values that recur (zeros, ends of a range) is far denser than the others, and hides what is
# odd about it elsewhere.
MIN_SCALE = 0.1

# Quantiles of the training scores that stand for them, also if rows have weights.
N_QUANTILES = 1000

# Share of the rows from a Gaussian that are outliers by `contamination='auto'`; and the most
# degrees of freedom of scores that are matched (their quartiles are then 1e5 nats apart).
TAIL, MAX_FREEDOM = 0.005, 1e10

# Shares of rows are compared up to rounding.
ROUNDING = 1e-12


def _explains(detector):
    """Whether the density tells the part of each feature."""
    return hasattr(getattr(detector, "estimator_", detector._density()), "score_features")


class MADEOutlierDetector(OutlierMixin, BaseEstimator):
    """Outliers are the rows of low density.

    It composes a density with a threshold on its scores. The density learns from all rows,
    outliers included, and so must not learn single rows by heart: the default stops early
    by rows that its members hold out, and is too smooth to be dense around one row.

    Parameters
    ----------
    estimator : estimator or None, default=None
        The density: an estimator with ``fit`` and ``score_samples``, such as
        `MADEDensity`, `KernelDensity`, `GaussianMixture`, or a Pipeline that ends in one.
        None is ``MADEDensity(min_scale=0.1, random_state=0)``, whose smooth conditionals
        find outliers better than finer ones, which favour values that recur.
    contamination : float or 'auto', default=0.1
        Share of the training rows, in (0, 0.5], that are outliers. 'auto' takes no share
        for granted, but the threshold that half a percent of rows from a Gaussian lie
        below, of any dimension: their log-densities are a constant less half of a
        chi-square variable, which is matched to median and quartiles of the training
        scores. The threshold alone depends on `contamination`, not the density.

    Attributes
    ----------
    estimator_ : estimator
        The fitted density.
    offset_ : float
        The threshold: rows that score less are outliers, in nats as `score_samples`.
    n_features_in_ : int
        Number of columns seen in fit, if the density tells it.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if the density tells them.

    See Also
    --------
    skmade.inspection.ContributionDisplay : Which features make a row an outlier.
    sklearn.ensemble.IsolationForest : Outliers by the length of paths in random trees.

    Examples
    --------
    >>> import numpy as np
    >>> from skmade import MADEDensity, MADEOutlierDetector
    >>> X = np.random.RandomState(0).normal(size=(200, 2))
    >>> density = MADEDensity(n_estimators=2, random_state=0)
    >>> detector = MADEOutlierDetector(density, contamination=0.05).fit(X)
    >>> detector.predict([[0.0, 0.0], [5.0, 5.0]])
    array([ 1, -1])
    >>> int((detector.predict(X) == -1).sum())
    10
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "score_samples"]), None],
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
    }

    _doc_link_module = MADEDensity._doc_link_module
    _doc_link_template = MADEDensity._doc_link_template

    def __init__(self, estimator=None, *, contamination=0.1):
        self.estimator = estimator
        self.contamination = contamination

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._density()).input_tags
        return tags

    @property
    def n_features_in_(self):
        """Number of columns seen in fit."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the columns seen in fit."""
        return self.estimator_.feature_names_in_

    def _density(self):
        """Return the density to fit."""
        if self.estimator is None:
            return MADEDensity(min_scale=MIN_SCALE, random_state=0)
        return self.estimator

    def _routed(self, fit_params):
        """What of the metadata goes to the density: all, or what it asks for."""
        if get_config()["enable_metadata_routing"]:
            return process_routing(self, "fit", **fit_params).estimator.fit
        return fit_params

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **fit_params):
        """Fit the density to the rows of X, and set the threshold on their scores.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, in any form that the density takes.
        y : None
            Ignored; here for the API.
        **fit_params : dict
            Passed to the density's `fit`. A `sample_weight` counts for the threshold too.

        Returns
        -------
        self : MADEOutlierDetector
            The fitted detector. After an error it is as it was before.
        """
        density = clone(self._density())
        density.fit(X, **self._routed(fit_params))
        scores = np.asarray(density.score_samples(X))  # of blocks too: the threshold is here
        if np.isnan(scores).any():
            raise ValueError(f"{density!r} scores training rows as NaN.")
        weight = _sample_weight(fit_params, scores)
        if self.contamination == "auto":
            offset = typical_threshold(scores, weight)
        else:
            offset = lower_quantile(scores, self.contamination, weight)
        self.estimator_, self.offset_ = density, float(offset)
        return self

    def score_samples(self, X):
        """Log-density of each row, in nats: the lower, the more anomalous.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            The scores of the fitted density.
        """
        check_is_fitted(self)
        return self.estimator_.score_samples(X)

    def decision_function(self, X):
        """Log-density of each row above the threshold, in nats: negative for outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        decision : ndarray of shape (n_samples,)
            `score_samples` less `offset_`.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Tell inliers from outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            1 for inliers, -1 for outliers.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    @available_if(_explains)
    def score_features(self, X):
        """Each feature's part of the log-density of each row, in nats.

        Only if the density has this method.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        parts : ndarray of shape (n_samples, n_features)
            Parts that sum to `score_samples`.
        """
        check_is_fitted(self)
        return self.estimator_.score_features(X)

    def get_metadata_routing(self):
        """Say which metadata the density's `fit` takes.

        Returns
        -------
        routing : MetadataRouter
            Routing of what is passed to `fit`.
        """
        return MetadataRouter(owner=self).add(
            estimator=self._density(),
            method_mapping=MethodMapping().add(caller="fit", callee="fit"),
        )


def _sample_weight(fit_params, scores):
    """Weights of the rows among what is passed to fit, also to a step of a Pipeline."""
    for name, value in fit_params.items():
        if name.split("__")[-1] == "sample_weight" and value is not None:
            return np.asarray(value, dtype=np.float64)
    return np.ones(len(scores))


def lower_quantile(scores, share, weight):
    """Return a threshold that as many rows as fit into the share of all lie below.

    It is halfway between two rows. Ties that do not fit as a whole lie above it.
    """
    order = np.argsort(scores)
    order = order[weight[order] > 0]
    upto = np.cumsum(weight[order]) / weight.sum()
    n_below = np.searchsorted(upto, share + ROUNDING, side="right")
    below, above = scores[order][max(n_below - 1, 0)], scores[order][n_below]
    return below / 2 + above / 2


def typical_threshold(scores, weight):
    """Return a threshold that half a percent of rows from a Gaussian lie below.

    Their log-densities are a constant less half of a chi-square variable, in nats. Its
    degrees of freedom, one at least, are those that explain the distance of the quartiles.
    """
    levels = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES
    scores = np.quantile(scores, levels, weights=weight, method="inverted_cdf")
    low, median, high = np.quantile(scores, (0.25, 0.5, 0.75))

    def lacking(freedom):
        return high - low - (chi2.ppf(0.75, freedom) - chi2.ppf(0.25, freedom)) / 2

    if lacking(1) <= 0:
        freedom = 1.0
    elif lacking(MAX_FREEDOM) >= 0:
        freedom = MAX_FREEDOM
    else:
        freedom = brentq(lacking, 1, MAX_FREEDOM)
    return median - (chi2.ppf(1 - TAIL, freedom) - chi2.ppf(0.5, freedom)) / 2
