"""Any table ends in sensible scores or in an error that names the problem."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from tests.configurations import quick

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Constant in fit"),
]

# The same examples in each run, and none kept in a folder.
SETTINGS = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

SHAPES = {
    "normal": lambda rng, size: rng.normal(size=size),
    "skewed": lambda rng, size: rng.exponential(size=size),
    "heavy tails": lambda rng, size: rng.standard_cauchy(size=size),
    "whole numbers": lambda rng, size: rng.randint(-5, 6, size=size).astype(float),
    "many zeros": lambda rng, size: rng.normal(size=size) * (rng.random_sample(size) < 0.2),
    "two values": lambda rng, size: rng.randint(2, size=size).astype(float),
    "correlated": lambda rng, size: np.repeat(rng.normal(size=(size[0], 1)), size[1], axis=1),
}

ORDERS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "read-only": lambda X: read_only(X.copy()),
}

# Types that reach far, or hold missing cells, come up more often.
TYPES = (
    ["float64"] * 6
    + ["float32", "float16", "object"] * 2
    + ["bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))]
)

WAYS = [
    {},
    {"early_stopping": False},
    {"n_estimators": 2},
    {"order_agnostic": True, "n_masks": 2},
    {"connectivity_agnostic": True, "n_masks": 2},
    {"residual": False, "direct_connections": False},
]


def read_only(X):
    X.flags.writeable = False
    return X


@dataclass
class Example:
    """A table in the form in which it is passed, its numbers, and how to train on it."""

    table: np.ndarray
    numbers: np.ndarray  # float64, NaN where a cell is missing
    parameters: dict

    @property
    def problem(self):
        """What an error must say; None if there must be no error."""
        if np.isinf(self.numbers).any():
            return f"infinity in column {np.isinf(self.numbers).any(axis=0).argmax()}"
        empty = np.isnan(self.numbers).all(axis=0)
        if empty.any():
            return f"contains NaN in every row of column {empty.argmax()}"
        return None


@st.composite
def examples(draw):
    """Draw a table of any type, order, scale, offset and degeneracy."""
    size = draw(st.integers(1, 40)), draw(st.integers(1, 8))
    rng = np.random.RandomState(draw(st.integers(0, 2**32 - 1)))
    X = SHAPES[draw(st.sampled_from(sorted(SHAPES)))](rng, size)
    X += draw(st.sampled_from([0.0, 0.0, 1.0, -1e3, 1e8]))
    same = rng.random_sample(size[0]) < draw(st.sampled_from([0.0, 0.3, 0.9, 1.0]))
    X[same] = X[0]
    constant = rng.random_sample(size[1]) < draw(st.sampled_from([0.0, 0.0, 0.3]))
    X[:, constant] = X[0, constant]
    name = draw(st.sampled_from(TYPES))
    X = of_type(X, name, rng.uniform(-300, 300))
    if name.startswith("float") or name == "object":
        X[rng.random_sample(size) < draw(st.sampled_from([0.0, 0.0, 0.1, 0.5]))] = np.nan
        if draw(st.sampled_from([False] * 9 + [True])):
            X[rng.randint(size[0]), rng.randint(size[1])] = (
                draw(st.sampled_from([1, -1])) * np.inf
            )
    numbers = X.astype(float)
    order = ORDERS[draw(st.sampled_from(sorted(ORDERS)))]
    return Example(order(X), numbers, draw(st.sampled_from(WAYS)))


def of_type(X, name, exponent):
    """Scale numbers by a power of ten within the range of a type, and convert them."""
    dtype = np.dtype(name)
    if dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        largest = max(np.abs(X).max(), 1.0)
        X = X / largest * float(bounds.max) ** (abs(exponent) / 301)
        return np.clip(X, float(bounds.min), float(bounds.max) * (1 - 1e-15)).astype(dtype)
    if dtype.kind == "b":
        return np.greater(X, np.median(X))
    with np.errstate(over="ignore", under="ignore"):
        largest = math.log10(np.finfo(dtype).max) if dtype.kind == "f" else 308
        return (X * 10 ** (exponent * largest / 308)).astype(dtype)


def far_row(numbers, kinds):
    """Return the first row with its continuous cells far from all others, if they can be."""
    row = numbers[0].copy()
    for column in np.flatnonzero((kinds == "continuous") & ~np.isnan(row)):
        cells = numbers[:, column][~np.isnan(numbers[:, column])]
        magnitude = max(np.abs(cells).max(), 1e-300)
        if magnitude < 1e295:
            row[column] = 1e5 * magnitude
    return row


def check(example):
    """Fit, score and draw; or see that an error says what is wrong."""
    table = example.table
    density = quick(hidden_layer_sizes=(8,), n_components=2, max_iter=1, **example.parameters)
    if example.problem is not None:
        with pytest.raises(ValueError, match=example.problem):
            density.fit(table)
        return
    scores = density.fit(table).score_samples(table)
    assert scores.dtype == np.float64
    assert scores.shape == (len(table),)
    assert np.isfinite(scores).all()
    assert_array_equal(table.astype(float), example.numbers)  # not written to
    assert_allclose(density.score_samples(example.numbers), scores, rtol=1e-7)
    assert_allclose(density.score_samples(table[::-1]), scores[::-1], rtol=1e-7, atol=1e-9)
    row = far_row(example.numbers, density.feature_types_)
    if (row > example.numbers[0]).any():
        # Of rows with other cells missing it is another density.
        alike = (np.isnan(row) == np.isnan(example.numbers)).all(axis=1)
        assert -math.inf < density.score_samples(row[None])[0] < scores[alike].min()
    drawn = density.sample(5, random_state=0)
    assert drawn.shape == (5, table.shape[1])
    assert np.isfinite(drawn).all()
    assert np.isfinite(density.score_samples(drawn)).all()


def check_units(example, powers):
    """Multiply columns by powers of two, and see scores change by the Jacobian."""
    # Scaled to 1 first, so that no power leaves the range of doubles.
    numbers = example.numbers / max(np.nanmax(np.abs(example.numbers)), 1e-300)
    powers = np.array(powers[: numbers.shape[1]])
    for column in numbers.T:
        # Whether numbers this close are one, up to rounding, is told by their decimals, and
        # these are others in other units.
        gaps = np.diff(np.unique(column[~np.isnan(column)]))
        assume((gaps > 1e-6 * np.nanmax(np.abs(column))).all())
    density = quick(hidden_layer_sizes=(8,), n_components=2, max_iter=1, **example.parameters)
    scores = density.fit(numbers).score_samples(numbers)
    powers = np.where(density.feature_types_ == "continuous", powers, 0)
    moved = numbers * 2.0**powers
    present = ~np.isnan(numbers)
    expected = scores - (present * powers).sum(axis=1) * math.log(2)
    assert_allclose(density.fit(moved).score_samples(moved), expected, rtol=1e-5, atol=1e-4)


UNITS = st.lists(st.integers(-900, 900), min_size=8, max_size=8)


@settings(SETTINGS, max_examples=160)
@given(examples())
def test_any_table_ends_in_sensible_scores_or_a_clear_error(example):
    check(example)


@settings(SETTINGS, max_examples=40)
@given(examples().filter(lambda example: example.problem is None), UNITS)
def test_units_change_scores_by_the_jacobian(example, powers):
    check_units(example, powers)


@pytest.mark.slow
@settings(SETTINGS, max_examples=2000)
@given(examples())
def test_many_tables_end_in_sensible_scores_or_a_clear_error(example):
    check(example)


@pytest.mark.slow
@settings(SETTINGS, max_examples=400)
@given(examples().filter(lambda example: example.problem is None), UNITS)
def test_many_units_change_scores_by_the_jacobian(example, powers):
    check_units(example, powers)
