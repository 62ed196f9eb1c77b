"""The scorer of densities."""

import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    cross_val_score,
    cross_validate,
)
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmade import MADEDensity, MADEOutlierDetector
from skmade.metrics import mean_log_likelihood

pytestmark = pytest.mark.filterwarnings("error")

X = np.random.RandomState(0).normal(size=(60, 2))
COUNTS = np.random.RandomState(1).randint(3, size=60)
WEIGHTS = COUNTS + 1.0
FOLDS = list(KFold(3).split(X))
BANDWIDTHS = {"bandwidth": [0.1, 1.0]}
ESTIMATORS = [
    KernelDensity(),
    GaussianMixture(),
    make_pipeline(StandardScaler(), KernelDensity()),
    MADEDensity(n_estimators=1, max_iter=1, early_stopping=False, random_state=0),
    MADEOutlierDetector(KernelDensity()),
]


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


def scores_of_folds(fit_weight=None, score_weight=None, bandwidth=1.0):
    """Return what a cross-validation of a KernelDensity ought to find."""
    fit_weight = np.ones(60) if fit_weight is None else fit_weight
    score_weight = np.ones(60) if score_weight is None else score_weight
    scores = []
    for train, test in FOLDS:
        density = KernelDensity(bandwidth=bandwidth)
        density.fit(X[train], sample_weight=fit_weight[train])
        weighted = score_weight[test] * density.score_samples(X[test])
        scores.append(weighted.sum() / score_weight[test].sum())
    return scores


def test_it_is_the_mean_whatever_score_is():
    kernel, mixture = KernelDensity().fit(X), GaussianMixture().fit(X)
    assert mean_log_likelihood(kernel, X) == pytest.approx(kernel.score(X) / 60)
    assert mean_log_likelihood(mixture, X) == pytest.approx(mixture.score(X))
    pipeline = make_pipeline(StandardScaler(), KernelDensity()).fit(X)
    assert mean_log_likelihood(pipeline, X) == pytest.approx(pipeline.score(X) / 60)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda it: type(it).__name__)
def test_a_weight_counts_rows(estimator):
    fitted = clone(estimator).fit(X)
    weighted = mean_log_likelihood(fitted, X, sample_weight=COUNTS)
    assert isinstance(weighted, float)
    assert weighted == pytest.approx(mean_log_likelihood(fitted, np.repeat(X, COUNTS, axis=0)))
    left_out = mean_log_likelihood(fitted, X[COUNTS > 0], sample_weight=COUNTS[COUNTS > 0])
    assert weighted == pytest.approx(left_out)
    assert mean_log_likelihood(fitted, X, sample_weight=0.1 * COUNTS) == pytest.approx(weighted)
    ones = mean_log_likelihood(fitted, X, sample_weight=np.ones(60))
    assert ones == pytest.approx(mean_log_likelihood(fitted, X))


class Known:
    """A density whose log-densities are the rows."""

    def score_samples(self, X):
        return np.asarray(X)


@pytest.mark.parametrize("odd", [-np.inf, np.nan])
def test_a_row_without_density_counts_if_its_weight_does(odd):
    rows = [1.0, odd, 4.0]
    assert mean_log_likelihood(Known(), rows, sample_weight=[2, 0, 1]) == pytest.approx(2)
    counted = mean_log_likelihood(Known(), rows, sample_weight=[2, 1, 1])
    np.testing.assert_equal(counted, odd)
    np.testing.assert_equal(mean_log_likelihood(Known(), rows), odd)


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        (np.zeros(60), "non-zero"),
        (-np.ones(60), "Negative"),
        (np.full(60, np.nan), "NaN"),
        (np.full(60, np.inf), "infinity"),
        (np.ones(59), r"\(59,\), expected \(60,\)"),
        (np.ones((60, 1)), "1D"),
    ],
)
def test_weights_that_are_none_are_refused(weights, problem):
    with pytest.raises(ValueError, match=problem):
        mean_log_likelihood(KernelDensity().fit(X), X, sample_weight=weights)


def test_it_is_a_scorer():
    grid = GridSearchCV(
        KernelDensity(), {"bandwidth": [0.01, 0.5]}, scoring=mean_log_likelihood
    )
    assert grid.fit(X).best_params_ == {"bandwidth": 0.5}


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize(("asked", "score_weight"), [(True, WEIGHTS), (False, None)])
def test_a_request_decides_on_weights(asked, score_weight):
    scorer = mean_log_likelihood.set_score_request(sample_weight=asked)
    density = KernelDensity().set_fit_request(sample_weight=True)
    passed, expected = {"sample_weight": WEIGHTS}, scores_of_folds(WEIGHTS, score_weight)

    found = cross_val_score(density, X, scoring=scorer, cv=FOLDS, params=passed)
    np.testing.assert_allclose(found, expected)
    found = cross_validate(density, X, scoring={"it": scorer}, cv=FOLDS, params=passed)
    np.testing.assert_allclose(found["test_it"], expected)
    search = GridSearchCV(density, {"bandwidth": [1.0]}, scoring=scorer, cv=FOLDS)
    assert search.fit(X, **passed).best_score_ == pytest.approx(np.mean(expected))


@pytest.mark.usefixtures("routing")
def test_a_search_scores_by_weights_once_fitted():
    scorer = mean_log_likelihood.set_score_request(sample_weight=True)
    search = GridSearchCV(GaussianMixture(), {}, scoring=scorer).fit(X)
    expected = mean_log_likelihood(search.best_estimator_, X, sample_weight=COUNTS)
    assert search.score(X, sample_weight=COUNTS) == expected


