"""What every configuration of MADEDensity owes its users: fits and scores, from outside.

Draws are in `test_draw_contract`, input that is refused in `test_refusals`, copies that are
kept in `test_saving`, threads and global state in `test_concurrency`, and that scores are those
of a density in the laws.
"""

import copy
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import _safe_indexing

from skmade import MADEDensity
from tests.configurations import (
    CONFIGURATIONS,
    cells,
    in_other_units,
    numbers,
    with_holes,
    with_infinity,
)
from tests.estimator_checks import check_all

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # Few epochs make few draws fit; how many do is tested elsewhere.
    pytest.mark.filterwarnings("ignore:The missing cells of"),
]

OF_NUMBERS = [name for name, case in CONFIGURATIONS.items() if case.make_table is numbers]


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_check_estimator(name):
    check_all(CONFIGURATIONS[name].density(hidden_layer_sizes=(8, 8), max_iter=2))


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_NUMBERS)
def test_check_estimator_with_other_defaults_untouched(name):
    check_all(MADEDensity(**CONFIGURATIONS[name].parameters))


def test_parameters_are_stored_as_they_are_and_nothing_else():
    sizes, ordering = [8, 8], np.array([1, 0])
    density = MADEDensity(sizes, ordering=ordering, verbose=True)
    assert density.hidden_layer_sizes is sizes
    assert density.ordering is ordering
    assert vars(density) == density.get_params()


def test_fit_returns_the_estimator_and_changes_no_parameter(density, table):
    before = density.get_params()
    assert density.fit(table) is density
    assert density.partial_fit(table) is density
    after = density.get_params()
    assert all(after[name] is value for name, value in before.items())


def test_a_clone_has_the_parameters_and_is_not_fitted(fitted, table):
    twin = clone(fitted)
    assert twin.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        twin.score_samples(table)


@pytest.mark.parametrize("n_samples", [1, 2, 3])
def test_few_rows(case, n_samples):
    few = case.make_table(n_samples)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Constant in fit")
        density = case.density().fit(few)
    assert np.isfinite(density.score_samples(few)).all()
    assert density.sample(3, random_state=0).shape == (3, few.shape[1])


def test_scores_are_finite_doubles_one_per_row(case, fitted):
    rows = case.make_table(1000, seed=1)
    scores = fitted.score_samples(rows)
    assert scores.dtype == np.float64
    assert scores.shape == (1000,)
    assert np.isfinite(scores).all()
    assert_allclose(fitted.score(rows), scores.sum())
    weight = np.arange(1000, dtype=float)
    assert_allclose(fitted.score(rows, sample_weight=weight), scores @ weight)


def test_a_row_scores_the_same_alone_and_in_any_batch(fitted, table):
    order = np.random.RandomState(0).permutation(len(table))
    few = _safe_indexing(table, slice(10))
    for score in (fitted.score_samples, fitted.score_features):
        together = score(table)
        for row in range(5):
            alone = score(_safe_indexing(table, [row]))[0]
            assert_allclose(alone, together[row], rtol=1e-7, atol=1e-9)
        permuted = score(_safe_indexing(table, order))
        assert_allclose(permuted, together[order], rtol=1e-7, atol=1e-9)
        with config_context(working_memory=1e-3):
            assert_allclose(score(few), together[:10], rtol=1e-7, atol=1e-9)


def test_answers_do_not_depend_on_the_calls_before(fitted, table):
    before = joblib.hash(vars(fitted))
    holed = with_holes(table, 0.3)
    first, second = (
        (
            fitted.score_samples(table),
            fitted.score_samples(holed),
            fitted.score_features(table),
            cells(fitted.sample(20, random_state=0)),
            cells(fitted.impute(holed, random_state=0)),
        )
        for _ in range(2)
    )
    for one, other in zip(first, second, strict=True):
        assert_array_equal(one, other)
    assert joblib.hash(vars(fitted)) == before


