"""Scores and completions of tables of dask are those of tables in memory."""

import numpy as np
import pandas as pd
import pytest
from conftest import quick
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from skmade import MADEOutlierDetector

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


def blocked(X):
    """Return a table in blocks, one of which has no rows."""
    if isinstance(X, pd.DataFrame):
        parts = [X.iloc[:25], X.iloc[25:25], X.iloc[25:]]
        return dd.concat([dd.from_pandas(part, npartitions=1) for part in parts])
    return da.from_array(X, chunks=((25, 0, 35), X.shape[1:]))


@pytest.mark.parametrize("method", ["score_samples", "score_features"])
@pytest.mark.parametrize("frames", [False, True])
def test_scores_are_those_in_memory(of_numbers, of_frames, method, frames):
    density, X = (of_frames, FRAME) if frames else (of_numbers, HOLES)
    expected = getattr(density, method)(X)
    scores = getattr(density, method)(blocked(X))
    assert isinstance(scores, da.Array)
    assert scores.dtype == np.float64
    assert scores.ndim == expected.ndim
    assert_allclose(scores.compute(), expected, rtol=1e-7)


@pytest.mark.parametrize("method", ["score_samples", "score_features", "impute"])
def test_only_fitted_estimators_answer(method):
    with pytest.raises(NotFittedError):
        getattr(quick(), method)(blocked(HOLES))


def uncounted(X):
    """Return an array in blocks whose rows have not been counted."""
    table = blocked(X)
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
    total = of_numbers.score(blocked(HOLES))
    assert isinstance(total, float)
    assert_allclose(total, of_numbers.score(HOLES))
    weight = RNG.uniform(size=60)
    assert_allclose(
        of_numbers.score(uncounted(HOLES), sample_weight=weight),
        of_numbers.score(HOLES, sample_weight=weight),
    )


def test_means_are_those_in_memory(of_numbers, of_frames):
    filled = of_numbers.impute(blocked(HOLES), strategy="mean")
    assert isinstance(filled, da.Array)
    assert_allclose(filled.compute(), of_numbers.impute(HOLES, strategy="mean"))
    framed = of_frames.impute(blocked(FRAME), strategy="mean")
    expected = of_frames.impute(FRAME, strategy="mean")
    assert framed.dtypes.astype(str).to_dict() == expected.dtypes.astype(str).to_dict()
    pd.testing.assert_frame_equal(framed.compute(), expected)


def test_completed_rows_keep_their_index(of_frames):
    X = blocked(FRAME.set_index(pd.date_range("2020-01-01", periods=60, name="day")))
    filled = of_frames.impute(X)
    assert_array_equal(filled.index.compute(), X.index.compute())
    assert list(filled.reset_index().columns) == ["day", *FRAME.columns]


def test_draws_depend_on_the_random_state(of_numbers):
    first, again, other = (
        of_numbers.impute(blocked(HOLES), random_state=seed).compute() for seed in (0, 0, 1)
    )
    assert_array_equal(first, again)
    assert not np.isnan(first).any()
    assert_array_equal(first[~np.isnan(HOLES)], HOLES[~np.isnan(HOLES)])
    holes = np.isnan(HOLES)
    assert (first[holes] != other[holes]).all()


@pytest.mark.parametrize("make", [np.asarray, blocked])
def test_means_take_no_random_numbers(of_numbers, make):
    used, unused = np.random.RandomState(0), np.random.RandomState(0)
    of_numbers.impute(make(HOLES), strategy="mean", random_state=used)
    assert used.randint(1000) == unused.randint(1000)
    of_numbers.impute(make(HOLES), random_state=used)
    assert used.randint(1000) != unused.randint(1000)


def test_blocks_do_not_repeat_the_draws_of_others(of_numbers):
    twice = da.from_array(np.tile(HOLES, (2, 1)), chunks=(60, 3))
    filled = of_numbers.impute(twice, random_state=0).compute()
    holes = np.isnan(HOLES)
    assert (filled[:60][holes] != filled[60:][holes]).all()


def test_answers_are_of_the_model_that_was_asked():
    density = quick().fit(HOLES)
    expected = density.score_samples(HOLES), density.impute(HOLES, strategy="mean")
    X = blocked(HOLES)
    answers = density.score_samples(X), density.impute(X, strategy="mean")
    density.fit(10 * HOLES + 5)
    for answer, as_expected in zip(answers, expected, strict=True):
        assert_allclose(answer.compute(), as_expected)


def test_a_detector_tells_outliers_block_by_block():
    detector = MADEOutlierDetector(quick()).fit(ROWS)
    labels = detector.predict(blocked(ROWS))
    assert isinstance(labels, da.Array)
    assert_array_equal(labels.compute(), detector.predict(ROWS))


def test_a_detector_fits_blocks():
    detector = MADEOutlierDetector(quick()).fit(blocked(ROWS))
    assert_allclose(detector.offset_, MADEOutlierDetector(quick()).fit(ROWS).offset_)


def test_other_columns_are_refused_at_once(of_numbers, of_frames):
    with pytest.raises(ValueError, match="2 features, but MADEDensity is expecting 3"):
        of_numbers.score_samples(da.from_array(ROWS[:, :2]))
    with pytest.raises(ValueError, match="unseen at fit time:\n- other"):
        of_frames.score_samples(blocked(FRAME.rename(columns={"a": "other"})))
    with pytest.raises(ValueError, match="feature names"):
        of_frames.impute(blocked(FRAME[["b", "a", "c", "kind", "size"]]))


def test_wrong_cells_are_told_with_their_partition(of_numbers, of_frames):
    wrong = HOLES.copy()
    wrong[30, 1] = np.inf
    with pytest.raises(ValueError, match=r"Partition 2 of X: .*infinity in column 1"):
        of_numbers.score_samples(blocked(wrong)).compute()
    wrong = FRAME.assign(size=FRAME["size"].where(FRAME.index != 3, -1))
    with pytest.raises(ValueError, match="Partition 0 of X: column 'size' is a count"):
        of_frames.score_samples(blocked(wrong)).compute()


def test_a_density_of_polars_tables_completes_none_of_dask():
    pl = pytest.importorskip("polars")
    density = quick().fit(pl.DataFrame(ROWS, schema=["a", "b", "c"]))
    X = dd.from_pandas(pd.DataFrame(ROWS, columns=["a", "b", "c"]), npartitions=2)
    assert_allclose(density.score_samples(X).compute(), density.score_samples(X.compute()))
    with pytest.raises(TypeError, match="polars"):
        density.impute(X)