@pytest.mark.usefixtures("routing")
def test_weights_come_by_the_name_that_is_asked_for():
    scorer = mean_log_likelihood.set_score_request(sample_weight="counts")
    found = cross_val_score(
        KernelDensity(), X, scoring=scorer, cv=FOLDS, params={"counts": WEIGHTS}
    )
    np.testing.assert_allclose(found, scores_of_folds(score_weight=WEIGHTS))


@pytest.mark.usefixtures("routing")
def test_scores_with_and_without_weights_side_by_side():
    scoring = {
        "weighted": mean_log_likelihood.set_score_request(sample_weight=True),
        "plain": mean_log_likelihood.set_score_request(sample_weight=False),
    }
    search = GridSearchCV(GaussianMixture(), {}, scoring=scoring, refit="plain", cv=FOLDS)
    results = search.fit(X, sample_weight=COUNTS).cv_results_
    assert results["mean_test_plain"] == pytest.approx(search.best_score_)
    assert results["mean_test_weighted"] != pytest.approx(search.best_score_, abs=1e-3)


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("search", [GridSearchCV, HalvingGridSearchCV])
def test_weights_decide_which_setting_is_best(search):
    # A narrow kernel is better for most rows, and very bad for the others.
    narrow, wide = X[:48] / 100, X[48:] * 10
    rows = np.random.RandomState(0).permutation(np.r_[narrow, wide])
    weights = 1.0 * (np.abs(rows).max(axis=1) < 0.1)
    scorer = mean_log_likelihood.set_score_request(sample_weight=True)
    density = KernelDensity().set_fit_request(sample_weight=False)
    searching = search(density, BANDWIDTHS, scoring=scorer, cv=3)
    assert searching.fit(rows, sample_weight=np.ones(60)).best_params_["bandwidth"] == 1
    assert searching.fit(rows, sample_weight=weights).best_params_["bandwidth"] == 0.1


@pytest.mark.usefixtures("routing")
def test_weights_reach_a_pipeline_of_a_density_and_its_score():
    density = MADEDensity(n_estimators=1, max_iter=1, early_stopping=False, random_state=0)
    pipeline = make_pipeline(
        StandardScaler().set_fit_request(sample_weight=True),
        density.set_fit_request(sample_weight=True),
    )
    scorer = mean_log_likelihood.set_score_request(sample_weight=True)
    weighted = cross_val_score(
        pipeline, X, scoring=scorer, cv=FOLDS, params={"sample_weight": COUNTS}
    )
    for (train, test), score in zip(FOLDS, weighted, strict=True):
        fitted = clone(pipeline).fit(X[train], sample_weight=COUNTS[train])
        assert score == mean_log_likelihood(fitted, X[test], sample_weight=COUNTS[test])


@pytest.mark.usefixtures("routing")
def test_the_scorer_that_all_share_never_changes():
    mean_log_likelihood.set_score_request(sample_weight=True)
    with pytest.raises(
        UnsetMetadataPassedError, match=r"mean_log_likelihood\.set_score_request"
    ):
        cross_val_score(
            GaussianMixture(), X, scoring=mean_log_likelihood, params={"sample_weight": COUNTS}
        )
    np.testing.assert_allclose(
        cross_val_score(KernelDensity(), X, scoring=mean_log_likelihood, cv=FOLDS),
        scores_of_folds(),
    )


@pytest.mark.usefixtures("routing")
def test_requests_survive_copies():
    scorer = mean_log_likelihood.set_score_request(sample_weight=True)
    assert repr(scorer) == "mean_log_likelihood.set_score_request(sample_weight=True)"
    assert repr(mean_log_likelihood) == "mean_log_likelihood"
    for it in (scorer, mean_log_likelihood):
        for copy in (clone(it, safe=False), pickle.loads(pickle.dumps(it))):
            assert repr(copy) == repr(it)
            assert str(copy.get_metadata_routing()) == str(it.get_metadata_routing())


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("asked", ["two words", 3])
def test_what_is_no_request_is_refused(asked):
    with pytest.raises(ValueError, match="sample_weight"):
        mean_log_likelihood.set_score_request(sample_weight=asked)


def test_requests_need_routing():
    with pytest.raises(RuntimeError, match="enable_metadata_routing=True"):
        mean_log_likelihood.set_score_request(sample_weight=True)


@pytest.mark.usefixtures("routing")
def test_weights_reach_other_processes():
    search = GridSearchCV(
        KernelDensity().set_fit_request(sample_weight=True),
        BANDWIDTHS,
        scoring=mean_log_likelihood.set_score_request(sample_weight=True),
        cv=FOLDS,
        n_jobs=2,
    )
    found = search.fit(X, sample_weight=WEIGHTS).cv_results_["mean_test_score"]
    expected = [np.mean(scores_of_folds(WEIGHTS, WEIGHTS, b)) for b in BANDWIDTHS["bandwidth"]]
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("several", [False, True])
def test_without_routing_a_search_passes_weights_on(several):
    scoring = {"score": mean_log_likelihood} if several else mean_log_likelihood
    search = GridSearchCV(KernelDensity(), BANDWIDTHS, scoring=scoring, refit=False, cv=FOLDS)
    found = search.fit(X, sample_weight=WEIGHTS).cv_results_["mean_test_score"]
    expected = [np.mean(scores_of_folds(WEIGHTS, WEIGHTS, b)) for b in BANDWIDTHS["bandwidth"]]
    np.testing.assert_allclose(found, expected)


def test_without_routing_cross_validation_scores_all_rows_alike():
    passed = {"sample_weight": WEIGHTS}
    found = cross_val_score(
        KernelDensity(), X, scoring=mean_log_likelihood, cv=FOLDS, params=passed
    )
    np.testing.assert_allclose(found, scores_of_folds(WEIGHTS))
