import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmade._table import encoding as f
from skmade._table.column import MAX_RECURRING, MIN_SCALE
from skmade._table.frame import UNKNOWN, Layout, column_words
from skmade._table.marginals import MAX_UNIT
from skmade._table.numbers import Numbers, survey


def layout_of(n_features, levels=None, names=None):
    """Return the layout of an array, or of a DataFrame with names."""
    levels = [None] * n_features if levels is None else levels
    container = "array" if names is None else "pandas"
    return Layout(container, names, ["float64"] * n_features, levels, [False] * n_features)


def resolve(feature_types, X, levels=None, names=None):
    words = column_words(feature_types, X.shape[1], names, (*f.KINDS, "auto"))
    zero_one = survey(Numbers(X)).zero_one
    return f.resolve_kinds(words, zero_one, layout_of(X.shape[1], levels, names))


def learn(X, weight=None, feature_types="auto", **options):
    X = np.asarray(X, dtype=float)
    weight = np.ones(len(X)) if weight is None else np.asarray(weight, dtype=float)
    return f.learn_table(X, weight, resolve(feature_types, X), **options)


def column(values):
    return np.asarray(values, dtype=float)[:, None]


def test_columns_of_zeros_and_ones_are_binary():
    X = np.array([[0, 0, 1, 0.5], [1, 0, 1, 1], [0, np.nan, 1, 0]])
    assert resolve("auto", X).tolist() == ["binary"] * 3 + ["continuous"]
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


@pytest.mark.parametrize("scale", [1e-300, 1e-5, 1.0, 1e8, 1e300])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_units_are_standardised_at_any_scale(scale, offset):
    values = np.random.RandomState(0).normal(size=500) + offset
    X = column(values * min(scale, 1e300 / (offset + 1)))
    table = learn(X)
    units = f.encode(table, X)
    assert_allclose([units.mean(), units.std()], [0, 1], atol=0.05)
    assert_allclose(f.decode(table, units), X, rtol=1e-9)
    assert np.isfinite(table.log_jacobian).all()


def test_log_jacobian_is_minus_the_log_of_the_spreads():
    X = np.random.RandomState(0).normal(size=(200, 2)) * [1e-3, 40.0]
    table = learn(X)
    slopes = np.diff(f.encode(table, np.array([[0.0, 0.0], [1e-3, 1.0]])), axis=0)
    assert_allclose(table.log_jacobian, np.log(slopes[0] / [1e-3, 1.0]))


@pytest.mark.parametrize("kind", ["continuous", "count"])
def test_encoding_is_undone_and_its_slopes_are_counted(kind):
    rng = np.random.RandomState(0)
    X = np.c_[rng.poisson(3, size=400), np.rint(rng.lognormal(3, 1, size=400))]
    X = X if kind == "count" else X + 0.1 * rng.normal(size=X.shape)
    table = learn(X, feature_types=kind)
    assert_allclose(f.decode(table, f.encode(table, X)), X, rtol=1e-6, atol=1e-6)
    changed = (table.marginals.power != 1) | table.marginals.is_mixture
    if kind == "count":
        assert not changed.any()
        assert_array_equal(f.transform(table, X)[1], 0)
    else:
        assert changed.all()
        h = 1e-6
        slopes = (f.encode(table, X + h) - f.encode(table, X - h)) / (2 * h)
        assert_allclose(f.transform(table, X)[1], np.log(slopes), atol=1e-3)


def test_no_row_of_fit_is_beyond_an_edge_and_far_rows_are():
    X = np.random.RandomState(0).standard_cauchy((300, 2))
    table = learn(X, feature_types="continuous")
    assert not table.marginals.beyond_edge(f.encode(table, X)).any()
    assert table.marginals.beyond_edge(f.encode(table, X * 1e6)).all()
    counts = learn(np.rint(X), feature_types="count")
    assert not counts.marginals.beyond_edge(f.encode(counts, np.rint(X * 1e6))).any()


def test_scales_of_what_recurs_follow_the_slopes():
    rng = np.random.RandomState(0)
    values = np.r_[np.zeros(100), np.full(100, 50.0), rng.lognormal(3, 1, size=600)]
    table = learn(column(values), feature_types="continuous")
    assert table.marginals.power[0] != 1
    slopes = np.exp(f.transform(table, column([0.0, 50.0]))[1] - table.log_jacobian)
    assert_allclose(f.decode(table, table.recurring.T)[:, 0], [0, 50], atol=1e-6)
    ratio = table.recurring_scale[0] / slopes[:, 0]
    assert_allclose(ratio[0], ratio[1])


