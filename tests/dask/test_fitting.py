"""Fits to tables of dask: small ones as in memory, large ones on partitions for each member."""

import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skmade._dask import fitting, partitions
from skmade._dask.fitting import share_out
from skmade._fitting import Run
from skmade._table import learning
from skmade.datasets import TwoMoons
from tests.configurations import quick

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")

TRUTH = TwoMoons(noise=0.1)
ROWS = TRUTH.sample(1000, random_state=0)
PARTITION_ROWS = 120


@pytest.fixture(autouse=True)
def _in_this_thread():
    with dask.config.set({"scheduler": "sync", "dataframe.convert-string": False}):
        yield


@pytest.fixture
def large(monkeypatch):
    """Let tables of 300 rows and more be trained on where their partitions are."""
    for name in ("MAX_DESCRIBED_ROWS", "MIN_DESCRIBED_ROWS"):
        monkeypatch.setattr(learning, name, 300)


def partitioned(X, n_rows=PARTITION_ROWS):
    if isinstance(X, pd.DataFrame):
        parts = [X.iloc[first : first + n_rows] for first in range(0, len(X), n_rows)]
        return dd.from_map(lambda part: part, parts, meta=X.iloc[:0])
    return da.from_array(X, chunks=(n_rows, -1))


def labelled(X):
    """Return rows with labels, of which no partition has all, and with holes."""
    frame = pd.DataFrame(X, columns=["x", "y"]).sort_values("x", ignore_index=True)
    frame["side"] = np.select([frame["x"] < 0, frame["x"] < 1], ["left", "middle"], "right")
    frame["number"] = np.random.RandomState(0).poisson(2.0, len(frame))
    frame.loc[::5, "side"] = None
    frame.loc[::7, "y"] = np.nan
    return frame


@pytest.mark.parametrize("make", [np.asarray, labelled])
def test_small_tables_are_fitted_as_in_memory(make):
    X = make(ROWS)
    weight = np.random.RandomState(0).uniform(size=len(X))
    fits = [
        quick().fit(table, sample_weight=weights)
        for table, weights in [(X, weight), (partitioned(X), da.from_array(weight))]
    ]
    assert_array_equal(*(fitted.score_samples(X) for fitted in fits))
    assert_array_equal(*(fitted.feature_types_ for fitted in fits))


def test_chunks_and_rows_to_stop_by_are_fetched():
    X = labelled(ROWS)
    for learned in (
        lambda table: quick().partial_fit(table),
        lambda table: quick().fit(X, X_val=table),
    ):
        fits = [learned(table) for table in (X, partitioned(X))]
        assert_array_equal(*(fitted.score_samples(X) for fitted in fits))


@pytest.mark.usefixtures("large")
def test_large_tables_are_learned_on_partitions_of_each_member():
    # One recipe, as all large tables of partitions have.
    settings = {"n_estimators": 2, "max_iter": 15, "hidden_layer_sizes": (32, 32)}
    settings["dropout"] = 0.0
    X, test = TRUTH.sample(2000, random_state=1), TRUTH.sample(2000, random_state=2)
    own, whole = (quick(**settings).fit(table) for table in (partitioned(X), X))
    assert own.ordering_.shape == (2, 1, 2)
    assert len(own.history_["validation"]) == own.n_iter_
    mean = own.score(test) / len(test)
    assert abs(own.best_validation_score_ - mean) < 0.1
    assert mean > whole.score(test) / len(test) - 0.1
    assert mean > TRUTH.score_samples(test).mean() - 0.3


RUN = Run(resume=False, early_stopping=True, max_iter=4)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize(
    "X", [partitioned(ROWS), partitioned(ROWS[:250])], ids=["large", "small"]
)
@pytest.mark.parametrize("run", [RUN, RUN._replace(early_stopping=False, max_iter=2)])
def test_a_fit_obeys_what_it_is_asked_for_and_not_the_parameters(X, run):
    asked = {"early_stopping": run.early_stopping, "max_iter": run.max_iter}
    expected = quick(n_estimators=2, **asked).fit(X)
    estimator = quick(n_estimators=2, early_stopping=not run.early_stopping, max_iter=9)
    fitted = fitting.fit_partitions(estimator, X, None, None, run)
    assert fitted is estimator
    assert fitted.n_iter_ == run.max_iter
    assert (fitted.best_validation_score_ is None) == (not run.early_stopping)
    assert fitted.history_ == expected.history_
    assert_array_equal(fitted.score_samples(ROWS), expected.score_samples(ROWS))


