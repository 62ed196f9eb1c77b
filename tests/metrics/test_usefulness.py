"""What a predictor learns from drawn rows."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    VotingClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVC, LinearSVC

from skmade.metrics import train_on_synthetic

from .conftest import NAMES, as_array, in_other_types, shuffled

IRIS = load_iris(as_frame=True).frame
TRAIN, TEST = IRIS[::2], IRIS[1::2]
FEATURES = list(IRIS)[:4]


def seed_of(random_state):
    """Return the seed that the default predictor gets."""
    return np.random.RandomState(random_state).randint(2**31 - 1)


def test_numbers_are_scored_as_scikit_learn_does():
    trees = HistGradientBoostingRegressor(random_state=seed_of(0))
    trees.fit(TRAIN.drop(columns=FEATURES[0]), TRAIN[FEATURES[0]])
    expected = trees.score(TEST.drop(columns=FEATURES[0]), TEST[FEATURES[0]])
    assert train_on_synthetic(TRAIN, TEST, FEATURES[0], random_state=0) == expected


def test_two_labels_are_scored_as_scikit_learn_does(real, other):
    features = ["size", "n"]
    trees = HistGradientBoostingClassifier(random_state=seed_of(0))
    trees.fit(real[features], real["new"])
    expected = roc_auc_score(other["new"], trees.predict_proba(other[features])[:, 1])
    real, other = real[[*features, "new"]], other[[*features, "new"]]
    for kind in (bool, int, str, "category"):
        found = train_on_synthetic(
            real.astype({"new": kind}), other.astype({"new": kind}), "new", random_state=0
        )
        assert found == pytest.approx(expected)


def test_more_labels_are_scored_as_scikit_learn_does():
    logistic = LogisticRegression(max_iter=1000)
    probability = logistic.fit(TRAIN[FEATURES], TRAIN["target"]).predict_proba(TEST[FEATURES])
    uneven = TEST.iloc[5:]
    expected = roc_auc_score(
        uneven["target"], probability[5:], multi_class="ovr", average="weighted"
    )
    for target in ("target", 4):
        found = train_on_synthetic(TRAIN, uneven, target, estimator=logistic)
        assert found == pytest.approx(expected)
    named = [table.astype({"target": str}) for table in (TRAIN, uneven)]
    assert train_on_synthetic(*named, "target", estimator=logistic) == pytest.approx(expected)


def test_any_estimator_gets_the_columns_as_they_are(real, other):
    pipeline = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["colour"]), ("passthrough", ["n"])), Ridge()
    )
    rows = [table.dropna()[["n", "size", "colour"]] for table in (real, other)]
    pipeline.fit(rows[0][["colour", "n"]], rows[0]["size"])
    expected = r2_score(rows[1]["size"], pipeline.predict(rows[1]))
    reordered = rows[1][["colour", "size", "n"]]
    assert train_on_synthetic(rows[0], reordered, "size", estimator=pipeline) == expected
    polars = [pl.from_pandas(table) for table in rows]
    assert train_on_synthetic(*polars, "size", estimator=pipeline) == pytest.approx(expected)


def test_arrays_and_decision_functions():
    train, test = TRAIN.to_numpy(), TEST.to_numpy()
    classifier = LinearSVC().fit(train[:, :4], train[:, 4] == 1)
    expected = roc_auc_score(test[:, 4] == 1, classifier.decision_function(test[:, :4]))
    for table in (train, test):
        table[:, 4] = table[:, 4] == 1
    found = train_on_synthetic(train, test, 4, estimator=LinearSVC())
    assert found == pytest.approx(expected)
    assert not hasattr(LinearSVC(), "predict_proba")


def test_shuffled_columns_teach_nothing(real, other):
    assert train_on_synthetic(real, other, "new", random_state=0) > 0.9
    found = train_on_synthetic(shuffled(real), other, "new", random_state=0)
    assert found == pytest.approx(0.5, abs=0.1)
    assert train_on_synthetic(real, other, "n", random_state=0) > 0.8
    assert train_on_synthetic(shuffled(real), other, "n", random_state=0) < 0.1


@pytest.mark.parametrize("target", ["n", "colour", "new"])
def test_types_and_containers_are_no_information(real, other, target):
    real, other = real[:150], other[:150]
    expected = train_on_synthetic(real, other, target, random_state=0)
    position = list(real).index(target)
    for changed in (in_other_types(real)[NAMES], pl.from_pandas(real)):
        assert train_on_synthetic(changed, other, target, random_state=0) == expected
    changed = as_array(real), as_array(other)
    assert train_on_synthetic(*changed, position, random_state=0) == expected


def test_rows_without_a_target_are_left_out(real, other):
    found = train_on_synthetic(real, other, "size", random_state=0)
    kept = [table.dropna(subset="size") for table in (real, other)]
    assert train_on_synthetic(*kept, "size", random_state=0) == found
    filled = real.assign(size=np.nan)
    with pytest.raises(ValueError, match="No row of X_drawn has a target: 'size'"):
        train_on_synthetic(filled, other, "size")


def test_labels_that_only_one_table_has(real, other):
    without = real[real["colour"] != "red"]
    found = train_on_synthetic(without, other, "colour", random_state=0)
    share = (other["colour"] == "red").sum() / other["colour"].notna().sum()
    # Half of the area is missing for red, and nothing for the others but what red costs them.
    assert 0.6 < found < 1 - share / 2
    assert train_on_synthetic(real, other[other["colour"] != "red"], "colour") > 0.9
    assert train_on_synthetic(real.assign(colour="red"), other, "colour") == 0.5


def test_refusals(real, other):
    with pytest.raises(ValueError, match="target='weight' is no column: they are"):
        train_on_synthetic(real, other, "weight")
    with pytest.raises(ValueError, match="target=5 is no column"):
        train_on_synthetic(real, other, 5)
    with pytest.raises(ValueError, match="All rows of X_test have the same 'new'"):
        train_on_synthetic(real, other.assign(new=True), "new")
    with pytest.raises(ValueError, match="no column beside the target 'n'"):
        train_on_synthetic(real[["n"]], other[["n"]], "n")
    with pytest.raises(
        ValueError, match=r"LinearRegression does not predict: pass a classifier"
    ):
        train_on_synthetic(real, other, "colour", estimator=LinearRegression())
    codes = [table.astype({"new": float}) for table in (real, other)]
    codes[0].loc[3, "new"] = 0.3
    with pytest.raises(ValueError, match=r"'new' is 0 and 1 in X_test, but 0.3 in some row"):
        train_on_synthetic(*codes, "new")


def test_an_estimator_decides_what_numbers_are():
    rows = pd.DataFrame({"x": np.arange(40.0), "y": np.arange(40) // 10})
    assert train_on_synthetic(rows, rows, "y", estimator=LinearRegression()) > 0.9
    assert (
        train_on_synthetic(rows, rows, "y", estimator=LogisticRegression(max_iter=9999)) > 0.9
    )
    assert train_on_synthetic(rows.assign(y=rows["y"] > 1), rows.assign(y=rows["y"] > 1), "y")


@pytest.mark.parametrize("unit", [1e-300, 1e-50, 1.0, 1e50, 1e160, 1e307])
def test_units_of_numbers_are_no_information(unit, recwarn):
    rng = np.random.RandomState(0)
    drawn, test = rng.uniform(-1, 1, size=(2, 200, 2))
    drawn[:, 0] += 5 * drawn[:, 1]
    test[:, 0] += 5 * test[:, 1]
    expected = train_on_synthetic(drawn, test, 0, random_state=0)
    assert 0.8 < expected < 1
    found = train_on_synthetic(unit * drawn, unit * test, 0, random_state=0)
    assert found == pytest.approx(expected, abs=1e-3)
    far = train_on_synthetic(unit * drawn, test / unit, 0, random_state=0)
    assert np.isfinite(far)
    assert not len(recwarn)


@pytest.mark.parametrize("target", [0, 2])
def test_columns_without_cells_teach_nothing(real, other, target):
    drawn = as_array(real)
    expected = train_on_synthetic(drawn[:, :4], as_array(other)[:, :4], target, random_state=0)
    drawn[:, 4] = None
    assert train_on_synthetic(drawn, as_array(other), target, random_state=0) == expected
    rows = np.flatnonzero([cell is None for cell in drawn[:, 0]])
    drawn[rows, 4] = as_array(real)[rows, 4]  # where there is no target to learn
    if target == 0:
        assert train_on_synthetic(drawn, as_array(other), target, random_state=0) == expected


def test_two_numbers_are_labels_whatever_they_are():
    rows = pd.DataFrame({"x": np.arange(100.0), "y": np.where(np.arange(100) < 50, 0.5, 1.5)})
    assert train_on_synthetic(rows, rows, "y") == 1


@pytest.mark.parametrize(
    "names",
    [[1, 2], [("a", 1), ("b", 1)], [datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)]],
)
def test_names_may_be_of_any_type(names):
    table = pd.DataFrame(np.arange(20.0).reshape(10, 2))
    table.columns = pd.MultiIndex.from_tuples(names) if isinstance(names[0], tuple) else names
    for target in (names[1], *((0,) if 0 not in names else ())):
        found = train_on_synthetic(table, table, target, estimator=LinearRegression())
        assert found == pytest.approx(1)


@pytest.mark.parametrize("target", [True, -1, 3, 1.0, None, pd.NA, [0], np.array(1)])
def test_what_names_no_column(target):
    rows = np.arange(30.0).reshape(10, 3)
    with pytest.raises(ValueError, match=r"is no column: they are .* position from 0 to 2"):
        train_on_synthetic(rows, rows, target)


@pytest.mark.parametrize(
    ("estimator", "kind", "problem"),
    [
        ("ridge", TypeError, "estimator='ridge' is no estimator"),
        (Ridge, TypeError, "is no estimator: pass an instance"),
        (KMeans(), TypeError, "KMeans is neither a classifier nor a regressor"),
        (
            VotingClassifier([("a", LogisticRegression())]),
            TypeError,
            "VotingClassifier has neither predict_proba nor decision_function",
        ),
        (
            make_pipeline(SVC(decision_function_shape="ovo")),
            ValueError,
            "Pipeline scores pairs of labels: set its parameter decision_function_shape",
        ),
    ],
)
def test_estimators_that_cannot_be_scored(estimator, kind, problem):
    with pytest.raises(kind, match=problem):
        train_on_synthetic(TRAIN, TEST, "target", estimator=estimator)


def test_fractions_are_no_labels_for_a_classifier():
    with pytest.raises(
        ValueError, match=r"'petal length \(cm\)' is 1.4 in some row of X_drawn"
    ):
        train_on_synthetic(TRAIN, TEST, 2, estimator=LogisticRegression())
