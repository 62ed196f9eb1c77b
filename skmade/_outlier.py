"""`MADEOutlierDetector`: a density, and the score below which a row is an outlier."""

from numbers import Real
from typing import ClassVar

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2
from sklearn import get_config
from sklearn.base import BaseEstimator, OutlierMixin, _fit_context, clone
from sklearn.utils import _safe_indexing, get_tags, indexable
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import (
    _check_method_params,
    _check_sample_weight,
    _num_samples,
    check_is_fitted,
    has_fit_parameter,
)

from ._dask.partitions import is_partitioned
from ._density import MADEDensity
from ._robust_core import find_core

# The smallest scale of the default density, in standard deviations. With none, a row of
# atoms (zeros, ends of a range) is far denser than the others, and hides what is odd about it
# elsewhere.
MIN_SCALE = 0.1

# Weight of training rows outside of the core. To a density they are 14 nats less likely.
LEFT_OUT_WEIGHT = 1e-6

# Quantiles of the training scores that stand for them, also if rows have weights.
N_QUANTILES = 1000

# Share of the rows from a Gaussian that are outliers by `contamination='auto'`; and the most
# degrees of freedom of scores that are matched (their quartiles are then 1e5 nats apart).
TAIL, MAX_FREEDOM = 0.005, 1e10

# Shares of rows are compared up to rounding.
ROUNDING = 1e-12


def _explains(detector):
    """Whether the density tells the log-probability of each feature."""
    return hasattr(getattr(detector, "estimator_", detector._density()), "score_features")


class MADEOutlierDetector(OutlierMixin, BaseEstimator):
    """Outliers are the rows of low density.

    It composes a density with a threshold on its scores. The density must not learn single
    outliers among its training rows by heart: the default stops early by rows that its
    members hold out, and is too smooth to be dense around one row. Where there are many, in
    clusters even, let it learn from the core of the rows only, by `support_fraction`.

    Parameters
    ----------
    estimator : estimator or None, default=None
        The density: an estimator with ``fit`` and ``score_samples``, such as
        `MADEDensity`, `KernelDensity`, `GaussianMixture`, or a Pipeline that ends in one.
        None is ``MADEDensity(min_scale=0.1, handle_unknown="smoothed", random_state=0)``,
        whose smooth conditionals find outliers better than finer ones, which favour values
        that recur, and which scores values that fit did not see.
    contamination : float or 'auto', default=0.1
        Share of the training rows, in (0, 0.5], that are outliers. 'auto' takes no share
        for granted, but the threshold that half a percent of rows from a Gaussian lie
        below, of any dimension: their log-densities are a constant less half of a
        chi-square variable, which is matched to median and quartiles of the training
        scores. The threshold alone depends on `contamination`, not the density.
    support_fraction : float, default=1.0
        Share of the training rows, in [0.5, 1], that the density learns from. Less than one
        is for tables with outliers among the rows: 0.75 leaves out the quarter of rows that
        a Gaussian fitted to the others describes worst (concentration steps [1]_, labels by
        their frequencies). Rows that are left out have a weight of 1e-6, so that their
        labels and ranges are known; a density without `sample_weight` does not see them.
        It needs a table that `MADEDensity` can read, in memory.

    Attributes
    ----------
    estimator_ : estimator
        The fitted density.
    offset_ : float
        The threshold: rows that score less are outliers, in nats as `score_samples`.
    support_ : ndarray of shape (n_samples,)
        Which training rows the density learned from, as booleans. Rows of `sample_weight`
        zero are never among them.
    n_features_in_ : int
        Number of columns seen in fit, if the density tells it.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, if the density tells them.

    See Also
    --------
    skmade.inspection.ContributionDisplay : Which features make a row an outlier.
    sklearn.ensemble.IsolationForest : Outliers by the length of paths in random trees.

    References
    ----------
    .. [1] P. Rousseeuw, K. Van Driessen, "A fast algorithm for the minimum covariance
       determinant estimator", Technometrics 41, 1999.

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
        "support_fraction": [Interval(Real, 0.5, 1, closed="both")],
    }

    _doc_link_module = MADEDensity._doc_link_module
    _doc_link_template = MADEDensity._doc_link_template

    def __init__(self, estimator=None, *, contamination=0.1, support_fraction=1.0):
        self.estimator = estimator
        self.contamination = contamination
        self.support_fraction = support_fraction

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
            return MADEDensity(min_scale=MIN_SCALE, handle_unknown="smoothed", random_state=0)
        return self.estimator

    def _routed(self, fit_params):
        """What of the metadata goes to the density: all, or what it asks for."""
        if get_config()["enable_metadata_routing"]:
            return process_routing(self, "fit", **fit_params).estimator.fit
        return fit_params

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **fit_params):
        """Fit the density to the rows of X or their core, and set the threshold on all scores.

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
        density, support = clone(self._density()), None
        if self.support_fraction < 1:
            support = self._fit_core(density, X, fit_params)
        else:
            density.fit(X, **self._routed(fit_params))
        scores = np.asarray(density.score_samples(X))  # of partitions too
        if np.isnan(scores).any():
            raise ValueError(f"{density!r} scores training rows as NaN.")
        weight = _sample_weight(fit_params, len(scores))
        weight = weight / weight.max()  # their sum is finite
        if self.contamination == "auto":
            offset = typical_threshold(scores, weight)
        else:
            offset = lower_quantile(scores, self.contamination, weight)
        self.estimator_, self.offset_ = density, float(offset)
        self.support_ = weight > 0 if support is None else support
        return self

    def _fit_core(self, density, X, fit_params):
        """Fit the density to the core of the rows, and tell which those are."""
        if is_partitioned(X):
            raise ValueError(
                "The core of a table in partitions cannot be found: leave support_fraction at "
                "1, or fit a sample of the rows in memory."
            )
        weight = _sample_weight(fit_params, _num_samples(X))
        weight = _check_sample_weight(weight, X, dtype=np.float64, ensure_non_negative=True)
        reader = density if isinstance(density, MADEDensity) else MADEDensity()
        core = find_core(reader, X, weight, self.support_fraction)
        passed = self._routed(fit_params)
        if has_fit_parameter(density, "sample_weight"):
            counted = weight * np.where(core, 1.0, LEFT_OUT_WEIGHT)
            density.fit(X, **passed | {"sample_weight": counted})
        else:
            rows = np.flatnonzero(core)
            density.fit(
                _safe_indexing(indexable(X)[0], rows), **_check_method_params(X, passed, rows)
            )
        return core

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
        """Log-probability of each feature, in nats: those of a row sum to its score.

        Only if the density has this method.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_features)
            They sum to `score_samples`.
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


def _sample_weight(fit_params, n_rows):
    """Weights of the rows among what is passed to fit, also to a step of a Pipeline."""
    for name, value in fit_params.items():
        if name.split("__")[-1] == "sample_weight" and value is not None:
            return np.asarray(value, dtype=np.float64)
    return np.ones(n_rows)


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
