"""Large tables: read in chunks and trained on in windows, with the answers of small ones."""

import subprocess
import sys

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.callback import ProgressBar

from skmade._table import numbers
from skmade._training import loop, rows, schedule
from skmade.datasets import CorrelatedGaussian
from tests.configurations import quick

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

GAUSSIAN = CorrelatedGaussian(3)
X = GAUSSIAN.sample(300, random_state=0)
TEST = GAUSSIAN.sample(1000, random_state=1)


@pytest.fixture
def tiny_windows(monkeypatch):
    """Cut tables into windows of at most 100 rows, and read them in chunks of 30."""
    monkeypatch.setattr(rows, "WINDOW_ROWS", 100)
    monkeypatch.setattr(rows, "STRETCH_ROWS", 10)
    monkeypatch.setattr(numbers, "CHUNK_ROWS", 30)


def mapped(array, folder):
    """Return the array as a file mapped into memory, to be read only."""
    written = np.memmap(folder / "table", dtype=array.dtype, mode="w+", shape=array.shape)
    written[:] = array
    written.flush()
    return np.memmap(folder / "table", dtype=array.dtype, mode="r", shape=array.shape)


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", ">f8"])
def test_numbers_of_any_type_are_what_they_are_as_float64(dtype, tmp_path):
    table = np.abs(X * 5).astype(dtype)
    expected = quick(max_iter=1).fit(table.astype(np.float64))
    scores = expected.score_samples(table.astype(np.float64))
    parts = expected.score_features(table.astype(np.float64))
    for own in (table, np.asfortranarray(table), mapped(table, tmp_path), table[::-1][::-1]):
        density = quick(max_iter=1).fit(own)
        assert_array_equal(density._state["weights"], expected._state["weights"])
        assert_array_equal(density.score_samples(own), scores)
        assert_array_equal(density.score_features(own), parts)


def test_chunks_do_not_change_scores(monkeypatch):
    density = quick(order_agnostic=True, n_masks=2).fit(X)
    table = TEST.copy()
    table[::3, 1] = np.nan
    whole, parts = density.score_samples(table), density.score_features(table)
    monkeypatch.setattr(numbers, "CHUNK_ROWS", 17)
    assert_allclose(density.score_samples(table), whole, rtol=1e-7)
    assert_allclose(density.score_features(table), parts, rtol=1e-7, atol=1e-9)


def test_errors_name_the_row_of_the_table(tiny_windows):
    table = np.column_stack([X, X[:, 0] > 0]).astype(np.float32)
    density = quick().fit(table)
    wrong = table.copy()
    wrong[211, 3] = 2
    with pytest.raises(ValueError, match=r"column 3 is binary.*row 211 holds 2"):
        density.score_samples(wrong)
    with pytest.raises(ValueError, match=r"column 3 is a count, but row 211 holds 0\.5"):
        quick(feature_types={3: "count"}).fit(np.where(wrong == 2, np.float32(0.5), wrong))
    wrong[[5, 250], 1] = np.inf
    for method in (density.score_samples, density.score_features, clone(density).fit):
        with pytest.raises(ValueError, match=r"infinity in column 1 \(2 rows\)"):
            method(wrong)


