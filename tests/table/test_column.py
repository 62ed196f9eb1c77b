"""What is learned of one column by itself."""

import numpy as np
from numpy.testing import assert_allclose

from skmade._table.column import learn_column, location_and_spread


def test_location_and_spread_are_held_against_far_outliers():
    values, weight = np.random.RandomState(0).normal(3, 2, size=2000), np.ones(2000)
    assert_allclose(location_and_spread(values, weight), [3, 2], atol=0.1)
    dirty = np.r_[values, 1e9]
    assert_allclose(location_and_spread(dirty, np.ones(2001)), [3, 2], atol=0.15)
    uniform = np.linspace(0, 1, 2001)
    assert_allclose(location_and_spread(uniform, np.ones(2001)), [0.5, 12**-0.5], rtol=0.06)
    assert location_and_spread(np.full(5, 2.0), np.ones(5)) == (2.0, 0.0)


def test_a_long_column_of_one_value_is_constant():
    values, weight = np.full(3451, -0.0036), np.ones(3451)
    assert location_and_spread(values, weight)[1] > 0  # their mean is a few ulps off
    *_, constant, recurring = learn_column(values, weight, "continuous")
    assert constant
    assert len(recurring) == 0
