"""Defects of the distribution of one column given the others, and of predictors."""

from dataclasses import replace

import numpy as np

from skmade import _distributions, _predictors
from skmade._prediction import conditional, curves, densities
from skmade._prediction.curves import Curve
from skmade._prediction.densities import Points

from .planting import defect, patch, put

OF_COLUMN = "prediction/test_conditional.py::test_"
OF_CURVE = "prediction/test_curves.py::test_"


@defect("density", OF_COLUMN + "densities_are_ratios_of_the_joint_and_integrate_to_one")
def conditionals_averaged_without_what_they_say_of_the_rest():
    """Paths count alike in a conditional, whatever they say of the other cells."""

    @patch(conditional, "_mixture")
    def mixture(old, ensemble, values, column):
        return conditional._unweighed(ensemble, old(ensemble, values, column))


@defect("density", OF_COLUMN + "rows_with_holes_have_ratios_too")
def holes_before_a_column_left_undrawn():
    """A cell before the column that nothing observed depends on stays a hole."""

    @patch(conditional, "integrate")
    def integrate(old, *arguments, to_end=False):
        return old(*arguments)


@defect("density", OF_COLUMN + "a_column_is_last_where_nothing_observed_comes_after_it")
def column_taken_for_the_last():
    """A column is taken to be last if it is in one path of several."""

    @patch(conditional, "comes_last")
    def comes_last(old, ensemble, values, column):
        last = ensemble.ranks.reshape(-1, values.shape[1]).argmax(axis=1)
        return np.full(len(values), bool((last == column).any()))


@defect("density", OF_COLUMN + "far_from_all_rows_a_column_follows_the_background")
def background_forgotten_in_conditionals():
    """Given a cell beyond all rows, a column is what the members say."""

    @patch(conditional, "density_of_rest")
    def density_of_rest(old, question, log_rest):
        log_density, chance = old(question, log_rest)
        return log_density, np.zeros_like(chance)


@defect("density", OF_CURVE + "slopes_do_not_overshoot_at_a_jump")
def slopes_without_a_limit():
    """The slope at a jump is that of the parabola."""
    put(curves, "MAX_SLOPE", 1e9)


@defect("density", OF_CURVE + "atoms_are_jumps")
def atoms_smeared():
    """An atom is never returned as a quantile."""

    @patch(Curve, "quantile")
    def quantile(old, self, levels):
        return old(self, levels) + 1e-4


@defect("density", OF_COLUMN + "a_narrow_peak_that_later_columns_make_is_found")
def narrow_peaks_not_looked_for():
    """Points are spread evenly, whatever later columns tell."""

    @patch(conditional, "narrow_roots")
    def narrow_roots(old, ensemble, values, column):
        return np.empty((len(values), 0))


@defect("density", "test_conditional.py::test_zeros_of_money_have_their_probability")
def spikes_at_an_end_taken_for_the_density_beside_them():
    """What a column has at the atom where it ends is taken for what it has beside it."""

    @patch(Points, "_beside_atoms")
    def beside_atoms(old, self, points):
        return points


@defect("API", "test_conditional.py::test_the_own_cell_is_not_looked_at")
def own_cell_read():
    """The cell whose distribution is asked for has to be one that fit knows."""

    @patch(_distributions, "read_table")
    def read_table(old, *arguments, ignored):
        return old(*arguments)


@defect("API", "test_predictors.py::test_predictions_are_means_over_members")
def predictors_weigh_members_by_x():
    """A member's part in a prediction is by what it says of X."""

    @patch(_predictors, "conditional_at")
    def conditional_at(old, *arguments, weighed):
        return old(*arguments)


@defect("density", OF_COLUMN + "probabilities_are_ratios_of_the_joint_and_sum_to_one")
def last_level_left_out():
    """The last label has no part in the sum."""

    @patch(conditional, "_masses")
    def masses(old, question, support):
        found = old(question, support)
        return replace(found, logs=found.logs - found.logs[:, -1:] * 1e-3)


@defect("density", "test_conditional.py::test_counts_of_many_values_add_up")
def counts_without_steps_at_their_ends():
    """The curve of a count is smooth where an end or an atom has more than those around."""
    put(densities, "_edges_of_cells", lambda integers, step, hair: np.empty(0))
