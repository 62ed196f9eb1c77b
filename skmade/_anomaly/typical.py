"""What is typical of cells that are missing, so that rows with and without them compare.

The density of fewer columns has other units than that of all, and what depends on a missing
cell is less certain without it. So a missing cell counts as much as it typically would.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .._input import working_bytes
from .._network.ensemble import Ensemble
from .._prediction.scoring import by_chunks, feature_log_density
from .._robust_core import PlainDensity
from .._table.numbers import Numbers
from .coordinates import Coordinates

Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]

# Log-probabilities that are typical are those of so many rows.
N_TYPICAL = 500

# A Gaussian expects this of its log-density in one dimension, less the log of its deviation.
AT_ONE = -0.5 * (1 + math.log(2 * math.pi))


@dataclass(frozen=True)
class TypicalCells:
    """Log-probabilities that cells typically have, given those before them and all others.

    The Gaussian tells the one from the other: it expects half of the log-determinant of its
    precision for some cells given all others.
    """

    given_before: Floats  # (D,), of the features, in the members' orderings
    of_gaussian: Floats  # (D,), what the Gaussian expects of them; zero of labels
    precision: Floats  # (D, D), of the numbers; of a label one that makes it expect zero

    @classmethod
    def of(
        cls,
        ensemble: Ensemble,
        numbers: Numbers,
        coordinates: Coordinates | None = None,
        gaussian: PlainDensity | None = None,
    ) -> Self:
        """Learn them from some rows, and a Gaussian of all coordinates, if there is one."""
        few = numbers.only(np.arange(min(len(numbers), N_TYPICAL)))
        parts = by_chunks(feature_log_density, ensemble, few, working_bytes())
        parts[np.isnan(few[:])] = np.nan
        parts[:, np.isnan(parts).all(axis=0)] = 0.0
        n_features = numbers.n_features
        expected, precision = np.zeros(n_features), np.exp(-2 * AT_ONE) * np.eye(n_features)
        if coordinates is not None and gaussian is not None:
            number = np.isnan(coordinates.codes)
            own, among = coordinates.columns[number], gaussian.whiten.T @ gaussian.whiten
            expected[own] = _given_before(ensemble, coordinates, among)[number]
            precision[np.ix_(own, own)] = among[np.ix_(number, number)]
        return cls(np.nanmedian(parts, axis=0), expected, precision)

    def of_missing(self, missing: Booleans) -> Floats:
        """Log-probability that missing cells (n, D) typically have given the others, (n,)."""
        found = missing @ (self.given_before - self.of_gaussian)
        rows = np.flatnonzero(missing.any(axis=1))
        patterns, place = np.unique(missing[rows], axis=0, return_inverse=True)
        for k, own in enumerate(patterns):
            log_det = np.linalg.slogdet(self.precision[np.ix_(own, own)])[1]
            found[rows[place.ravel() == k]] += 0.5 * log_det + AT_ONE * own.sum()
        return np.asarray(found)


def _given_before(ensemble: Ensemble, coordinates: Coordinates, precision: Floats) -> Floats:
    """Log-densities (C,) that a Gaussian expects of coordinates given those before them.

    They are means over the orderings of the members.
    """
    covariance, ranks = np.linalg.inv(precision), ensemble.ranks[:, 0]
    found = np.empty((len(ranks), len(coordinates.columns)))
    for own, rank in zip(found, ranks, strict=True):
        order = np.argsort(rank[coordinates.columns], kind="stable")
        deviations = np.diag(np.linalg.cholesky(covariance[np.ix_(order, order)]))
        own[order] = AT_ONE - np.log(deviations)
    return np.asarray(found.mean(axis=0))
