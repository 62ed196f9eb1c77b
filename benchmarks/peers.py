"""What MADEDensity is compared with: tuned classical estimators, and flows of zuko.

Each function fits standardised rows and returns something with `score_samples`.
"""

import copy
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


def tuned_kde(train, seed):
    """KernelDensity with the best of 15 bandwidths by five folds."""
    grid = {"bandwidth": np.geomspace(0.03, 1.5, 15)}
    return GridSearchCV(KernelDensity(), grid, cv=5).fit(train).best_estimator_


def tuned_gmm(train, seed):
    """GaussianMixture with the best number and kind of components by three folds."""
    grid = [
        {"covariance_type": ["full"], "n_components": [1, 2, 3, 5, 8, 12, 20]},
        {"covariance_type": ["diag"], "n_components": [2, 5, 10, 20, 40]},
    ]
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


PEERS = {
    "KernelDensity": tuned_kde,
    "GaussianMixture": tuned_gmm,
    "zuko MAF": zuko_maf,
    "zuko NSF": zuko_nsf,
}
