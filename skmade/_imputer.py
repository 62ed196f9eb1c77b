"""`MADEImputer`: completed tables as a step of a Pipeline."""

from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context, clone
from sklearn.impute import MissingIndicator
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from ._density import STRATEGIES, MADEDensity
from ._table.frame import holes_of


class MADEImputer(TransformerMixin, BaseEstimator):
    """Missing cells filled in from the joint density of all columns.

    `fit` learns a density, from rows with missing cells too, and `transform` completes rows by
    it. It never fits again, whatever rows it gets.

    Parameters
    ----------
    estimator : estimator or None, default=None
        The density, an estimator with ``fit`` and ``impute``; None is ``MADEDensity()`` with
        this `random_state`.
    strategy : {'sample', 'mean', 'median'}, default='sample'
        'sample' draws the missing cells of a row together, given its other cells; 'mean' and
        'median' are those of a number given the other cells, and of a label the most probable
        one. Draws vary as the column does, and make relations between columns neither stronger
        nor weaker. Means and medians are nearer to the missing cells on average.
    add_indicator : bool, default=False
        Whether columns follow that tell, of each column with missing cells in fit, where cells
        were missing (:class:`sklearn.impute.MissingIndicator`).
    random_state : int, RandomState instance or None, default=None
        Source of the draws of `transform`, and of the default density's training. With a number
        a row is completed alike at each call and whatever rows are beside it, and equal rows of
        a table each on their own (:meth:`MADEDensity.impute`); None gives other draws at each
        call.

    Attributes
    ----------
    estimator_ : estimator
        The fitted density.
    indicator_ : MissingIndicator or None
        What tells where cells were missing; None without `add_indicator`.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns seen in `fit`, if all are strings.

    See Also
    --------
    MADEDensity.impute : The same by a fitted density.
    sklearn.impute.IterativeImputer : Columns by a regression on all others, in turn.

    References
    ----------
    .. [1] D. B. Rubin (1987). Multiple Imputation for Nonresponse in Surveys. Wiley.

    Examples
    --------
    >>> import numpy as np
    >>> from skmade import MADEImputer
    >>> rng = np.random.RandomState(0)
    >>> a = rng.normal(size=300)
    >>> X = np.c_[a, 2 * a + 0.1 * rng.normal(size=300)]
    >>> X[::4, 1] = np.nan
    >>> imputer = MADEImputer(strategy="median", random_state=0).fit(X)
    >>> imputer.transform([[0.5, np.nan], [-1.0, np.nan]]).round(1)
    array([[ 0.5,  1. ],
           [-1. , -2. ]])
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "impute"]), None],
        "strategy": [StrOptions(set(STRATEGIES))],
        "add_indicator": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self, estimator=None, *, strategy="sample", add_indicator=False, random_state=None
    ):
        self.estimator = estimator
        self.strategy = strategy
        self.add_indicator = add_indicator
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._density()).input_tags
        tags.transformer_tags.preserves_dtype = []
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
        if self.estimator is None:
            return MADEDensity(random_state=self.random_state)
        return self.estimator

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Learn the joint density of the rows of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows; NaN and None are missing cells.
        y : Ignored
            Not used, present by scikit-learn's convention.

        Returns
        -------
        self : MADEImputer
            The fitted imputer.
        """
        fitted = clone(self._density()).fit(X)
        indicator = None
        if self.add_indicator:
            indicator = MissingIndicator(error_on_new=False).fit(_holes(X))
        self.estimator_, self.indicator_ = fitted, indicator
        return self

    def transform(self, X):
        """Fill in the missing cells of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with missing cells; the other cells stay as they are.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features_out)
            The rows without missing cells, in the form of the table that was fitted, and where
            cells were missing, if asked for.
        """
        check_is_fitted(self)
        completed = self.estimator_.impute(X, self.strategy, self.random_state)
        if self.indicator_ is None:
            return completed
        told = self.indicator_.transform(_holes(X))
        if not hasattr(completed, "columns") and completed.dtype.kind in "mM":
            raise TypeError("add_indicator needs a DataFrame beside dates: pass one to fit.")
        if not hasattr(completed, "columns"):
            return np.hstack([completed, told])
        names = self.get_feature_names_out()[self.n_features_in_ :]
        columns = dict(zip(names, told.T, strict=True))
        if hasattr(completed, "with_columns"):  # polars
            return completed.with_columns(**columns)
        return completed.assign(**columns)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns of completed tables.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names to use where `fit` saw none; else they must be those.

        Returns
        -------
        names : ndarray of str
            The columns' names; where cells were missing, ``missingindicator_`` and the name.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        if self.indicator_ is None:
            return names
        told = [f"missingindicator_{names[own]}" for own in self.indicator_.features_]
        return np.append(names, np.array(told, dtype=object))


def _holes(X):
    """Return a table of zeros, NaN where cells are missing."""
    return np.where(holes_of(X), np.nan, 0.0)
