"""How far single columns and pairs of columns of two tables differ, from 0 to 1."""

from typing import NamedTuple

import numpy as np

from ._tables import Column, Floats, with_finite_sums

# Numbers beside labels are cut into so many bins, as SDMetrics does.
N_BINS = 10

# Means of Kolmogorov's distribution, and of the size of a standard normal number.
KOLMOGOROV_MEAN, NORMAL_MEAN = np.sqrt(np.pi / 2) * np.log(2), np.sqrt(2 / np.pi)


class Difference(NamedTuple):
    """How far two tables differ, and how far tables of one distribution would on average."""

    value: float
    chance: float


def column_difference(column: Column) -> Difference:
    """Return how far the distributions of a column differ, of the cells that are there.

    It is the statistic of Kolmogorov and Smirnov for numbers, and the total variation of the
    shares of labels.
    """
    one, other = (cells[~np.isnan(cells)] for cells in column.cells)
    if not len(one) or not len(other):
        return _without_cells(one, other)
    if column.labels is not None:
        return _total_variation(one, other)
    value = _largest_gap(np.sort(one), np.sort(other))
    chance = float(KOLMOGOROV_MEAN * _error(one, other))
    # Few values that recur leave less to chance: the statistic is never above the variation.
    return Difference(value, min(chance, _total_variation(one, other).chance))


def pair_difference(one: Column, other: Column) -> Difference:
    """Return how far two tables differ in what two columns have to do with each other.

    It is half of the difference of the correlations of numbers, and the total variation of the
    shares of pairs of labels; numbers beside labels are cut into bins. Rows in which a cell is
    missing do not count.
    """
    real, drawn = (_complete(a, b) for a, b in zip(one.cells, other.cells, strict=True))
    if not len(real[0]) or not len(drawn[0]):
        return _without_cells(real[0], drawn[0])
    if one.labels is None and other.labels is None:
        first, second = _correlation(*real), _correlation(*drawn)
        error = (1 - ((first + second) / 2) ** 2) * _error(real[0], drawn[0])
        return Difference(abs(first - second) / 2, float(NORMAL_MEAN * error / 2))
    codes = [
        (a, b) if column.labels is not None else _binned(a, b)
        for column, a, b in zip((one, other), real, drawn, strict=True)
    ]
    width = 1 + max(cells.max() for cells in codes[1])
    return _total_variation(*(width * a + b for a, b in zip(*codes, strict=True)))


def _without_cells(one: Floats, other: Floats) -> Difference:
    """Return the difference if a column has no cells: all, unless both have none."""
    return Difference(float(len(one) != len(other)), 0.0)


def _complete(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """Return two columns of one table in the rows in which both have cells."""
    kept = ~np.isnan(one) & ~np.isnan(other)
    return one[kept], other[kept]


def _error(one: Floats, other: Floats) -> float:
    """Return the standard error of the difference of means of unit variance."""
    return float(np.sqrt(1 / len(one) + 1 / len(other)))


def _largest_gap(one: Floats, other: Floats) -> float:
    """Return how far the shares of numbers up to any are apart; both are in order."""
    ends = np.concatenate([one, other])
    shares = [np.searchsorted(own, ends, side="right") / len(own) for own in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def _total_variation(one: Floats, other: Floats) -> Difference:
    """Return half of the sum of differences of the shares that codes have in two tables."""
    codes, places = np.unique(np.concatenate([one, other]), return_inverse=True)
    counts = [np.bincount(own, minlength=len(codes)) for own in np.split(places, [len(one)])]
    first, second = counts[0] / len(one), counts[1] / len(other)
    shares = (counts[0] + counts[1]) / len(places)
    chance = NORMAL_MEAN * np.sqrt(shares * (1 - shares)).sum() * _error(one, other) / 2
    return Difference(float(np.abs(first - second).sum() / 2), min(float(chance), 1.0))


def _correlation(one: Floats, other: Floats) -> float:
    """Return the correlation of two columns, zero if one is constant."""
    return float(np.mean(_standardised(one) * _standardised(other)))


def _standardised(cells: Floats) -> Floats:
    """Return cells less their mean over their deviation, zero if they are all the same."""
    if cells.min() == cells.max():
        return np.zeros(len(cells))
    scaled = cells / np.abs(cells).max()  # the squares of huge numbers are infinite
    return np.asarray((scaled - scaled.mean()) / scaled.std())


def _binned(real: Floats, drawn: Floats) -> tuple[Floats, Floats]:
    """Return numbers as the bins of equal width in which they lie; the outermost are open."""
    real, drawn = with_finite_sums((real, drawn))
    inner = np.linspace(real.min(), real.max(), N_BINS + 1)[1:-1]
    return np.digitize(real, inner).astype(float), np.digitize(drawn, inner).astype(float)