def test_parts_of_features_sum_to_the_score(fitted, table):
    for rows in (table, with_holes(table, 0.3)):
        parts = fitted.score_features(rows)
        assert parts.dtype == np.float64
        assert parts.shape == table.shape
        assert_allclose(parts.sum(axis=1), fitted.score_samples(rows), atol=1e-9)
        assert_array_equal(parts == 0, np.asarray(pd.isna(rows)))


def test_a_single_cell_of_zero_or_one_has_probabilities(fitted):
    for column in np.flatnonzero(fitted.feature_types_ == "binary"):
        rows = np.full((2, fitted.n_features_in_), np.nan)
        rows[:, column] = 0, 1
        if hasattr(fitted, "feature_names_in_"):
            rows = pd.DataFrame(rows, columns=fitted.feature_names_in_)
            rows.isetitem(column, pd.array([False, True], dtype="boolean"))
        assert_allclose(np.exp(fitted.score_samples(rows)).sum(), 1, rtol=1e-9)


def test_same_seed_same_fit_and_another_seed_another(density, table):
    first, again = (clone(density).fit(table).score_samples(table) for _ in range(2))
    other = clone(density).set_params(random_state=1).fit(table).score_samples(table)
    assert_array_equal(first, again)
    assert (first != other).any()


def test_without_a_seed_every_fit_and_draw_is_another(density, table):
    density.set_params(random_state=None)
    first, second = (clone(density).fit(table) for _ in range(2))
    assert (first.score_samples(table) != second.score_samples(table)).any()
    assert not np.array_equal(cells(first.sample(9)), cells(first.sample(9)))


def test_fit_forgets_the_fit_before(density, table):
    fresh = clone(density).fit(table)
    other = _safe_indexing(table, slice(60))
    other = _safe_indexing(other, slice(max(1, table.shape[1] - 1)), axis=1)
    density.fit(other).fit(table)
    assert_array_equal(density.score_samples(table), fresh.score_samples(table))
    assert vars(density).keys() == vars(fresh).keys()
    assert density.n_features_in_ == table.shape[1]
    assert density.history_ == fresh.history_


def test_parameters_that_are_set_change_the_next_fit(case, density, table):
    changes = {"hidden_layer_sizes": (5,), "n_components": 2, "max_iter": 2}
    density.fit(table).set_params(**changes).fit(table)
    expected = case.density(**changes).fit(table).score_samples(table)
    assert_array_equal(density.score_samples(table), expected)


def test_what_is_learned_of_the_table(fitted, table):
    assert fitted.n_features_in_ == table.shape[1]
    if isinstance(table, pd.DataFrame):
        assert fitted.feature_names_in_.tolist() == table.columns.tolist()
        expected = ["count", "continuous", "categorical", "binary"]
    else:
        assert not hasattr(fitted, "feature_names_in_")
        expected = (
            ["continuous", "continuous", "continuous", "binary"]
            if table.shape[1] > 1
            else ["continuous"]
        )
    assert fitted.feature_types_.tolist() == expected
    assert fitted.ordering_.shape[2] == table.shape[1]
    assert (np.sort(fitted.ordering_, axis=2) == np.arange(table.shape[1])).all()


def test_history_tells_of_every_epoch(density, table, capsys):
    density.fit(table)
    assert density.n_iter_ == 3
    assert list(density.history_) == ["train", "validation"]
    n_validated = 3 if density.early_stopping else 0
    assert [len(curve) for curve in density.history_.values()] == [3, n_validated]
    assert np.isfinite(density.history_["train"]).all()
    assert (density.best_validation_score_ is not None) == density.early_stopping
    assert capsys.readouterr() == ("", "")


