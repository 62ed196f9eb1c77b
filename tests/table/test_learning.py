"""What is learned of the columns of a table: kinds, scales, atoms, ends."""

from dataclasses import asdict

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmade._table import learning
from skmade._table.column import MAX_ATOMS, MIN_SCALE
from skmade._table.encoding import encode, transform
from skmade._table.learning import learn_table
from skmade._table.numbers import Numbers, survey
from tests.table.learned import column, learn, resolve


def test_columns_of_zeros_and_ones_are_binary():
    X = np.array([[0, 0, 1, 0.5], [1, 0, 1, 1], [0, np.nan, 1, 0]])
    assert resolve("auto", X).tolist() == ["binary"] * 3 + ["continuous"]
    assert learn(X).kinds.tolist() == ["binary"] * 3 + ["continuous"]
    assert resolve("continuous", X).tolist() == ["continuous"] * 4
    words = ["continuous", "auto", "binary", "auto"]
    expected = ["continuous", "binary", "binary", "continuous"]
    assert resolve(words, X).tolist() == expected
    by_name = resolve({"b": "continuous"}, X, names=list("abcd"))
    assert by_name.tolist() == ["binary", "continuous", "binary", "continuous"]
    assert resolve({1: "continuous"}, X).tolist() == by_name.tolist()


def test_columns_of_labels_are_categorical_or_binary():
    X = np.array([[0.0, 0], [1, 1], [0, 2]])
    levels = [["no", "yes"], ["a", "b", "c"]]
    assert resolve("auto", X, levels).tolist() == ["binary", "categorical"]
    assert resolve(["categorical"] * 2, X, levels).tolist() == ["categorical"] * 2
    with pytest.raises(ValueError, match="column 1 is declared binary but has 3 labels"):
        resolve(["binary"] * 2, X, levels)


def test_whole_numbers_are_counts_unless_they_are_far_apart():
    rng = np.random.RandomState(0)
    X = np.column_stack([rng.poisson(3, 200), rng.poisson(900, 200), rng.poisson(3, 200) + 0.5])
    assert learn(X).kinds.tolist() == ["count", "continuous", "continuous"]
    assert learn(X, feature_types="continuous").kinds.tolist() == ["continuous"] * 3


def mixed(n_rows=300):
    """Columns of every kind of number, some cells missing."""
    rng = np.random.RandomState(0)
    money = np.where(rng.random_sample(n_rows) < 0.4, 0, rng.lognormal(3, 1, n_rows).round(1))
    modes = np.where(rng.random_sample(n_rows) < 0.4, -3, 3) + rng.normal(size=n_rows)
    columns = money, modes, rng.poisson(5, n_rows), rng.randint(0, 2, n_rows)
    X = np.column_stack([*columns, rng.choice([1.0, 2, 4], n_rows), np.full(n_rows, 7.0)])
    X[rng.random_sample(X.shape) < 0.1] = np.nan
    return X


def assert_alike(table, expected):
    """Compare what was learned of two tables, up to rounding."""
    found, known = asdict(table), asdict(expected)
    for name, value in known.pop("marginals").items():
        assert_allclose(found["marginals"][name], value, rtol=1e-6, atol=1e-6)
    for name, value in known.items():
        if np.asarray(value).dtype.kind == "f":
            assert_allclose(found[name], value, rtol=1e-6, atol=1e-9)
        else:
            assert_array_equal(found[name], value)


@pytest.mark.parametrize("shaped", [False, True])
def test_weights_count_rows(shaped):
    X, weight = mixed(), np.random.RandomState(1).randint(1, 4, size=300)
    weighted = learn(X, weight, shaped=shaped, smoothed=True)
    assert_alike(weighted, learn(np.repeat(X, weight, axis=0), shaped=shaped, smoothed=True))


@pytest.mark.parametrize("weighted", [False, True])
def test_the_order_of_rows_is_no_information(weighted):
    X, rng = mixed(), np.random.RandomState(1)
    weight = rng.randint(1, 4, size=300) if weighted else np.ones(300)
    order = rng.permutation(300)
    assert_alike(learn(X[order], weight[order]), learn(X, weight))


