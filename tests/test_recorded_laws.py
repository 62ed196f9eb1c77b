"""Laws of what fit learns of single columns, for columns of any shape as people record them.

Rounding noise, row order and negligible weights tell nothing; whole weights are repeated rows;
what is drawn was recorded. `test_recorded` has the cases that people met.
"""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skmade._table.column import learn_column
from tests.configurations import quick
from tests.test_properties import SETTINGS

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Constant in fit"),
]

SHAPES = {
    "normal": lambda rng, n: rng.normal(3, 1, n),
    "skewed": lambda rng, n: rng.exponential(2, n),
    "money": lambda rng, n: np.where(rng.rand(n) < 0.6, 0, np.exp(rng.normal(4, 1.5, n))),
    "top of a scale": lambda rng, n: np.minimum(rng.normal(80, 20, n), 100),
    "heaped": lambda rng, n: np.where(rng.rand(n) < 0.5, 5 * rng.randint(4, 14, n), 30) * 1.0,
    "counts": lambda rng, n: rng.poisson(3, n) * 1.0,
    "codes": lambda rng, n: rng.choice([1, 2, 5, 9], n) * 1.0,
}


@st.composite
def columns(draw):
    """Draw a column that was rounded to decimals that single precision holds."""
    rng = np.random.RandomState(draw(st.integers(0, 2**32 - 1)))
    values = SHAPES[draw(st.sampled_from(sorted(SHAPES)))](rng, draw(st.integers(30, 300)))
    values = values.round(draw(st.integers(0, 2)))
    return values * draw(st.sampled_from([1.0, 10.0, 2.54])), rng


def learn(values, weight=None):
    return learn_column(values, np.ones(len(values)) if weight is None else weight, "auto")


def assert_same(one, other, rtol=1e-6):
    """Compare what was learned of two columns."""
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, float | tuple):
            assert_allclose(a, b, rtol=rtol, err_msg=field.name)
        else:
            assert a == b, field.name


@settings(SETTINGS, max_examples=150)
@given(columns())
def test_rounding_noise_is_no_information(example):
    values, rng = example
    noisy = values * (1 + rng.randint(-8, 9, len(values)) * np.finfo(float).eps)
    assert_same(learn(noisy), learn(values))
    assert_same(learn(values / 2.54 * 2.54), learn(values))
    if values.max() > 100:
        return  # single precision has too few digits for two decimals in inches
    half = values.copy()
    half[::2] = half[::2].astype(np.float32)
    assert_same(learn(half), learn(values))


@settings(SETTINGS, max_examples=100)
@given(columns())
def test_row_order_is_no_information(example):
    values, rng = example
    assert_same(learn(rng.permutation(values)), learn(values), rtol=1e-12)


@settings(SETTINGS, max_examples=100)
@given(columns())
def test_weights_are_numbers_of_rows(example):
    values, rng = example
    weight = rng.randint(1, 4, len(values)).astype(float)
    assert_same(learn(values, weight), learn(np.repeat(values, weight.astype(int))))
    strange = np.append(values, values.max() * rng.uniform(0, 1, 20))
    negligible = np.append(np.ones(len(values)), np.full(20, 1e-6))
    assert_same(learn(strange, negligible), learn(values), rtol=1e-3)


@settings(SETTINGS, max_examples=25)
@given(columns())
def test_what_was_recorded_comes_back(example):
    values, _ = example
    density = quick(hidden_layer_sizes=(8,), n_components=3, max_iter=2).fit(values[:, None])
    drawn = density.sample(2000, random_state=0)[:, 0]
    column = learn(values)
    assert_array_equal(drawn, column.grid.nearest(drawn))
    assert column.low <= drawn.min() <= drawn.max() <= column.high
    if column.codes:
        assert np.isin(drawn, column.codes).all()
