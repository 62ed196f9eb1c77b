"""Scores of rows with and without missing cells: memory, chunks, what is integrated."""

import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmade._prediction import scoring
from skmade._prediction.drawing import draw
from skmade._prediction.scoring import MAX_SCORING_BYTES, by_chunks, log_density
from skmade._table.encoding import encode
from skmade._table.numbers import Numbers
from tests.ensembles import draw_table, make_ensemble


def rows_with_holes(ensemble, n_rows=40, share=0.4, seed=0):
    rng = np.random.RandomState(seed)
    X = draw_table(ensemble.table.kinds, ensemble.table.n_levels, n_rows, rng)
    X[rng.random_sample(X.shape) < share] = np.nan
    return X


@pytest.mark.parametrize("order_agnostic", [False, True])
def test_scores_do_not_depend_on_memory_or_neighbours(order_agnostic):
    ensemble = make_ensemble(5, 1, levels=(3,), order_agnostic=order_agnostic)
    X = rows_with_holes(ensemble)
    together = scoring.log_density(ensemble, X, 2**30)
    assert_allclose(scoring.log_density(ensemble, X, 1), together, rtol=1e-7)
    alone = [scoring.log_density(ensemble, row[None], 2**30)[0] for row in X]
    assert_allclose(alone, together, rtol=1e-7)
    parts = scoring.feature_log_density(ensemble, X, 2**30)
    assert_allclose(scoring.feature_log_density(ensemble, X, 1), parts, rtol=1e-7, atol=1e-12)


def test_less_memory_means_fewer_rows_at_once():
    ensemble = make_ensemble(5)
    sizes = [scoring.rows_at_once(ensemble, 32, 2.0**power) for power in (0, 20, 24, 60)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 1
    assert sizes[-1] == scoring.MAX_CHUNK_ROWS


def test_only_columns_with_holes_in_fit_are_left_out():
    ensemble = make_ensemble(4, order_agnostic=False)
    ensemble.table.missing[:] = [0.0, 0.5, 0.005, 0.01]
    cells = scoring.integrated_cells(ensemble, np.full((1, 4), np.nan))
    assert_array_equal(cells, [[True, False, True, False]])
    plain = make_ensemble(4, order_agnostic=False, conditioning_weights=False)
    plain.table.missing[:] = 0.5
    assert scoring.integrated_cells(plain, np.full((1, 4), np.nan)).all()


def test_a_cell_that_is_left_out_has_no_influence():
    ensemble = make_ensemble(4, order_agnostic=False, missing=0.3)
    X = rows_with_holes(ensemble, share=0.0)
    X[:, 1] = np.nan
    before = scoring.log_density(ensemble, X, 2**30)
    units = ensemble.made.units(encode(ensemble.table, X).T)
    assert (units[ensemble.made.unit_features == 1] == 0).all()
    assert np.isfinite(before).all()


def test_parts_of_rows_are_equal_and_as_many_as_two_or_four_threads_need():
    rows = np.arange(10, 33)
    for size, n_parts in ((23, 1), (22, 4), (6, 4), (5, 8), (1, 23)):
        parts = scoring.in_parts(rows, size)
        assert_array_equal(np.concatenate(parts), rows)
        assert len(parts) == n_parts
        assert max(map(len, parts)) <= size
    assert scoring.in_parts(rows[:0], 5) == []


def test_fixed_uniforms_are_always_the_same_and_spread_evenly():
    first, again = (scoring.fixed_uniforms(4, 16, 3) for _ in range(2))
    assert_array_equal(first, again)
    assert first.shape == (4, 16, 3)
    assert ((first > 0) & (first < 1)).all()
    # Every draw of a path has its own sixteenth of each column.
    assert_array_equal(np.sort((first[0] * 16).astype(int), axis=0)[:, 0], np.arange(16))


def test_rows_without_any_cell_have_density_one():
    for order_agnostic in (False, True):
        ensemble = make_ensemble(3, 1, order_agnostic=order_agnostic)
        empty = np.full((2, 3), np.nan)
        assert_allclose(scoring.log_density(ensemble, empty, 2**30), 0.0, atol=1e-12)
        assert_array_equal(scoring.feature_log_density(ensemble, empty, 2**30), 0.0)


def test_scores_and_draws_are_the_same_for_any_number_of_threads(n_threads):
    ensemble = make_ensemble(5, 2, n_masks=2, levels=(3,), n_counts=1)
    X = np.random.RandomState(0).normal(size=(2500, 5))
    X[:, ~ensemble.table.numeric] = 0.0
    answers = []
    for number in (1, 3):
        n_threads(number)
        scores = by_chunks(log_density, ensemble, Numbers(X), 2**30)
        answers.append((scores, draw(ensemble, 2500, np.random.RandomState(0))))
    for one, several in zip(*answers, strict=True):
        assert_array_equal(one, several)


@pytest.mark.parametrize("at_once", [1, 3])
def test_chunks_that_are_scored_together_share_the_memory(at_once, n_threads):
    n_threads(8)
    lock, seen, inside = threading.Lock(), [], [0]

    def score(ensemble, chunk, max_bytes):
        with lock:
            inside[0] += 1
            seen.append(inside[0])
        time.sleep(0.02)
        with lock:
            inside[0] -= 1
        return chunk[:, 0]

    X = np.arange(8000.0)[:, None]
    scores = by_chunks(score, None, Numbers(X), at_once * MAX_SCORING_BYTES)
    assert_array_equal(scores, X[:, 0])
    assert max(seen) == at_once
