"""Scores and completions of tables of dask are those of tables in memory."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.exceptions import NotFittedError

from skmade import MADEOutlierDetector
from tests.configurations import quick

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")

RNG = np.random.RandomState(0)
ROWS = RNG.normal(size=(60, 3))
HOLES = np.where(RNG.random_sample(ROWS.shape) < 0.2, np.nan, ROWS)
FRAME = pd.DataFrame(HOLES, columns=["a", "b", "c"]).assign(
    kind=pd.Categorical(RNG.choice(["x", "y", None], 60)), size=RNG.poisson(3, 60)
)


@pytest.fixture(autouse=True)
def _in_this_thread():
    with dask.config.set(scheduler="sync"):
        yield


@pytest.fixture(scope="module")
def of_numbers():
    return quick().fit(HOLES)


@pytest.fixture(scope="module")
def of_frames():
    return quick(feature_types={"size": "count"}).fit(FRAME)


def partitioned(X):
    """Return a table in partitions, one of which has no rows."""
    if isinstance(X, pd.DataFrame):
        parts = [X.iloc[:25], X.iloc[25:25], X.iloc[25:]]
        return dd.concat([dd.from_pandas(part, npartitions=1) for part in parts])
    return da.from_array(X, chunks=((25, 0, 35), X.shape[1:]))


@pytest.mark.parametrize("method", ["score_samples", "score_features"])
@pytest.mark.parametrize("frames", [False, True])
def test_scores_are_those_in_memory(of_numbers, of_frames, method, frames):
    density, X = (of_frames, FRAME) if frames else (of_numbers, HOLES)
    expected = getattr(density, method)(X)
    scores = getattr(density, method)(partitioned(X))
    assert isinstance(scores, da.Array)
    assert scores.dtype == np.float64
    assert scores.ndim == expected.ndim
    assert_allclose(scores.compute(), expected, rtol=1e-7)


@pytest.mark.parametrize("method", ["score_samples", "score_features", "impute"])
def test_only_fitted_estimators_answer(method):
    with pytest.raises(NotFittedError):
        getattr(quick(), method)(partitioned(HOLES))


def uncounted(X):
    """Return an array in partitions whose rows have not been counted."""
    table = partitioned(X)
    return table[da.ones(len(X), chunks=table.chunks[0], dtype=bool)]


def test_rows_need_not_be_counted(of_numbers):
    X = uncounted(HOLES)
    for method in ("score_samples", "score_features"):
        answer = getattr(of_numbers, method)(X)
        assert np.isnan(answer.shape[0])
        assert_allclose(answer.compute(), getattr(of_numbers, method)(HOLES), rtol=1e-7)
    filled = of_numbers.impute(X, strategy="mean").compute()
    assert_allclose(filled, of_numbers.impute(HOLES, strategy="mean"))


def test_the_total_is_a_number(of_numbers):
    total = of_numbers.score(partitioned(HOLES))
    assert isinstance(total, float)
    assert_allclose(total, of_numbers.score(HOLES))
    weight = RNG.uniform(size=60)
    assert_allclose(
        of_numbers.score(uncounted(HOLES), sample_weight=weight),
        of_numbers.score(HOLES, sample_weight=weight),
    )


def test_means_are_those_in_memory(of_numbers, of_frames):
    filled = of_numbers.impute(partitioned(HOLES), strategy="mean")
    assert isinstance(filled, da.Array)
    assert_allclose(filled.compute(), of_numbers.impute(HOLES, strategy="mean"))
    framed = of_frames.impute(partitioned(FRAME), strategy="mean")
    expected = of_frames.impute(FRAME, strategy="mean")
    assert framed.dtypes.astype(str).to_dict() == expected.dtypes.astype(str).to_dict()
    assert_frame_equal(framed.compute(), expected)


def test_completed_rows_keep_their_index(of_frames):
    X = partitioned(FRAME.set_index(pd.date_range("2020-01-01", periods=60, name="day")))
    filled = of_frames.impute(X)
    assert_array_equal(filled.index.compute(), X.index.compute())
    assert list(filled.reset_index().columns) == ["day", *FRAME.columns]


def in_parts(*frames):
    """Return a table whose partitions are DataFrames as they are."""
    return dd.from_map(lambda part: part, list(frames), meta=frames[0].iloc[:0])


def completed(density, X):
    """Return completed rows, after a look at the dtypes of all partitions."""
    filled = density.impute(X, strategy="mean")
    parts = dask.compute(*np.ravel(filled.to_delayed()))
    for part in parts:
        pd.testing.assert_series_equal(part.dtypes, filled.dtypes)
        for own, told in zip(part.dtypes, filled.dtypes, strict=True):
            assert list(getattr(own, "categories", ())) == list(getattr(told, "categories", ()))
    return filled.compute()


NUMBERS = pd.DataFrame(
    {
        "whole": RNG.randint(50, size=60),
        "short": RNG.randint(50, size=60).astype(np.int8),
        "nullable": pd.array(RNG.randint(50, size=60), dtype="Int64"),
        "single": ROWS[:, 0].astype(np.float32),
        "count": RNG.poisson(3, 60),
        "binary": RNG.randint(2, size=60),
        "scale": pd.Categorical(RNG.randint(9, size=60), list(range(9))),
    }
)
DECLARED = {"count": "count", "scale": "continuous"}


def test_dtypes_of_numbers_hold_the_cells_of_all_partitions():
    density = quick(feature_types=DECLARED).fit(NUMBERS)
    filled = completed(density, in_parts(NUMBERS))
    assert_frame_equal(filled, NUMBERS.assign(scale=NUMBERS["scale"].astype(float)))
    X = NUMBERS.assign(short=NUMBERS["short"].astype(int)).copy()
    X["nullable"] = X["nullable"].mask(X.index == 1)
    for name in ("whole", "count", "binary"):
        X[name] = X[name].where(X.index != 2).astype(float)
    X.loc[50, ["whole", "short"]] = [0.5, 300]
    filled = completed(density, in_parts(X[:25], X[25:25], X[25:]))
    assert_frame_equal(filled, density.impute(X, strategy="mean"), check_dtype=False)
    dtypes = ["float64", "int64", "Int64", "float32", "int64", "int64", "float64"]
    assert filled.dtypes.astype(str).tolist() == dtypes


LABELS = pd.DataFrame(
    {
        "number": ROWS[:, 0],
        "plain": pd.Categorical(RNG.choice(list("xyz"), 60)),
        "ordered": pd.Categorical(RNG.choice(list("xyz"), 60), ordered=True),
        "text": pd.Series(RNG.choice(list("xyz"), 60)),
        "code": RNG.randint(3, size=60),
        "flag": RNG.randint(2, size=60).astype(bool),
    }
)


@pytest.fixture(scope="module")
def of_labels():
    return quick(feature_types={"code": "categorical"}, handle_unknown="smoothed").fit(LABELS)


def test_dtypes_of_labels_hold_new_ones_of_all_partitions(of_labels):
    assert_frame_equal(completed(of_labels, in_parts(LABELS[:25], LABELS[25:])), LABELS)
    X = LABELS.assign(code=LABELS["code"].astype(float), flag=LABELS["flag"].astype(object))
    for name in ("plain", "ordered"):
        X[name] = X[name].cat.add_categories(["v", "w"])
    X.loc[50, ["plain", "ordered", "text", "code", "flag"]] = ["w", "w", "w", 2.5, "w"]
    X.loc[3] = [None] * 6
    with dask.config.set({"dataframe.convert-string": False}):
        filled = completed(of_labels, in_parts(X[:25], X[25:]))
    expected = of_labels.impute(X, strategy="mean")
    assert_frame_equal(filled.astype(object), expected.astype(object))
    assert filled["ordered"].cat.categories.tolist() == ["x", "y", "z", "v", "w"]
    assert filled["code"].dtype == np.float64


def test_categories_that_are_not_collected_are_objects(of_labels):
    X = in_parts(LABELS[:25], LABELS[25:])
    uncollected = X.assign(plain=X["plain"].cat.as_unknown())
    with dask.config.set({"dataframe.convert-string": False}):
        filled = completed(of_labels, uncollected)
    assert_frame_equal(filled, LABELS.assign(plain=LABELS["plain"].astype(object)))


def test_arrays_with_new_labels_are_of_objects():
    numbers = RNG.randint(3, size=(60, 2)).astype(float)
    density = quick(feature_types="categorical", handle_unknown="smoothed").fit(numbers)
    X = numbers.astype(object)
    X[50, 1] = "new"
    for table in (X, numbers):
        filled = density.impute(partitioned(table), strategy="mean")
        parts = dask.compute(*filled.to_delayed().ravel())
        assert {part.dtype for part in parts} == {filled.dtype}
        assert_array_equal(filled.compute(), table)
        assert filled.dtype == table.dtype


def test_a_partition_is_not_forced_into_a_dtype(of_labels):
    wrong = LABELS.assign(plain=LABELS["plain"].cat.add_categories("w"))
    wrong.loc[50, "plain"] = "w"
    with pytest.raises(ValueError, match="Partition 1 of X: column 'plain' holds cells that c"):
        of_labels.impute(in_parts(LABELS[:25], wrong[25:])).compute()
    density = quick(feature_types=DECLARED).fit(NUMBERS)
    wrong = NUMBERS.assign(count=1e300)
    with pytest.raises(ValueError, match="Partition 0 of X: column 'count' holds cells that i"):
        density.impute(in_parts(wrong)).compute()


def test_draws_depend_on_the_random_state(of_numbers):
    first, again, other = (
        of_numbers.impute(partitioned(HOLES), random_state=seed).compute() for seed in (0, 0, 1)
    )
    assert_array_equal(first, again)
    assert not np.isnan(first).any()
    assert_array_equal(first[~np.isnan(HOLES)], HOLES[~np.isnan(HOLES)])
    holes = np.isnan(HOLES)
    assert (first[holes] != other[holes]).all()


@pytest.mark.parametrize("make", [np.asarray, partitioned])
def test_means_take_no_random_numbers(of_numbers, make):
    used, unused = np.random.RandomState(0), np.random.RandomState(0)
    of_numbers.impute(make(HOLES), strategy="mean", random_state=used)
    assert used.randint(1000) == unused.randint(1000)
    of_numbers.impute(make(HOLES), random_state=used)
    assert used.randint(1000) != unused.randint(1000)


def test_partitions_do_not_repeat_the_draws_of_others(of_numbers):
    twice = da.from_array(np.tile(HOLES, (2, 1)), chunks=(60, 3))
    filled = of_numbers.impute(twice, random_state=0).compute()
    holes = np.isnan(HOLES)
    assert (filled[:60][holes] != filled[60:][holes]).all()


def test_answers_are_of_the_model_that_was_asked():
    density = quick().fit(HOLES)
    expected = density.score_samples(HOLES), density.impute(HOLES, strategy="mean")
    X = partitioned(HOLES)
    answers = density.score_samples(X), density.impute(X, strategy="mean")
    density.fit(10 * HOLES + 5)
    for answer, as_expected in zip(answers, expected, strict=True):
        assert_allclose(answer.compute(), as_expected)


def test_a_detector_tells_outliers_partition_by_partition():
    detector = MADEOutlierDetector(quick()).fit(ROWS)
    labels = detector.predict(partitioned(ROWS))
    assert isinstance(labels, da.Array)
    assert_array_equal(labels.compute(), detector.predict(ROWS))


def test_a_detector_fits_partitions():
    detector = MADEOutlierDetector(quick()).fit(partitioned(ROWS))
    assert_allclose(detector.offset_, MADEOutlierDetector(quick()).fit(ROWS).offset_)


def test_other_columns_are_refused_at_once(of_numbers, of_frames):
    with pytest.raises(ValueError, match="2 features, but MADEDensity is expecting 3"):
        of_numbers.score_samples(da.from_array(ROWS[:, :2]))
    with pytest.raises(ValueError, match="unseen at fit time:\n- other"):
        of_frames.score_samples(partitioned(FRAME.rename(columns={"a": "other"})))
    with pytest.raises(ValueError, match="feature names"):
        of_frames.impute(partitioned(FRAME[["b", "a", "c", "kind", "size"]]))


def test_wrong_cells_are_told_with_their_partition(of_numbers, of_frames):
    wrong = HOLES.copy()
    wrong[30, 1] = np.inf
    with pytest.raises(ValueError, match=r"Partition 2 of X: .*infinity in column 1"):
        of_numbers.score_samples(partitioned(wrong)).compute()
    kind = FRAME["kind"].cat.add_categories("z").where(FRAME.index != 3, "z")
    wrong = FRAME.assign(kind=kind)
    with pytest.raises(ValueError, match="Partition 0 of X: column 'kind' of X holds 'z'"):
        of_frames.score_samples(partitioned(wrong)).compute()


def test_counts_that_no_row_can_have_score_low_and_are_not_refused(of_frames):
    odd = FRAME.assign(size=FRAME["size"].where(FRAME.index != 3, -1))
    scores = of_frames.score_samples(partitioned(odd)).compute()
    assert_allclose(scores, of_frames.score_samples(odd), rtol=1e-7)
    assert scores[3] < of_frames.score_samples(FRAME)[3] - 10


def test_a_density_of_polars_tables_completes_none_of_dask():
    pl = pytest.importorskip("polars")
    density = quick().fit(pl.DataFrame(ROWS, schema=["a", "b", "c"]))
    X = dd.from_pandas(pd.DataFrame(ROWS, columns=["a", "b", "c"]), npartitions=2)
    assert_allclose(density.score_samples(X).compute(), density.score_samples(X.compute()))
    with pytest.raises(TypeError, match="polars"):
        density.impute(X)
