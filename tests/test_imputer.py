"""MADEImputer: completed tables as a step of a Pipeline."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import MissingIndicator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline

from skmade import MADEDensity, MADEImputer
from tests.configurations import quick
from tests.estimator_checks import check_all

RNG = np.random.RandomState(0)
A = RNG.normal(size=200)
X = np.column_stack([A, 2 * A + 0.1 * RNG.normal(size=200), RNG.normal(size=200)])
HOLES = X.copy()
HOLES[::4, 1] = np.nan
HOLES[1::7, 0] = np.nan
FRAME = pd.DataFrame(HOLES, columns=["a", "b", "c"]).assign(
    label=pd.Series(np.where(A > 0, "up", "down")).where(A > -1).astype("category")
)


def imputer(**parameters):
    return MADEImputer(quick(max_iter=10), random_state=0, **parameters)


@pytest.mark.parametrize("add_indicator", [False, True])
def test_scikit_learn_agrees(add_indicator):
    check_all(MADEImputer(quick(max_iter=2), add_indicator=add_indicator, random_state=0))


@pytest.mark.parametrize("strategy", ["sample", "mean", "median"])
def test_it_completes_rows_as_its_density_does(strategy):
    fitted = imputer(strategy=strategy).fit(HOLES)
    expected = fitted.estimator_.impute(HOLES, strategy, random_state=0)
    assert_array_equal(fitted.transform(HOLES), expected)
    assert_array_equal(fitted.transform(HOLES), expected)
    assert_array_equal(expected[~np.isnan(HOLES)], HOLES[~np.isnan(HOLES)])
    assert_array_equal(imputer(strategy=strategy).fit_transform(HOLES), expected)
    assert np.abs(expected[:, 1] - 2 * expected[:, 0]).mean() < 1.0


def test_transform_never_fits():
    fitted = imputer().fit(HOLES)
    before = pickle.dumps(fitted.estimator_)
    fitted.transform(X[:3])
    fitted.transform(np.full((2, 3), np.nan))
    assert pickle.dumps(fitted.estimator_) == before


@pytest.mark.parametrize("order_agnostic", [False, True])
def test_a_row_is_completed_alike_in_every_table(order_agnostic):
    density = quick(max_iter=3, n_estimators=2, order_agnostic=order_agnostic)
    fitted = MADEImputer(density, random_state=0).fit(FRAME)
    holed = FRAME[FRAME.isna().any(axis=1)].head(40)
    expected = fitted.transform(holed)
    order = np.random.RandomState(0).permutation(40)
    for rows in (holed.iloc[order], holed.iloc[3:4], pd.concat([holed, FRAME])):
        own = fitted.transform(rows).iloc[:40]
        pd.testing.assert_frame_equal(own, expected.loc[own.index])


def test_equal_rows_are_completed_each_on_its_own():
    fitted = imputer().fit(HOLES)
    equal = np.repeat(HOLES[:1], 50, axis=0)
    completed = fitted.transform(equal)
    assert len(np.unique(completed[:, 1])) == 50
    assert_allclose(fitted.transform(equal[:20]), completed[:20])
    # They are different enough, and unlike those of another number.
    assert 0.01 < completed[:, 1].std() < 5
    other = fitted.set_params(random_state=1).transform(equal)
    assert not np.isin(other[:, 1], completed[:, 1]).any()


def test_without_random_state_draws_differ():
    fitted = MADEImputer(quick(max_iter=2)).fit(HOLES)
    assert (fitted.transform(HOLES) != fitted.transform(HOLES)).any()


@pytest.mark.parametrize("strategy", ["sample", "median"])
def test_frames_come_back_with_labels_and_indicators(strategy):
    fitted = imputer(strategy=strategy, add_indicator=True).fit(FRAME)
    names = ["a", "b", "c", "label"]
    names += [f"missingindicator_{name}" for name in ("a", "b", "label")]
    assert fitted.get_feature_names_out().tolist() == names
    assert fitted.feature_names_in_.tolist() == names[:4]
    completed = fitted.transform(FRAME)
    assert completed.columns.tolist() == names
    assert not completed.isna().any().any()
    assert set(completed["label"]) == {"up", "down"}
    assert completed.index.equals(FRAME.index)
    for name in ("a", "b", "label"):
        told = completed[f"missingindicator_{name}"]
        assert_array_equal(told, FRAME[name].isna())
    # Holes where fit saw none have no column of their own.
    other = FRAME.assign(c=np.nan)
    assert fitted.transform(other).columns.tolist() == names


def test_indicators_are_those_of_scikit_learn():
    completed = imputer(add_indicator=True).fit_transform(HOLES)
    assert completed.shape == (200, 5)
    assert_array_equal(completed[:, 3:], MissingIndicator().fit_transform(HOLES))
    names = imputer(add_indicator=True).fit(HOLES).get_feature_names_out()
    assert names.tolist() == ["x0", "x1", "x2", "missingindicator_x0", "missingindicator_x1"]


def test_polars_frames_come_back():
    frame = pl.DataFrame(HOLES, schema=["a", "b", "c"]).fill_nan(None)
    completed = imputer(add_indicator=True).fit(frame).transform(frame)
    assert isinstance(completed, pl.DataFrame)
    assert completed.columns[3:] == ["missingindicator_a", "missingindicator_b"]
    assert completed.null_count().sum_horizontal().item() == 0


@pytest.mark.parametrize("add_indicator", [False, True])
def test_output_is_set_as_elsewhere(add_indicator):
    fitted = imputer(add_indicator=add_indicator).set_output(transform="pandas").fit(HOLES)
    completed = fitted.transform(HOLES)
    assert completed.columns.tolist() == fitted.get_feature_names_out().tolist()


def test_it_is_a_step_of_a_pipeline():
    y = X[:, 0] + X[:, 2]
    model = make_pipeline(imputer(strategy="mean"), HistGradientBoostingRegressor(max_iter=20))
    scores = cross_val_score(model, HOLES, y, cv=2)
    assert scores.min() > 0.3
    search = GridSearchCV(model, {"madeimputer__strategy": ["sample", "median"]}, cv=2)
    assert search.fit(HOLES, y).best_score_ > 0.3
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert_allclose(again.predict(HOLES), search.predict(HOLES))


def test_the_default_density_takes_the_random_state():
    fitted = MADEImputer(random_state=3)
    assert fitted._density().random_state == 3
    assert isinstance(fitted._density(), MADEDensity)
    assert clone(fitted).random_state == 3


def test_what_is_no_density_or_strategy_is_refused():
    with pytest.raises(ValueError, match="estimator"):
        MADEImputer(KernelDensity()).fit(HOLES)
    with pytest.raises(ValueError, match="strategy"):
        imputer(strategy="mode").fit(HOLES)


def test_it_can_be_saved_by_skops(tmp_path):
    skops = pytest.importorskip("skops.io")
    fitted = imputer(add_indicator=True).fit(HOLES)
    skops.dump(fitted, tmp_path / "imputer.skops")
    trusted = skops.get_untrusted_types(file=tmp_path / "imputer.skops")
    assert all(name.startswith("skmade.") for name in trusted)
    loaded = skops.load(tmp_path / "imputer.skops", trusted=trusted)
    assert_array_equal(loaded.transform(HOLES), fitted.transform(HOLES))
