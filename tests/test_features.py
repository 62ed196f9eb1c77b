import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmade import _features as f


def learn(X, weight=None, feature_types="auto"):
    X = np.asarray(X, dtype=float)
    weight = np.ones(len(X)) if weight is None else np.asarray(weight, dtype=float)
    return f.learn_table(X, weight, f.resolve_kinds(feature_types, X))


def column(values):
    return np.asarray(values, dtype=float)[:, None]


def test_columns_of_zeros_and_ones_are_binary():
    X = np.array([[0, 0, 1, 0.5], [1, 0, 1, 1], [0, 0, 1, 0]])
    assert f.resolve_kinds("auto", X).tolist() == ["binary"] * 3 + ["continuous"]
    assert f.resolve_kinds("continuous", X).tolist() == ["continuous"] * 4
    words = ["continuous", "auto", "binary", "auto"]
    assert f.resolve_kinds(words, X).tolist() == [
        "continuous",
        "binary",
        "binary",
        "continuous",
    ]
    by_name = f.resolve_kinds({"b": "continuous"}, X, names=list("abcd"))
    assert by_name.tolist() == ["binary", "continuous", "binary", "continuous"]
    assert f.resolve_kinds({1: "continuous"}, X).tolist() == by_name.tolist()


@pytest.mark.parametrize(
    ("feature_types", "message"),
    [
        (["auto"], "1 words for 2 columns"),
        (["auto", "counts"], "column 1 is 'counts'"),
        ({"z": "binary"}, "names 'z', which is no column"),
    ],
)
def test_wrong_feature_types_are_refused(feature_types, message):
    with pytest.raises(ValueError, match=message):
        f.resolve_kinds(feature_types, np.zeros((2, 2)))


@pytest.mark.parametrize("scale", [1e-300, 1e-5, 1.0, 1e8, 1e300])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_units_are_standardised_at_any_scale(scale, offset):
    values = np.random.RandomState(0).normal(size=500) + offset
    X = column(values * min(scale, 1e300 / (offset + 1)))
    table = learn(X)
    units = f.encode(table, X)
    assert_allclose([units.mean(), units.std()], [0, 1], atol=0.05)
    assert_allclose(f.decode(table, units), X, rtol=1e-9)
    assert np.isfinite(table.log_jacobian)


def test_log_jacobian_is_minus_the_log_of_the_spreads():
    X = np.random.RandomState(0).normal(size=(200, 2)) * [1e-3, 40.0]
    table = learn(X)
    slopes = np.diff(f.encode(table, np.array([[0.0, 0.0], [1e-3, 1.0]])), axis=0)
    assert_allclose(table.log_jacobian, np.log(slopes / [1e-3, 1.0]).sum())


def test_binary_columns_are_their_own_units():
    X = column([0, 1, 1, 0])
    table = learn(X)
    assert_array_equal(f.encode(table, X), X)
    assert_array_equal(f.decode(table, X), X)
    assert table.log_jacobian == 0


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
        f.warn_constant(table, ["income"])


def test_rounding_noise_is_not_data():
    assert learn(column([1e8, 1e8 + 1e-8, 1e8]), feature_types="continuous").constant.all()
    assert not learn(column([1e8, 1e8 + 1e-3, 1e8]), feature_types="continuous").constant.any()


def test_scale_floor_is_the_rounding_error_of_the_column():
    integers = column(np.random.RandomState(0).randint(0, 10, size=500))
    table = learn(integers)
    step = f.encode(table, column([1])) - f.encode(table, column([0]))
    assert_allclose(table.scale_floor, step[0] / np.sqrt(12))
    fine = column(np.random.RandomState(0).normal(size=500))
    assert learn(fine).scale_floor == [f.MIN_SCALE]


def test_far_values_stay_finite():
    table = learn(column([1e-300, 2e-300, 4e-300]))
    assert_array_equal(f.encode(table, column([1e308, -1e308])), column([1e300, -1e300]))
    assert np.isfinite(f.decode(learn(column([-1e308, 1e308])), column([1e10]))).all()


def test_bad_cells_are_named():
    X = np.array([[0.0, 1.0], [np.nan, 2.0], [np.nan, 3.0]])
    with pytest.raises(ValueError, match=r"contains NaN in column 'age' \(2 rows\)"):
        f.check_cells(X, ["age", "size"])
    X[0, 1] = -np.inf
    X[:, 0] = 0
    with pytest.raises(ValueError, match=r"contains infinity in column 1 \(1 rows\)"):
        f.check_cells(X)
    f.check_cells(np.ones((2, 2)))


def test_values_that_are_not_binary_are_named():
    kinds = np.array(["continuous", "binary"])
    f.check_binary(kinds, np.array([[5.0, 1.0]]))
    with pytest.raises(ValueError, match=r"column 'smoker' is binary.* row 1 holds 2"):
        f.check_binary(kinds, np.array([[5.0, 1.0], [0.0, 2.0]]), ["age", "smoker"])


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


DATES = pd.date_range("2020-01-01", periods=2)
WRONG_TYPES = {
    "text": (np.array([[1, "x"], [2, "y"]], dtype=object), "column 1 of X is not numeric.*'x'"),
    "text that parses": (np.array([["1", "2"]]), "column 0 of X is not numeric"),
    "bytes": (np.array([[b"1", b"2"]]), "column 0 of X is not numeric"),
    "text column": (pd.DataFrame({"a": [1], "b": ["01234"]}), "column 'b' of X is not numeric"),
    "dates": (pd.DataFrame({"a": [1, 2], "when": DATES}), "column 'when' of X holds dates"),
    "only dates": (pd.DataFrame({"when": DATES}), "column 'when' of X holds dates"),
    "date array": (DATES.to_numpy()[:, None], "column 0 of X holds dates"),
    "durations": ((DATES - DATES[0]).to_numpy()[:, None], "column 0 of X holds dates"),
    "huge integer": ([[1, 10**400]], "column 1 of X holds an integer too large"),
    "names that are numbers": (
        pd.DataFrame({7: [1], 8: ["x"]}),
        "column 1 of X is not numeric",
    ),
}


@pytest.mark.parametrize(("table", "message"), WRONG_TYPES.values(), ids=WRONG_TYPES.keys())
def test_text_and_dates_are_refused(table, message):
    with pytest.raises(TypeError, match=message):
        f.check_types(table)


def test_numbers_of_any_type_pass():
    for table in (np.ones((2, 2)), [[1, None]], pd.DataFrame({"a": [1, 2]}, dtype="Int64")):
        f.check_types(table)
