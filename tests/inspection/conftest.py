"""Fitted densities that the tests of the displays share, and rows to show."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

from skmade.datasets import CorrelatedGaussian
from tests.configurations import quick

mpl.use("agg")
import matplotlib.pyplot as plt

GAUSSIAN = CorrelatedGaussian(3)
X = GAUSSIAN.sample(200, random_state=0)
TEST = GAUSSIAN.sample(150, random_state=1)


class Scorer:
    """A density that does nothing but score."""

    def score_samples(self, rows):
        """Score like a Gaussian."""
        return GAUSSIAN.score_samples(rows)


@pytest.fixture(autouse=True)
def _close_figures():
    """Close what a test has drawn."""
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def made():
    """Return a fitted MADEDensity of three columns."""
    return quick(max_iter=20, n_components=1).fit(X)


@pytest.fixture(scope="session")
def others():
    """Return fitted densities of scikit-learn."""
    return {
        "KernelDensity": KernelDensity(bandwidth=0.4).fit(X),
        "GaussianMixture": GaussianMixture(random_state=0).fit(X),
    }


@pytest.fixture(params=["MADEDensity", "KernelDensity", "GaussianMixture"])
def density(request, made, others):
    """Return a fitted density of each kind."""
    return made if request.param == "MADEDensity" else others[request.param]


@pytest.fixture(scope="session")
def mixed():
    """Return a DataFrame of numbers, labels, counts and truths, with missing cells."""
    rng = np.random.RandomState(0)
    colour = rng.choice(["blue", "green", "red"], size=150, p=[0.5, 0.3, 0.2])
    table = pd.DataFrame(
        {
            "size": np.where(colour == "red", 4.0, 0.0) + rng.normal(size=150),
            "colour": pd.Categorical(colour),
            "n": rng.poisson(2, size=150),
            "new": rng.random_sample(150) < 0.3,
        },
        index=np.arange(150) + 7,
    )
    table.loc[7::10, "size"] = np.nan
    table.loc[8::10, "colour"] = None
    return table


@pytest.fixture(scope="session")
def mixed_made(mixed):
    """Return a density of the mixed table."""
    return quick(max_iter=20, feature_types={"n": "count"}).fit(mixed)
