"""A mixture of Gaussians, each of a covariance of its own.

It is found by expectation maximisation, one component after the other: of the components so
far the one with most to explain is split across its longest axis. The Bayesian information
criterion (Schwarz 1978) says when to stop. Nothing is random, and weights of rows count as
rows.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)

MAX_EM_STEPS, EM_GAIN = 200, 1e-4

# Components that follow one another without a better criterion, before no more are tried.
MAX_IN_VAIN = 3

# Rows that a component takes for each column, at least.
MIN_ROWS_A_COLUMN = 2

# How steep the border is along which a component is split, in standard deviations.
STEEPNESS = 4.0


class Gaussians(NamedTuple):
    """K Gaussians."""

    shares: Floats  # (K,)
    means: Floats  # (K, D)
    covariances: Floats  # (K, D, D)
    criterion: float  # mean log-likelihood, less the Bayesian penalty


def find_gaussians(
    values: Floats, share: Floats, n_most: int, floor: Any, n_rows: float | None = None
) -> Gaussians:
    """Return the best mixture of at most so many Gaussians.

    Parameters
    ----------
    values : (n, D)
    share : (n,), weights that sum to one
    n_most : largest number of components
    floor : (D,), of standard deviations
    n_rows : how many rows these stand for; None is their effective number (Kish 1965)
    """
    n_effective, n_features = n_rows or 1 / np.square(share).sum(), values.shape[1]
    n_most = min(n_most, int(n_effective / (MIN_ROWS_A_COLUMN * (n_features + 1))))
    chances, ridge = np.ones((len(values), 1)), np.square(floor) * np.ones(n_features)
    best, in_vain = None, 0
    while True:
        found, chances = _likeliest(values, share, chances, ridge, n_effective)
        if best is None or found.criterion > best.criterion:
            best, in_vain = found, 0
        else:
            in_vain += 1
        if len(found.shares) >= n_most or in_vain == MAX_IN_VAIN:
            return best
        chances = _split(values, found, chances)


def _likeliest(
    values: Floats, share: Floats, chances: Floats, ridge: Floats, n_effective: float
) -> tuple[Gaussians, Floats]:
    """Maximise the likelihood from chances (n, K) of rows to belong to components."""
    before = -np.inf
    for _ in range(MAX_EM_STEPS):
        weight = (share[:, None] * chances).T
        shares = np.maximum(weight.sum(axis=1), 1e-12)
        means = weight @ values / shares[:, None]
        centred = values - means[:, None]
        covariances = (centred * weight[:, :, None]).transpose(0, 2, 1) @ centred
        covariances = covariances / shares[:, None, None] + np.diag(ridge)
        inverse = np.linalg.inv(np.linalg.cholesky(covariances))
        logs = -0.5 * np.square(centred @ inverse.transpose(0, 2, 1)).sum(axis=2)
        volume = np.log(np.diagonal(inverse, axis1=1, axis2=2)).sum(axis=1)
        logs += (np.log(shares) + volume - HALF_LOG_2PI * values.shape[1])[:, None]
        top = logs.max(axis=0)
        chances = np.exp(logs - top)
        total = chances.sum(axis=0)
        chances = (chances / total).T
        score = float(share @ (top + np.log(total)))
        if score - before < EM_GAIN:
            break
        before = score
    criterion = score - _penalty(len(means), values.shape[1], n_effective)
    return Gaussians(shares, means, covariances, criterion), chances


def _penalty(n_components: int, n_features: int, n_effective: float) -> float:
    """Return the Bayesian penalty of a row for shares, means and covariances."""
    each = 1 + n_features + n_features * (n_features + 1) / 2
    return float(0.5 * (n_components * each - 1) * np.log(n_effective) / n_effective)


def _split(values: Floats, found: Gaussians, chances: Floats) -> Floats:
    """Split the component with most variance along an axis, times its share; chances follow."""
    variances, axes = np.linalg.eigh(found.covariances)
    chosen = int(np.argmax(found.shares * variances[:, -1]))
    along = (values - found.means[chosen]) @ axes[chosen, :, -1]
    upper = 1 / (1 + np.exp(-STEEPNESS * along / np.sqrt(variances[chosen, -1])))
    own = chances[:, chosen]
    rest = np.delete(chances, chosen, axis=1)
    return np.column_stack([rest, own * upper, own * (1 - upper)])
