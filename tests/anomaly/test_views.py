"""What a detector sees of a row."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.covariance import EmpiricalCovariance

from skmade._anomaly.coordinates import Coordinates
from skmade._anomaly.typical import TypicalCells
from skmade._anomaly.views import (
    N_NEIGHBORS,
    Views,
    _of_held_out,
    _without_itself,
    distance,
    gaussian_of,
)
from skmade._input import fitted_ensemble, read_fitted
from skmade._robust_core import PlainDensity
from skmade._table.encoding import standardise
from skmade.datasets import CorrelatedGaussian
from tests.configurations import mixed, quick

RNG = np.random.RandomState(0)


def exact_distance(rows, point):
    squared = np.sort(np.square(rows - point).sum(axis=1))
    return np.sqrt(squared[:N_NEIGHBORS].mean())


@pytest.mark.parametrize("n_points", [10, 300])
def test_distances_are_those_to_the_nearest_rows(n_points):
    rows = RNG.normal(size=(400, 3)).astype(np.float32)
    points = RNG.normal(size=(n_points, 3)).astype(np.float32)
    expected = [exact_distance(rows, point) for point in points]
    assert_allclose(distance(rows, points), expected, rtol=1e-5)


def test_a_row_is_not_near_to_itself_but_to_its_equals():
    rows = RNG.normal(size=(50, 2)).astype(np.float32)
    rows[:7] = rows[0]  # more equals than neighbours: the row itself may not be among these
    own = np.arange(50)
    expected = [exact_distance(np.delete(rows, i, axis=0), rows[i]) for i in own]
    assert_allclose(distance(rows, rows, own), expected, rtol=1e-5)
    assert distance(rows, rows, own)[0] == 0


def test_far_rows_keep_what_sets_them_apart():
    """Products of matrices would lose the distance of 0.01 beside coordinates of a million."""
    rows = (1e6 + np.linspace(0, 1, 9)[:, None]).astype(np.float32)
    assert_allclose(distance(rows, rows[:1] + np.float32(4)), 3.25, atol=0.1)


def test_the_gaussian_of_the_other_rows():
    points, weight = RNG.normal(size=(30, 4)), np.ones(30)
    gaussian = PlainDensity.of_numbers(points, weight)
    found = _without_itself(gaussian, points, np.ones(30, dtype=bool), weight)
    for row in range(30):
        others = EmpiricalCovariance().fit(np.delete(points, row, axis=0))
        expected = others.mahalanobis(points[[row]])[0]
        assert_allclose(found[row], expected, rtol=0.12)  # the covariance has a floor
    own = -2 * gaussian.scores(points)
    assert np.abs(np.log(found / own)).max() > 0.3  # and this is no trifle


def test_of_few_rows_the_gaussian_is_that_of_other_folds():
    """New rows are as far from it as those of fit, also of nearly as many columns as rows."""
    far, new = [], []
    for seed in range(10):
        rng = np.random.RandomState(seed)
        points, others = rng.normal(size=(2, 40, 30))
        gaussian, own = gaussian_of(points, np.ones(40), np.ones(40, dtype=bool))
        far.append(own.mean())
        new.append((-2 * gaussian.scores(others)).mean())
    assert_allclose(np.mean(far), np.mean(new), rtol=0.15)


def test_rows_are_looked_at_by_members_that_held_them_out():
    by_member = np.array([[1.0, 5.0, 12.0], [2.0, 7.0, 6.0], [1.0, 2.0, 3.0]])
    held_out = np.array([[True, False, True], [False, True, False], [False] * 3])
    assert_allclose(_of_held_out(by_member, held_out), [6.5, 7, 2])
    assert_allclose(_of_held_out(by_member, None), [6, 5, 2])


def test_labels_have_coordinates_of_their_own():
    table = mixed(200)
    density = quick().fit(table)
    ensemble, _ = fitted_ensemble(density)
    codes = np.array([[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 2.0, np.nan], [0.0, 0.0, 7.0, 0.0]])
    cells = np.repeat(codes, 20, axis=0)
    found = Coordinates.of(ensemble.table, cells, np.ones(60))
    assert found.columns.tolist() == [0, 1, 2, 2, 2, 3]
    points = found.points(codes)
    group = points[:, 2:5]
    assert (group.argmax(axis=1) == [0, 1, 2]).all()
    assert np.isnan(points[1, 5])
    assert_allclose(np.nanmean(points, axis=0), 0, atol=1e-12)


def test_a_label_that_nearly_all_rows_have_is_not_stretched_without_end():
    density = quick().fit(
        pd.DataFrame({"a": RNG.normal(size=50), "b": ["x"] * 25 + ["y"] * 25})
    )
    ensemble, _ = fitted_ensemble(density)
    cells = np.zeros((10_000, 2))
    cells[0, 1] = 1
    points = Coordinates.of(ensemble.table, cells, np.ones(10_000)).points(cells)
    assert 5 < points[0, 1] <= 10


def test_views_of_rows_that_were_held_out_are_those_of_new_rows():
    source = CorrelatedGaussian(4)
    rows, new = source.sample(400, random_state=0), source.sample(2000, random_state=1)
    density = quick().fit(rows)
    ensemble, numbers = read_fitted(density, rows)
    ones = np.ones(400)
    views, scores = Views.of(ensemble, numbers, ones, None, ones == 1, ones)
    found = views.rarities(*read_fitted(density, new))
    for level in (0.5, 0.2, 0.1):
        assert abs((found < np.log(level)).mean() - level) < 4 * np.sqrt(level / 400)
        assert abs((scores < np.log(level)).mean() - level) < 0.02


def test_views_come_back_from_their_state():
    rows = mixed(100)
    density = quick().fit(rows)
    ensemble, numbers = read_fitted(density, rows)
    ones = np.ones(100)
    views, _ = Views.of(ensemble, numbers, ones, None, ones == 1, ones)
    again = Views.from_state(views.to_state())
    assert_allclose(again.rarities(ensemble, numbers), views.rarities(ensemble, numbers))


def test_missing_cells_count_as_much_as_the_gaussian_says_they_typically_do():
    """Of a Gaussian the expected log-density of a cell given all others is known."""
    source = CorrelatedGaussian(4)
    rows = source.sample(3000, random_state=0) * [1.0, 1e3, 1e-3, 1.0]
    density = quick(n_components=1, max_iter=30, n_estimators=2).fit(rows)
    ensemble, numbers = read_fitted(density, rows)
    cells, ones = standardise(ensemble.table, rows), np.ones(3000)
    coordinates = Coordinates.of(ensemble.table, cells, ones)
    gaussian = PlainDensity.of_numbers(coordinates.points(cells), ones)
    typical = TypicalCells.of(ensemble, numbers, coordinates, gaussian)
    precision = np.linalg.inv(np.cov(rows.T))
    missing = np.array([[True, False, False, False], [False, True, True, False], [False] * 4])
    expected = [
        0.5 * np.linalg.slogdet(precision[np.ix_(own, own)])[1]
        - 0.5 * own.sum() * np.log(2 * np.pi * np.e)
        for own in missing
    ]
    found = typical.of_missing(missing)
    # The median of half of a chi-square variable is 0.27 below its mean.
    assert_allclose(found, expected + 0.273 * missing.sum(axis=1), atol=0.15)
    assert found[2] == 0