@pytest.mark.usefixtures("large")
def test_rows_to_stop_by_do_not_matter_to_a_fit_that_does_not_stop():
    run = RUN._replace(early_stopping=False)
    fits = [
        fitting.fit_partitions(quick(n_estimators=2), partitioned(ROWS), None, X_val, run)
        for X_val in (None, ROWS[:30])
    ]
    assert_array_equal(*(fitted.score_samples(ROWS) for fitted in fits))


@pytest.mark.usefixtures("large")
def test_what_travels_is_the_weights_of_the_members_once(monkeypatch):
    sent, came = [], []

    def join(function, parts, *arguments):
        sent.append(len(pickle.dumps([getattr(value, "key", value) for value in arguments])))
        return partitions.join(function, parts, *arguments)

    def shared(value):
        sent.append(len(pickle.dumps(value)))
        return partitions.shared(value)

    def together(tasks):
        results = partitions.together(tasks)
        came.append(len(pickle.dumps(results)))
        return results

    for function in (join, shared, together):
        monkeypatch.setattr(fitting, function.__name__, function)
    estimator = quick(n_estimators=2, hidden_layer_sizes=(128, 128)).fit(partitioned(ROWS))
    first = sum(sent)
    n_bytes = estimator._state["weights"].nbytes
    assert came[-1] < 1.5 * n_bytes
    sent.clear()
    estimator.fit(partitioned(ROWS))
    assert first < n_bytes
    assert sum(sent) < 1.2 * first


@pytest.mark.usefixtures("large")
def test_two_fits_with_one_random_state_are_the_same():
    first, again, other = (
        quick(n_estimators=2, random_state=seed).fit(partitioned(ROWS)) for seed in (0, 0, 1)
    )
    assert_array_equal(first.score_samples(ROWS), again.score_samples(ROWS))
    assert (first.score_samples(ROWS) != other.score_samples(ROWS)).any()


@pytest.mark.usefixtures("large")
def test_columns_are_described_by_all_partitions():
    X = labelled(ROWS)
    X.loc[X.index[-1], "number"] = -3  # the one negative count, in the last partition
    estimator = quick(feature_types={"number": "count"})
    fits = [clone(estimator).fit(table) for table in (X, partitioned(X))]
    tables = [fitted._state["table"] for fitted in fits]
    assert_array_equal(*(fitted.feature_types_ for fitted in fits))
    assert_array_equal(*(fitted.feature_names_in_ for fitted in fits))
    assert_array_equal(*(table["ends"] for table in tables))
    assert tables[1]["ends"][0, 3] == -np.inf
    assert_allclose(*(table["missing"] for table in tables))
    assert_allclose(*(table["center"] for table in tables), atol=0.2)
    layouts = [fitted._state["layout"] for fitted in fits]
    assert layouts[0] == layouts[1]
    assert layouts[1]["levels"][2] == ["left", "middle", "right"]
    assert set(fits[1].sample(50, random_state=0)["side"]) == {"left", "middle", "right"}


@pytest.mark.usefixtures("large")
def test_bounds_hold_on_partitions():
    X = labelled(ROWS)
    bounds = {"x": (X["x"].min(), None), "number": (None, X["number"].max())}
    drawn = quick(bounds=bounds).fit(partitioned(X)).sample(500, random_state=0)
    assert drawn["x"].min() >= X["x"].min()
    assert drawn["number"].max() <= X["number"].max()
    with pytest.raises(ValueError, match=r"column 'x' holds .* outside of its bounds"):
        quick(bounds={"x": (0, None)}).fit(partitioned(X))


@pytest.mark.usefixtures("large")
def test_masked_cells_are_missing():
    holes = np.random.RandomState(0).uniform(size=ROWS.shape) < 0.2
    masked = np.ma.masked_array(np.where(holes, -999.0, ROWS), holes)
    missing = np.where(holes, np.nan, ROWS)
    fits = [quick().fit(partitioned(X)) for X in (masked, missing)]
    assert_array_equal(*(fitted.score_samples(missing) for fitted in fits))


