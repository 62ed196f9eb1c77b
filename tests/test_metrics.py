"""The scorer of densities."""

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmade.metrics import mean_log_likelihood

X = np.random.RandomState(0).normal(size=(60, 2))


def test_it_is_the_mean_whatever_score_is():
    kernel, mixture = KernelDensity().fit(X), GaussianMixture().fit(X)
    assert mean_log_likelihood(kernel, X) == pytest.approx(kernel.score(X) / 60)
    assert mean_log_likelihood(mixture, X) == pytest.approx(mixture.score(X))
    pipeline = make_pipeline(StandardScaler(), KernelDensity()).fit(X)
    assert mean_log_likelihood(pipeline, X) == pytest.approx(pipeline.score(X) / 60)


def test_it_is_a_scorer():
    grid = GridSearchCV(
        KernelDensity(), {"bandwidth": [0.01, 0.5]}, scoring=mean_log_likelihood
    )
    assert grid.fit(X).best_params_ == {"bandwidth": 0.5}
