"""The grid on which a column was recorded, whatever the noise of its values."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmade._table.column import learn_column
from skmade._table.grid import NO_GRID, Grid, distinct_values, find_grid, resolution

EPS = np.finfo(np.float64).eps


def drawn(seed=0, n_rows=600):
    """Columns of many kinds, as they are recorded."""
    rng = np.random.RandomState(seed)
    return {
        "one decimal": rng.normal(50, 3, n_rows).round(1),
        "two decimals": rng.normal(3, 1, n_rows).round(2),
        "integers": np.rint(rng.normal(0, 30, n_rows)),
        "cents": rng.lognormal(3, 1, n_rows).round(2),
        "inches": (2.54 * np.rint(rng.normal(70, 4, n_rows))).round(2),
        "zeros": np.where(rng.random_sample(n_rows) < 0.6, 0, rng.gamma(2, 9, n_rows).round(1)),
        "timestamps": np.rint(1.6e9 + rng.uniform(0, 3e7, n_rows)),
        "tiny": rng.normal(size=n_rows).round(2) * 1e-300,
        "huge": rng.normal(size=n_rows).round(2) * 1e300,
        "halves": np.rint(rng.normal(20, 8, n_rows)) / 2,
    }


COLUMNS = drawn()
# Grids of decimals: not powers of ten in binary units.
DECIMAL = [
    "one decimal",
    "two decimals",
    "integers",
    "cents",
    "inches",
    "zeros",
    "timestamps",
    "halves",
]


@pytest.fixture(params=COLUMNS.keys())
def values(request):
    """Return a column."""
    return COLUMNS[request.param]


@pytest.fixture(params=DECIMAL)
def decimal(request):
    """Return a column that was recorded in decimals."""
    return COLUMNS[request.param]


def ulps(values):
    """Move each value by a few ulps, at most eight."""
    steps = np.random.RandomState(1).randint(-8, 9, size=len(values))
    return values * (1 + steps * EPS)


def single(values):
    """Save values in single precision, those out of its range at another magnitude."""
    exponent = int(np.frexp(np.abs(values).max())[1])
    return np.ldexp(np.ldexp(values, -exponent).astype(np.float32).astype(np.float64), exponent)


NOISE = {
    "ulps": ulps,
    "single precision": single,
    "inches and back": lambda values: values / 2.54 * 2.54,
    "pounds and back": lambda values: values * 0.45359237 / 0.45359237,
    "sums": lambda values: (values + values.max()) - values.max(),
}


@pytest.fixture(params=NOISE.values(), ids=NOISE.keys())
def noise(request):
    """Return what changes values by rounding alone."""
    return request.param


def learned(values, weight=None):
    """Distinct values, their masses, the resolution and the grid."""
    weight = np.ones(len(values)) if weight is None else weight
    # As `learn_column` scales a column.
    exponent = int(np.frexp(np.abs(values).max())[1])
    found, mass = distinct_values(np.ldexp(values, -exponent), weight)
    return found, mass, resolution(found, mass), find_grid(np.ldexp(found, exponent), mass)


def test_values_without_noise_stay_as_they_are(values):
    found, mass = distinct_values(values, np.ones(len(values)))
    expected, counts = np.unique(values, return_counts=True)
    assert_array_equal(found, expected)
    assert_array_equal(mass, counts)


def test_rounding_noise_is_no_information(values, noise):
    lossy = (NOISE["sums"], NOISE["single precision"])
    if values is COLUMNS["timestamps"] and noise in lossy:
        pytest.skip("it changes what was recorded")
    with np.errstate(under="ignore"):
        noisy = noise(values)
    found, mass, step, grid = learned(noisy)
    expected, expected_mass, expected_step, expected_grid = learned(values)
    assert len(found) == len(expected)
    assert_array_equal(mass, expected_mass)
    assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    assert_allclose(step, expected_step, rtol=1e-4)
    assert grid == expected_grid


def test_the_order_of_rows_is_no_information(values):
    order = np.random.RandomState(3).permutation(len(values))
    weight = np.random.RandomState(2).uniform(0.5, 2, size=len(values))
    noisy = ulps(values)
    for column in (values, noisy):
        found, mass, step, grid = learned(column[order], weight[order])
        expected, expected_mass, expected_step, expected_grid = learned(column, weight)
        assert_array_equal(found, expected)
        assert_allclose(mass, expected_mass, rtol=1e-12)
        assert step == expected_step
        assert grid == expected_grid


@pytest.mark.parametrize("off", [5.1000001, 5.1 + 8e-15, 5.137, 5.1 + 1e-10])
@pytest.mark.parametrize("name", ["one decimal", "two decimals", "integers", "cents", "zeros"])
def test_one_cell_off_the_decimals_tells_nothing(name, off):
    decimal = COLUMNS[name]
    _, _, step, grid = learned(decimal)
    changed = np.append(decimal, off)
    _, _, changed_step, changed_grid = learned(changed)
    assert_allclose(changed_step, step, rtol=1e-4)
    assert changed_grid == grid


EXPECTED = {
    "one decimal": Grid(1, 1, 0),
    "two decimals": Grid(2, 1, 0),
    "integers": Grid(0, 1, 0),
    "cents": Grid(2, 1, 0),
    "inches": Grid(2, 254, 0),
    "zeros": Grid(1, 1, 0),
    "timestamps": Grid(0, 1, 0),
    "halves": Grid(1, 5, 0),
    "tiny": NO_GRID,
    "huge": NO_GRID,
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", COLUMNS)
def test_grids_of_recorded_columns_are_found(name, seed):
    assert learned(drawn(seed)[name])[3] == EXPECTED[name]


def test_grids_of_few_values_are_found():
    cylinders = np.repeat([4.0, 6.0, 8.0], [30, 20, 40])
    assert learned(cylinders)[3].decimals == 0
    quarters = np.repeat(np.arange(8) / 4, 12)
    assert learned(quarters)[3] == Grid(2, 25, 0)
    odd = np.repeat(1.0 + 2 * np.arange(20), 3)
    assert learned(odd)[3] == Grid(0, 2, 1)
    # Three even numbers may be so by chance, twenty not.
    assert learned(np.repeat([2.0, 4.0, 8.0], 30))[3] == Grid(0, 1, 0)
    assert learned(np.repeat(10.0 * np.arange(20), 3))[3] == Grid(0, 10, 0)


FAMILIES = {
    "uniform": lambda rng, n: rng.uniform(size=n),
    "gaussian": lambda rng, n: rng.normal(size=n),
    "far from zero": lambda rng, n: 1e6 + rng.normal(size=n),
    "lognormal": lambda rng, n: rng.lognormal(2, 2, size=n),
    "heavy tails": lambda rng, n: rng.standard_cauchy(size=n),
    "exponential": lambda rng, n: rng.exponential(1e-5, size=n),
    "large": lambda rng, n: 1e12 * rng.uniform(size=n),
    "single precision": lambda rng, n: rng.normal(size=n).astype(np.float32).astype(np.float64),
    "square roots": lambda rng, n: np.sqrt(rng.randint(2, 10**6, size=n) + 0.5),
    "thirds": lambda rng, n: (3 * rng.randint(0, 10**6, size=n) + 1) / 3,
}


@pytest.mark.parametrize("n_rows", [12, 100, 1000])
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
def test_continuous_values_have_no_grid(family, n_rows):
    for seed in range(30):
        values = family(np.random.RandomState(seed), n_rows)
        assert learned(values)[3] == NO_GRID


@pytest.mark.parametrize("family", ["uniform", "gaussian", "lognormal", "heavy tails"])
def test_continuous_values_are_not_merged(family):
    for seed in range(10):
        values = FAMILIES[family](np.random.RandomState(seed), 2000)
        found, mass = distinct_values(values, np.ones(2000))
        # A few that are by chance as close as single precision.
        assert len(found) > 1990
        assert mass.sum() == 2000


def test_fine_values_in_single_precision_are_not_merged_into_one():
    # Timestamps of which single precision keeps about two minutes are a grid of their own.
    values = np.rint(1.6e9 + np.arange(0, 3e5, 50))
    found, _ = distinct_values(values, np.ones(len(values)))
    assert_array_equal(found, values)
    coarse = np.unique(values.astype(np.float32).astype(np.float64))
    assert_array_equal(distinct_values(coarse, np.ones(len(coarse)))[0], coarse)


def test_the_heaviest_of_merged_values_stands_for_all():
    values = np.array([0.3, 0.1 + 0.2, 0.3, 0.1 + 0.2, 0.1 + 0.2, 7.0])
    found, mass = distinct_values(values, np.ones(6))
    assert_array_equal(found, [0.1 + 0.2, 7.0])
    assert_array_equal(mass, [5, 1])
    found, _ = distinct_values(values, np.array([9.0, 1, 9, 1, 1, 1]))
    assert_array_equal(found, [0.3, 7.0])


def test_the_resolution_is_what_most_neighbours_keep():
    even = np.arange(100) * 0.1
    assert_allclose(resolution(even, np.ones(100)), 0.1)
    found, mass = distinct_values(np.append(even, 5.1000001), np.ones(101))
    assert_allclose(resolution(found, mass), 0.1)
    assert_allclose(resolution(np.array([1.0, 4.0]), np.array([9.0, 2.0])), 3)
    # Of few rows the smallest distance may tell.
    assert_allclose(resolution(np.array([0.0, 1, 3, 6]), np.ones(4)), 1)


def test_numbers_move_to_the_nearest_of_the_grid():
    assert_allclose(Grid(1, 1, 0).nearest(np.array([0.14, -0.16, 7.0])), [0.1, -0.2, 7.0])
    assert_array_equal(Grid(2, 254, 0).nearest(np.array([2.6, 100.0])), [2.54, 2.54 * 39])
    assert_array_equal(Grid(0, 2, 1).nearest(np.array([0.1, 3.9, -0.9])), [1, 3, -1])
    plain = np.array([0.123456789, 1e300])
    assert_array_equal(NO_GRID.nearest(plain), plain)
    assert np.isnan(Grid(1, 1, 0).nearest(np.array([np.nan]))).all()


def test_recorded_numbers_are_where_they_were(decimal):
    grid = learned(decimal)[3]
    moved = grid.nearest(ulps(decimal))
    assert_array_equal(moved, decimal)
    assert_array_equal(grid.nearest(moved), moved)


def test_the_nearest_number_lies_between_two_ends():
    grid, values = Grid(1, 5, 0), np.linspace(-9, 9, 181)
    for low, high in ((-1.0, 2.5), (-0.9, 2.4), (0.0, np.inf), (-np.inf, -0.1)):
        near = grid.nearest(values, low, high)
        assert (near >= low).all()
        assert (near <= high).all()
        assert_allclose(np.rint(near * 2), near * 2)
    # Ends on the grid are numbers of it, also with a rounding error.
    assert_array_equal(
        Grid(1, 1, 0).nearest(np.array([-5.0, 5.0]), -0.3, 0.1 + 0.2), [-0.3, 0.3]
    )
    # Where no number of the grid lies between the ends, these hold all the same.
    assert_array_equal(grid.nearest(np.array([0.0, 9.0]), 0.6, 0.9), [0.6, 0.9])


def test_numbers_too_large_for_a_grid_stay_as_they_are():
    large = np.array([1e20, -1e300, 2.0**60 + 2**10])
    assert_array_equal(Grid(2, 1, 0).nearest(large), large)


@pytest.mark.parametrize("offset", [1e7, 1.0, 32.0, 0.5])
@pytest.mark.parametrize("size", [1e-10, 3e-9, 1e-8])
def test_what_is_finer_than_single_precision_is_no_noise(offset, size):
    rng = np.random.RandomState(0)
    values = offset + size * offset * rng.normal(1, 1, 600)
    column = learn_column(values, np.ones(600), "auto")
    assert column.kind == "continuous"
    assert len(np.unique(column.grid.nearest(values))) > 300