@pytest.mark.parametrize("noise", ["ulps", "inches and back", "single precision"])
def test_rounding_noise_is_no_information(noise):
    X = mixed()
    noisy = X / 2.54 * 2.54
    if noise == "ulps":
        noisy = X * (1 + np.random.RandomState(1).randint(-8, 9, size=X.shape) * 2.0**-52)
    elif noise == "single precision":
        noisy = X.astype(np.float32).astype(float)
    noisy[:, 3] = X[:, 3]  # zeros and ones
    table, expected = learn(noisy), learn(X)
    assert_array_equal(table.kinds, expected.kinds)
    assert_array_equal(table.grids, expected.grids)
    assert_array_equal(table.constant, expected.constant)
    for name in ("atoms", "codes", "ends", "edges", "scale_floor"):
        assert_allclose(getattr(table, name), getattr(expected, name), rtol=1e-4)
    images, expected_images = encode(table, noisy), encode(expected, X)
    assert_allclose(images, expected_images, atol=1e-3)


@pytest.mark.parametrize("value", [0.0, 5.0, -1e-300, 1e300, 0.1])
def test_a_constant_column_gets_its_magnitude_as_scale(value):
    X = column([value] * 7)
    table = learn(X, feature_types="continuous")
    assert table.constant.tolist() == [True]
    assert_array_equal(encode(table, X), 0)
    assert table.scale_floor.tolist() == [1.0]
    assert_allclose(table.log_jacobian, -np.log(abs(value) or 1.0))


def test_rounding_noise_is_not_data():
    assert learn(column([1e8, 1e8 + 1e-8, 1e8]), feature_types="continuous").constant.all()
    assert not learn(column([1e8, 1e8 + 1e-3, 1e8]), feature_types="continuous").constant.any()


def test_scale_floor_is_the_rounding_error_of_the_column():
    rng = np.random.RandomState(0)
    uniform, gaussian = rng.randint(0, 10, size=500), np.rint(rng.normal(scale=20, size=500))
    for integers in (column(uniform), column(gaussian)):
        table = learn(integers, feature_types="continuous")
        step = 1 / (table.spread * 2.0**table.exponent)
        log_slopes = transform(table, integers).log_factors - table.log_jacobian
        slope = np.exp(np.median(log_slopes))
        assert_allclose(table.scale_floor, step / np.sqrt(12) * slope)
    assert_allclose(slope, 1)
    fine = column(np.random.RandomState(0).normal(size=500))
    assert learn(fine).scale_floor == [MIN_SCALE]


def test_missing_cells_are_no_part_of_location_and_spread():
    values = np.random.RandomState(0).normal(size=(100, 2))
    holes = values.copy()
    holes[60:, 1] = np.nan
    table, expected = learn(holes), learn(values[:60])
    assert_array_equal(table.center[1:], expected.center[1:])
    assert_array_equal(table.spread[1:], expected.spread[1:])
    assert_allclose(table.missing, [0, 0.4])


def test_far_outliers_do_not_stretch_a_column():
    values = np.random.RandomState(0).normal(size=999)
    clean, dirty = learn(column(values)), learn(column([*values, 1e6]))
    spreads = [t.spread[0] * 2.0 ** t.exponent[0] for t in (clean, dirty)]
    centers = [t.center[0] * 2.0 ** t.exponent[0] for t in (clean, dirty)]
    assert_allclose(spreads[1], spreads[0], rtol=0.05)
    assert_allclose(centers[1], centers[0], atol=0.02)


def test_a_column_that_is_mostly_one_value_keeps_its_standard_deviation():
    values = np.r_[np.zeros(98), 3.0, 4.0]
    table = learn(column(values))
    assert_allclose(table.spread * 2.0**table.exponent, values.std())


def test_atoms_are_found():
    rng = np.random.RandomState(0)
    spiky = np.r_[np.zeros(300), np.full(60, 40.0), rng.normal(40, 20, size=640)]
    table = learn(column(spiky))
    assert np.sort(table.atoms).tolist() == [[0, 40]]
    assert_allclose(encode(table, table.atoms.T), table.atom_images.T)
    smooth = learn(column(rng.normal(size=1000)))
    assert smooth.atoms.size == 0
    rounded = learn(column(rng.normal(size=1000).round(1)))
    assert rounded.atoms.size == 0


