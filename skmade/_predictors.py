"""`MADERegressor` and `MADEClassifier`: y given X, as a conditional of their joint density."""

from typing import ClassVar

import narwhals.stable.v2 as nw
import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, _fit_context, clone
from sklearn.utils import check_array, column_or_1d, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    _check_y,
    _num_samples,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from ._density import MADEDensity
from ._distributions import conditional_at
from ._input import private_random_state
from ._network.masks import random_orderings
from ._table.cells import holds_times
from ._table.frame import collected

# Orderings of the other columns to choose from.
N_ORDERINGS = 64

# Rows that are predicted together: what is known of their distributions takes memory.
CHUNK_ROWS = 4096


class _Predictor(BaseEstimator):
    """A density of the columns of X and y, with y last in the ordering of every member."""

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [MADEDensity, None],
        "random_state": ["random_state"],
    }

    _doc_link_module = MADEDensity._doc_link_module
    _doc_link_template = MADEDensity._doc_link_template

    def __init__(self, estimator=None, *, random_state=None):
        self.estimator = estimator
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._density()).input_tags
        return tags

    def _density(self):
        if self.estimator is None:
            return MADEDensity(random_state=self.random_state)
        return self.estimator

    def get_metadata_routing(self):
        """Say that the metadata of `fit` goes to the density.

        Returns
        -------
        router : MetadataRouter
            With the density as `estimator`.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(estimator=self._density(), method_mapping=mapping)

    def _fit_joint(self, X, y, kind, fit_params):
        """Fit the density of X and y, a column of numbers of a kind."""
        if "X_val" in fit_params:
            raise TypeError(
                "fit takes no X_val here: members hold out rows of X and y themselves. Fit a "
                "MADEDensity of the columns of X and y to stop by rows of your own."
            )
        if get_config()["enable_metadata_routing"]:
            fit_params = process_routing(self, "fit", **fit_params).estimator.fit
        X = collected(X)
        frame = _rows_of(self, X, reset=True)
        check_consistent_length(X, y)
        density = clone(self._density())
        n_features, names = self.n_features_in_, _names_of(frame)
        parameters = density.get_params(deep=False)
        if isinstance(parameters.get("ordering"), str) and parameters["ordering"] == "random":
            rng = private_random_state(self.random_state)
            others = random_orderings(N_ORDERINGS, n_features, rng)
            last = np.full((len(others), 1), n_features)
            density.set_params(ordering=np.concatenate([others, last], axis=1).tolist())
        self._name = _new_name(names)
        if "feature_types" in parameters:
            words = _with_target(parameters["feature_types"], kind, n_features, self._name)
            density.set_params(feature_types=words)
        self.estimator_ = density.fit(_with_column(frame, y, self._name), **fit_params)
        return self

    def _joint_rows(self, X):
        """Return rows of X as the density has them, y missing."""
        check_is_fitted(self)
        frame = _rows_of(self, X, reset=False)
        return _with_column(frame, np.full(_num_samples(frame), np.nan), self._name)

    def predict_distribution(self, X):
        """Distribution of y given each row of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; missing cells are marginalised.

        Returns
        -------
        distribution : object
            Of the kind that `MADEDensity.conditional` returns, with the methods of
            ``scipy.stats``.
        """
        return self._conditional(self._joint_rows(X))

    def _conditional(self, rows):
        # What a member says of X is no measure of what it knows of y given X.
        return conditional_at(self.estimator_, rows, [self.n_features_in_], weighed=False)

    def _predicted(self, X, answer):
        """Answer by distributions of some rows after others, and join the answers."""
        rows = self._joint_rows(X)
        starts = range(0, _num_samples(rows), CHUNK_ROWS)
        parts = [answer(self._conditional(rows[s : s + CHUNK_ROWS])) for s in starts]
        return np.concatenate(parts)

    def score_samples(self, X):
        """Log-density of the rows of X, in nats: rows unlike those of `fit` have a low one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            That of the cells of X that are there.
        """
        rows = self._joint_rows(X)  # which checks that there is a density
        return self.estimator_.score_samples(rows)


class MADERegressor(RegressorMixin, _Predictor):
    """The distribution of a number y given X, from the joint density of both.

    Members have y last in their orderings, and the mean of what they say of y given X is the
    prediction, in closed form. In `MADEDensity.conditional` each counts by what it says of X,
    which predicts less well. X may have labels and missing cells, in `fit` and after.

    Parameters
    ----------
    estimator : MADEDensity or None, default=None
        The density; None is ``MADEDensity()`` with this `random_state`.
        An `ordering` of 'random' is drawn so that y is last; any other has the positions of
        the columns of X and, last, of y.
    random_state : int, RandomState instance or None, default=None
        Draws orderings, and is that of the default density.

    Attributes
    ----------
    estimator_ : estimator
        The fitted density, of the columns of X and y.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, if all are strings.

    See Also
    --------
    MADEDensity.conditional : The distribution of any column given the others.

    Examples
    --------
    >>> import numpy as np
    >>> from skmade import MADEDensity, MADERegressor
    >>> rng = np.random.RandomState(0)
    >>> X = rng.uniform(-1, 1, size=(500, 1))
    >>> y = 4 * X[:, 0] + 0.5 * rng.normal(size=500)
    >>> model = MADERegressor(MADEDensity(n_estimators=2, random_state=0)).fit(X, y)
    >>> model.predict([[-0.5], [0.5]]).round(0)
    array([-2.,  2.])
    >>> low, high = model.predict_quantiles([[0.0]], [0.05, 0.95])[0]
    >>> bool(low < -0.5 and high > 0.5)
    True
    """

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, **fit_params):
        """Learn the joint density of X and y.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows; NaN and None are missing cells.
        y : array-like of shape (n_samples,)
            A number for each row.
        **fit_params : dict
            Passed to the density's `fit`, such as `sample_weight`.

        Returns
        -------
        self : MADERegressor
            The fitted regressor.
        """
        y = _check_y(column_or_1d(y, warn=True), estimator=self, y_numeric=True)
        return self._fit_joint(X, y.astype(np.float64), "auto", fit_params)

    def predict(self, X, return_std=False):
        """Return the mean of y given each row of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        return_std : bool, default=False
            Whether to return standard deviations, too.

        Returns
        -------
        mean : ndarray of shape (n_samples,)
            Conditional means.
        std : ndarray of shape (n_samples,)
            Only with `return_std`. It includes the thin tail of every conditional, about a
            twentieth of the spread of y: quantiles tell the width of narrow distributions.
        """

        def moments(given):
            mean = given.mean()
            return np.column_stack([mean, given.std() if return_std else mean])

        mean, std = self._predicted(X, moments).T
        return (mean, std) if return_std else mean

    def predict_quantiles(self, X, quantiles=(0.1, 0.5, 0.9)):
        """Return quantiles of y given each row of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        quantiles : array-like of shape (n_quantiles,), default=(0.1, 0.5, 0.9)
            Probabilities.

        Returns
        -------
        values : ndarray of shape (n_samples, n_quantiles)
            In the order of `quantiles`.
        """
        levels = np.atleast_2d(np.asarray(quantiles, dtype=np.float64))
        return self._predicted(X, lambda given: given.ppf(levels))


class MADEClassifier(ClassifierMixin, _Predictor):
    """The probabilities of labels y given X, from the joint density of both (Bayes' rule).

    Members have y last in their orderings, and the mean of what they say of y given X is the
    prediction. In `MADEDensity.conditional` each counts by what it says of X, which predicts
    less well. X may have labels and missing cells, in `fit` and after.

    Parameters
    ----------
    estimator : MADEDensity or None, default=None
        The density; None is ``MADEDensity()`` with this `random_state`.
        An `ordering` of 'random' is drawn so that y is last; any other has the positions of
        the columns of X and, last, of y.
    random_state : int, RandomState instance or None, default=None
        Draws orderings, and is that of the default density.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    estimator_ : estimator
        The fitted density, of the columns of X and y, whose labels are positions in `classes_`.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, if all are strings.

    See Also
    --------
    MADEDensity.conditional : The distribution of any column given the others.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmade import MADEClassifier, MADEDensity
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MADEClassifier(MADEDensity(n_estimators=2, random_state=0)).fit(X, y)
    >>> bool(model.score(X, y) > 0.9)
    True
    >>> X[0, 2:] = float("nan")
    >>> model.predict(X[:1])
    array([0])
    """

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, **fit_params):
        """Learn the joint density of X and y.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows; NaN and None are missing cells.
        y : array-like of shape (n_samples,)
            A label for each row.
        **fit_params : dict
            Passed to the density's `fit`, such as `sample_weight`.

        Returns
        -------
        self : MADEClassifier
            The fitted classifier.
        """
        y = _check_y(column_or_1d(y, warn=True), estimator=self)
        check_classification_targets(y)
        classes = np.unique(y[_counting(fit_params.get("sample_weight"), y)])
        if len(classes) == 1:
            counting = " with a positive sample_weight" if len(set(y)) > 1 else ""
            raise ValueError(
                f"y has one class, {classes[0]}, in all rows{counting}. A classifier needs "
                "rows of two classes or more."
            )
        kind = "binary" if len(classes) == 2 else "categorical"
        # Rows that do not count have any code.
        codes = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
        self._fit_joint(X, codes.astype(np.float64), kind, fit_params)
        self.classes_ = classes
        return self

    def predict_proba(self, X):
        """Probability of each label given each row of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        return self._predicted(X, lambda given: given.probabilities())

    def predict_log_proba(self, X):
        """Log-probability of each label given each row of X, in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        return self._predicted(X, lambda given: given.log_probabilities())

    def predict(self, X):
        """Most probable label given each row of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Of `classes_`.
        """
        check_is_fitted(self)
        return self.classes_[self.predict_log_proba(X).argmax(axis=1)]


def _counting(sample_weight, y):
    """Return which rows count: weight zero leaves a row out, with its label."""
    if sample_weight is None:
        return np.ones(len(y), dtype=bool)
    return _check_sample_weight(sample_weight, y) > 0


def _rows_of(estimator, X, reset):
    """Return rows as a DataFrame of narwhals, or an array, after scikit-learn's checks."""
    X = collected(X)
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        if holds_times(np.asarray(X)):
            raise TypeError(
                "X is an array of dates or durations, beside which y has no place: pass "
                "pandas.DataFrame(X)."
            )
        frame = X = check_array(X, dtype=None, ensure_all_finite=False, estimator=estimator)
    elif len(frame) == 0:
        raise ValueError("Found array with 0 sample(s): X has no rows.")
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    return frame


def _names_of(frame):
    """Return the names of the columns, if the rows have any."""
    return list(frame.columns) if isinstance(frame, nw.DataFrame) else None


def _new_name(names):
    """Return a name for the column of y that no column of X has; its position in an array."""
    if names is None:
        return None
    if names and all(isinstance(name, int) for name in names):
        return max(names) + 1
    if not all(isinstance(name, str) for name in names):
        raise TypeError(
            "The columns of X must be named by text, or by integers, for y to join them, got "
            f"{names[0]!r}. Set X.columns to X.columns.astype(str)."
        )
    name = "y"
    while name in names:
        name += "_"
    return name


def _with_column(frame, values, name):
    """Return rows with one more column, as the density takes them."""
    if not isinstance(frame, nw.DataFrame):
        return np.column_stack([frame, values])
    native = frame.to_native()
    if frame.implementation.is_pandas():  # whose names need not be text
        rows = native.copy(deep=False)
        rows.insert(rows.shape[1], name, values)
        return rows
    column = nw.new_series(name, values, backend=frame.implementation)
    return frame.with_columns(column).to_native()


def _with_target(feature_types, kind, n_features, name):
    """Return declared types of the columns with the kind of y."""
    position = n_features if name is None else name
    if isinstance(feature_types, dict):
        return {**feature_types, position: kind}
    if isinstance(feature_types, str):
        if feature_types == "auto":
            return {position: kind}
        return [feature_types] * n_features + [kind]
    return [*feature_types, kind]
