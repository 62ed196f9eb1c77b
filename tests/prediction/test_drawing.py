"""Draws of whole rows, of rows given some cells, and of missing cells."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmade._prediction import background, drawing
from skmade._table.encoding import encode
from tests.ensembles import draw_table, ensemble_of_each_law, make_ensemble


@pytest.mark.parametrize("shares", ["equal", "unequal"])
def test_rows_come_from_every_member_as_often_as_it_counts(shares):
    # Members that are far apart show which of them a row comes from.
    ensemble = make_ensemble(
        1, n_members=4, n_masks=1, n_components=1, scale=0.0, shares=shares
    )
    names = ensemble.made.unflatten(np.arange(ensemble.weights.shape[1]))
    mean = int(names["bias2"][1])
    ensemble.weights[:, mean] = [-300, -100, 100, 300]
    drawn = encode(ensemble.table, drawing.draw(ensemble, 4000, np.random.RandomState(0)))
    drawn_shares = np.histogram(drawn, bins=[-1000, -200, 0, 200, 1000])[0] / 4000
    assert_allclose(drawn_shares, ensemble.shares, atol=0.03)
    assert np.ptp(ensemble.shares) > 0.3 or shares == "equal"


def test_rows_come_from_every_mask(monkeypatch):
    ensemble, asked = make_ensemble(5, n_members=3, n_masks=4), []

    def recording(ensemble, values, choice, rng):
        asked.append(choice)
        return values

    monkeypatch.setattr(drawing, "_draw_missing", recording)
    monkeypatch.setattr(drawing, "decode", lambda table, values: values)
    drawing.draw(ensemble, 12_000, np.random.RandomState(0))
    shares = np.bincount(asked[0], minlength=12) / 12_000
    assert_allclose(shares, np.repeat(ensemble.shares, 4) / 4, atol=0.015)


@pytest.mark.parametrize("order_agnostic", [False, True])
def test_completion_does_not_depend_on_memory(order_agnostic):
    ensemble = make_ensemble(4, 1, order_agnostic=order_agnostic)
    rng = np.random.RandomState(0)
    X = draw_table(ensemble.table.kinds, ensemble.table.n_levels, 20, rng)
    X[rng.random_sample(X.shape) < 0.4] = np.nan
    filled, n_effective = drawing.complete(ensemble, X, None, 2**30)
    again, _ = drawing.complete(ensemble, X, None, 1)
    assert_allclose(again, filled, rtol=1e-7)
    assert np.isfinite(filled).all()
    assert_array_equal(filled[~np.isnan(X)], X[~np.isnan(X)])
    exact = np.isinf(n_effective)
    assert exact.all() if order_agnostic else (n_effective[~exact] >= 1).all()


@pytest.mark.parametrize("share", [0.0, 0.5], ids=["members", "members and background"])
@pytest.mark.parametrize("order_agnostic", [False, True])
def test_draws_of_a_row_do_not_depend_on_its_neighbours(order_agnostic, share, monkeypatch):
    with np.errstate(divide="ignore"):
        monkeypatch.setattr(background, "LOG_SHARE", np.log(share))
    monkeypatch.setattr(background, "LOG_REST", np.log(1 - share))
    masks = {"order_agnostic": order_agnostic, "n_masks": 2}
    ensemble, X = ensemble_of_each_law(**masks)
    rng = np.random.RandomState(0)
    X = X[:60].copy()
    X[rng.random_sample(X.shape) < 0.4] = np.nan
    X[0] = np.nan

    def complete(rows, max_bytes=2**30):
        return drawing.complete(ensemble, rows, np.random.RandomState(0), max_bytes)[0]

    expected, order = complete(X), rng.permutation(60)
    assert len(np.unique(X, axis=0, equal_nan=True)) == 60
    assert_allclose(complete(X[order]), expected[order], rtol=1e-7)
    assert_allclose(complete(X, 1), expected, rtol=1e-7)
    assert_allclose(complete(np.r_[X, X[:7], X[order]])[:60], expected, rtol=1e-7)
    for row in range(8):
        assert_allclose(complete(X[row : row + 1])[0], expected[row], rtol=1e-7)


@pytest.mark.parametrize("order_agnostic", [False, True])
def test_draws_are_the_same_for_any_number_of_threads(order_agnostic, n_threads):
    ensemble, X = ensemble_of_each_law(order_agnostic=order_agnostic, n_masks=2)
    X = np.where(np.random.RandomState(0).random_sample(X.shape) < 0.4, np.nan, X)
    answers = []
    for number in (1, 3):
        n_threads(number)
        answers.append(drawing.complete(ensemble, X, np.random.RandomState(0), 2**20)[0])
    assert_array_equal(*answers)


def test_a_member_with_the_given_cells_first_helps_the_others():
    # One of two members has the given column first: its draws fit, and are weighed for both.
    ensemble = make_ensemble(2, n_members=2, n_masks=1, order_agnostic=False, scale=0.1)
    ensemble.ranks[:] = [[[1, 2]], [[2, 1]]]
    row = np.array([np.nan, 0.3])
    _, helped = drawing.draw_given(ensemble, row, 1000, np.random.RandomState(0))
    assert helped > 4000


def test_given_cells_that_come_first_in_every_ordering_are_exact():
    ensemble = make_ensemble(3, n_masks=1, order_agnostic=False)
    ensemble.ranks[:] = [1, 2, 3]
    rng = np.random.RandomState(0)
    for row in ([0.5, np.nan, np.nan], [0.5, 0.1, np.nan]):
        rows, n_effective = drawing.draw_given(ensemble, np.array(row), 7, rng)
        assert np.isinf(n_effective)
        assert rows.shape == (7, 3)
