"""What `MADEDensity.conditional` returns: distributions of one column, one for each row."""

import math
from collections.abc import Callable
from functools import cached_property
from itertools import product
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_scalar

from ._input import column_positions, fitted_ensemble, private_random_state, read_table
from ._network.special import log_sum_exp
from ._prediction.conditional import Masses, Question, masses, values_of
from ._prediction.densities import densities, log_densities
from ._table.checks import warn_far

# Combinations of labels of several columns that are enumerated.
MAX_TOGETHER = 4096


class _Distribution:
    """What distributions of labels and numbers share: n of them, one for each row."""

    name: str  # of the column, as messages call it
    _n_rows: int

    def __len__(self):
        return self._n_rows

    def __repr__(self):
        return f"<{type(self).__name__} of {self.name} in {len(self)} rows>"

    def _matrix(self, values, name):
        """Return values as (n, k), and whether there is one for each row."""
        values = np.asarray(values)
        if values.ndim < 2:
            if values.ndim == 1 and len(values) != len(self):
                raise ValueError(
                    f"{name} holds {len(values)} values for {len(self)} rows: give one for "
                    f"all, one for each, or several for all as an array of shape (1, "
                    f"{len(values)})."
                )
            return np.broadcast_to(values.reshape(-1, 1), (len(self), 1)), True
        if values.ndim > 2 or values.shape[0] not in (1, len(self)):
            raise ValueError(
                f"{name} has shape {values.shape} for {len(self)} rows: give (1, k), or "
                f"({len(self)}, k)."
            )
        return np.broadcast_to(values, (len(self), values.shape[1])), False


class _OrderedDistribution(_Distribution):
    """What distributions of numbers share, all by their quantiles."""

    ppf: Callable

    def _numbers(self, values, name, read=None):
        values, single = self._matrix(values, name)
        try:
            values = (read or self._as_floats)(values)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name} of {self.name} must be numbers: {error}") from None
        if np.isnan(values).any():
            raise ValueError(f"{name} of {self.name} holds NaN, which has no probability.")
        return values, single

    def _as_floats(self, values):
        return _floats(values)

    def _levels(self, levels):
        levels, single = self._numbers(levels, "q", _floats)
        if not ((levels >= 0) & (levels <= 1)).all():
            raise ValueError("q must hold probabilities, between 0 and 1.")
        return levels, single

    def median(self):
        """Median of each row.

        Returns
        -------
        median : ndarray of shape (n,)
        """
        return self.ppf(0.5)

    def interval(self, confidence):
        """Ends of the interval around the median with a given probability.

        Parameters
        ----------
        confidence : float
            Its probability, between 0 and 1.

        Returns
        -------
        low, high : ndarray of shape (n,)
        """
        check_scalar(confidence, "confidence", Real, min_val=0, max_val=1)
        return self.ppf((1 - confidence) / 2), self.ppf((1 + confidence) / 2)

    def rvs(self, size=None, random_state=None):
        """Draw values.

        Parameters
        ----------
        size : int or None, default=None
            Number of draws of each row; None is one, without an axis of its own.
        random_state : int, RandomState instance or None, default=None
            Source of the draws; None gives others at each call.

        Returns
        -------
        values : ndarray of shape (n,), or (n, size)
        """
        rng = private_random_state(random_state)
        levels = rng.random_sample((len(self), _n_draws(size)))
        drawn = self.ppf(levels)
        return drawn[:, 0] if size is None else drawn


