"""What MADEDensity is compared with: tuned classical estimators, flows, vines, circuits.

Each function fits standardised rows and returns something with `score_samples`. Flows are of
zuko, vine copulas of pyvinecopulib, circuits and continuous mixtures of SPFlow; a peer whose
package is not installed is left out (`is_installed`).
"""

import contextlib
import copy
import importlib.util
import io
import math
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity

# The flows: as wide as MADEDensity, three transforms, stopped early on a tenth.
HIDDEN = (128, 128)
N_TRANSFORMS = 3
LEARNING_RATE = 1e-3
MAX_BATCH = 256
PATIENCE = 30
MAX_EPOCHS = 1000

# What folds choose from. Where columns nearly depend on others, variances are as small as
# 1e-7, and a floor of 1e-4 or a broad kernel would be a handicap: the candidates are finer.
BANDWIDTHS = np.geomspace(0.03, 1.5, 15)
FINE_BANDWIDTHS = np.geomspace(0.003, 1.5, 15)
MIXTURES = [
    {"covariance_type": ["full"], "n_components": [1, 2, 3, 5, 8, 12, 20]},
    {"covariance_type": ["diag"], "n_components": [2, 5, 10, 20, 40]},
]
FINE_MIXTURES = [
    {
        "covariance_type": ["full"],
        "n_components": [1, 2, 3, 5, 8, 12, 20, 30, 40, 50, 60],
        "reg_covar": [1e-8, 1e-6, 1e-4],
    }
]

# The smallest positive float. A vine copula gives density zero to rows outside the grid on
# which a margin was estimated; they count as this, since a mean with log 0 says nothing.
LOG_SMALLEST = float(np.log(np.nextafter(0, 1)))


def tuned_kde(train, seed, bandwidths=BANDWIDTHS):
    """KernelDensity with the best of 15 bandwidths by five folds."""
    grid = {"bandwidth": bandwidths}
    return GridSearchCV(KernelDensity(), grid, cv=5).fit(train).best_estimator_


