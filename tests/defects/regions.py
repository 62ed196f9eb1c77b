"""Defects of regions: their probability, and draws within them."""

import numpy as np

from skmade._network import within
from skmade._prediction import regions

from .planting import defect, patch

REGIONS = "prediction/test_regions.py::test_"


@defect("density", REGIONS + "probabilities_are_the_shares_of_draws")
def ends_of_columns_forgotten_in_regions():
    """A mixture that ends has mass beyond its end, when a region is asked for."""

    @patch(within, "log_masses")
    def log_masses(old, law, params, region):
        if region.values is not None:
            return old(law, params, region)
        return within._parts(law, params, region.lower, region.upper)


@defect("density", REGIONS + "probabilities_are_the_shares_of_draws")
def atoms_cut_in_half():
    """An atom at the end of a region has half of its mass in it."""

    @patch(within, "_atoms_within")
    def atoms_within(old, law, lower, upper):
        inside = old(law, lower, upper)
        at_end = np.isclose(law.atoms[0], lower) | np.isclose(law.atoms[0], upper)
        return np.where(at_end, 0.5 * inside, inside)


@defect("density", REGIONS + "draws_follow_the_density_within_a_box")
def draws_of_regions_not_weighed():
    """Rows are chosen alike, whatever mass their conditionals have in the region."""

    @patch(regions, "_draw")
    def draw(old, *arguments, to_end):
        values, log_weights = old(*arguments, to_end=to_end)
        return values, np.zeros_like(log_weights) if to_end else log_weights


@defect("density", REGIONS + "single_values_count_by_their_density")
def regions_in_other_units():
    """Single numbers count by the density of their images."""

    @patch(regions, "_seen")
    def seen(old, ensemble, column, asked):
        region = old(ensemble, column, asked)
        if region.values is None:
            return region
        return within.Region(region.values, np.zeros(len(region.values)))


@defect("density", REGIONS + "regions_beyond_all_rows_are_of_the_background")
def members_asked_beyond_the_edges_of_regions():
    """A region beyond the edge of a column has what members say of their tails."""

    @patch(regions, "_is_beyond")
    def is_beyond(old, table, asked):
        return False


@defect("API", "test_conditional.py::test_few_draws_and_far_regions_are_told_of")
def few_draws_of_regions_not_told_of():
    """All draws of a region are said to count."""

    @patch(regions, "draw_in_region")
    def draw_in_region(old, *arguments):
        return old(*arguments)[0], np.inf