class NumberDistribution(_OrderedDistribution):
    """The distribution of a column of numbers in each of n rows, given their other cells.

    Values may be one for all rows, one for each, of shape (n,), or several for each, of shape
    (n, k), or (1, k) for all. Answers have the shape of the values, (n,) for one.

    `MADEDensity.conditional` returns it; it has the names of ``scipy.stats``. A value that
    recurs in the column, an atom, has a probability of its own: `cdf` jumps there, `ppf` and
    `rvs` return it exactly, and `logpdf` is that of `score_samples`, of a narrow spike.

    Of a column of dates or durations values and answers are datetime64 or timedelta64,
    densities are per second, and `std` is in seconds.
    """

    def __init__(self, question, name, clock=None):
        self._question = question
        self._clock = clock
        self.name = name
        self._n_rows = len(question)

    @cached_property
    def _known(self):
        return densities(self._question)

    def _as_floats(self, values):
        if self._clock is None:
            return super()._as_floats(values)
        if values.dtype.kind not in "Mm":
            values = values.astype(object)
        return self._clock.seconds(values.ravel()).reshape(values.shape)

    def _as_shown(self, numbers):
        return numbers if self._clock is None else self._clock.ticks(numbers, self._clock.unit)

    def _of_parts(self, answer, values):
        """Answer for values of the rows, part by part as they are known."""
        ends = np.cumsum([len(known) for known in self._known])
        pieces = np.split(values, ends[:-1])
        pairs = zip(self._known, pieces, strict=True)
        return np.concatenate([answer(known, piece) for known, piece in pairs])

    @cached_property
    def _moments(self):
        pairs = [known.moments() for known in self._known]
        return [np.concatenate(part) for part in zip(*pairs, strict=True)]

    def logpdf(self, x):
        """Log-density at x, in nats and the units of the column.

        With the log-density of the other cells it is that of the whole row.

        Parameters
        ----------
        x : float or array-like
            Values.

        Returns
        -------
        log_density : ndarray
        """
        values, single = self._numbers(x, "x")
        found = log_densities(self._question, values, self._known)
        return found[:, 0] if single else found

    def pdf(self, x):
        """Density at x, the exponential of `logpdf`."""
        return np.exp(self.logpdf(x))

    def cdf(self, x):
        """Probability of at most x.

        Parameters
        ----------
        x : float or array-like
            Values.

        Returns
        -------
        probability : ndarray
        """
        values, single = self._numbers(x, "x")
        found = self._of_parts(type(self._known[0]).cdf, values)
        return found[:, 0] if single else found

    def ppf(self, q):
        """Quantile: the least value with a `cdf` of at least q.

        Parameters
        ----------
        q : float or array-like
            Probabilities.

        Returns
        -------
        value : ndarray
        """
        levels, single = self._levels(q)
        found = self._as_shown(self._of_parts(type(self._known[0]).quantile, levels))
        return found[:, 0] if single else found

    def mean(self):
        """Mean of each row.

        Returns
        -------
        mean : ndarray of shape (n,)
        """
        return self._as_shown(self._moments[0])

    def std(self):
        """Standard deviation of each row.

        Returns
        -------
        std : ndarray of shape (n,)
        """
        return self._moments[1]


class CountDistribution(NumberDistribution):
    """The distribution of a column of many integers in each of n rows, given their other cells.

    As `NumberDistribution`, with log-probabilities of integers.
    """

    def logpmf(self, k):
        """Log-probability of k, in nats; minus infinity between two integers.

        Parameters
        ----------
        k : float or array-like
            Values.

        Returns
        -------
        log_probability : ndarray
        """
        values, single = self._numbers(k, "k")
        logs = log_densities(self._question, np.rint(values), self._known)
        logs[values != np.rint(values)] = -np.inf
        return logs[:, 0] if single else logs

    def pmf(self, k):
        """Probability of k, the exponential of `logpmf`."""
        return np.exp(self.logpmf(k))

    logpdf = pdf = property()  # a count has probabilities


