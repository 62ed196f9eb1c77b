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
    assert_allclose([units.mean(), units.std()], [0, 1], atol=1e-6)
    assert_allclose(f.decode(table, units), X, rtol=1e-9)
    assert np.isfinite(table.log_jacobian)


def test_log_jacobian_is_minus_the_log_of_the_spreads():
    X = np.random.RandomState(0).normal(size=(200, 2)) * [1e-3, 40.0]
    assert_allclose(learn(X).log_jacobian, -np.log(X.std(axis=0)).sum())


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
    assert_allclose(learn(integers).scale_floor, 1 / np.sqrt(12) / integers.std())
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


def test_text_columns_are_found():
    assert f.find_text_column(np.array([[1, "x"], [2, "y"]], dtype=object)) == "column 1"
    assert f.find_text_column(pd.DataFrame({"a": [1], "b": ["x"]})) == "column 'b'"
    assert f.find_text_column(np.ones((2, 2))) is None
