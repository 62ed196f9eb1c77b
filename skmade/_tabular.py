"""What a fitted density answers: scores and their parts, draws and completions."""

import warnings
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_scalar
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ._dask.answers import impute_blocks, score_blocks
from ._dask.partitions import is_blocked
from ._input import (
    by_blocks,
    fitted_ensemble,
    private_random_state,
    read_fitted,
    read_given,
    read_table,
    working_bytes,
)
from ._prediction.drawing import complete, draw, draw_given
from ._prediction.scoring import feature_log_density, log_density
from ._table.frame import extended, open_table, to_numbers
from ._table.rebuild import to_table

# Draws are called few when less than this many, or this share of those asked for, are
# effective.
MIN_EFFECTIVE, MIN_EFFECTIVE_SHARE = 50, 0.1

# A row is completed from few draws when less than this many are effective.
MIN_EFFECTIVE_OF_ROW = 5

ADVICE = (
    "Fit with order_agnostic=True, which can put any columns first, or with an `ordering` "
    "that puts these first."
)


class TabularMixin:
    """What a fitted `MADEDensity` answers about rows."""

    _state: dict[str, Any]
    n_features_in_: int

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_state")

    def score_samples(self, X):
        """Log-density of each row, in nats.

        A density may exceed one, so its logarithm may be positive. Continuous columns
        contribute densities in the units of X, the others probabilities, and a missing
        cell nothing: the score is the log-density of the cells that are there.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            Natural logarithm of the density, finite for every finite row. For a table of
            dask it is an array of dask, block by block, and so are the other answers.
        """
        if is_blocked(X):
            return score_blocks(self, X, "score_samples")
        ensemble, numbers = read_fitted(self, X)
        return by_blocks(log_density, ensemble, numbers)

    def score(self, X, y=None, sample_weight=None):
        """Total log-likelihood of the rows, in nats, as `KernelDensity.score`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.
        y : None
            Ignored; here for the API.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.

        Returns
        -------
        log_likelihood : float
            Sum of `score_samples`; `skmade.metrics.mean_log_likelihood` is the mean.
        """
        scores = self.score_samples(X)
        if sample_weight is not None:
            scores = np.asarray(scores)  # of blocks too, whose rows may not be counted yet
            scores *= _check_sample_weight(sample_weight, scores, ensure_non_negative=True)
        return float(scores.sum())

    def score_features(self, X):
        """Each column's part of the log-density of each row, in nats.

        The part is the log-probability of the cell given the columns before it in the
        ordering. Of members and masks it is averaged by their probability given the row;
        what the average density has beyond that is spread evenly over the row's cells.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        parts : ndarray of shape (n_samples, n_features)
            Parts that sum to `score_samples`; 0 for a missing cell.
        """
        if is_blocked(X):
            check_is_fitted(self)
            return score_blocks(self, X, "score_features", (self.n_features_in_,))
        ensemble, numbers = read_fitted(self, X)
        return by_blocks(feature_log_density, ensemble, numbers)

    def sample(self, n_samples=1, random_state=None, given=None):
        """Draw rows from the density, column by column in the order of the members.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Source of the draws; None gives different rows at each call.
        given : dict or array-like of shape (n_features,), default=None
            Cells that every row shall have, as {column: value} (position, without names)
            or as one row with NaN for the rest. The rest is drawn given these cells:
            exactly where orderings put them first, as `order_agnostic` members can, and
            otherwise from weighted draws, with a warning if few of them fit.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            Drawn rows, in the form of the table that was fitted.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skmade import MADEDensity
        >>> X = load_iris(as_frame=True).data
        >>> density = MADEDensity(n_estimators=1, order_agnostic=True, random_state=0).fit(X)
        >>> rows = density.sample(3, random_state=0, given={"petal length (cm)": 5.0})
        >>> rows["petal length (cm)"].tolist()
        [5.0, 5.0, 5.0]
        """
        ensemble, layout = fitted_ensemble(self)
        n_samples = int(check_scalar(n_samples, "n_samples", Integral, min_val=1))
        rng = private_random_state(random_state)
        if given is None:
            return to_table(layout, draw(ensemble, n_samples, rng))
        row = read_given(self, given, layout, ensemble.table)
        numbers, n_effective = draw_given(ensemble, row, n_samples, rng)
        if n_effective < max(MIN_EFFECTIVE, MIN_EFFECTIVE_SHARE * n_samples):
            warnings.warn(
                f"Only about {n_effective:.0f} different draws fit the given cells. {ADVICE}",
                UserWarning,
                stacklevel=2,
            )
        drawn = np.broadcast_to(np.isnan(row), numbers.shape)
        return to_table(layout, np.where(drawn, numbers, row), drawn)

    def impute(self, X, strategy="sample", random_state=None):
        """Fill in the missing cells of rows from the density given their other cells.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with missing cells (NaN, None).
        strategy : {'sample', 'mean'}, default='sample'
            'sample' draws the missing cells of a row together; 'mean' takes the
            conditional mean of a number and the most probable label.
        random_state : int, RandomState instance or None, default=None
            Source of the draws; None gives different cells at each call.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            The rows without missing cells, in the form of the table that was fitted.
            Integer columns of a DataFrame stay integers, in a table of dask those that
            are integers in it too, counts, and zeros and ones.

        Examples
        --------
        >>> import numpy as np
        >>> from skmade import MADEDensity
        >>> a = np.random.RandomState(0).normal(size=200)
        >>> density = MADEDensity(n_estimators=2, random_state=0).fit(np.c_[a, 2 * a])
        >>> density.impute([[0.5, np.nan]], strategy="mean").round(1)
        array([[0.5, 1. ]])
        """
        ensemble, layout = fitted_ensemble(self)
        if strategy not in ("sample", "mean"):
            raise ValueError(f"strategy must be 'sample' or 'mean', got {strategy!r}.")
        if is_blocked(X):
            return impute_blocks(self, X, strategy, random_state)
        rng = private_random_state(random_state) if strategy == "sample" else None
        rows, unknown = read_table(self, X, layout, ensemble.table)
        numbers = rows[:]
        filled, n_effective = complete(ensemble, numbers, rng, working_bytes())
        few = int((n_effective < MIN_EFFECTIVE_OF_ROW).sum())
        if few:
            warnings.warn(
                f"The missing cells of {few} rows were filled in from less than "
                f"{MIN_EFFECTIVE_OF_ROW} effective draws. {ADVICE}",
                UserWarning,
                stacklevel=2,
            )
        if unknown:  # labels that fit did not see stay as they are
            layout = extended(layout, unknown)
            filled = np.where(np.isnan(numbers), filled, to_numbers(layout, open_table(X)))
        is_pandas = layout.container == "pandas" and hasattr(X, "iloc")
        index = X.index if is_pandas else None
        completed = to_table(layout, filled, np.isnan(numbers), index)
        # Columns without holes are the user's own: integers beyond 2**53 are no floats.
        for position in np.flatnonzero(~np.isnan(numbers).any(axis=0)) if is_pandas else ():
            if X.dtypes.iloc[position] == completed.dtypes.iloc[position]:
                completed.isetitem(position, X.iloc[:, position].copy())
        return completed