class LabelDistribution(_Distribution):
    """The distribution of a column of labels in each of n rows, given their other cells.

    Labels may be one for all rows, one for each, of shape (n,), or several for each, of shape
    (n, k), or (1, k) for all. Of two columns together a label is a pair, (n, 2) one for each.

    Attributes
    ----------
    support : ndarray of shape (n_labels,), or (n_pairs, 2)
        The labels.
    """

    def __init__(self, masses, support, name):
        self.support = support
        self.name = name
        self._masses = masses
        self._n_rows = len(masses.logs)

    def probabilities(self):
        """Probability of each label.

        Returns
        -------
        probabilities : ndarray of shape (n, n_labels)
            In the order of `support`.
        """
        return np.exp(self._masses.logs)

    def log_probabilities(self):
        """Log-probability of each label, in nats.

        Returns
        -------
        log_probabilities : ndarray of shape (n, n_labels)
            In the order of `support`.
        """
        return self._masses.logs.copy()

    def mode(self):
        """Most probable label of each row.

        Returns
        -------
        label : ndarray of shape (n,)
        """
        return self.support[self._masses.logs.argmax(axis=1)]

    def logpmf(self, k):
        """Log-probability of k, in nats; minus infinity of what cannot be.

        With the log-density of the other cells it is that of the whole row.

        Parameters
        ----------
        k : label or array-like
            Labels.

        Returns
        -------
        log_probability : ndarray
        """
        if self.support.ndim == 2:
            labels, width = np.asarray(k, dtype=object), self.support.shape[1]
            if labels.shape not in ((width,), (len(self), width)):
                raise ValueError(
                    f"k must hold {width} labels for all rows, or for each of {len(self)}, got "
                    f"shape {labels.shape}."
                )
            labels = labels.reshape(-1, 1, width)
            values, single = np.broadcast_to(labels, (len(self), 1, width)), True
        else:
            values, single = self._matrix(k, "k")
        found = np.full(values.shape[:2], -np.inf)
        for label, logs in zip(self.support, self._masses.logs.T, strict=True):
            same = values == label
            same = same.all(axis=2) if same.ndim == 3 else same
            found = np.where(same, logs[:, None], found)
        return found[:, 0] if single else found

    def pmf(self, k):
        """Probability of k, the exponential of `logpmf`."""
        return np.exp(self.logpmf(k))

    def rvs(self, size=None, random_state=None):
        """Draw labels.

        Parameters
        ----------
        size : int or None, default=None
            Number of draws of each row; None is one, without an axis of its own.
        random_state : int, RandomState instance or None, default=None
            Source of the draws; None gives others at each call.

        Returns
        -------
        labels : ndarray of shape (n,), or (n, size)
        """
        rng = private_random_state(random_state)
        levels = rng.random_sample((len(self), _n_draws(size)))
        drawn = self.support[self._places(levels)]
        return drawn[:, 0] if size is None else drawn

    @cached_property
    def _upto(self):
        upto = np.exp(self._masses.logs).cumsum(axis=1)
        return upto / upto[:, -1:]

    def _places(self, levels):
        """Return the first value whose cumulative probability is at least each level."""
        return np.stack(
            [(self._upto[:, :-1] < level[:, None]).sum(axis=1) for level in levels.T], axis=1
        )


class DiscreteDistribution(_OrderedDistribution, LabelDistribution):
    """The distribution of a column of few numbers in each of n rows, given their other cells.

    As `LabelDistribution`, with what the order of numbers adds.
    """

    rvs = _OrderedDistribution.rvs

    def cdf(self, x):
        """Probability of at most x.

        Parameters
        ----------
        x : float or array-like
            Values.

        Returns
        -------
        probability : ndarray
        """
        values, single = self._numbers(x, "x")
        upto = np.concatenate([np.zeros((len(self), 1)), self._upto], axis=1)
        found = np.take_along_axis(upto, np.searchsorted(self.support, values, "right"), axis=1)
        return found[:, 0] if single else found

    def ppf(self, q):
        """Quantile: the least value with a `cdf` of at least q.

        Parameters
        ----------
        q : float or array-like
            Probabilities.

        Returns
        -------
        value : ndarray
        """
        levels, single = self._levels(q)
        found = self.support[self._places(levels)]
        return found[:, 0] if single else found

    def mean(self):
        """Mean of each row.

        Returns
        -------
        mean : ndarray of shape (n,)
        """
        if len(self.support) == 1:  # a date, for one
            return np.repeat(self.support, len(self))
        return self.probabilities() @ self.support

    def std(self):
        """Standard deviation of each row.

        Returns
        -------
        std : ndarray of shape (n,)
        """
        if len(self.support) == 1:
            return np.zeros(len(self))
        apart = self.support - self.mean()[:, None]
        return np.sqrt((self.probabilities() * apart**2).sum(axis=1))


