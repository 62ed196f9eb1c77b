"""Clusters of rows: a mixture of Gaussians that share one covariance.

Its conditionals are exactly those that direct connections can hold: means are linear in the
features before, and so are the log-odds of the clusters, as in linear discriminant analysis.
It is the classical solution for tables whose rows come in groups.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
    found = _single(sample, centred, share, n_effective, center)
    limit = most_clusters(values.shape[1], n_most, n_effective)
    numbers = [n for n in N_CLUSTERS if 1 < n <= limit]
    if not numbers:
        return max(found, key=_criterion)
    # Shrinkage draws the clusters' covariance toward a sphere. What is a sphere, the values
    # as they are or the cloud of all rows, is chosen too: a thin cloud is not one cluster
    # after the other only because these are rounder.
    cloud = np.linalg.cholesky(shrunk(sample, n_effective))
    roots = np.stack([np.eye(len(sample)), cloud])
    rows = centred @ np.linalg.inv(roots).transpose(0, 2, 1)
    _, axes = np.linalg.eigh(sample)
    for n_clusters in numbers:
        starts = np.stack(list(_slices(centred @ axes[:, :-3:-1], share, n_clusters)))
        for fitted, root in _fit(rows, share, starts, n_effective):
            found.append(_moved(fitted, roots[root], center))
    return max(found, key=_criterion)


def most_clusters(n_features: int, n_most: int, n_effective: float) -> float:
    """Return how many clusters rows can tell of: each takes some rows for each parameter."""
    return min(n_most, n_effective / (MIN_ROWS_PER_PARAM * (n_features + 1)))


def _criterion(clusters: Clusters) -> float:
    return clusters.criterion


def _single(
    sample: Floats, centred: Floats, share: Floats, n_effective: float, center: Floats
) -> list[Clusters]:
    """Return all rows as one cluster, its covariance shrunk toward either of the spheres.

    They have the same principal axes, and variances along these tell the likelihood.
    """
    own = np.zeros(len(sample))
    rows = centred * np.sqrt(share)[:, None]
    # Of few rows the products with each other have the same variances, but for zeros.
    small = sample if len(rows) > len(sample) else rows @ rows.T
    own[: len(small)] = np.maximum(np.linalg.eigvalsh(small), 0.0)
    sphere, spread = np.eye(len(sample)), np.ones(len(sample))
    penalty = _penalty(1, len(sample), n_effective)
    found = []
    for _ in range(2):
        ratio, p = own / spread, len(own)
        kept, ridge = _shrinkage(ratio.mean(), ratio @ ratio / p**2, p, n_effective)
        sphere, spread = kept * sample + ridge * sphere, kept * own + ridge * spread
        score = -0.5 * float((np.log(2 * np.pi * spread) + own / spread).sum())
        everyone = np.ones((len(share), 1))
        found.append(Clusters(np.ones(1), center[None], sphere, everyone, score - penalty))
    return found


def _moved(clusters: Clusters, root: Floats, center: Floats) -> Clusters:
    """Return clusters of the rows ``root @ row + center``."""
    return Clusters(
        clusters.shares,
        clusters.means @ root.T + center,
        root @ clusters.covariance @ root.T,
        clusters.chances,
        clusters.criterion - float(np.log(np.diag(root)).sum()),
    )


def _slices(along: Floats, share: Floats, n_clusters: int) -> Iterator[Floats]:
    """Yield clusters to start from: equal slices across each of some axes."""
    for column in along.T:
        order = np.argsort(column, kind="stable")
        level = np.empty(len(column))
        level[order] = np.cumsum(share[order]) - 0.5 * share[order]
        slice_of = np.minimum((level * n_clusters).astype(np.int64), n_clusters - 1)
        yield (slice_of == np.arange(n_clusters)[:, None]).astype(np.float64)


def _fit(
    rows: Floats, share: Floats, starts: Floats, n_effective: float
) -> Iterator[tuple[Clusters, int]]:
    """Expectation-maximisation of rows in several forms (F, n, D) from chances (S, K, n).

    All at once, as steps of small arrays take longer to call than to compute. Yields each
    when it gains no more, and its form.
    """
    form = np.repeat(np.arange(len(rows)), len(starts))
    chances, rows = np.tile(starts, (len(rows), 1, 1)), rows[form]
    second = rows.transpose(0, 2, 1) @ (rows * share[:, None])
    penalty = _penalty(starts.shape[1], rows.shape[2], n_effective)
    score = np.full(len(rows), -np.inf)
    for step in range(MAX_EM_STEPS):
        before = score
        shares, means, covariance, chances, score = _em_step(
            rows, share, second, chances, n_effective
        )
        done = (score - before < EM_GAIN) | (step == MAX_EM_STEPS - 1)
        for run in np.flatnonzero(done):
            parts = shares[run], means[run], covariance[run], chances[run].T
            yield Clusters(*parts, float(score[run] - penalty)), int(form[run])
        if done.all():
            return
        if done.any():
            rows, second, chances = rows[~done], second[~done], chances[~done]
            score, form = score[~done], form[~done]


def _em_step(
    rows: Floats, share: Floats, second: Floats, chances: Floats, n_effective: float
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return shares, means, covariances, chances and scores of several runs (R, ...)."""
    weight = chances * share
    shares = np.maximum(weight.sum(axis=2), 1e-12)
    means = weight @ rows / shares[..., None]
    within = second - (means * shares[..., None]).transpose(0, 2, 1) @ means
    covariance = shrunk(within, n_effective)
    root = np.linalg.cholesky(covariance)
    # For small matrices far faster than a triangular solver, whose threads wait for each other.
    inverse = np.linalg.inv(root)
    centres = means @ inverse.transpose(0, 2, 1)
    # Of the squared distance to a centre, what all clusters share is in the score alone.
    logs = (centres @ inverse) @ rows.transpose(0, 2, 1)
    logs += (np.log(shares) - 0.5 * (centres**2).sum(axis=2))[..., None]
    top = logs.max(axis=1)
    logs -= top[:, None]
    chances = np.exp(logs, out=logs)
    total = chances.sum(axis=1)
    chances /= total[:, None]
    squares = ((inverse @ second) * inverse).sum(axis=(1, 2))
    volume = np.log(2 * np.pi * np.diagonal(root, axis1=1, axis2=2) ** 2).sum(axis=1)
    score = (top + np.log(total)) @ share - 0.5 * (squares + volume)
    return shares, means, covariance, chances, score


