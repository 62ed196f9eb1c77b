"""What finds anomalies in anomaly.py: MADEOutlierDetector and detectors of scikit-learn.

Each function fits the training rows of a split and returns something with `score_samples`,
which is lower for rows that are more anomalous. ECOD is of pyod, and left out where that is not
installed.
"""

import importlib.util

import numpy as np
from peers import tuned_gmm, tuned_kde
from sklearn.base import BaseEstimator
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmade import MADEOutlierDetector

OURS = "MADEOutlierDetector"
OUR_CORE = "MADEOutlierDetector, core"

# Settings are chosen by so many rows at most: by 20000 it takes many minutes.
MAX_TUNING_ROWS = 5000
# Precision of sums over a tree of rows; exact ones take several times as long.
KDE_PRECISION = 1e-4
N_NEIGHBORS = 5


class Neighbors(NearestNeighbors):
    """The distance to the fifth of the nearest training rows, as pyod's KNN."""

    def score_samples(self, X):
        """Return the distance, negative."""
        return -self.kneighbors(X)[0][:, -1]


class DiffusionTime(NearestNeighbors):
    """The time of a diffusion at which a row would be as far away as it is from five rows.

    Livernoche et al. (ICLR 2024, DTE-NP): it grows with the mean of the squared distances.
    """

    def score_samples(self, X):
        """Return the mean, negative."""
        return -np.square(self.kneighbors(X)[0]).mean(axis=1)


class Tails(BaseEstimator):
    """The rarity of each cell in its column (Li et al. 2022, ECOD), as pyod computes it."""

    def fit(self, X, y=None):
        """Let pyod see the training rows."""
        from pyod.models.ecod import ECOD

        self.ecod_ = ECOD().fit(X)
        return self

    def score_samples(self, X):
        """Return the score of pyod, negative."""
        return -self.ecod_.decision_function(X)


def made(split, seed, **options):
    """Fit the detector with every default but these, to columns as they are recorded."""
    return MADEOutlierDetector(**options).fit(split.train)


def made_of_core(split, seed):
    """Fit the detector to the core of the rows."""
    return made(split, seed, support_fraction=0.75)


def kernel_density(train, seed):
    """Fit KernelDensity with the bandwidth that suits at most 5000 rows."""
    tuned = tuned_kde(train[:MAX_TUNING_ROWS], seed)
    return tuned.set_params(rtol=KDE_PRECISION).fit(train)


def gaussian_mixture(train, seed):
    """Fit GaussianMixture with the components that suit at most 5000 rows."""
    tuned = tuned_gmm(train[:MAX_TUNING_ROWS], seed)
    return tuned if len(train) <= MAX_TUNING_ROWS else tuned.fit(train)


def on_standardised(fit):
    """Adapt a function of standardised training rows and a seed to a split."""

    def fit_split(split, seed):
        scaler = StandardScaler().fit(split.train)
        return make_pipeline(scaler, fit(scaler.transform(split.train), seed))

    return fit_split


PEERS = {
    "KNN": on_standardised(lambda train, seed: Neighbors(n_neighbors=N_NEIGHBORS).fit(train)),
    "LOF": on_standardised(lambda train, seed: LocalOutlierFactor(novelty=True).fit(train)),
    "KernelDensity": on_standardised(kernel_density),
    "GaussianMixture": on_standardised(gaussian_mixture),
    "IsolationForest": on_standardised(
        lambda train, seed: IsolationForest(random_state=seed).fit(train)
    ),
    "MCD": on_standardised(lambda train, seed: EllipticEnvelope(random_state=seed).fit(train)),
    "DTE-NP": on_standardised(
        lambda train, seed: DiffusionTime(n_neighbors=N_NEIGHBORS).fit(train)
    ),
    "ECOD": on_standardised(lambda train, seed: Tails().fit(train)),
}
DETECTORS = {OURS: made, OUR_CORE: made_of_core, **PEERS}


def is_installed(method):
    """Whether a method can be run."""
    return method != "ECOD" or importlib.util.find_spec("pyod") is not None
