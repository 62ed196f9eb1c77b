"""Input of any container is taken, and bad input refused by an error that names the problem."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skmade import MADEDensity
from tests.configurations import CONFIGURATIONS, QUICK, mixed, numbers

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def X():
    """Return three continuous columns and a binary one."""
    return numbers(120)


@pytest.fixture(scope="module")
def fitted(X):
    """Return a fitted estimator that tests must not change."""
    return CONFIGURATIONS["Gaussian conditionals"].density(n_components=3).fit(X)


@pytest.mark.parametrize("n_samples", [0, -1, 2.5, "3", None])
def test_wrong_number_of_samples(fitted, n_samples):
    with pytest.raises((ValueError, TypeError), match="n_samples"):
        fitted.sample(n_samples)


KINDS = {
    "float32": lambda X: X.astype(np.float32),
    "object": lambda X: X.astype(object),
    "Fortran": np.asfortranarray,
    "list": lambda X: X.tolist(),
    "DataFrame": pd.DataFrame,
    "nullable": lambda X: pd.DataFrame(X).astype("Float64"),
}


@pytest.mark.parametrize("convert", KINDS.values(), ids=KINDS.keys())
def test_any_container_gives_the_same_answer(X, convert):
    X = X.astype(np.float32).astype(float)
    density = MADEDensity(n_estimators=1, **QUICK)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*feature names")
        expected = clone(density).fit(X).score_samples(X)
        other = density.fit(convert(X)).score_samples(convert(X))
    assert_allclose(other, expected, rtol=1e-12)


def test_integers_are_not_rounded_into_their_type(X):
    table = np.round(X[:, :2] * [10, 1]).astype(int)
    density = MADEDensity(n_estimators=1, **QUICK).fit(table)
    scores = density.score_samples(table)
    assert scores.dtype == np.float64
    assert_array_equal(scores, clone(density).fit(table.astype(float)).score_samples(table))
    assert_array_equal(scores, density.score_samples(table.astype(np.int16)))
    assert (scores % 1 != 0).all()


@pytest.fixture
def bad_tables(X):
    """Return tables that are no good, with what the error must say."""
    with_inf = X.copy()
    with_inf[3, 1] = np.inf
    text = X.astype(object)
    text[2, 1] = "many"
    return [
        (with_inf, "infinity in column 1"),
        (text, "column 1 of X is not numeric"),
        (X + 1j, "[Cc]omplex"),
        (X[:, 0], "1D array"),
        (X[None], "dim 3"),
        (3.0, "scalar|0D|array"),
        (None, "None|NoneType|Expected 2D"),
        (X[:0], "0 sample|minimum of 1"),
        (X[:, :0], "0 feature|minimum of 1"),
        (sparse.csr_array(X), "[Ss]parse"),
        ("table", "2D array|scalar|could not convert|Expected"),
    ]


def test_bad_tables_are_refused_in_fit_and_leave_no_trace(bad_tables):
    for table, message in bad_tables:
        density = MADEDensity(**QUICK)
        with pytest.raises((ValueError, TypeError), match=message):
            density.fit(table)
        assert vars(density) == vars(MADEDensity(**QUICK))
        with pytest.raises(NotFittedError):
            density.score_samples(np.ones((1, 4)))


def test_a_column_without_any_cell_is_refused_in_fit(X):
    X = X.copy()
    X[:, 2] = np.nan
    with pytest.raises(ValueError, match="contains NaN in every row of column 2"):
        MADEDensity(**QUICK).fit(X)


def test_masked_cells_are_missing(fitted, X):
    with_nan, masked = X.copy(), np.ma.masked_array(X, mask=np.zeros_like(X, dtype=bool))
    with_nan[0, 1], masked[0, 1] = np.nan, np.ma.masked
    assert_array_equal(fitted.score_samples(masked), fitted.score_samples(with_nan))


def test_bad_tables_are_refused_in_scoring(bad_tables, fitted):
    for table, message in bad_tables:
        with pytest.raises((ValueError, TypeError), match=message):
            fitted.score_samples(table)
    with pytest.raises(ValueError, match=r"column 3 is binary.*row 0 holds 0.5"):
        fitted.score_samples([[0.0, 0.0, 0.0, 0.5]])


@pytest.mark.parametrize("n_columns", [1, 3, 5])
def test_tables_of_another_width_are_refused(fitted, X, n_columns):
    other = np.ones((20, n_columns))
    for call in (fitted.score_samples, fitted.score_features, fitted.impute, fitted.score):
        with pytest.raises(ValueError, match=f"{n_columns} features.* expecting 4"):
            call(other)
    with pytest.raises(ValueError, match=f"{n_columns} features.* expecting 4"):
        MADEDensity(**QUICK).fit(X, X_val=other)


@pytest.mark.parametrize("order_agnostic", [False, True])
def test_labels_that_fit_did_not_see_are_refused_and_never_taken_for_others(order_agnostic):
    table = mixed(60)
    density = CONFIGURATIONS["mixed table"].density(order_agnostic=order_agnostic).fit(table)
    unknown = table.astype({"group": object}).head(5)
    unknown.loc[1, "group"] = "violet"
    for call in (density.score_samples, density.score_features, density.impute):
        with pytest.raises(ValueError, match="'group' of X holds 'violet'"):
            call(unknown)
    with pytest.raises(ValueError, match="'group' of given holds 'violet'"):
        density.sample(given={"group": "violet"})


def test_categories_are_told_apart_by_their_labels_and_not_by_their_codes():
    table = mixed(60)
    density = CONFIGURATIONS["mixed table"].density().fit(table)
    turned = table["group"].cat.reorder_categories(["blue", "red", "green"])
    expected = density.score_samples(table)
    assert_array_equal(density.score_samples(table.assign(group=turned)), expected)


def test_column_names_are_held_to(X):
    table = pd.DataFrame(X, columns=list("abcd"))
    density = MADEDensity(n_estimators=1, **QUICK).fit(table)
    assert density.feature_names_in_.tolist() == list("abcd")
    for call in (density.score_samples, density.impute, density.partial_fit):
        with pytest.raises(ValueError, match="feature names"):
            call(table[list("bacd")])
    with pytest.raises(ValueError, match="infinity in column 'b'"):
        density.fit(table.assign(b=np.inf))
    with pytest.raises(TypeError, match="column 'b' of X is not numeric"):
        density.score_samples(table.assign(b="many"))
    assert not hasattr(density.fit(X), "feature_names_in_")


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(3), "shape"),
        (-np.ones(120), "[Nn]egative"),
        (np.full(120, np.nan), "NaN"),
        (np.nan, "NaN"),
        (np.zeros(120), "zero"),
    ],
)
def test_wrong_weights_are_refused(X, weight, message):
    with pytest.raises(ValueError, match=message):
        MADEDensity(**QUICK).fit(X, sample_weight=weight)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("hidden_layer_sizes", ()),
        ("hidden_layer_sizes", (0,)),
        ("hidden_layer_sizes", (2.5,)),
        ("ordering", [0, 1]),
        ("ordering", "reverse"),
        ("feature_types", ["binary"]),
        ("feature_types", "text"),
        ("activation", "relu6"),
        ("n_estimators", 0),
        ("dropout", 1.0),
        ("device", "cuda:99"),
        ("device", "nonsense"),
        ("n_masks", 0),
        ("batch_size", "all"),
    ],
)
def test_wrong_parameters_are_refused_by_name(X, parameter, value):
    with pytest.raises(ValueError, match=parameter):
        MADEDensity(**{**QUICK, parameter: value}).fit(X)


NO_TABLES = {
    "record array": (lambda t: t.to_records(index=False), r"pandas\.DataFrame\(X\)"),
    "structured": (lambda t: np.array(t.to_records(index=False)), r"pandas\.DataFrame\(X\)"),
    "list of dicts": (lambda t: t.to_dict("records"), r"pandas\.DataFrame\(X\)"),
    "tuple of dicts": (lambda t: tuple(t.to_dict("records")), r"pandas\.DataFrame\(X\)"),
    "dict": (lambda t: t.to_dict("list"), r"pandas\.DataFrame\(X\)"),
}


@pytest.mark.parametrize(("convert", "hint"), NO_TABLES.values(), ids=NO_TABLES.keys())
def test_what_is_no_table_is_refused_with_what_makes_one(convert, hint):
    table = pd.DataFrame(np.arange(12.0).reshape(4, 3), columns=list("abc"))
    density = MADEDensity(n_estimators=1, **QUICK).fit(table)
    for ask in (density.fit, density.score_samples, density.impute):
        with pytest.raises(TypeError, match=hint):
            ask(convert(table))


@pytest.mark.parametrize("names", [["a", "a", "c"], [1, 1, 1]])
def test_columns_of_one_name_are_named(names):
    table = pd.DataFrame(np.arange(12.0).reshape(4, 3), columns=names)
    with pytest.raises(ValueError, match=rf"several are called {names[0]!r}: rename"):
        MADEDensity(n_estimators=1, **QUICK).fit(table)


@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame])
def test_columns_of_validation_rows_are_those_of_fit(X, container):
    table = pd.DataFrame(X, columns=list("abcd")) if container is pd.DataFrame else X
    fewer = container(table)[["a", "b"]] if container is pd.DataFrame else X[:, :2]
    with pytest.raises(ValueError, match=r"^X_val"):
        MADEDensity(n_estimators=1, **QUICK).fit(table, X_val=fewer)


def test_several_rows_of_given_cells_are_sent_to_impute(fitted, X):
    for rows in (X[:2], pd.DataFrame(X[:2])):
        with pytest.raises(ValueError, match=r"given.*use impute"):
            fitted.sample(5, given=rows)


def test_lazy_frames_are_collected():
    pl = pytest.importorskip("polars")
    rows = pl.DataFrame({"a": np.arange(60.0), "b": ["x", "y", "z"] * 20})
    weights = np.arange(60.0)
    density = MADEDensity(n_estimators=1, **QUICK).fit(rows, X_val=rows, sample_weight=weights)
    lazy = clone(density).fit(rows.lazy(), X_val=rows.lazy(), sample_weight=weights)
    assert_array_equal(lazy.score_samples(rows.lazy()), density.score_samples(rows))
    assert_array_equal(lazy.score_features(rows.lazy()), density.score_features(rows))
    holes = rows.with_columns(b=pl.lit(None, pl.String))
    completed = lazy.impute(holes.lazy(), random_state=0)
    assert completed.equals(density.impute(holes, random_state=0))
    assert lazy.conditional(rows.lazy(), "b").probabilities().shape == (60, 3)


def test_a_table_of_another_library_is_refused_with_what_makes_one():
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table({"a": np.arange(60.0), "b": ["x", "y", "z"] * 20})
    with pytest.raises(TypeError, match=r"table of pyarrow.*to_pandas"):
        MADEDensity(**QUICK).fit(table)