def _penalty(n_clusters: int, n_features: int, n_effective: float) -> float:
    """Return the Bayesian penalty of a row for shares and means."""
    return float(
        0.5 * n_clusters * (n_features + 1) * np.log(max(n_effective, 2.0)) / n_effective
    )


def shrunk(sample: Floats, n_effective: float) -> Floats:
    """Oracle approximating shrinkage toward a sphere (Chen, Wiesel, Eldar, Hero 2010).

    With many rows it is the sample covariance (..., D, D), with few it stays invertible.
    """
    p = sample.shape[-1]
    mean_variance = np.einsum("...ii->...", sample) / p
    kept, ridge = _shrinkage(
        mean_variance, np.square(sample).mean(axis=(-2, -1)), p, n_effective
    )
    return np.asarray(kept[..., None, None] * sample + ridge[..., None, None] * np.eye(p))


def _shrinkage(
    mean_variance: Any, mean_square: Any, n_features: int, n_effective: float
) -> tuple[Floats, Floats]:
    """Return the share of a covariance to keep, and the variance of the sphere to add."""
    excess = mean_square + mean_variance**2
    surplus = (n_effective + 1) * (mean_square - mean_variance**2 / n_features)
    shrinkage = excess / np.maximum(np.maximum(surplus, excess), np.finfo(np.float64).tiny)
    return 1 - shrinkage, shrinkage * mean_variance + 1e-9