def test_binary_columns_are_their_own_units():
    X = column([0, 1, 1, 0])
    table = learn(X)
    assert_array_equal(f.encode(table, X), X)
    assert_array_equal(f.decode(table, X), X)
    assert_array_equal(table.log_jacobian, 0)


def test_weights_count_rows():
    rng = np.random.RandomState(0)
    X, weight = rng.normal(size=(30, 2)), rng.randint(1, 4, size=30)
    weighted, repeated = learn(X, weight), learn(np.repeat(X, weight, axis=0))
    assert_allclose(weighted.center, repeated.center)
    assert_allclose(weighted.spread, repeated.spread)


@pytest.mark.parametrize("value", [0.0, 5.0, -1e-300, 1e300, 0.1])
def test_a_constant_column_gets_its_magnitude_as_scale(value):
    X = column([value] * 7)
    table = learn(X, feature_types="continuous")
    assert table.constant.tolist() == [True]
    assert_array_equal(f.encode(table, X), 0)
    assert table.scale_floor.tolist() == [1.0]
    assert_allclose(table.log_jacobian, -np.log(abs(value) or 1.0))
    with pytest.warns(UserWarning, match="Constant in fit: column 'income'"):
        f.warn_constant(table, layout_of(1, names=["income"]))


def test_rounding_noise_is_not_data():
    assert learn(column([1e8, 1e8 + 1e-8, 1e8]), feature_types="continuous").constant.all()
    assert not learn(column([1e8, 1e8 + 1e-3, 1e8]), feature_types="continuous").constant.any()


def test_scale_floor_is_the_rounding_error_of_the_column():
    rng = np.random.RandomState(0)
    uniform, gaussian = rng.randint(0, 10, size=500), np.rint(rng.normal(scale=20, size=500))
    for integers in (column(uniform), column(gaussian)):
        table = learn(integers)
        step = 1 / (table.spread * 2.0**table.exponent)
        log_slopes = f.transform(table, integers)[1] - table.log_jacobian
        slope = np.exp(np.median(log_slopes))
        assert_allclose(table.scale_floor, step / np.sqrt(12) * slope)
    assert_allclose(slope, 1)
    fine = column(np.random.RandomState(0).normal(size=500))
    assert learn(fine).scale_floor == [MIN_SCALE]


def test_far_values_stay_finite():
    table = learn(column([1e-300, 2e-300, 4e-300]))
    far = column([1e308, -1e308])
    assert_array_equal(f.linear_units(table, far), column([MAX_UNIT, -MAX_UNIT]))
    assert np.isfinite(f.transform(table, far)).all()
    assert np.isfinite(f.decode(learn(column([-1e308, 1e308])), column([1e10]))).all()


def test_infinite_cells_are_named():
    X = np.array([[0.0, 1.0], [np.nan, -np.inf]])
    with pytest.raises(ValueError, match=r"contains infinity in column 'size' \(1 rows\)"):
        f.check_cells(survey(Numbers(X)).n_infinite, layout_of(2, names=["age", "size"]))
    f.check_cells(np.zeros(2), layout_of(2))


def test_columns_without_any_cell_are_named():
    X = np.array([[0.0, np.nan], [1.0, np.nan]])
    with pytest.raises(ValueError, match="contains NaN in every row of column 1"):
        f.check_present(survey(Numbers(X)).n_observed, layout_of(2))
    f.check_present(np.array([2]), layout_of(1))


@pytest.mark.parametrize(
    ("kind", "value", "lowest", "message"),
    [
        ("binary", 2.0, -np.inf, "'b' is binary.* row 1 holds 2"),
        ("count", 0.5, -np.inf, "'b' is a count, but row 1 holds 0.5.*'continuous'"),
        ("count", -1.0, 0.0, "'b' is a count that was never negative in fit, but row 1"),
    ],
)
def test_values_that_a_kind_cannot_take_are_named(kind, value, lowest, message):
    kinds, layout = np.array(["continuous", kind]), layout_of(2, names=["a", "b"])
    lowest = np.array([-np.inf, lowest])
    f.check_kinds(kinds, np.array([[0.5, 1.0], [0.5, np.nan]]), layout, lowest)
    with pytest.raises(ValueError, match=message):
        f.check_kinds(kinds, np.array([[0.5, 1.0], [0.5, value]]), layout, lowest)
    with pytest.raises(ValueError, match=message.replace("row 1", "row 701")):
        f.check_kinds(kinds, np.array([[0.5, 1.0], [0.5, value]]), layout, lowest, 700)


