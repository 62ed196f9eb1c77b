"""Defects after which what was recorded does not come back: noise, order, weights, draws."""

import numpy as np
from scipy.special import ndtri

from skmade import _input
from skmade._network.mixtures import MixtureOfGaussians, TruncatedMixture
from skmade._prediction import densities
from skmade._table import encoding, grid, ladder, learning
from skmade._training import log_prob

from .planting import defect, patch, put

RECORDED = "test_recorded.py::test_"
LADDER = "table/test_ladder.py::test_"
REWRITTEN = RECORDED + "noise_and_order_of_rows_are_no_information"
MONEY = RECORDED + "money_is_drawn_as_it_was_recorded"
CODES = RECORDED + "between_codes_there_is_the_tail_alone"
LEVELS = RECORDED + "levels_that_no_row_has_share_half_a_row"
WITHIN = RECORDED + "a_column_that_ends_at_an_atom_integrates_to_one"


@defect("API", RECORDED + "integer_weights_are_repeated_rows")
def weights_not_counted():
    """Of weights the ratios alone tell how much is known of a column."""
    put(_input, "counted", lambda weight: weight / weight.max())


@defect("API", RECORDED + "rows_of_a_millionth_leave_columns_as_they_are")
def columns_learned_without_weights():
    """Every row says as much of its columns as any other."""

    @patch(learning, "learn_columns")
    def learn_columns(old, X, weight, *args, **kwargs):
        return old(X, np.ones(len(X)), *args, **kwargs)


@defect("density", REWRITTEN)
def noise_is_recorded():
    """Values that differ by rounding noise are two, and close to each other."""

    @patch(grid, "distinct_values")
    def distinct_values(_, values, weight):
        found, position = np.unique(values, return_inverse=True)
        return found, np.bincount(position, weights=weight)


@defect("API", REWRITTEN + "[permuted]")
def columns_of_the_first_rows():
    """Columns are described by the first rows of a table, in the order that they have."""

    @patch(learning, "learn_columns")
    def learn_columns(old, X, weight, *args, **kwargs):
        return old(X[:100], weight[:100], *args, **kwargs)


@defect("density", MONEY)
def atoms_drawn_as_gaussians():
    """Values that recur are drawn with the error that their density has."""

    def sample(old, self, params, uniform):
        drawn = old(self, params, uniform)
        places, widths = self.places()
        spread = ndtri(np.clip(1e4 * uniform % 1, 1e-9, 1 - 1e-9))
        for place, width in zip(places, widths, strict=True):
            drawn = np.where(drawn == place, place + width * spread, drawn)
        return drawn

    for law in (MixtureOfGaussians, TruncatedMixture):
        patch(law, "sample")(sample)


@defect("API", MONEY)
def draws_off_the_grid():
    """Draws have more decimals than the values of their column."""

    @patch(encoding, "decode")
    def decode(old, table, values, as_recorded=True):
        return old(table, values, as_recorded=False)


@defect("density", CODES)
def codes_not_told_from_numbers():
    """Between and beyond codes lie integers that are drawn."""

    @patch(learning, "learn_columns")
    def learn_columns(old, *args, **kwargs):
        table = old(*args, **kwargs)
        table.codes[:] = np.nan
        return table


@defect("density", LEVELS)
def levels_that_no_row_has_are_the_networks():
    """Levels that no row has are as any other to the network."""
    put(learning, "_absent", lambda codes, n_levels: np.empty(0))


@defect("density", WITHIN)
def mass_beyond_the_bounds():
    """The density knows no bounds, which cut off a part of it."""

    @patch(TruncatedMixture, "log_prob_once")
    def log_prob(_, self, params, value):
        return MixtureOfGaussians.log_prob_once(self, params, value)


@defect("density", RECORDED + "atoms_nearer_than_they_are_wide_keep_their_shares")
def overlapping_atoms_not_told_apart():
    """Of atoms that overlap the densities alone say which one a value is."""
    log_prob._MixtureOfGaussians.crowded = property(lambda self: False, lambda self, _: None)


@defect("density", LADDER + "masses_of_all_whole_numbers_sum_to_one")
def whole_masses_between_rungs():
    """A number between two rungs has all the mass of the nearer one."""
    put(encoding, "_log_share", lambda table, column, steps, X: 0.0 * X)


@defect("density", LADDER + "every_number_beside_a_rung_is_counted_once")
def rungs_without_ends():
    """Numbers beside a rung are counted beyond the ends of the column."""

    @patch(ladder.Ladder, "n_beside")
    def n_beside(old, self, rungs, low, high):
        return old(self, rungs, -np.inf, np.inf)


@defect("density", LADDER + "a_step_is_found_where_few_numbers_are_off_it")
def steps_without_exceptions():
    """A step is one of all numbers, or none."""
    put(grid, "FACTORS", ())


@defect("density", LADDER + "no_step_is_found_where_there_is_none")
def steps_by_chance():
    """A step is believed of however few numbers."""
    put(grid, "_no_chance", lambda larger, smaller, factor: True)


@defect("API", LADDER + "conditional_of_steps_is_a_ratio_of_the_joint")
def probabilities_up_to_the_nearest_rung():
    """Of a number between rungs, the nearest one belongs to what is at most it."""

    @patch(densities.Density, "cdf")
    def cdf(old, self, X):
        for _, rungs in self.alone.ladders():
            X = rungs.nearest(X)
        return old(self, X)