def test_held_out_log_likelihood_is_that_of_the_scores(case, table):
    # Training and scoring are two implementations of one network.
    density = case.density(n_estimators=1, early_stopping=True)
    density.set_params(max_iter=10, learning_rate_init=0.05)  # hidden units have a say
    X_val = case.make_table(80, seed=1)
    expected = density.fit(table, X_val=X_val).score_samples(X_val).mean()
    assert_allclose(density.best_validation_score_, expected, atol=1e-4)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_training_that_goes_on_keeps_what_was_learned(case, table, method):
    density = case.density(random_state=None, warm_start=True)
    getattr(density, method)(table)
    n_epochs, ordering, train = density.n_iter_, density.ordering_, density.history_["train"]
    getattr(density, method)(table)
    assert density.n_iter_ == len(density.history_["train"]) == 2 * n_epochs
    assert density.history_["train"][:n_epochs] == train
    assert_array_equal(density.ordering_, ordering)
    # Another cut of the same rows is scored in the units of the first.
    half = _safe_indexing(table, slice(0, None, 2))
    before = density._state["table"]
    getattr(density, method)(half)
    assert_array_equal(density._state["table"]["center"], before["center"])


def test_heavy_rows_count_more(density, table):
    weight = np.ones(len(table))
    weight[::2] = 20
    plain, weighted = clone(density).fit(table), clone(density).fit(table, sample_weight=weight)
    gain = weighted.score_samples(table) - plain.score_samples(table)
    assert gain[::2].mean() > gain[1::2].mean()
    scaled = clone(density).fit(table, sample_weight=0.25 * weight)
    assert_array_equal(scaled.score_samples(table), weighted.score_samples(table))


def test_rows_of_weight_zero_leave_no_trace(density, table):
    weight = np.ones(len(table))
    weight[80:] = 0
    left_out = clone(density).fit(_safe_indexing(table, slice(80)))
    zero = clone(density).fit(table, sample_weight=weight)
    assert_array_equal(zero.score_samples(table), left_out.score_samples(table))
    assert zero.history_ == left_out.history_


def test_affine_law(density, fitted, table):
    moved, log_factors = in_other_units(table, fitted.feature_types_)
    expected = fitted.score_samples(table) - log_factors
    assert_allclose(density.fit(moved).score_samples(moved), expected, atol=1e-3)


def test_callers_tables_are_never_written(case, density):
    X, X_val, weight = case.make_table(60), case.make_table(40, seed=1), np.full(60, 2.0)
    before = copy.deepcopy((X, X_val, weight))
    density.fit(X, sample_weight=weight, X_val=X_val).partial_fit(X, sample_weight=weight)
    density.score_samples(X), density.score_features(X), density.score(X, sample_weight=weight)
    density.impute(X, random_state=0)
    for one, other in zip((X, X_val, weight), before, strict=True):
        assert_array_equal(cells(one), cells(other))


def test_read_only_tables_are_enough(density, table):
    weight = np.ones(len(table))
    for array in (weight, *([table] if isinstance(table, np.ndarray) else [])):
        array.flags.writeable = False
    density.fit(table, sample_weight=weight, X_val=table).partial_fit(table)
    assert np.isfinite(density.score_samples(table)).all()


def test_a_failed_fit_keeps_the_old_model(fitted, table):
    density, wrong = copy.deepcopy(fitted), with_infinity(table)
    before = joblib.hash(vars(density))
    narrow = _safe_indexing(table, slice(max(1, table.shape[1] - 1)), axis=1)
    with pytest.raises(ValueError, match="infinity"):
        density.fit(wrong)
    with pytest.raises(ValueError, match="infinity"):
        density.fit(narrow, X_val=with_infinity(narrow))
    with pytest.raises(ValueError, match="infinity"):
        density.partial_fit(wrong)
    assert joblib.hash(vars(density)) == before
    assert_array_equal(density.score_samples(table), fitted.score_samples(table))


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_far_rows_score_lower_and_finite(name):
    X = numbers(120)
    density = CONFIGURATIONS[name].density().fit(X[:, :3])
    center = X[:, :3].mean(axis=0)
    rays = center + np.array([0, 1e2, 1e4, 1e8, 1e100, 1e300])[:, None] * X[:, :3].std(axis=0)
    scores = density.score_samples(np.clip(rays, -1e300, 1e300))
    assert np.isfinite(scores).all()
    assert (np.diff(scores) < 0).all()
