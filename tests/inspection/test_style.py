"""Axes that are given are drawn on, or give their place to a grid."""

import matplotlib.pyplot as plt
import pytest
from numpy.testing import assert_array_equal

from skmade.inspection import (
    CalibrationDisplay,
    ContributionDisplay,
    DensityDisplay,
    SampleDisplay,
    TrainingHistoryDisplay,
)

from .conftest import X

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax, density: TrainingHistoryDisplay.from_estimator(density, ax=ax),
        lambda ax, density: DensityDisplay.from_estimator(density, X, features=[0], ax=ax),
        lambda ax, density: CalibrationDisplay.from_estimator(density, X, ax=ax),
        lambda ax, density: ContributionDisplay.from_estimator(density, X, 0, ax=ax),
        lambda ax, density: SampleDisplay.from_estimator(density, X, features=[0], ax=ax),
    ],
)
def test_given_axes_are_drawn_on(made, draw):
    figure, ax = plt.subplots(figsize=(3, 2))
    display = draw(ax, made)
    assert display.figure_ is figure
    assert figure.axes == [ax]
    assert plt.get_fignums() == [figure.number]
    assert tuple(figure.get_size_inches()) == (3, 2)
    assert ax.lines or ax.patches


def test_grids_take_the_place_of_one_of_the_axes_or_those_given(made):
    figure, (left, right) = plt.subplots(1, 2)
    display = SampleDisplay.from_estimator(made, X, ax=right)
    assert {ax.figure for ax in display.axes_} == {figure}
    assert not right.axison
    assert display.axes_[0].get_position().x0 >= left.get_position().x1
    given = plt.subplots(1, 3)[1]
    display = SampleDisplay.from_estimator(made, X, ax=given)
    assert_array_equal(display.axes_, given)
    with pytest.raises(ValueError, match="ax holds 3 axes, 9 are needed"):
        DensityDisplay.from_estimator(made, X, grid_resolution=3, ax=given)