def _floats(values):
    """Return values as numbers."""
    return values.astype(np.float64)


def _n_draws(size):
    """Return how many values are drawn of each row."""
    return 1 if size is None else int(check_scalar(size, "size", Integral, min_val=1))


def conditional_of(estimator, X, column):
    """Return the distribution of a column, or some, of rows, given their other cells."""
    columns = column_positions(column, fitted_ensemble(estimator)[1])
    return conditional_at(estimator, X, columns, timed=True)


def conditional_at(estimator, X, columns, weighed=True, timed=False):
    """Return the distribution of columns at some positions, of rows.

    Where a column is last, members count by what they say of the other cells, or not
    `weighed`, by their shares in the density.
    """
    ensemble, layout = fitted_ensemble(estimator)
    numbers = read_table(estimator, X, layout, ensemble.table, ignored=columns).numbers[:]
    numbers = np.array(numbers, dtype=np.float64)
    warn_far(ensemble.table, numbers, layout)
    return conditional_in(ensemble, layout, numbers, columns, weighed, timed)


def conditional_in(ensemble, layout, numbers, columns, weighed=True, timed=False):
    """Return the distribution of columns at some positions, of rows of numbers.

    Of dates and durations it is one of seconds, unless they are to be `timed`.
    """
    name = " and ".join(map(layout.label, columns))
    if len(columns) > 1:
        return _of_several(ensemble, layout, numbers, columns, name)
    (column,) = columns
    clock = layout.clocks[column] if timed else None
    return _of_one(Question(ensemble, column, numbers, weighed), layout, name, clock)


def _of_one(question, layout, name, clock):
    """Return the distribution of one column."""
    table, column = question.ensemble.table, question.column
    if table.kinds[column] == "continuous" and not table.constant[column]:
        return NumberDistribution(question, name, clock)
    support = values_of(table, column)
    if support is None:
        return CountDistribution(question, name)
    found = masses(question, support)
    if layout.levels[column] is None:
        support = support if clock is None else clock.ticks(support, clock.unit)
        return DiscreteDistribution(found, support, name)
    return LabelDistribution(found, _labels(layout, column, support), name)


def _of_several(ensemble, layout, X, columns, name):
    """Return the distribution of pairs, or more, of labels."""
    numbers = [c for c in columns if ensemble.table.numeric[c]]
    if numbers or len(set(columns)) < len(columns):
        problem = f"{layout.label(numbers[0])} holds numbers" if numbers else "one comes twice"
        raise ValueError(
            f"Only columns of labels can be asked for together, but {problem}. Ask for one "
            "column, or draw rows by `sample` with the other cells given."
        )
    supports = [np.arange(float(ensemble.table.n_labels[column])) for column in columns]
    n_together = math.prod(len(support) for support in supports)
    if n_together > MAX_TOGETHER:
        raise ValueError(
            f"{name} have {n_together} combinations of labels, of which at most "
            f"{MAX_TOGETHER} are enumerated. Ask for one column."
        )
    combinations = np.array(list(product(*supports)))
    logs = np.empty((len(X), len(combinations)))
    last, place = supports[-1], 0
    for labels in product(*supports[:-1]):
        X[:, columns[:-1]] = labels
        found = masses(Question(ensemble, columns[-1], X), last)
        logs[:, place : place + len(last)] = found.log_rest[:, None] + found.logs
        place += len(last)
    logs -= log_sum_exp(logs.T)[:, None]
    named = [_labels(layout, c, own) for c, own in zip(columns, combinations.T, strict=True)]
    support = np.empty(combinations.shape, dtype=object)
    support[:] = np.array(named, dtype=object).T
    return LabelDistribution(Masses(logs, found.log_rest), support, name)


def _labels(layout, column, codes):
    """Return the user's labels of codes; numbers are their own."""
    levels = layout.levels[column]
    if levels is None:
        return codes
    labels = np.empty(len(codes), dtype=object)
    labels[:] = [levels[int(code)] for code in codes]
    plain = np.array(labels.tolist())
    return plain if plain.ndim == 1 and plain.tolist() == labels.tolist() else labels
