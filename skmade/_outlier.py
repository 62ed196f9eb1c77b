"""`MADEOutlierDetector`: how odd rows are, and the threshold beyond which they are outliers."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from scipy.stats import false_discovery_control
from sklearn import get_config
from sklearn.base import BaseEstimator, OutlierMixin, _fit_context, clone
from sklearn.utils import _safe_indexing, check_scalar, get_tags, indexable
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

from ._anomaly.detection import Detection
from ._anomaly.reasons import as_table, reasons
from ._anomaly.tails import lower_quantile, typical_threshold
from ._dask.answers import score_partitions
from ._dask.partitions import is_partitioned
from ._density import MADEDensity
from ._input import fitted_ensemble
from ._robust_core import find_core
from ._table.frame import collected

# The default density. Smooth conditionals find outliers better than finer ones: with none, a
# row of atoms (zeros, ends of a range) is far denser than others, and hides what is odd about
# it elsewhere. Each member holds out its own eighth, so that every row is held out by one.
DENSITY = {
    "n_components": 3,
    "min_scale": 0.1,
    "handle_unknown": "smoothed",
    "n_estimators": 8,
    "dropout": 0.1,
    "max_iter": 40,
    "validation_fraction": 0.125,
    "random_state": 0,
}

# Weight of training rows outside of the core. To a density they are 14 nats less likely.
LEFT_OUT_WEIGHT = 1e-6


def _can(method):
    """Return a check of whether the density has a method."""

    def check(detector):
        return hasattr(getattr(detector, "estimator_", detector._density()), method)

    return check


def _by_rarity(detector):
    """Whether rows are scored by rarity, which makes p-values of them."""
    return detector._criterion() == "rarity"


class MADEOutlierDetector(OutlierMixin, BaseEstimator):
    """Outliers are the rows that hardly any ordinary row is as odd as.

    By default a row is looked at in three ways: its log-density by `MADEDensity`, its distance
    from the Gaussian of the core of the rows, and its distance to the five nearest rows. Each
    is set beside what rows of fit have that were held out. The score is the logarithm of the
    share of these that are as odd, by the way that finds a row oddest and, with half the
    weight, by the density. Of any other density the log-density is the score, as it is.

    Parameters
    ----------
    estimator : estimator or None, default=None
        The density: an estimator with ``fit`` and ``score_samples``, such as
        `MADEDensity`, `KernelDensity`, `GaussianMixture`, or a Pipeline that ends in one.
        None is ``MADEDensity(n_components=3, min_scale=0.1, handle_unknown="smoothed",
        n_estimators=8, dropout=0.1, max_iter=40, validation_fraction=0.125, random_state=0)``:
        smooth, quick, and each row is held out by a member. It scores values that fit did not
        see. To change a setting, copy this, and ask for ``criterion="rarity"``.
    criterion : {'auto', 'rarity', 'density'}, default='auto'
        What `score_samples` gives: the rarity of a row as above, which needs a `MADEDensity`,
        or its log-density. 'auto' is the rarity if `estimator` is None, but the log-density of
        tables in partitions.
    contamination : float or 'auto', default=0.1
        Share of the training rows, in (0, 0.5], that are outliers. Of rarities these are
        scores of rows that were held out, so that about that share of new ordinary rows falls
        below; of log-densities, those of the training rows. 'auto' takes no share
        for granted, but the threshold that half a percent of rows from a Gaussian lie
        below, of any dimension: their log-densities are a constant less half of a
        chi-square variable, which is matched to median and quartiles of the
        scores. The threshold alone depends on `contamination`, not the scores.
    false_discovery_rate : float or None, default=None
        With a rate, in (0, 1), `predict` tells outliers by `p_values` of all rows that it is
        given: of those that it calls outliers, on average at most this share are ordinary [1]_
        [2]_, if the training rows are. `contamination` and `offset_` then tell nothing.
    support_fraction : float, default=1.0
        Share of the training rows, in [0.5, 1], that the detector learns from. Less than one
        is for tables with outliers among the rows: 0.75 leaves out the quarter of rows that
        a Gaussian fitted to the others describes worst (concentration steps [3]_, labels by
        their frequencies). Rows that are left out have a weight of 1e-6, so that their
        labels and ranges are known; a density without `sample_weight` does not see them.
        It needs a table that `MADEDensity` can read, in memory.

    Attributes
    ----------
    estimator_ : estimator
        The fitted density.
    criterion_ : str
        'rarity' or 'density'.
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

    Notes
    -----
    With rarities, a row of fit is scored as if the detector had not learned from it: by the
    members that held it out, and without itself among its neighbours. It is told by its cells
    in single precision, wherever it comes again. So the table of fit may be scored like any
    other. Of more than 20,000 rows a random choice of these stands for all. A density of your
    own should hold out all rows, as the default does: those that no member held out do not
    tell what is ordinary, and without any a fit warns.

    A row with missing cells has what is typical of their columns in place of their
    log-probabilities, and the most likely numbers for the distances. Of less than six rows, or
    where labels and numbers make more than 2000 coordinates, the density alone is looked at.

    References
    ----------
    .. [1] Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", Journal of the
       Royal Statistical Society B 57, 1995.
    .. [2] S. Bates, E. Candès, L. Lei, Y. Romano, M. Sesia, "Testing for outliers with
       conformal p-values", Annals of Statistics 51, 2023.
    .. [3] P. Rousseeuw, K. Van Driessen, "A fast algorithm for the minimum covariance
       determinant estimator", Technometrics 41, 1999.

    Examples
    --------
    >>> import numpy as np
    >>> from skmade import MADEOutlierDetector
    >>> rng = np.random.RandomState(0)
    >>> a = rng.normal(size=500)
    >>> X = np.c_[a, a + 0.1 * rng.normal(size=500)]
    >>> detector = MADEOutlierDetector(contamination=0.05).fit(X)
    >>> detector.predict([[0.0, 0.0], [1.0, -1.0]])
    array([ 1, -1])
    >>> int((detector.predict(X) == -1).sum())
    25
    >>> detector.p_values([[0.0, 0.0], [1.0, -1.0]]).round(3)
    array([0.934, 0.002])
    >>> detector.explain([[1.0, -1.0]], n_cells=1)["low"].round(1)
    array([-1.2])
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "score_samples"]), None],
        "criterion": [StrOptions({"auto", "rarity", "density"})],
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        "false_discovery_rate": [Interval(Real, 0, 1, closed="neither"), None],
        "support_fraction": [Interval(Real, 0.5, 1, closed="both")],
    }

    _doc_link_module = MADEDensity._doc_link_module
    _doc_link_template = MADEDensity._doc_link_template

    def __init__(
        self,
        estimator=None,
        *,
        criterion="auto",
        contamination=0.1,
        false_discovery_rate=None,
        support_fraction=1.0,
    ):
        self.estimator = estimator
        self.criterion = criterion
        self.contamination = contamination
        self.false_discovery_rate = false_discovery_rate
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
        return MADEDensity(**DENSITY) if self.estimator is None else self.estimator

    def _criterion(self):
        """Return what rows are scored by."""
        if hasattr(self, "criterion_"):
            return self.criterion_
        if self.criterion == "auto":
            return "rarity" if self.estimator is None else "density"
        return self.criterion

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
        X = collected(X)
        criterion = self._criterion_for(density, X)
        if self.support_fraction < 1:
            support = self._fit_core(density, X, fit_params)
        else:
            density.fit(X, **self._routed(fit_params))
        if criterion == "rarity":
            weight = _sample_weight(fit_params, _num_samples(X))
            core = np.ones(len(weight), dtype=bool) if support is None else support
            detection = Detection.of(density, X, weight, core, fit_params.get("X_val"))
            scores, own = detection.seen.scores, detection.seen.weight
        else:
            detection, scores = None, np.asarray(density.score_samples(X))  # of partitions too
            weight = own = _sample_weight(fit_params, len(scores))
        if np.isnan(scores).any():
            raise ValueError(f"{density!r} scores training rows as NaN.")
        offset = self._threshold(scores, own / own.max())  # their sum is finite
        self.estimator_, self.criterion_, self.offset_ = density, criterion, offset
        self.support_ = weight > 0 if support is None else support
        state: Any = None if detection is None else detection.to_state()
        self._detection = state
        return self

    def _criterion_for(self, density, X):
        """Return what the rows of X are to be scored by, if it can be."""
        criterion = self.criterion
        if criterion == "auto":
            by_rarity = self.estimator is None and not is_partitioned(X)
            criterion = "rarity" if by_rarity else "density"
        self._check_false_discovery_rate(criterion)
        if criterion == "rarity" and not isinstance(density, MADEDensity):
            raise ValueError(
                f"criterion='rarity' needs a MADEDensity, got {density!r}: set "
                "criterion='density'."
            )
        if criterion == "rarity" and is_partitioned(X):
            raise ValueError(
                "Rarities of a table in partitions cannot be found: set criterion='density', "
                "or fit a sample of the rows in memory."
            )
        return criterion

    def _check_false_discovery_rate(self, criterion):
        """Refuse a rate without p-values."""
        if criterion == "density" and self.false_discovery_rate is not None:
            raise ValueError(
                "false_discovery_rate needs p-values, which are of rarities: set "
                "criterion='rarity', and let the estimator be a MADEDensity."
            )

    def _threshold(self, scores, weight):
        """Return the score below which rows are outliers."""
        if self.contamination == "auto":
            return typical_threshold(scores, weight)
        return lower_quantile(scores, self.contamination, weight)

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
        """Rarity or log-density of each row, in nats: the lower, the more anomalous.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            With ``criterion_ = 'rarity'`` the logarithm of the share of ordinary rows that are
            as odd, zero or less; else the scores of the fitted density.
        """
        check_is_fitted(self)
        if self.criterion_ == "density":
            return self.estimator_.score_samples(X)
        if is_partitioned(X):
            return score_partitions(self, X, "score_samples", reader=self.estimator_)
        return Detection.from_state(self._detection).score(self.estimator_, X)

    def decision_function(self, X):
        """Score of each row above the threshold, in nats: negative for outliers.

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
            Rows to score. With a `false_discovery_rate` those that come together are looked at
            together.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            1 for inliers, -1 for outliers.
        """
        if self.false_discovery_rate is None:
            return np.where(self.decision_function(X) < 0, -1, 1)
        check_is_fitted(self)
        self._check_false_discovery_rate(self.criterion_)
        adjusted = false_discovery_control(np.asarray(self.p_values(X)))
        return np.where(adjusted <= self.false_discovery_rate, -1, 1)

    @available_if(_by_rarity)
    def p_values(self, X):
        """How often an ordinary row is at least as odd as each row.

        They are ranks among the scores of rows that were held out [1]_. If a row is ordinary,
        and training rows are, its p-value is below any level about as often as the level says;
        in tables of less than a hundred rows, or as many columns as rows, up to twice as often.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        p_values : ndarray of shape (n_samples,)
            Between 0 and 1; the least is one divided by the number of held-out rows (at most
            20,000), and one.

        References
        ----------
        .. [1] V. Vovk, A. Gammerman, G. Shafer, "Algorithmic Learning in a Random World", 2005.

        Examples
        --------
        >>> import numpy as np
        >>> from skmade import MADEOutlierDetector
        >>> X = np.random.RandomState(0).normal(size=(300, 2))
        >>> detector = MADEOutlierDetector(false_discovery_rate=0.1).fit(X)
        >>> detector.p_values([[0.0, 0.0], [5.0, 5.0]]).round(3)
        array([0.847, 0.003])
        >>> detector.predict([[0.0, 0.0], [5.0, 5.0]])
        array([ 1, -1])
        """
        scores = np.asarray(self.score_samples(X))
        return Detection.from_state(self._detection).seen.p_values(scores)

    @available_if(_can("score_features"))
    def score_features(self, X):
        """Log-probability of each feature, in nats: those of a row sum to its log-density.

        Only if the density has this method. `explain` says more, in the units of the cells.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_features)
            Those of the fitted density.
        """
        check_is_fitted(self)
        return self.estimator_.score_features(X)

    @available_if(_can("conditional"))
    def explain(self, X, *, n_cells=3, confidence=0.9):
        """Tell which cells of each row do not go with the others, and what would have.

        Each cell is set beside its distribution given all others (`MADEDensity.conditional`).
        Of wide tables the twelve cells are looked at whose log-probabilities lack most of what
        is typical. A row of thirty columns takes about a second, many together less.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to explain: some, not a whole table.
        n_cells : int, default=3
            Cells to tell of each row at most, the oddest first.
        confidence : float, default=0.9
            Probability of the interval of what is typical.

        Returns
        -------
        reasons : DataFrame or structured ndarray
            A table with columns `row` (position in X), `column`, `cell`, `typical` (the median
            given the other cells, or the most probable label), `low` and `high` (ends of the
            interval; NaN of labels), and `chance`, that a cell is in as thin a place of its
            distribution or in a thinner one. Where columns hold labels, `cell` and `typical`
            are text.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> from skmade import MADEOutlierDetector
        >>> rng = np.random.RandomState(0)
        >>> height = rng.normal(170, 10, size=400).round()
        >>> weight = (height - 100 + 5 * rng.normal(size=400)).round()
        >>> table = pd.DataFrame({"height": height, "weight": weight})
        >>> detector = MADEOutlierDetector().fit(table)
        >>> odd = pd.DataFrame({"height": [180.0], "weight": [50.0]})
        >>> told = detector.explain(odd, n_cells=1)
        >>> told[["cell", "typical"]].round(-1)
           cell  typical
        0  50.0     80.0
        """
        check_is_fitted(self)
        check_scalar(n_cells, "n_cells", Integral, min_val=1)
        check_scalar(
            confidence, "confidence", Real, min_val=0, max_val=1, include_boundaries="neither"
        )
        known = self._detection
        typical = np.zeros(1) if known is None else known["views"]["typical"]["given_before"]
        _, layout = fitted_ensemble(self.estimator_)
        told = reasons(self.estimator_, X, typical, n_cells, confidence)
        return as_table(told, X, layout)

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
            value = np.asarray(value, dtype=np.float64)
            return value if value.ndim else np.full(n_rows, value)
    return np.ones(n_rows)