@pytest.mark.usefixtures("large")
def test_partitions_of_integers_and_floats_are_floats():
    X = pd.DataFrame(ROWS, columns=["x", "y"])
    parts = [X.iloc[:500].assign(y=np.arange(500)), X.iloc[500:]]
    fitted = quick().fit(dd.from_map(lambda part: part, parts, meta=parts[0].iloc[:0]))
    drawn = fitted.sample(20, random_state=0)["y"]
    assert (drawn != drawn.round()).any()


@pytest.mark.usefixtures("large")
def test_partitions_without_rows_are_passed_over():
    X = da.from_array(ROWS, chunks=((0, 500, 0, 500), (2,)))
    assert np.isfinite(quick(n_estimators=3).fit(X).score_samples(ROWS)).all()


@pytest.mark.usefixtures("large")
def test_rows_need_not_be_counted():
    counted = partitioned(ROWS)
    fits = [quick().fit(X) for X in (counted, counted[counted[:, 0] < np.inf])]
    assert_array_equal(*(fitted.score_samples(ROWS) for fitted in fits))


@pytest.mark.usefixtures("large")
def test_rows_to_stop_by_may_be_given():
    X_val = TRUTH.sample(50, random_state=3)
    for given in (X_val, partitioned(X_val, 20)):
        fitted = quick(n_estimators=2).fit(partitioned(ROWS), X_val=given)
        assert_allclose(
            fitted.best_validation_score_, fitted.score(X_val) / len(X_val), atol=0.1
        )


def test_partitions_are_dealt_out_once():
    rng = np.random.RandomState(0)
    sizes = [100, 0, *rng.randint(1, 200, size=21).tolist()]
    dealt = share_out(sizes, 4, 2, rng)
    assert sorted(itertools.chain(*dealt)) == [k for k, size in enumerate(sizes) if size]
    rows = [sum(sizes[partition] for partition in own) for own in dealt]
    assert max(rows) - min(rows) <= max(sizes)


def test_few_partitions_are_shared():
    dealt = share_out([10, 10], 5, 2, np.random.RandomState(0))
    assert sorted(itertools.chain(*dealt)) in ([0, 0, 0, 1, 1], [0, 0, 1, 1, 1])
    assert all(len(own) == 1 for own in dealt)


@pytest.mark.usefixtures("large")
def test_members_of_tiny_partitions_share_large_ones():
    sizes = [1, 1, 1, 997]
    for own in share_out(sizes, 4, 2, np.random.RandomState(0)):
        assert own.count(3) == 1
    X = da.from_array(ROWS, chunks=(tuple(sizes), 2))
    fitted = quick(n_estimators=4).fit(X)
    assert_allclose(fitted.score(ROWS), quick(n_estimators=4).fit(ROWS).score(ROWS), rtol=0.1)


def test_no_member_takes_more_than_it_may(monkeypatch):
    monkeypatch.setattr(fitting, "MAX_MEMBER_BYTES", (4 * 2 + 12) * 100)
    sizes = [60] * 12
    for own in share_out(sizes, 2, 2, np.random.RandomState(0)):
        assert len(own) == 2  # the second one takes it beyond 100 rows
    assert [len(own) for own in share_out([500] * 4, 2, 2, np.random.RandomState(0))] == [1, 1]


@pytest.mark.usefixtures("large")
def test_windows_of_a_member_are_rows_from_all_over(monkeypatch):
    settings = {"early_stopping": False, "max_iter": 20}
    whole = quick(**settings).fit(partitioned(ROWS))
    monkeypatch.setattr("skmade._training.rows.WINDOW_ROWS", 90)
    windows = quick(**settings, verbose=False).fit(partitioned(ROWS))
    assert (windows.score_samples(ROWS) != whole.score_samples(ROWS)).any()
    assert abs(windows.score(ROWS) - whole.score(ROWS)) / len(ROWS) < 0.1


def spoilt(change):
    """Return rows of which one, in partition 3, is wrong."""
    X = labelled(ROWS).astype({"number": np.float64})
    X.loc[PARTITION_ROWS * 3 + 5, change[0]] = change[1]
    return partitioned(X)


