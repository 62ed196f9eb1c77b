"""Clusters of rows: a mixture of Gaussians that share one covariance.

Its conditionals are exactly those that direct connections can hold: means are linear in the
features before, and so are the log-odds of the clusters, as in linear discriminant analysis.
It is the classical solution for tables whose rows come in groups.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Numbers of clusters to choose from.
N_CLUSTERS = (1, 2, 3, 4, 5, 6)
MAX_EM_STEPS = 60
MIN_ROWS_PER_PARAM = 2
EM_GAIN = 1e-4  # nats a row that another step has to bring

# Clusters are found in about this many rows.
MAX_CLUSTERED_ROWS = 1500


@dataclass(frozen=True)
class Clusters:
    """K clusters of one covariance."""

    shares: Floats  # (K,)
    means: Floats  # (K, D)
    covariance: Floats  # (D, D)
    chances: Floats  # (n, K), of each row to belong to each cluster
    criterion: float  # mean log-likelihood, less the Bayesian penalty for K


def find_clusters(
    values: Floats,
    share: Floats,
    n_most: int = max(N_CLUSTERS),
    n_rows: float | None = None,
) -> Clusters:
    """Choose the number of clusters by the Bayesian information criterion (Schwarz 1978).

    Parameters
    ----------
    values : (n, D)
    share : (n,), weights that sum to one
    n_most : largest number of clusters
    n_rows : how many rows these stand for; None is their effective number (Kish 1965)
    """
    n_effective = 1.0 / np.square(share).sum() if n_rows is None else n_rows
    center = share @ values
    centred = values - center
    sample = (centred * share[:, None]).T @ centred
    limit = min(n_most, n_effective / (MIN_ROWS_PER_PARAM * (values.shape[1] + 1)))
    found = []
    # Shrinkage draws the clusters' covariance toward a sphere. What is a sphere, the values
    # as they are or the cloud of all rows, is chosen too: a thin cloud is not one cluster
    # after the other only because these are rounder.
    cloud = np.asarray(np.linalg.cholesky(shrunk(sample, n_effective)), dtype=np.float64)
    for root in (np.eye(len(sample)), cloud):
        rows = _scaled(root, centred)
        for n_clusters in N_CLUSTERS:
            if n_clusters == 1 or n_clusters <= limit:
                for chances in _slices(centred, share, sample, n_clusters):
                    fitted = _fit(rows, share, chances, n_effective)
                    found.append(_moved(fitted, root, center))
    return max(found, key=lambda clusters: clusters.criterion)


def _moved(clusters: Clusters, root: Floats, center: Floats) -> Clusters:
    """Return clusters of the rows ``root @ row + center``."""
    return Clusters(
        clusters.shares,
        clusters.means @ root.T + center,
        root @ clusters.covariance @ root.T,
        clusters.chances,
        clusters.criterion - float(np.log(np.diag(root)).sum()),
    )


def _slices(
    centred: Floats, share: Floats, sample: Floats, n_clusters: int
) -> Iterator[Floats]:
    """Yield clusters to start from: equal slices across each of two principal axes."""
    if n_clusters == 1:
        yield np.ones((len(centred), 1))
        return
    _, axes = np.linalg.eigh(sample)
    for axis in axes.T[::-1][:2]:
        order = np.argsort(centred @ axis, kind="stable")
        level = np.empty(len(centred))
        level[order] = np.cumsum(share[order]) - 0.5 * share[order]
        slice_of = np.minimum((level * n_clusters).astype(np.int64), n_clusters - 1)
        yield np.eye(n_clusters)[slice_of]


def _fit(rows: Floats, share: Floats, chances: Floats, n_effective: float) -> Clusters:
    """Expectation-maximisation from the chances of rows to belong to clusters."""
    n_features = rows.shape[1]
    second = (rows * share[:, None]).T @ rows
    score = -np.inf
    for _ in range(MAX_EM_STEPS):
        shares = np.maximum(share @ chances, 1e-12)
        means = (chances * share[:, None]).T @ rows / shares[:, None]
        within = second - (means * shares[:, None]).T @ means
        covariance = shrunk(within, n_effective)
        root = np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
        scaled, centres = _scaled(root, rows), _scaled(root, means)
        square = (scaled**2).sum(axis=1)[:, None] - 2 * scaled @ centres.T
        logs = np.log(shares) - 0.5 * (square + (centres**2).sum(axis=1))
        top = logs.max(axis=1, keepdims=True)
        chances = np.exp(logs - top)
        total = chances.sum(axis=1, keepdims=True)
        chances /= total
        before, score = score, float(share @ (top + np.log(total))[:, 0])
        score -= np.log(np.diag(root)).sum() + 0.5 * n_features * np.log(2 * np.pi)
        if score - before < EM_GAIN:
            break
    penalty = 0.5 * len(shares) * (n_features + 1) * np.log(max(n_effective, 2.0)) / n_effective
    return Clusters(shares, means, covariance, chances, float(score - penalty))


def _scaled(root: Floats, rows: Floats) -> Floats:
    """Undo a lower triangular factor: rows of covariance ``root @ root.T`` get the identity."""
    # For small matrices far faster than a triangular solver, whose threads wait for each other.
    return np.asarray(rows @ np.linalg.inv(root).T)


def shrunk(sample: Floats, n_effective: float) -> Floats:
    """Oracle approximating shrinkage toward a sphere (Chen, Wiesel, Eldar, Hero 2010).

    With many rows it is the sample covariance, with few it stays invertible.
    """
    p = len(sample)
    mean_variance = np.trace(sample) / p
    mean_square = np.square(sample).mean()
    denominator = (n_effective + 1) * (mean_square - mean_variance**2 / p)
    excess = mean_square + mean_variance**2
    shrinkage = 1.0 if denominator <= 0 else min(excess / denominator, 1.0)
    ridge = shrinkage * mean_variance + 1e-9
    return (1 - shrinkage) * sample + ridge * np.eye(p)