def test_rows_of_weight_zero_are_not_copied_and_leave_no_trace(tiny_windows, tmp_path):
    far = np.vstack([X, 1e6 + X[:40]])[np.random.RandomState(0).permutation(340)]
    weight = (far[:, 0] < 1e5).astype(float)
    left_out = quick().fit(far[weight > 0])
    for table in (far, mapped(far, tmp_path)):
        density = quick().fit(table, sample_weight=weight)
        assert_allclose(density.score_samples(TEST), left_out.score_samples(TEST), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("sort", [False, True])
def test_windows_learn_as_well_as_one_window(tiny_windows, monkeypatch, sort):
    table = GAUSSIAN.sample(1000, random_state=0)
    table = table[np.argsort(table[:, 0])] if sort else table
    scores = {}
    for window_rows in (1000, 100):
        monkeypatch.setattr(rows, "WINDOW_ROWS", window_rows)
        density = quick(n_estimators=3, max_iter=20).fit(table)
        scores[window_rows] = density.score_samples(TEST).mean()
        # What is held out is from the same distribution, so the two must be about the same.
        assert abs(density.best_validation_score_ - scores[window_rows]) < 0.25
    assert abs(scores[100] - scores[1000]) < 0.02
    assert abs(scores[100] - GAUSSIAN.score_samples(TEST).mean()) < 0.1


def test_held_out_rows_of_windows_are_not_trained_on(tiny_windows):
    # Columns that tell nothing of each other: what a member learns of rows is by heart.
    table = np.random.RandomState(0).normal(size=(300, 6))
    options = {"hidden_layer_sizes": (64, 64), "dropout": 0.0, "alpha": 0.0, "n_components": 5}
    density = quick(max_iter=60, n_iter_no_change=60, **options).fit(table)
    assert density.history_["train"][-1] - density.history_["validation"][-1] > 1.0


@pytest.mark.slow
def test_one_epoch_of_windows_forgets_what_it_began_with(tiny_windows, monkeypatch):
    table = GAUSSIAN.sample(4000, random_state=4)
    table = np.column_stack([table, table[:, 0] ** 2 + 0.1 * table[:, 1]])
    density = quick(max_iter=1, batch_size=20).fit(table)
    monkeypatch.setattr(loop, "MAX_AVERAGED_SHARE", 3)
    longer = clone(density).fit(table)
    assert density.best_validation_score_ > longer.best_validation_score_ + 0.1


def test_validation_rows_may_be_large_too(tiny_windows):
    table = GAUSSIAN.sample(400, random_state=3)
    density = quick(max_iter=10).fit(X[:80], X_val=table)
    expected = density.score_samples(table).mean()
    assert_allclose(density.best_validation_score_, expected, rtol=1e-4)


def test_windows_are_reproducible_and_go_on(tiny_windows):
    first, again = (quick(warm_start=True).fit(X) for _ in range(2))
    assert_array_equal(first._state["weights"], again._state["weights"])
    assert first.fit(X).n_iter_ == 10
    assert len(quick().partial_fit(X).partial_fit(X).history_["train"]) == 2


@pytest.mark.slow
def test_windows_reach_parallel_jobs(tmp_path):
    table = mapped(np.random.RandomState(0).normal(size=(280_000, 2)), tmp_path)
    density = quick(n_estimators=9, max_iter=1, n_jobs=2, batch_size=8192)
    with joblib.parallel_config(backend="loky"):
        parallel = clone(density).fit(table)
    serial = density.set_params(n_jobs=None).fit(table)
    assert_allclose(parallel.history_["validation"], serial.history_["validation"], rtol=1e-4)


def test_one_epoch_of_windows_shows_its_parts(tiny_windows, monkeypatch, capsys):
    for module in (schedule, loop):
        monkeypatch.setattr(module, "REPORTED_STEPS", 2)
    tasks = []

    class Recorder:
        max_propagation_depth = None

        def setup(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            tasks.append((context.task_name, context.task_id, context.max_subtasks))

        def on_fit_task_end(self, estimator, context):
            tasks.append(context.task_name)

    density = quick(max_iter=2, batch_size=20)
    density.set_callbacks(Recorder(), ProgressBar()).fit(X)
    # Three windows of 90 rows to train on, five batches each: seven whole parts of two.
    part = [x for k in range(7) for x in (("part", k, 0), "part")]
    one, two = ([("epoch", k, 7), *part, "epoch"] for k in range(2))
    assert tasks[2:-2] == one + two
    assert "epoch #1" in capsys.readouterr().out


@pytest.mark.slow
def test_partial_fit_over_chunks_reaches_what_fit_reaches():
    rng = np.random.RandomState(0)
    table = np.column_stack([GAUSSIAN.sample(2000, random_state=2), rng.gamma(2, size=2000)])
    table[:, 3] += np.abs(table[:, 0])
    train, test = table[:1000], table[1000:]
    options = {"hidden_layer_sizes": (32, 32), "n_estimators": 2}
    whole = quick(**options, max_iter=20, early_stopping=False).fit(train)
    density = quick(**options)
    for _ in range(20):
        for chunk in np.array_split(train, 4):
            density.partial_fit(chunk)
    gap = np.mean(whole.score_samples(test) - density.score_samples(test))
    assert gap < 0.06  # four seeds: 0.047 to 0.056


MEMORY = """
import sys, threading, time, warnings
import numpy as np
warnings.simplefilter("ignore")
from skmade import MADEDensity

def anonymous():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))

def peak(work):
    before, highest, done = anonymous(), [0.0], threading.Event()
    def watch():
        while not done.wait(0.005):
            highest[0] = max(highest[0], anonymous())
    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return highest[0] - before

options = {"hidden_layer_sizes": (16, 16), "n_components": 2, "random_state": 0}
density = MADEDensity(max_iter=1, batch_size=4096, **options)
small = np.random.RandomState(0).normal(size=(6000, 16)).astype(np.float32)
density.fit(small).score_samples(small)
table = np.memmap(sys.argv[1], dtype=np.float32, mode="w+", shape=(int(sys.argv[2]), 16))
for rows in np.array_split(np.arange(len(table)), 100):
    table[rows] = np.random.RandomState(rows[0]).normal(size=(len(rows), 16))
print(peak(lambda: density.fit(table)), peak(lambda: density.score_samples(table)))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_table(tmp_path):
    # As float64 the table would be 256 megabytes, as float32 128.
    command = [sys.executable, "-c", MEMORY, str(tmp_path / "table"), "2000000"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)
    fit, score = map(float, done.stdout.split())
    assert fit < 250
    assert score < 100
