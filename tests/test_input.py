"""Ensembles are kept from call to call beside the estimator, and never in its state."""

import copy
import gc
import pickle
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmade._input import _ENSEMBLES, fitted_ensemble
from skmade._prediction import prepared
from skmade._prediction.prepared import scorer
from skmade.datasets import CorrelatedGaussian
from tests.configurations import quick

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = CorrelatedGaussian(3).sample(200, random_state=0)
HOLED = np.where(np.random.RandomState(0).random_sample(X.shape) < 0.3, np.nan, X)


def fitted(**parameters):
    options = {"n_estimators": 2, "max_iter": 2, "order_agnostic": True, "n_masks": 2}
    return quick(**{**options, **parameters}).fit(X)


def use(density):
    """Use weights in every way there is."""
    return [
        density.score_samples(X),
        density.score_samples(HOLED),
        density.score_features(X),
        density.sample(20, random_state=0),
        density.sample(20, random_state=0, given={0: 0.5}),
        density.impute(HOLED, random_state=0),
    ]


def assert_same(results, expected):
    for result, other in zip(results, expected, strict=True):
        assert_array_equal(result, other)


def test_weights_are_prepared_once(monkeypatch):
    calls, prepare = [], prepared.prepare

    def counting(*arguments):
        calls.append(arguments)
        return prepare(*arguments)

    monkeypatch.setattr(prepared, "prepare", counting)
    density = fitted()
    density.score_samples(X)
    assert len(calls) == 4  # of two members with two masks each
    density.sample(50, random_state=0)
    assert len(calls) == 8
    density.score_samples(X[:3])
    density.sample(50, random_state=1)
    assert len(calls) == 8
    assert fitted_ensemble(density)[0] is fitted_ensemble(density)[0]


def test_answers_do_not_depend_on_whether_there_is_memory_for_weights(monkeypatch):
    expected = use(fitted())
    monkeypatch.setattr(prepared, "MAX_PREPARED_BYTES", 0)
    assert_same(use(fitted()), expected)


def test_prediction_leaves_the_estimator_as_it_was():
    density = fitted()
    before, pickled = dict(vars(density)), pickle.dumps(density)
    use(density)
    assert list(vars(density)) == list(before)
    assert all(vars(density)[name] is value for name, value in before.items())
    assert pickle.dumps(density) == pickled


def test_a_refit_is_not_scored_with_the_old_weights():
    density = fitted()
    before = density.score_samples(X)
    density.set_params(max_iter=4).fit(X + 1)
    fresh = quick(**density.get_params()).fit(X + 1)
    assert (density.score_samples(X) != before).all()
    assert_same(use(density), use(fresh))


def test_training_that_goes_on_is_not_scored_with_the_old_weights():
    density, fresh = (quick(max_iter=2) for _ in range(2))
    for _ in range(3):
        density.partial_fit(X)
        before = density.score_samples(X)
        density.partial_fit(X + 0.1)
        assert (density.score_samples(X) != before).any()
        fresh.partial_fit(X).partial_fit(X + 0.1)
    assert_array_equal(density.score_samples(X), fresh.score_samples(X))


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))]
)
def test_copies_have_weights_of_their_own(duplicate):
    density = fitted()
    expected = use(density)
    other = duplicate(density)
    assert_same(use(other), expected)
    density.fit(X + 1)
    assert_same(use(other), expected)
    other.fit(X + 2)
    assert_same(use(density), use(fitted().fit(X + 1)))


def test_prepared_weights_go_away_with_the_estimator():
    gc.collect()
    n_before, density = len(_ENSEMBLES), fitted()
    use(density)
    assert len(_ENSEMBLES) == n_before + 1
    ensemble = weakref.ref(fitted_ensemble(density)[0])
    walk = weakref.ref(scorer(ensemble(), 0))
    del density
    gc.collect()
    assert len(_ENSEMBLES) == n_before
    assert ensemble() is None
    assert walk() is None


def test_old_weights_go_away_with_a_refit():
    density = fitted()
    use(density)
    walk = weakref.ref(scorer(fitted_ensemble(density)[0], 0))
    density.fit(X)
    density.score_samples(X)
    gc.collect()
    assert walk() is None


@pytest.mark.slow
def test_threads_that_score_a_fresh_estimator_at_once_get_the_serial_answer():
    expected = use(fitted())
    for _ in range(5):
        density, together = fitted(), Barrier(4)

        def score(_, density=density, together=together):
            together.wait()
            return use(density)

        with ThreadPoolExecutor(4) as pool:
            for results in pool.map(score, range(4)):
                for result, other in zip(results, expected, strict=True):
                    assert_allclose(result, other, rtol=1e-12)


def test_a_saved_density_scores_and_draws_without_torch(tmp_path):
    density = quick(feature_types={0: "count"}).fit(np.arange(40).reshape(20, 2) % 7)
    joblib.dump(density, tmp_path / "density.joblib")
    code = (
        "import joblib, sys\n"
        f"density = joblib.load({str(tmp_path / 'density.joblib')!r})\n"
        "density.score_samples([[1, 2]])\n"
        "density.sample(2)\n"
        "density.impute([[1, float('nan')]])\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
