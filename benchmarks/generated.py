"""Generated tables whose columns nearly depend on one another.

Each has `sample`, as the generators of skmade.datasets have, but no known density. A few
latent numbers decide all columns but for noise of about a thousandth of their spread, so that
most of the log-likelihood is in how narrow a density gets without failing elsewhere.
"""

import numpy as np


class LatentSines:
    """Three normals, and eight linear functions of them with a little of their sines."""

    def __init__(self):
        rng = np.random.RandomState(0)
        self.linear, self.inner = rng.normal(size=(2, 3, 8))

    def sample(self, n_samples, random_state):
        """Draw rows."""
        rng = np.random.RandomState(random_state)
        z = rng.normal(size=(n_samples, 3))
        noise = 0.001 * rng.normal(size=(n_samples, 8))
        return np.hstack([z, z @ self.linear + 0.01 * np.sin(2 * z @ self.inner) + noise])


class Products:
    """Products and ratios of three lognormal numbers, with noise of 0.1 % of the value."""

    # A column each, and the powers of the three numbers.
    powers = np.array(
        [
            [1, 0, 0],
            [1, 1, 0],
            [0, 1, 1],
            [1, 1, 1],
            [1, -1, 0],
            [0, 1, -1],
            [-1, 0, 1],
            [1, 1, -1],
        ]
    )

    def sample(self, n_samples, random_state):
        """Draw rows."""
        rng = np.random.RandomState(random_state)
        logs = 0.5 * rng.normal(size=(n_samples, 3)) @ self.powers.T
        return np.exp(logs + 0.001 * rng.normal(size=logs.shape))


class Curve:
    """A smooth curve in ten columns, with noise of a thousandth of its size."""

    def __init__(self):
        rng = np.random.RandomState(0)
        self.frequency, self.phase = rng.uniform(2, 8, 10), rng.uniform(0, 2 * np.pi, 10)

    def sample(self, n_samples, random_state):
        """Draw rows."""
        rng = np.random.RandomState(random_state)
        place = rng.uniform(size=(n_samples, 1))
        noise = 0.001 * rng.normal(size=(n_samples, 10))
        return np.sin(self.frequency * place + self.phase) + noise


NEARLY_DEPENDENT = {"latent-sines": LatentSines(), "products": Products(), "curve": Curve()}


def anomalies(kind, n_normal=1500, n_odd=150):
    """Return rows of which the last are anomalies of a kind, and which those are."""
    rng = np.random.RandomState(0)
    X = (
        rng.normal(size=(n_normal, 8))
        @ np.linalg.cholesky(np.corrcoef(rng.normal(size=(8, 8))) + 0.1 * np.eye(8)).T
    )
    if kind == "clusters":
        centers = 3 * rng.normal(size=(5, 8))
        spreads = rng.choice([0.3, 1], size=(n_normal, 1))
        X = centers[rng.randint(5, size=n_normal)] + spreads * rng.normal(size=X.shape)
    elif kind == "dependencies":
        X[:, 1] = np.sin(2 * X[:, 0]) + 0.1 * rng.normal(size=n_normal)
        X[:, 3] = X[:, 2] ** 2 + 0.3 * rng.normal(size=n_normal)
    elif kind == "spikes":
        X = np.exp(X)
    elif kind == "local":
        centers, spreads = 4 * rng.normal(size=(6, 8)), np.array([0.2, 0.4, 0.7, 1, 1.5, 2])
        group = rng.randint(6, size=n_normal + n_odd)
        far = np.repeat([1, 2.2], [n_normal, n_odd])
        noise = (far * spreads[group])[:, None] * rng.normal(size=(len(group), 8))
        return centers[group] + noise, far > 1
    elif kind == "wide":
        hidden = rng.normal(size=(n_normal, 6)) @ rng.normal(size=(6, 60))
        X = np.tanh(hidden / 2) * rng.uniform(0.2, 2, 60) + 0.3 * rng.normal(size=hidden.shape)
        X = np.maximum(X, 0)
    odd = X[:n_odd].copy()
    shuffled = np.stack([rng.permutation(column)[:n_odd] for column in X.T], axis=1)
    if kind in ("clusters", "global"):
        odd = rng.uniform(X.min(axis=0), X.max(axis=0), size=odd.shape)
    elif kind == "dependencies":
        odd = shuffled
    elif kind == "spikes":
        odd[np.arange(n_odd), rng.randint(8, size=n_odd)] *= 8
    else:
        odd = np.where(rng.uniform(size=odd.shape) < 0.15, shuffled, odd)
    return np.concatenate([X, odd]), np.repeat([False, True], [n_normal, n_odd])