def test_unknown_labels_are_named():
    layout = layout_of(1, [["a", "b"]], names=["size"])
    with pytest.raises(ValueError, match=r"'size' of X holds 'c'.*known: 'a', 'b'.*smoothed"):
        f.check_known("X", {0: ["c", "d"]}, layout)
    f.check_known("X", {}, layout)


def test_missing_cells_are_no_part_of_location_and_spread():
    values = np.random.RandomState(0).normal(size=(100, 2))
    holes = values.copy()
    holes[60:, 1] = np.nan
    table, expected = learn(holes), learn(values[:60])
    assert_array_equal(table.center[1:], expected.center[1:])
    assert_array_equal(table.spread[1:], expected.spread[1:])
    assert_allclose(table.missing, [0, 0.4])
    units = f.encode(table, holes)
    assert_array_equal(np.isnan(units), np.isnan(holes))
    assert_array_equal(np.isnan(f.decode(table, units)), np.isnan(holes))


def test_counts_lie_on_integers_and_know_their_lowest():
    X = np.array([[0.0, -5], [3, 2], [7, 7]])
    table = learn(X, feature_types="count")
    assert table.lowest.tolist() == [0, -np.inf]
    assert_array_equal(f.decode(table, f.encode(table, X) + 1e-9), X)
    assert_array_equal(table.log_jacobian, 0)
    mean = f.decode(table, f.encode(table, X[:1] + 0.25), integers=False)
    assert_allclose(mean, X[:1] + 0.25)


def test_labels_that_fit_did_not_see_keep_some_mass():
    X = np.array([[0.0, 1.5], [1, 2.5], [1, 3.5]])
    kinds, n_levels = np.array(["categorical", "continuous"]), np.array([2, 0])
    table = f.learn_table(X, np.ones(3), kinds, n_levels, smoothed=True)
    mass = 0.5 / (3 + 1.5)
    assert_allclose(table.unknown_mass, [mass, 0])
    rows = np.array([[0.0, 2.0], [UNKNOWN, 2.0], [np.nan, np.nan]])
    values, parts = f.transform(table, rows)
    assert_allclose(parts[:, 0], [np.log(1 - mass), np.log(mass), 0])
    assert_allclose(parts[:, 1], [table.log_jacobian[1]] * 2 + [0])
    assert np.isnan(values[1, 0])


def test_far_outliers_do_not_stretch_the_units():
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


def test_values_that_recur_are_found():
    rng = np.random.RandomState(0)
    spiky = np.r_[np.zeros(300), np.full(60, 40.0), rng.normal(40, 20, size=640)]
    table = learn(column(spiky))
    found = f.decode(table, table.recurring.T)[:, 0]
    assert_allclose(np.sort(found), [0, 40], atol=1e-9)
    smooth = learn(column(rng.normal(size=1000)))
    assert smooth.recurring.size == 0
    rounded = learn(column(rng.normal(size=1000).round(1)))
    assert rounded.recurring.size == 0


def test_few_values_all_recur_and_many_are_bounded():
    grades = learn(column([1, 2, 2, 3, 3, 3, 4] * 20), feature_types="count")
    assert_allclose(f.decode(grades, grades.recurring.T)[:, 0], [1, 2, 3, 4])
    sparse = np.repeat(np.arange(100) ** 3.0, 20)
    table = learn(column(sparse), feature_types="count")
    assert table.recurring.shape == (1, MAX_RECURRING)


def test_columns_with_fewer_values_that_recur_are_filled_up():
    X = np.c_[np.repeat([1.0, 2.0, 4.0], 30), np.random.RandomState(0).normal(size=90)]
    table = learn(X, feature_types="continuous")
    assert table.recurring.shape == (2, 3)
    assert np.isnan(table.recurring[1]).all()
