"""How fit and partial_fit train: rows, weights, epochs, jobs and callbacks."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal, assert_equal
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skmade import _fitting
from skmade.datasets import CorrelatedGaussian
from skmade.metrics import mean_log_likelihood
from tests.configurations import quick

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

GAUSSIAN = CorrelatedGaussian(3)
X = GAUSSIAN.sample(300, random_state=0)
TEST = GAUSSIAN.sample(1000, random_state=1)


def test_members_differ_in_ordering_weights_and_fold():
    density = quick(n_estimators=6).fit(X)
    assert density._state["weights"].shape[0] == 6
    assert len(np.unique(density._state["weights"], axis=0)) == 6


def test_set_params_changes_the_next_fit():
    density = quick().fit(X)
    density.set_params(hidden_layer_sizes=(7,)).fit(X)
    assert density._state["architecture"]["hidden_layer_sizes"] == (7,)
    # A parameter that was changed but not fitted changes no score.
    scores = density.score_samples(X)
    density.set_params(hidden_layer_sizes=(9, 9), n_components=1, feature_types="binary")
    assert_array_equal(density.score_samples(X), scores)


def test_weight_zero_rows_leave_no_trace():
    far = np.vstack([X, 1e6 + X[:40]])
    weight = np.r_[np.ones(300), np.zeros(40)]
    left_out = quick().fit(X).score_samples(TEST)
    assert_array_equal(quick().fit(far, sample_weight=weight).score_samples(TEST), left_out)


@pytest.mark.slow
def test_weights_count_rows():
    # Weighted toward one of two far groups, the mixture's shares follow the weights.
    two = np.concatenate([X - 10, X + 10])
    weight = np.repeat([3.0, 1.0], 300)
    weighted = quick(max_iter=30).fit(two, sample_weight=weight)
    repeated = quick(max_iter=30).fit(np.repeat(two, weight.astype(int), axis=0))
    for density in (weighted, repeated):
        assert abs((density.sample(2000, random_state=0)[:, 0] < 0).mean() - 0.75) < 0.05
    gap = weighted.score_samples(two) - repeated.score_samples(two)
    assert abs(np.average(gap, weights=weight)) < 0.2


def test_validation_rows_are_those_given():
    far = quick().fit(X, X_val=X[:50] + 100)
    near = quick().fit(X, X_val=X[:50])
    assert far.best_validation_score_ < near.best_validation_score_ - 10
    with pytest.raises(ValueError, match="infinity in column 0"):
        quick().fit(X, X_val=np.full((3, 3), np.inf))
    with pytest.raises(ValueError, match="2 features"):
        quick().fit(X, X_val=X[:, :2])


def test_history():
    density = quick(max_iter=7).fit(X)
    assert density.n_iter_ == 7
    assert [len(curve) for curve in density.history_.values()] == [7, 7]
    assert density.best_validation_score_ >= max(density.history_["validation"]) - 1e-9
    # In nats of the table's own units, as score_samples.
    scaled = quick(max_iter=7).fit(X * 1024)
    expected = np.array(density.history_["validation"]) - 3 * np.log(1024)
    assert_allclose(scaled.history_["validation"], expected, atol=1e-4)


def test_without_early_stopping_all_epochs_are_trained():
    density = quick(early_stopping=False, max_iter=4).fit(X)
    assert density.n_iter_ == 4
    assert density.history_["validation"] == []
    assert density.best_validation_score_ is None


def test_warm_start_goes_on():
    cold = quick(warm_start=True).fit(X)
    before = cold.history_["validation"]
    cold.fit(X)
    assert cold.n_iter_ == 10
    assert cold.history_["validation"][:5] == before
    assert cold.history_["train"][5] > cold.history_["train"][0]
    with pytest.raises(ValueError, match="shape or n_estimators has been changed"):
        cold.set_params(hidden_layer_sizes=(4,)).fit(X)
    with pytest.raises(ValueError, match="features"):
        cold.set_params(hidden_layer_sizes=(16, 16)).fit(X[:, :2])
    assert cold.fit(X).n_iter_ == 15


# What a network is drawn for, and training cannot change.
DRAWN_FOR = {
    "ordering": [1, 2, 0],
    "order_agnostic": True,
    "connectivity_agnostic": True,
    "n_masks": 3,
    "feature_types": ["continuous", "continuous", "count"],
    "min_scale": 0.2,
    "handle_unknown": "smoothed",
}


def go_on(density, method):
    """Go on with a fitted network, by one of the two ways."""
    if method == "fit":
        density.set_params(warm_start=True)
    return getattr(density, method)(X)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("name", DRAWN_FOR)
def test_training_that_goes_on_refuses_what_the_network_was_not_drawn_for(name, method):
    density = quick(ordering="natural", max_iter=1).fit(X)
    scores, before = density.score_samples(X), dict(vars(density))
    density.set_params(**{name: DRAWN_FOR[name]})
    with pytest.raises(ValueError, match=f"but {name} has been changed") as refused:
        go_on(density, method)
    assert not [other for other in DRAWN_FOR if other != name and other in str(refused.value)]
    assert_array_equal(density.score_samples(X), scores)
    density.set_params(**{name: before[name]})
    assert go_on(density, method).n_iter_ == 2


def test_all_that_has_been_changed_is_named():
    density = quick(max_iter=1).fit(X).set_params(hidden_layer_sizes=(4,), **DRAWN_FOR)
    with pytest.raises(ValueError, match=f"shape or n_estimators, {', '.join(DRAWN_FOR)} has"):
        density.partial_fit(X)


# Parameters, and other forms of the same.
EQUAL_FORMS = {
    "ordering": ([2, 0, 1], [(2, 0, 1), np.array([2, 0, 1]), np.array([2.0, 0.0, 1.0])]),
    "order_agnostic": (True, [np.True_]),
    "connectivity_agnostic": (True, [np.True_]),
    "n_masks": (2, [np.int64(2)]),
    "feature_types": (
        ["continuous"] * 3,
        [("continuous",) * 3, np.array(["continuous"] * 3), "continuous"],
    ),
    "min_scale": (0.25, [np.float32(0.25)]),
    "handle_unknown": ("smoothed", [np.str_("smoothed")]),
}


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(("name", "forms"), EQUAL_FORMS.items(), ids=EQUAL_FORMS)
def test_training_goes_on_with_the_same_parameter_in_another_form(name, forms, method):
    first, others = forms
    density = quick(order_agnostic=True, max_iter=1).set_params(**{"n_masks": 2, name: first})
    density.fit(X)
    for done, other in enumerate([first, *others, first], start=2):
        assert go_on(density.set_params(**{name: other}), method).n_iter_ == done


def test_types_by_name_and_in_order_are_the_same():
    table = pd.DataFrame(X, columns=["a", "b", "c"])
    density = quick(feature_types={"b": "continuous"}, max_iter=1).fit(table)
    density.set_params(feature_types=["auto", "continuous", "auto"]).partial_fit(table)
    with pytest.raises(ValueError, match="feature_types has been changed"):
        density.set_params(feature_types={"a": "continuous"}).partial_fit(table)


def test_partial_fit_over_chunks_learns_the_density():
    density = quick(hidden_layer_sizes=(32, 32))
    for epoch in range(20):
        for chunk in np.array_split(GAUSSIAN.sample(1000, random_state=epoch), 4):
            density.partial_fit(chunk)
    assert density.n_iter_ == 80
    gap = np.mean(GAUSSIAN.score_samples(TEST) - density.score_samples(TEST))
    assert -0.02 < gap < 0.1


def test_partial_fit_keeps_the_first_chunks_standardisation():
    density = quick().partial_fit(X)
    table = copy.deepcopy(density._state["table"])
    density.partial_fit(100 * X + 5)
    assert_equal(density._state["table"], table)
    with pytest.raises(ValueError, match="features"):
        density.partial_fit(X[:, :2])


def test_verbose_prints_the_history_line_by_line(capsys):
    history = quick(verbose=True, max_iter=3).fit(X * 1024).history_
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    train, validation = history["train"][2], history["validation"][2]
    expected = f"epoch 3: log-likelihood {train:.4f}, held out {validation:.4f}"
    assert lines[-1].endswith(expected)
    quick(max_iter=1).fit(X)
    assert capsys.readouterr().out == ""


class Recorder:
    """A callback that remembers tasks, and stops at an epoch if asked to."""

    max_propagation_depth = None

    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.tasks = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.tasks.append((context.task_name, context.task_id))
        return context.task_name == "epoch" and context.task_id + 1 == self.stop_at


def test_callbacks_see_and_stop_epochs():
    recorder = Recorder()
    quick(max_iter=3).set_callbacks(recorder).fit(X)
    assert recorder.tasks == [
        ("epoch", 0),
        ("epoch", 1),
        ("epoch", 2),
        ("members 1-1 of 1", 0),
        ("fit", 0),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Training never improved")  # in two epochs
        assert quick(max_iter=9).set_callbacks(Recorder(stop_at=2)).fit(X).n_iter_ == 2


def test_progress_bar_nested_in_pipeline_and_grid(capsys):
    grid = GridSearchCV(
        Pipeline([("scale", StandardScaler()), ("density", quick(max_iter=2))]),
        {"density__n_components": [1, 2]},
        cv=2,
    )
    grid.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X)
    shown = capsys.readouterr().out
    assert "GridSearchCV - fit" in shown
    assert "MADEDensity - members" in shown


def test_scoring_monitor_is_harmless():
    quick(max_iter=2).set_callbacks(ScoringMonitor(scoring=mean_log_likelihood)).fit(X)


@pytest.mark.slow
def test_progress_bar_across_processes(capsys):
    density = quick(n_estimators=9, max_iter=2, n_jobs=2)
    density.set_callbacks(ProgressBar()).fit(X)
    assert "members 9-9 of 9" in capsys.readouterr().out


def test_jobs_do_not_carry_what_an_earlier_fit_found(monkeypatch):
    sizes, train = [], _fitting.train_stack

    def measured(estimator, context, **task):
        sizes.append(len(pickle.dumps((estimator, context))))
        return train(estimator, context, **task)

    monkeypatch.setattr(_fitting, "train_stack", measured)
    density = quick(n_estimators=9, max_iter=1, hidden_layer_sizes=(64, 64))
    n_bytes = density.fit(X)._state["weights"].nbytes
    for again in (density.fit, density.partial_fit, density.set_params(warm_start=True).fit):
        again(X)
    assert len(sizes) == 16  # of four recipes each
    # Histories and orderings are small, and stay.
    assert max(sizes) < sizes[0] + 0.05 * n_bytes < 0.1 * n_bytes
    density.set_params(warm_start=False).fit(X)
    assert density.__sklearn_is_fitted__()


def test_a_copy_without_state_leaves_the_estimator_as_it_was():
    density = quick(max_iter=1).fit(X)
    before = dict(vars(density))
    told = _fitting.without_state(density)
    assert not told.__sklearn_is_fitted__()
    assert told.get_params() == density.get_params()
    assert vars(density) == before
    assert not _fitting.without_state(quick()).__sklearn_is_fitted__()


@pytest.mark.slow
def test_large_tables_reach_parallel_jobs():
    # joblib hands arrays above one megabyte to its processes as read-only memory maps.
    table = np.random.RandomState(0).normal(size=(30_000, 12))
    density = quick(n_estimators=5, max_iter=1, n_jobs=2, early_stopping=False).fit(table)
    assert np.isfinite(density.score(table[:10]))


def test_read_only_rows_can_be_trained_on():
    density = quick(warm_start=True).fit(X)
    for value in density._state.values():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    assert density.fit(X).n_iter_ == 10


def test_divergence_is_an_error_and_leaves_the_model():
    density = quick(early_stopping=False).fit(X)
    scores = density.score_samples(X)
    wild = density.set_params(learning_rate_init=1e30, max_iter=20)
    with pytest.raises(ValueError, match=r"Training diverged.*Lower learning_rate_init"):
        wild.fit(X)
    assert_array_equal(density.score_samples(X), scores)


def test_early_stopping_survives_divergence():
    with pytest.warns(ConvergenceWarning, match="Training diverged with learning_rate_init=1e"):
        density = quick(learning_rate_init=1e30, max_iter=20).fit(X)
    assert np.isfinite(density.score_samples(X)).all()


@pytest.mark.parametrize("dropout", [1e-6, 0.999, 0.999999])
def test_any_dropout_below_one_trains(dropout):
    assert np.isfinite(quick(dropout=dropout).fit(X).score_samples(X)).all()


def test_resuming_holds_out_the_same_rows():
    density = quick(warm_start=True, random_state=None).fit(X)
    seed = density._state["fold_seed"]
    assert density.fit(X)._state["fold_seed"] == seed


def test_training_without_held_out_rows_leaves_what_each_member_counts():
    density = quick(n_estimators=6, max_iter=20).fit(X)
    shares = density._state["shares"]
    assert np.ptp(shares) > 0.01
    assert_allclose(density.partial_fit(X[:100])._state["shares"], shares)
    density.set_params(warm_start=True, early_stopping=False).fit(X)
    assert_allclose(density._state["shares"], shares)
    # Without any held-out rows so far, each recipe counts the same.
    assert_allclose(quick(n_estimators=6).partial_fit(X)._state["shares"], 1 / 6)


def test_start_never_sees_held_out_rows():
    # An epoch of no size leaves the start. Held-out rows change places, then sign.
    quiet = quick(learning_rate_init=1e-30, max_iter=1, validation_fraction=0.3)
    first = clone(quiet).fit(X)
    held_out = np.random.RandomState(first._state["fold_seed"]).permutation(300)[:90]
    moved, flipped = X.copy(), X.copy()
    moved[held_out] = X[np.roll(held_out, 1)]
    flipped[held_out] *= [1, -1, 1]  # another correlation, about the same standardisation
    same, close = (clone(quiet).fit(table)._state["weights"] for table in (moved, flipped))
    assert_allclose(same, first._state["weights"], atol=1e-6)
    assert np.abs(close - first._state["weights"]).max() < 0.2


def test_only_ratios_of_weights_count():
    rng = np.random.RandomState(0)
    weight = rng.uniform(0.5, 2, size=300)
    scores = quick().fit(X, sample_weight=weight).score_samples(TEST)
    for factor in (2.0**-900, 2.0**900):
        scaled = quick().fit(X, sample_weight=weight * factor).score_samples(TEST)
        assert_allclose(scaled, scores, rtol=1e-6)
    lonely = np.full(300, 1e-50)
    lonely[:100] = 1
    density = quick().fit(X, sample_weight=lonely)
    assert np.isfinite(density.best_validation_score_)


MODES = {
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
    "autocast": lambda: torch.autocast("cpu"),
    "another default device": lambda: torch.device("meta"),
}


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES.keys())
def test_modes_of_torch_change_nothing(mode):
    expected = quick().fit(X)
    with mode():
        density = quick().fit(X)
        scores, drawn = density.score_samples(X), density.sample(5, random_state=0)
    assert_array_equal(scores, expected.score_samples(X))
    assert_array_equal(drawn, expected.sample(5, random_state=0))


def test_later_chunks_validate_parameters_too():
    density = quick().partial_fit(X)
    with pytest.raises(ValueError, match="batch_size"):
        density.set_params(batch_size=0).partial_fit(X)
