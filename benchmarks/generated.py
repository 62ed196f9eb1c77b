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