@pytest.mark.parametrize(
    ("X", "problem"),
    [
        (spoilt(("y", np.inf)), "Partition 3 of X: .*infinity in column 'y'"),
        (spoilt(("number", 0.5)), "Partition 3 of X: column 'number' is a count"),
        (partitioned(labelled(ROWS).assign(y=np.nan)), "NaN in every row of column 'y'"),
        (partitioned(ROWS)[ROWS[:, 0] > 1e9], "X has no rows"),
    ],
)
@pytest.mark.usefixtures("large")
def test_after_an_error_the_estimator_is_as_it_was(X, problem):
    density = quick().fit(ROWS)
    before = density.score_samples(ROWS)
    density.set_params(
        feature_types={"number": "count"} if isinstance(X, dd.DataFrame) else "auto"
    )
    state = {**vars(density)}
    with pytest.raises(ValueError, match=problem):
        density.fit(X)
    assert vars(density) == state
    assert_array_equal(density.score_samples(ROWS), before)


@pytest.mark.usefixtures("large")
def test_a_partition_with_other_columns_is_named():
    parts = [labelled(ROWS[:500]), labelled(ROWS[500:])]
    parts[1] = parts[1].rename(columns={"y": "z"})
    X = dd.from_map(lambda part: part, parts, meta=parts[0].iloc[:0])
    with pytest.raises(ValueError, match=r"Partition 1 of X: The columns are \['x', 'z'"):
        quick().fit(X)


@pytest.mark.usefixtures("large")
def test_numbers_and_labels_of_one_column_are_told():
    X = pd.DataFrame(ROWS, columns=["x", "y"], dtype=object)
    X["mixed"] = ["a", "b"] * 250 + [1, 2] * 250
    with pytest.raises(ValueError, match=r"Partition [5-9] of X: column 'mixed' .* holds 1,"):
        quick().fit(partitioned(X, 100))
    labels = quick(feature_types={"mixed": "categorical"}).fit(partitioned(X, 100))
    assert labels._state["layout"]["levels"][2] == [1, 2, "a", "b"]


def unreadable(n_rows):
    """Return a table of which no partition can be read."""

    def read():
        raise AssertionError("A partition was read.")

    shape, empty = (n_rows // 2, 2), np.empty((0, 2))
    parts = [da.from_delayed(dask.delayed(read)(), shape, meta=empty) for _ in range(2)]
    return da.concatenate(parts)


@pytest.mark.usefixtures("large")
def test_what_partitions_cannot_have_is_refused_before_any_is_read():
    with pytest.raises(ValueError, match="1000 rows in partitions sample_weight is not supp"):
        quick().fit(unreadable(1000), sample_weight=np.ones(1000))
    density = quick(warm_start=True).fit(ROWS)
    with pytest.raises(ValueError, match="1000 rows in partitions warm_start cannot go on"):
        density.fit(unreadable(1000))
    with pytest.raises(ValueError, match="X has no columns"):
        quick().fit(unreadable(1000)[:, :0])
    for X in (unreadable(200), unreadable(1000)):  # neither is wrong without a look at rows
        with pytest.raises(AssertionError, match="was read"):
            quick().fit(X)


@pytest.mark.parametrize(
    ("feature_types", "problem"),
    [
        ({"z": "count"}, "feature_types names 'z', which is no column of X"),
        ({"y": "counts"}, "feature_types of column 'y' is 'counts'; it must be one of"),
        (["count"], "feature_types has 1 words for 2 columns"),
    ],
)
def test_wrong_types_of_columns_are_no_matter_of_partitions(feature_types, problem):
    X = dd.from_dask_array(unreadable(1000), columns=["x", "y"])
    with pytest.raises(ValueError, match=f"^{problem}"):
        quick(feature_types=feature_types).fit(X)


@pytest.mark.usefixtures("large")
def test_what_partitions_cannot_have_is_refused_when_rows_are_counted():
    frame = pd.DataFrame(ROWS, columns=["x", "y"])
    with pytest.raises(ValueError, match="1000 rows in partitions sample_weight is not supp"):
        quick().fit(partitioned(frame), sample_weight=np.ones(1000))
    with pytest.raises(ValueError, match="set warm_start=False"):
        quick(warm_start=True).fit(frame).fit(partitioned(frame))


@pytest.mark.usefixtures("large")
def test_wrong_parameters_of_a_fit_to_partitions_are_refused():
    for early_stopping in (False, True):
        with pytest.raises(ValueError, match="X_val has 1 features"):
            quick(early_stopping=early_stopping).fit(partitioned(ROWS), X_val=ROWS[:, :1])
    with pytest.raises(ValueError, match="device='nowhere'"):
        quick(device="nowhere").fit(partitioned(ROWS))
    with pytest.raises(ValueError, match="ordering"):
        quick(ordering=[0, 0]).fit(partitioned(ROWS))
