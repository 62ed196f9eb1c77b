"""MADERegressor and MADEClassifier: estimators whose predictions are conditionals."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score

from skmade import MADEClassifier, MADEDensity, MADERegressor
from tests.configurations import quick
from tests.estimator_checks import check_all

RNG = np.random.RandomState(0)
X = RNG.normal(size=(300, 3))
Y = 2 * X[:, 0] - X[:, 1] + 0.3 * RNG.normal(size=300)
LABELS = np.where(X[:, 0] + 0.3 * RNG.normal(size=300) > 0, "up", "down")
FRAME = pd.DataFrame(X, columns=["a", "b", "c"]).assign(
    kind=pd.Categorical(np.where(X[:, 2] > 0, "x", "z"))
)


def regressor(**parameters):
    return MADERegressor(quick(**{"max_iter": 20, **parameters}), random_state=0)


def classifier(**parameters):
    return MADEClassifier(quick(max_iter=20, **parameters), random_state=0)


def test_scikit_learn_agrees():
    check_all(MADERegressor(quick(max_iter=2), random_state=0))


@pytest.mark.slow  # its checks ask for accuracy, which takes some epochs
def test_scikit_learn_agrees_on_the_classifier():
    check_all(MADEClassifier(quick(max_iter=40), random_state=0))


@pytest.mark.parametrize("agnostic", [False, True])
def test_y_is_last_in_every_ordering(agnostic):
    options = {"order_agnostic": True, "n_masks": 3} if agnostic else {}
    model = regressor(n_estimators=3, max_iter=1, **options).fit(X, Y)
    assert (model.estimator_.ordering_[:, :, -1] == 3).all()
    assert len(np.unique(model.estimator_.ordering_.reshape(-1, 4), axis=0)) > 1
    first = regressor(ordering=[2, 0, 1, 3], max_iter=1).fit(X, Y)
    assert first.estimator_.ordering_[0, 0].tolist() == [2, 0, 1, 3]


def test_predictions_are_of_the_distribution():
    model = regressor(n_estimators=2).fit(X, Y)
    given = model.predict_distribution(X)
    mean, deviation = model.predict(X, return_std=True)
    assert_array_equal(mean, given.mean())
    assert_array_equal(deviation, given.std())
    assert_array_equal(model.predict(X), mean)
    quantiles = model.predict_quantiles(X, [0.25, 0.75])
    assert_allclose(given.cdf(quantiles), np.tile([0.25, 0.75], (300, 1)), atol=1e-6)
    assert model.predict_quantiles(X[:2]).shape == (2, 3)
    assert model.score(X, Y) > 0.9


def test_predictions_are_means_over_members():
    model = regressor(n_estimators=3, dropout=0.1).fit(X, Y)
    density, rows = model.estimator_, np.column_stack([X[:5], Y[:5]])
    joint = density._state["shares"]
    parts = []
    for member in range(3):
        one = pickle.loads(pickle.dumps(density))
        one._state = {**density._state, "shares": np.eye(3)[member]}
        rest = np.column_stack([X[:5], np.full(5, np.nan)])
        parts.append(np.exp(one.score_samples(rows) - one.score_samples(rest)))
    expected = np.log(joint @ np.array(parts))
    assert_allclose(model.predict_distribution(X[:5]).logpdf(Y[:5]), expected, atol=1e-6)


def test_probabilities_are_of_the_distribution():
    model = classifier(n_estimators=2).fit(X, LABELS)
    assert model.classes_.tolist() == ["down", "up"]
    found = model.predict_proba(X)
    assert_allclose(found.sum(axis=1), 1)
    assert_allclose(np.exp(model.predict_log_proba(X)), found)
    assert_array_equal(model.predict(X), model.classes_[found.argmax(axis=1)])
    assert_array_equal(model.predict_distribution(X).probabilities(), found)
    assert model.score(X, LABELS) > 0.85
    iris = load_iris()
    three = MADEClassifier(quick(max_iter=100)).fit(iris.data, iris.target)
    assert three.predict_proba(iris.data).shape == (150, 3)
    assert three.score(iris.data, iris.target) > 0.85


@pytest.mark.parametrize("form", ["array", "pandas", "polars"])
def test_holes_and_labels_in_x(form):
    holed = FRAME.mask(RNG.random_sample(FRAME.shape) < 0.1)
    holed["kind"] = FRAME["kind"].where(holed["kind"].notna())
    rows = {
        "array": holed[["a", "b", "c"]].to_numpy(),
        "pandas": holed,
        "polars": pl.from_pandas(holed.astype({"kind": object})),
    }[form]
    model = regressor(n_estimators=2).fit(rows, Y)
    assert np.isfinite(model.predict(rows)).all()
    assert np.corrcoef(model.predict(rows), Y)[0, 1] > 0.8
    labels = classifier(n_estimators=2).fit(rows, LABELS)
    assert_allclose(labels.predict_proba(rows).sum(axis=1), 1)
    if form != "array":
        assert model.feature_names_in_.tolist() == list(rows.columns)


def test_holes_that_fit_did_not_see():
    model = regressor(n_estimators=2).fit(X, Y)
    holed = X[:20].copy()
    holed[:, 0] = np.nan
    mean, deviation = model.predict(holed, return_std=True)
    assert (deviation > 1.2).all()  # nearly all of y is by the first column
    assert (deviation > 2 * model.predict(X[:20], return_std=True)[1]).all()
    assert np.corrcoef(mean, -X[:20, 1])[0, 1] > 0.5
    everything = np.full((1, 3), np.nan)
    assert_allclose(model.predict(everything), Y.mean(), atol=0.5)
    assert_allclose(classifier().fit(X, LABELS).predict_proba(everything), 0.5, atol=0.2)


def test_rows_unlike_those_of_fit_have_a_low_score():
    model = classifier().fit(X, LABELS)
    assert model.score_samples([[20.0, 0, 0]])[0] < model.score_samples(X).min() - 5
    density = np.column_stack([X[:3], np.full(3, np.nan)])
    assert_array_equal(model.score_samples(X[:3]), model.estimator_.score_samples(density))


def test_weights_leave_rows_out():
    weight = (X[:, 2] > 0).astype(float)
    weighed = regressor().fit(X, Y, sample_weight=weight)
    kept = regressor().fit(X[weight > 0], Y[weight > 0])
    some = X[weight > 0][:5]
    assert_allclose(weighed.predict(some), kept.predict(some))
    three = np.where(np.arange(300) < 3, "other", LABELS)
    without = (np.arange(300) >= 3).astype(float)
    model = classifier().fit(X, three, sample_weight=without)
    assert model.classes_.tolist() == ["down", "up"]
    with config_context(enable_metadata_routing=True):
        asked = regressor().set_params(estimator=quick().set_fit_request(sample_weight=True))
        asked.fit(X, Y, sample_weight=weight)


def test_declared_types_of_columns_are_kept():
    counts = np.column_stack([RNG.poisson(5, size=300), X[:, 0]])
    for declared in ({0: "count"}, ["count", "continuous"], "continuous", "auto"):
        model = regressor(feature_types=declared, max_iter=1).fit(counts, Y)
        expected = "continuous" if declared == "continuous" else "count"
        assert model.estimator_.feature_types_[0] == expected
    assert classifier().fit(X, LABELS).estimator_.feature_types_[-1] == "binary"
    named = pd.DataFrame(X, columns=["y", "y_", "z"])
    assert regressor().fit(named, Y).predict(named).shape == (300,)


def test_names_of_columns_that_are_not_text():
    integers = pd.DataFrame(X, columns=[1, 2, 3])
    expected = regressor().fit(X, Y).predict(X[:3])
    assert_allclose(regressor().fit(integers, Y).predict(integers[:3]), expected)
    assert classifier().fit(integers, LABELS).predict_proba(integers[:3]).shape == (3, 2)
    with pytest.raises(TypeError, match=r"named by text, or by integers.*astype\(str\)"):
        regressor().fit(pd.DataFrame(X, columns=[0.5, 1.5, 2.5]), Y)


def test_integers_have_probabilities():
    counts = RNG.poisson(np.exp(0.5 * X[:, 0] + 1))
    model = regressor().fit(X, counts)
    given = model.predict_distribution(X[:5])
    assert_allclose(given.pmf(np.arange(60.0)[None]).sum(axis=1), 1, atol=1e-6)


def test_searches_validation_and_calibration():
    search = GridSearchCV(classifier(), {"estimator__alpha": [0.01, 0.1]}, cv=2)
    assert search.fit(X, LABELS).best_score_ > 0.7
    assert cross_val_score(regressor(), X, Y, cv=2).min() > 0.6
    calibrated = CalibratedClassifierCV(classifier(), cv=2).fit(X, LABELS)
    assert_allclose(calibrated.predict_proba(X[:3]).sum(axis=1), 1)
    model = regressor().fit(X, Y)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_a_classifier_can_be_saved_by_skops(tmp_path):
    skops = pytest.importorskip("skops.io")
    model = classifier().fit(X, LABELS)
    skops.dump(model, tmp_path / "model.skops")
    trusted = skops.get_untrusted_types(file=tmp_path / "model.skops")
    loaded = skops.load(tmp_path / "model.skops", trusted=trusted)
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert all(name.startswith("skmade.") for name in trusted)


def test_wrong_calls():
    with pytest.raises(ValueError, match="one class, up, in all rows"):
        classifier().fit(X, ["up"] * 300)
    with pytest.raises(ValueError, match="Unknown label type"):
        classifier().fit(X, Y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        regressor().fit(X, Y[:5])
    with pytest.raises(TypeError, match="takes no X_val"):
        regressor().fit(X, Y, X_val=X)
    with pytest.raises(NotFittedError):
        classifier().score_samples(X)
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        regressor().fit(FRAME, Y).predict(FRAME[:0])
    with pytest.raises(ValueError, match="contains NaN"):
        regressor().fit(X, np.where(Y > 2, np.nan, Y))
    with pytest.raises(ValueError, match="X has 2 features, but MADERegressor is expecting 3"):
        regressor().fit(X, Y).predict(X[:, :2])


def test_default_density():
    assert isinstance(MADERegressor()._density(), MADEDensity)
    assert MADEClassifier(random_state=3)._density().random_state == 3