def test_few_values_are_all_atoms_and_many_are_bounded():
    grades = learn(column([1, 2, 2, 3, 3, 3, 4] * 20), feature_types="count")
    assert grades.atoms.tolist() == [[1, 2, 3, 4]]
    sparse = np.repeat(np.arange(100) ** 3.0, 20)
    table = learn(column(sparse), feature_types="count")
    assert table.atoms.shape == (1, MAX_ATOMS)


def test_columns_with_fewer_atoms_are_filled_up():
    X = np.c_[np.repeat([1.0, 2.0, 4.0], 30), np.random.RandomState(0).normal(size=90)]
    table = learn(X, feature_types="continuous")
    for part in (table.atoms, table.atom_images):
        assert part.shape == (2, 3)
        assert np.isnan(part[1]).all()


def test_scales_of_atoms_follow_the_slopes():
    rng = np.random.RandomState(0)
    values = np.r_[np.zeros(100), np.full(100, 50.0), rng.lognormal(3, 1, size=600)]
    table = learn(column(values), feature_types="continuous")
    assert table.marginals.power[0] != 1
    slopes = np.exp(transform(table, column([0.0, 50.0])).log_factors - table.log_jacobian)
    assert table.atoms.tolist() == [[0, 50]]
    ratio = table.atom_scales[0] / slopes[:, 0]
    assert_allclose(ratio[0], ratio[1])


def learn_as_fit(X, weight, kinds, n_levels, **options):
    """Learn a table as fit does: from all of its rows, or a sample of many."""
    surveyed = survey(Numbers(X), weight)
    return learn_table(
        X.__getitem__, weight, surveyed, np.array(kinds), np.array(n_levels), seed=0, **options
    )


def test_columns_of_a_large_table_are_described_by_a_sample(monkeypatch):
    rng = np.random.RandomState(0)
    X = np.column_stack([rng.normal(size=5000), rng.poisson(3, 5000), rng.normal(size=5000)])
    X[4321] = [1e3, -2, np.nan]  # far, and the one negative count
    X[::4, 2] = np.nan
    weight = rng.uniform(size=5000)
    arguments = X, weight, ["continuous", "count", "continuous"], [0, 0, 0]
    whole = learn_as_fit(*arguments)
    for name in ("MAX_DESCRIBED_ROWS", "MIN_DESCRIBED_ROWS"):
        monkeypatch.setattr(learning, name, 1000)
    sample, again = (learn_as_fit(*arguments) for _ in range(2))
    assert_array_equal(sample.center, again.center)
    assert_allclose(sample.center, whole.center, atol=0.1)
    assert_allclose(sample.spread, whole.spread, rtol=0.1)
    assert_array_equal(sample.exponent, whole.exponent)
    assert_array_equal(sample.ends, whole.ends)
    assert_allclose(sample.missing, whole.missing)


def test_masses_of_unseen_labels_are_of_all_rows(monkeypatch):
    X = np.random.RandomState(0).randint(3, size=(3000, 1)).astype(float)
    whole = learn_as_fit(X, None, ["categorical"], [3], smoothed=True)
    monkeypatch.setattr(learning, "MAX_DESCRIBED_ROWS", 100)
    sample = learn_as_fit(X, None, ["categorical"], [3], smoothed=True)
    assert_allclose(sample.unseen_mass, whole.unseen_mass)


def test_rounding_noise_changes_no_transform():
    rng = np.random.RandomState(0)
    X = rng.exponential(size=(1500, 2)).round(2)  # of fewer values than a summary has
    noisy = X * (1 + rng.randint(-8, 9, X.shape) * np.finfo(float).eps)
    plain, other = learn(X), learn(noisy)
    assert_allclose(other.scale_floor, plain.scale_floor, rtol=1e-6)
    values = np.linspace(-1, 4, 50)[:, None] * np.ones(2)
    for one, two in zip(
        plain.marginals.forward(values), other.marginals.forward(values), strict=True
    ):
        assert_allclose(one, two, atol=1e-6)
