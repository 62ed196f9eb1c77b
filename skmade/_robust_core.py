"""The core of a table: the rows that a plain density describes best.

A flexible density learns a cluster of outliers like any other rows. A Gaussian is too plain for
that. Fitted again and again to the rows that it describes best, it leaves out what is not like
most of them: the concentration steps of the fast minimum covariance determinant (Rousseeuw and
Van Driessen 1999, theorem 1), from all rows on. Labels count by their frequencies.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing, indexable

from ._input import counted, read_new_table
from ._table.encoding import Table, standardise
from ._table.learning import described_rows, learn_table

Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]

# The steps converge, mostly after fewer.
MAX_STEPS = 20

# In no direction is the Gaussian of standardised values narrower: columns that say nearly the
# same would make rounding errors look like outliers.
MIN_DEVIATION = 0.1

# Sweeps over the missing cells: each column in turn, given the others.
N_SWEEPS = 10

# The rows that describe a large table are drawn once and for all.
SEED = 0


def find_core(reader: Any, X: Any, weight: Floats, share: float) -> Booleans:
    """Return which rows of X (n,) are its core: at least this share of the weight.

    Parameters
    ----------
    reader : the density whose parameters say how a table is read
    X : table of n rows
    weight : (n,), rows of weight zero are not there
    share : of the weight
    """
    there = np.flatnonzero(weight)
    rows = X if len(there) == len(weight) else _safe_indexing(indexable(X)[0], there)
    weight, n_rows = counted(weight[there]), len(weight)
    new = read_new_table(copy.copy(reader), rows, None, weight)
    surveyed, numbers, read = new.survey, new.numbers, new.numbers.__getitem__
    n_levels = new.layout.n_levels
    table = learn_table(read, weight, surveyed, new.kinds, n_levels, SEED, shaped=False)
    drawn = described_rows(surveyed, SEED)
    chosen = slice(None) if drawn is None else drawn
    own, cells = weight[chosen], standardise(table, numbers[chosen])
    plain, _ = concentrated(cells, own, share, partial(PlainDensity.of, table=table))
    scores = [plain.scores(standardise(table, chunk)) for _, chunk in numbers.chunks()]
    core = np.zeros(n_rows, dtype=bool)
    core[there] = best(np.concatenate(scores), weight, share)
    return core


def concentrated(
    cells: Floats, weight: Floats, share: float, fit: Callable[..., "PlainDensity"]
) -> tuple["PlainDensity", Booleans]:
    """Fit cells (n, D) again and again to the share that the last fit describes best.

    Returns the last fit, and which rows it is of.
    """
    plain, inside = fit(cells, weight), np.ones(len(cells), dtype=bool)
    for _ in range(MAX_STEPS if share < 1 else 0):
        before, inside = inside, best(plain.scores(cells), weight, share)
        plain = fit(cells[inside], weight[inside])
        if (inside == before).all():
            break
    return plain, inside


def best(scores: Floats, weight: Floats, share: float) -> Booleans:
    """Return which rows have the highest scores, and at least this share of the weight."""
    least = np.quantile(scores, 1 - share, weights=weight, method="inverted_cdf")
    return np.asarray(scores >= least)


@dataclass(frozen=True)
class PlainDensity:
    """A Gaussian of the numbers times frequencies of the labels, up to a constant factor.

    Missing numbers are taken for the most likely ones, and missing labels cost nothing.
    """

    numeric: Booleans  # (D,)
    center: Floats  # (n_numeric,)
    whiten: Floats  # (n_numeric, n_numeric), to uncorrelated numbers of variance one
    log_frequencies: list[Floats]  # of the labels of each other column

    @classmethod
    def of(cls, cells: Floats, weight: Floats, table: Table) -> "PlainDensity":
        """Fit it to cells (n, D): standardised numbers and codes of labels."""
        frequencies = [
            _log_frequencies(cells[:, column], weight, table.n_labels[column])
            for column in np.flatnonzero(~table.numeric)
        ]
        gaussian = cls.of_numbers(cells[:, table.numeric], weight)
        return replace(gaussian, numeric=table.numeric, log_frequencies=frequencies)

    @classmethod
    def of_numbers(cls, numbers: Floats, weight: Floats) -> "PlainDensity":
        """Fit it to standardised numbers (n, n_numeric) alone."""
        center, covariance = _moments(numbers, weight)
        variances, axes = np.linalg.eigh(covariance)
        variances = np.maximum(variances, 0) + MIN_DEVIATION**2
        all_numbers = np.ones(numbers.shape[1], dtype=bool)
        return cls(all_numbers, center, (axes / np.sqrt(variances)).T, [])

    def scores(self, cells: Floats) -> Floats:
        """Log-density of rows (n, D), up to a constant."""
        centred = self._completed(cells[:, self.numeric] - self.center)
        scores = -0.5 * np.square(centred @ self.whiten.T).sum(axis=1)
        for codes, logs in zip(cells[:, ~self.numeric].T, self.log_frequencies, strict=True):
            seen = ~np.isnan(codes)
            scores[seen] += logs[codes[seen].astype(np.int64)]
        return np.asarray(scores)

    def completed(self, numbers: Floats) -> Floats:
        """Put the most likely numbers in place of missing ones."""
        if not np.isnan(numbers).any():
            return numbers
        return self._completed(numbers - self.center) + self.center

    def _completed(self, centred: Floats) -> Floats:
        """Put the most likely numbers in place of missing ones, coordinate by coordinate."""
        holes = np.isnan(centred)
        filled = np.where(holes, 0.0, centred)
        precision = self.whiten.T @ self.whiten
        missing_in = [(j, np.flatnonzero(holes[:, j])) for j in range(holes.shape[1])]
        for _ in range(N_SWEEPS if holes.any() else 0):
            for column, rows in missing_in:
                slope = filled[rows] @ precision[column]
                filled[rows, column] -= slope / precision[column, column]
        return filled


def _moments(numbers: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Means, and covariances of the rows that have both numbers of a pair."""
    share, seen = weight[:, None] / weight.sum(), ~np.isnan(numbers)
    least = np.finfo(np.float64).tiny
    center = np.nansum(share * numbers, axis=0) / np.maximum((share * seen).sum(axis=0), least)
    centred = np.where(seen, numbers - center, 0.0)
    have_both = (share * seen).T @ seen
    return center, ((share * centred).T @ centred) / np.maximum(have_both, least)


def _log_frequencies(codes: Floats, weight: Floats, n_labels: int) -> Floats:
    """Log-frequency of each label, of which each is seen half a time more."""
    seen = ~np.isnan(codes)
    counts = np.bincount(codes[seen].astype(np.int64), weight[seen], n_labels) + 0.5
    return np.asarray(np.log(counts / counts.sum()))
