"""Fits to tables of dask: small ones as in memory, large ones on blocks for each member."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmade._dask import fitting as _block_fitting
from skmade._dask import partitions as _blocks
from skmade._dask.fitting import share_out
from skmade._training import rows as _rows
from skmade.datasets import TwoMoons
from tests.configurations import quick

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")

TRUTH = TwoMoons(noise=0.1)
ROWS = TRUTH.sample(1000, random_state=0)
BLOCK_ROWS = 120


@pytest.fixture(autouse=True)
def _in_this_thread():
    with dask.config.set({"scheduler": "sync", "dataframe.convert-string": False}):
        yield


@pytest.fixture
def large(monkeypatch):
    """Let tables of 300 rows and more be trained on where their blocks are."""
    monkeypatch.setattr(_rows, "MAX_DESCRIBED_ROWS", 300)
    monkeypatch.setattr(_rows, "MIN_DESCRIBED_ROWS", 300)


def blocked(X, block_rows=BLOCK_ROWS):
    if isinstance(X, pd.DataFrame):
        parts = [X.iloc[first : first + block_rows] for first in range(0, len(X), block_rows)]
        return dd.from_map(lambda part: part, parts, meta=X.iloc[:0])
    return da.from_array(X, chunks=(block_rows, -1))


def labelled(X):
    """Return rows with labels, of which no block has all, and with holes."""
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
        for table, weights in [(X, weight), (blocked(X), da.from_array(weight))]
    ]
    assert_array_equal(*(fitted.score_samples(X) for fitted in fits))
    assert_array_equal(*(fitted.feature_types_ for fitted in fits))


def test_chunks_and_rows_to_stop_by_are_fetched():
    X = labelled(ROWS)
    for learned in (
        lambda table: quick().partial_fit(table),
        lambda table: quick().fit(X, X_val=table),
    ):
        fits = [learned(table) for table in (X, blocked(X))]
        assert_array_equal(*(fitted.score_samples(X) for fitted in fits))


@pytest.mark.usefixtures("large")
def test_large_tables_are_learned_on_blocks_of_each_member():
    settings = {"n_estimators": 2, "max_iter": 15, "hidden_layer_sizes": (32, 32)}
    X, test = TRUTH.sample(2000, random_state=1), TRUTH.sample(2000, random_state=2)
    own, whole = (quick(**settings).fit(table) for table in (blocked(X), X))
    assert own.ordering_.shape == (2, 1, 2)
    assert len(own.history_["validation"]) == own.n_iter_
    mean = own.score(test) / len(test)
    assert abs(own.best_validation_score_ - mean) < 0.1
    assert mean > whole.score(test) / len(test) - 0.1
    assert mean > TRUTH.score_samples(test).mean() - 0.3


@pytest.mark.usefixtures("large")
def test_what_travels_is_the_weights_of_the_members_once(monkeypatch):
    sent, came = [], []

    def join(function, parts, *arguments):
        sent.append(len(pickle.dumps([getattr(value, "key", value) for value in arguments])))
        return _blocks.join(function, parts, *arguments)

    def shared(value):
        sent.append(len(pickle.dumps(value)))
        return _blocks.shared(value)

    def together(tasks):
        results = _blocks.together(tasks)
        came.append(len(pickle.dumps(results)))
        return results

    for function in (join, shared, together):
        monkeypatch.setattr(_block_fitting, function.__name__, function)
    estimator = quick(n_estimators=2, hidden_layer_sizes=(128, 128)).fit(blocked(ROWS))
    first = sum(sent)
    n_bytes = estimator._state["weights"].nbytes
    assert came[-1] < 1.5 * n_bytes
    sent.clear()
    estimator.fit(blocked(ROWS))
    assert first < n_bytes
    assert sum(sent) < 1.2 * first


@pytest.mark.usefixtures("large")
def test_two_fits_with_one_random_state_are_the_same():
    first, again, other = (
        quick(n_estimators=2, random_state=seed).fit(blocked(ROWS)) for seed in (0, 0, 1)
    )
    assert_array_equal(first.score_samples(ROWS), again.score_samples(ROWS))
    assert (first.score_samples(ROWS) != other.score_samples(ROWS)).any()


@pytest.mark.usefixtures("large")
def test_columns_are_described_by_all_blocks():
    X = labelled(ROWS)
    X.loc[X.index[-1], "number"] = -3  # the one negative count, in the last block
    fits = [quick(feature_types={"number": "count"}).fit(table) for table in (X, blocked(X))]
    tables = [fitted._state["table"] for fitted in fits]
    assert_array_equal(*(fitted.feature_types_ for fitted in fits))
    assert_array_equal(*(fitted.feature_names_in_ for fitted in fits))
    assert_array_equal(*(table["lowest"] for table in tables))
    assert_allclose(*(table["missing"] for table in tables))
    assert_allclose(*(table["center"] for table in tables), atol=0.2)
    layouts = [fitted._state["layout"] for fitted in fits]
    assert layouts[0] == layouts[1]
    assert layouts[1]["levels"][2] == ["left", "middle", "right"]
    assert set(fits[1].sample(50, random_state=0)["side"]) == {"left", "middle", "right"}


@pytest.mark.usefixtures("large")
def test_masked_cells_are_missing():
    holes = np.random.RandomState(0).uniform(size=ROWS.shape) < 0.2
    masked = np.ma.masked_array(np.where(holes, -999.0, ROWS), holes)
    missing = np.where(holes, np.nan, ROWS)
    fits = [quick().fit(blocked(X)) for X in (masked, missing)]
    assert_array_equal(*(fitted.score_samples(missing) for fitted in fits))


@pytest.mark.usefixtures("large")
def test_partitions_of_integers_and_floats_are_floats():
    X = pd.DataFrame(ROWS, columns=["x", "y"])
    parts = [X.iloc[:500].assign(y=np.arange(500)), X.iloc[500:]]
    fitted = quick().fit(dd.from_map(lambda part: part, parts, meta=parts[0].iloc[:0]))
    drawn = fitted.sample(20, random_state=0)["y"]
    assert (drawn != drawn.round()).any()


@pytest.mark.usefixtures("large")
def test_blocks_without_rows_are_passed_over():
    X = da.from_array(ROWS, chunks=((0, 500, 0, 500), (2,)))
    assert np.isfinite(quick(n_estimators=3).fit(X).score_samples(ROWS)).all()


@pytest.mark.usefixtures("large")
def test_rows_need_not_be_counted():
    counted = blocked(ROWS)
    fits = [quick().fit(X) for X in (counted, counted[counted[:, 0] < np.inf])]
    assert_array_equal(*(fitted.score_samples(ROWS) for fitted in fits))


@pytest.mark.usefixtures("large")
def test_rows_to_stop_by_may_be_given():
    X_val = TRUTH.sample(50, random_state=3)
    for given in (X_val, blocked(X_val, 20)):
        fitted = quick(n_estimators=2).fit(blocked(ROWS), X_val=given)
        assert_allclose(
            fitted.best_validation_score_, fitted.score(X_val) / len(X_val), atol=0.1
        )


def test_blocks_are_dealt_out_once():
    rng = np.random.RandomState(0)
    sizes = [100, 0, *rng.randint(1, 200, size=21).tolist()]
    dealt = share_out(sizes, 4, 2, rng)
    together = sorted(block for own in dealt for block in own)
    assert together == [block for block, size in enumerate(sizes) if size]
    rows = [sum(sizes[block] for block in own) for own in dealt]
    assert max(rows) - min(rows) <= max(sizes)


def test_few_blocks_are_shared():
    dealt = share_out([10, 10], 5, 2, np.random.RandomState(0))
    assert sorted(block for own in dealt for block in own) in ([0, 0, 0, 1, 1], [0, 0, 1, 1, 1])
    assert all(len(own) == 1 for own in dealt)


@pytest.mark.usefixtures("large")
def test_members_of_tiny_blocks_share_large_ones():
    sizes = [1, 1, 1, 997]
    for own in share_out(sizes, 4, 2, np.random.RandomState(0)):
        assert own.count(3) == 1
    X = da.from_array(ROWS, chunks=(tuple(sizes), 2))
    fitted = quick(n_estimators=4).fit(X)
    assert_allclose(fitted.score(ROWS), quick(n_estimators=4).fit(ROWS).score(ROWS), rtol=0.1)


def test_no_member_takes_more_than_it_may(monkeypatch):
    monkeypatch.setattr(_block_fitting, "MAX_MEMBER_BYTES", (4 * 2 + 12) * 100)
    sizes = [60] * 12
    for own in share_out(sizes, 2, 2, np.random.RandomState(0)):
        assert len(own) == 2  # the second one takes it beyond 100 rows
    assert [len(own) for own in share_out([500] * 4, 2, 2, np.random.RandomState(0))] == [1, 1]


@pytest.mark.usefixtures("large")
def test_windows_of_a_member_are_rows_from_all_over(monkeypatch):
    whole = quick(early_stopping=False).fit(blocked(ROWS))
    monkeypatch.setattr(_rows, "WINDOW_ROWS", 90)
    windows = quick(early_stopping=False, verbose=False).fit(blocked(ROWS))
    assert (windows.score_samples(ROWS) != whole.score_samples(ROWS)).any()
    assert abs(windows.score(ROWS) - whole.score(ROWS)) / len(ROWS) < 0.1


def spoilt(change):
    """Return rows of which one, in partition 3, is wrong."""
    X = labelled(ROWS).astype({"number": np.float64})
    X.loc[BLOCK_ROWS * 3 + 5, change[0]] = change[1]
    return blocked(X)


@pytest.mark.parametrize(
    ("X", "problem"),
    [
        (spoilt(("y", np.inf)), "Partition 3 of X: .*infinity in column 'y'"),
        (spoilt(("number", 0.5)), "Partition 3 of X: column 'number' is a count"),
        (blocked(labelled(ROWS).assign(y=np.nan)), "NaN in every row of column 'y'"),
        (blocked(ROWS)[ROWS[:, 0] > 1e9], "X has no rows"),
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
        quick().fit(blocked(X, 100))
    labels = quick(feature_types={"mixed": "categorical"}).fit(blocked(X, 100))
    assert labels._state["layout"]["levels"][2] == [1, 2, "a", "b"]


def unreadable(n_rows):
    """Return a table of which no block can be read."""

    def read():
        raise AssertionError("A block was read.")

    parts = [dask.delayed(read)() for _ in range(2)]
    blocks = [da.from_delayed(part, (n_rows // 2, 2), meta=np.empty((0, 2))) for part in parts]
    return da.concatenate(blocks)


@pytest.mark.usefixtures("large")
def test_what_blocks_cannot_have_is_refused_before_any_is_read():
    with pytest.raises(ValueError, match="1000 rows in blocks sample_weight is not supported"):
        quick().fit(unreadable(1000), sample_weight=np.ones(1000))
    density = quick(warm_start=True).fit(ROWS)
    with pytest.raises(ValueError, match="1000 rows in blocks warm_start cannot go on"):
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
def test_what_blocks_cannot_have_is_refused_when_rows_are_counted():
    frame = pd.DataFrame(ROWS, columns=["x", "y"])
    with pytest.raises(ValueError, match="1000 rows in blocks sample_weight is not supported"):
        quick().fit(blocked(frame), sample_weight=np.ones(1000))
    with pytest.raises(ValueError, match="set warm_start=False"):
        quick(warm_start=True).fit(frame).fit(blocked(frame))


@pytest.mark.usefixtures("large")
def test_wrong_parameters_of_a_fit_to_blocks_are_refused():
    for early_stopping in (False, True):
        with pytest.raises(ValueError, match="X has 1 features"):
            quick(early_stopping=early_stopping).fit(blocked(ROWS), X_val=ROWS[:, :1])
    with pytest.raises(ValueError, match="device='nowhere'"):
        quick(device="nowhere").fit(blocked(ROWS))
    with pytest.raises(ValueError, match="ordering"):
        quick(ordering=[0, 0]).fit(blocked(ROWS))
