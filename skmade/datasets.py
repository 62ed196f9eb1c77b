"""Distributions whose log-density is known, to learn from and to compare with.

Each has ``sample(n_samples, random_state)`` and ``score_samples(X)``, as a fitted density
estimator has.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ive, logsumexp

Floats = NDArray[np.float64]
Seed = int | np.random.RandomState | None


def _random_state(seed: Seed) -> np.random.RandomState:
    return seed if isinstance(seed, np.random.RandomState) else np.random.RandomState(seed)


@dataclass(frozen=True)
class CorrelatedGaussian:
    """A Gaussian whose neighbouring columns are correlated, as an AR(1) process.

    Parameters
    ----------
    n_features : int, default=5
        Number of columns.
    correlation : float, default=0.8
        Correlation of neighbouring columns, in (-1, 1).

    Examples
    --------
    >>> from skmade.datasets import CorrelatedGaussian
    >>> gaussian = CorrelatedGaussian(n_features=2)
    >>> X = gaussian.sample(100, random_state=0)
    >>> gaussian.score_samples(X).shape
    (100,)
    """

    n_features: int = 5
    correlation: float = 0.8

    @property
    def covariance(self) -> Floats:
        """Covariance matrix of shape (n_features, n_features), with unit variances."""
        lag = np.abs(np.subtract.outer(np.arange(self.n_features), np.arange(self.n_features)))
        return np.asarray(float(self.correlation) ** lag)

    def sample(self, n_samples: int = 1, random_state: Seed = None) -> Floats:
        """Draw rows.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState or None, default=None
            Source of the draws.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Drawn rows.
        """
        noise = _random_state(random_state).normal(size=(n_samples, self.n_features))
        return noise @ np.linalg.cholesky(self.covariance).T

    def score_samples(self, X: Floats) -> Floats:
        """Log-density of each row, in nats.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            Natural logarithm of the density.
        """
        root = np.linalg.cholesky(self.covariance)
        whitened = np.linalg.solve(root, np.asarray(X).T)
        log_volume = np.log(np.diag(root)).sum() + 0.5 * self.n_features * np.log(2 * np.pi)
        return np.asarray(-0.5 * np.square(whitened).sum(axis=0) - log_volume)


@dataclass(frozen=True)
class TwoMoons:
    """Two interleaving half circles of radius one with Gaussian noise.

    Parameters
    ----------
    noise : float, default=0.1
        Standard deviation of the noise in each column.

    Examples
    --------
    >>> from skmade.datasets import TwoMoons
    >>> TwoMoons().sample(3, random_state=0).shape
    (3, 2)
    """

    noise: float = 0.1

    def _moons(self, angle: Floats) -> Floats:
        """Points at `angle` on each moon, shape (2, n, 2)."""
        upper = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        return np.stack([upper, np.array([1.0, 0.5]) - upper])

    def sample(self, n_samples: int = 1, random_state: Seed = None) -> Floats:
        """Draw rows.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState or None, default=None
            Source of the draws.

        Returns
        -------
        X : ndarray of shape (n_samples, 2)
            Drawn rows.
        """
        rng = _random_state(random_state)
        moon = rng.randint(2, size=n_samples)
        points = self._moons(rng.uniform(0, np.pi, size=n_samples))[moon, np.arange(n_samples)]
        return np.asarray(points + rng.normal(scale=self.noise, size=(n_samples, 2)))

    def score_samples(self, X: Floats) -> Floats:
        """Log-density of each row, in nats, by Gauss-Legendre quadrature along the moons.

        Parameters
        ----------
        X : ndarray of shape (n_samples, 2)
            Rows.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            Natural logarithm of the density.
        """
        # Nodes at most two thirds of the noise apart make the error negligible.
        n_nodes = max(64, int(np.ceil(8 / self.noise)))
        nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
        centres = self._moons(0.5 * np.pi * (nodes + 1)).reshape(-1, 2)
        shares = np.tile(0.25 * weights, 2)  # both moons, and weights that sum to two
        squares = np.square(np.asarray(X)[:, None] - centres).sum(axis=-1)
        logs = -0.5 * squares / self.noise**2
        return np.asarray(logsumexp(logs, axis=1, b=shares) - np.log(2 * np.pi * self.noise**2))


@dataclass(frozen=True)
class Ring:
    """A circle around the origin with Gaussian noise.

    Parameters
    ----------
    radius : float, default=2.0
        Radius of the circle.
    noise : float, default=0.2
        Standard deviation of the noise in each column.

    Examples
    --------
    >>> from skmade.datasets import Ring
    >>> Ring().sample(3, random_state=0).shape
    (3, 2)
    """

    radius: float = 2.0
    noise: float = 0.2

    def sample(self, n_samples: int = 1, random_state: Seed = None) -> Floats:
        """Draw rows.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState or None, default=None
            Source of the draws.

        Returns
        -------
        X : ndarray of shape (n_samples, 2)
            Drawn rows.
        """
        rng = _random_state(random_state)
        angle = rng.uniform(0, 2 * np.pi, size=n_samples)
        circle = self.radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return np.asarray(circle + rng.normal(scale=self.noise, size=(n_samples, 2)))

    def score_samples(self, X: Floats) -> Floats:
        """Log-density of each row, in nats (a Bessel function, in closed form).

        Parameters
        ----------
        X : ndarray of shape (n_samples, 2)
            Rows.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            Natural logarithm of the density.
        """
        distance = np.hypot(*np.asarray(X).T)
        variance = self.noise**2
        # ive is the Bessel function scaled by exp(-argument), which keeps it finite.
        bessel = np.log(ive(0, distance * self.radius / variance))
        gap = -0.5 * (distance - self.radius) ** 2 / variance
        return np.asarray(gap + bessel - np.log(2 * np.pi * variance))


@dataclass(frozen=True)
class ThreeGaussians:
    """An equal mixture of three Gaussians in two columns, each of another shape.

    Examples
    --------
    >>> from skmade.datasets import ThreeGaussians
    >>> ThreeGaussians().sample(3, random_state=0).shape
    (3, 2)
    """

    @property
    def _parts(self) -> list[tuple[Floats, Floats]]:
        """Mean and covariance root of each component."""
        return [
            (np.array([-2.0, 0.0]), np.array([[0.5, 0.0], [0.4, 0.3]])),
            (np.array([2.0, 1.0]), np.array([[0.8, 0.0], [-0.6, 0.3]])),
            (np.array([0.0, -2.0]), np.array([[0.3, 0.0], [0.0, 0.6]])),
        ]

    def sample(self, n_samples: int = 1, random_state: Seed = None) -> Floats:
        """Draw rows.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState or None, default=None
            Source of the draws.

        Returns
        -------
        X : ndarray of shape (n_samples, 2)
            Drawn rows.
        """
        rng = _random_state(random_state)
        component = rng.randint(3, size=n_samples)
        means, roots = (np.stack(part)[component] for part in zip(*self._parts, strict=True))
        noise = rng.normal(size=(n_samples, 2))
        return np.asarray(means + np.einsum("nij,nj->ni", roots, noise))

    def score_samples(self, X: Floats) -> Floats:
        """Log-density of each row, in nats.

        Parameters
        ----------
        X : ndarray of shape (n_samples, 2)
            Rows.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            Natural logarithm of the density.
        """
        logs = []
        for mean, root in self._parts:
            whitened = np.linalg.solve(root, (np.asarray(X) - mean).T)
            log_volume = np.log(np.diag(root)).sum() + np.log(2 * np.pi)
            logs.append(-0.5 * np.square(whitened).sum(axis=0) - log_volume)
        return np.asarray(logsumexp(logs, axis=0) - np.log(3))