def tuned_gmm(train, seed, grid=MIXTURES):
    """GaussianMixture with the best number and kind of components by three folds."""
    mixture = GaussianMixture(reg_covar=1e-4, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # A fold of fewer rows than components is no candidate.
        warnings.filterwarnings("ignore", message="\\s*\\d+ fits failed")
        warnings.filterwarnings("ignore", message="One or more of the test scores")
        return GridSearchCV(mixture, grid, cv=3).fit(train).best_estimator_


def zuko_maf(train, seed):
    """Masked autoregressive flow (Papamakarios et al. 2017)."""
    return Flow("MAF", train, seed)


def zuko_nsf(train, seed):
    """Neural spline flow (Durkan et al. 2019)."""
    return Flow("NSF", train, seed)


class Flow:
    """A flow of zuko, trained with Adam and stopped on a tenth of the rows."""

    def __init__(self, name, train, seed, max_epochs=MAX_EPOCHS):
        import torch
        import zuko

        torch.manual_seed(seed)
        shuffled = np.random.default_rng(seed).permutation(len(train))
        rows = torch.from_numpy(train[shuffled]).float()
        n_valid = math.ceil(len(rows) / 10)
        valid, rows = rows[:n_valid], rows[n_valid:]
        self.flow = getattr(zuko.flows, name)(
            features=train.shape[1], transforms=N_TRANSFORMS, hidden_features=HIDDEN
        )
        self.flow.load_state_dict(self._train(rows, valid, max_epochs))

    def _train(self, rows, valid, max_epochs):
        """Return the weights of the epoch that scores best on the held-out rows."""
        import torch

        optimizer = torch.optim.Adam(self.flow.parameters(), lr=LEARNING_RATE)
        size = min(MAX_BATCH, max(32, len(rows) // 20))
        best, best_loss, waited = copy.deepcopy(self.flow.state_dict()), math.inf, 0
        for _ in range(max_epochs):
            for batch in torch.randperm(len(rows)).split(size):
                loss = -self.flow().log_prob(rows[batch]).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            with torch.no_grad():
                loss = -self.flow().log_prob(valid).mean().item()
            if loss < best_loss:
                best, best_loss, waited = copy.deepcopy(self.flow.state_dict()), loss, 0
            else:
                waited += 1
            if waited == PATIENCE:
                break
        return best

    def score_samples(self, X):
        """Log-density of each row."""
        import torch

        with torch.no_grad():
            return self.flow().log_prob(torch.from_numpy(X).float()).double().numpy()

    def sample(self, n_samples):
        """Draw rows."""
        import torch

        with torch.no_grad():
            return self.flow().sample((n_samples,)).double().numpy()


class VineCopula:
    """Kernel densities of the columns, joined by a vine copula: all pair families, defaults.

    `Vinedist` of pyvinecopulib is the product of the margins' densities (`Kde1d`) and the
    copula's (`Vinecop`, whose pair copulas are chosen by AIC from all families, parametric
    or not).
    """

    def __init__(self, train, seed):
        from pyvinecopulib import Vinedist

        self.density = Vinedist.from_data(train)

    def score_samples(self, X):
        """Log-density of each row, that of the smallest positive float for density zero."""
        logs = self.density.logpdf(X)
        return np.where(np.isneginf(logs), LOG_SMALLEST, logs)


def spflow_spn(train, seed):
    """Sum-product network with Gaussian leaves, its structure learned (LearnSPN), defaults."""
    import torch
    from spflow.interfaces.sklearn import SPFlowDensityEstimator

    torch.manual_seed(seed)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints each clustering
        return SPFlowDensityEstimator(dtype="float64").fit(train)


class ContinuousMixture:
    """Continuous mixture of Gaussian rows (Correia et al. 2023) of SPFlow, defaults.

    It is stopped on a tenth of the rows, as the flows are.
    """

    def __init__(self, train, seed):
        import torch
        from spflow.zoo.cms import learn_continuous_mixture_factorized

        torch.manual_seed(seed)
        shuffled = np.random.default_rng(seed).permutation(len(train))
        rows = torch.from_numpy(train[shuffled])
        n_valid = math.ceil(len(rows) / 10)
        self.mixture = learn_continuous_mixture_factorized(
            rows[n_valid:],
            leaf="normal",
            dtype=torch.float64,
            val_data=rows[:n_valid],
            seed=seed,
        )

    def score_samples(self, X):
        """Log-density of each row."""
        import torch

        with torch.no_grad():
            return self.mixture.log_likelihood(torch.from_numpy(X)).numpy().reshape(len(X))


PEERS = {
    "KernelDensity": tuned_kde,
    "GaussianMixture": tuned_gmm,
    "zuko MAF": zuko_maf,
    "zuko NSF": zuko_nsf,
    "vine copula": VineCopula,
    "SPFlow SPN": spflow_spn,
    "SPFlow mixture": ContinuousMixture,
}
# Candidates of the peers that are tuned, where columns nearly depend on others.
FINE = {
    "KernelDensity": {"bandwidths": FINE_BANDWIDTHS},
    "GaussianMixture": {"grid": FINE_MIXTURES},
}
PACKAGES = {
    "zuko MAF": "zuko",
    "zuko NSF": "zuko",
    "vine copula": "pyvinecopulib",
    "SPFlow SPN": "spflow",
    "SPFlow mixture": "spflow",
}


def fit_peer(name, split, seed):
    """Fit a peer to the training rows, tuned more finely where columns nearly depend."""
    settings = FINE.get(name, {}) if split.nearly_dependent else {}
    return PEERS[name](split.train, seed, **settings)


def is_installed(name):
    """Whether a method can be run; say what to install if it cannot."""
    package = PACKAGES.get(name)
    if package is None or importlib.util.find_spec(package):
        return True
    print(f"{name} is left out: it needs {package} (pip install {package})", flush=True)
    return False
