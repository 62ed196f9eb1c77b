"""Defects after which draws are not those of the density."""

from dataclasses import replace

import numpy as np

from skmade._network import special
from skmade._network.mixtures import MixtureOfGaussians, TruncatedMixture
from skmade._prediction import ancestral, drawing, prepared, streams
from skmade._prediction.scoring import Explanation
from skmade._prediction.streams import Streams
from skmade._table import encoding, hashes
from skmade._table.encoding import decode

from .planting import defect, patch, patch_property

DRAWS = "test_draw_laws.py::test_draws_"
EXACT = DRAWS + "follow_the_exact_probabilities"
TRANSFORMS = DRAWS + "have_uniform_probability_integral_transforms"
GIVEN = DRAWS + "given_cells_follow_the_conditional_probabilities"
COMPLETED = "test_draw_laws.py::test_completed_cells_follow_the_conditional_probabilities"
TAIL = DRAWS + "reach_the_tail_as_often_as_the_density_says"
NEIGHBOURS = "prediction/test_drawing.py::test_draws_of_a_row_do_not_depend_on_its_neighbours"
STREAMS = "prediction/test_streams.py::test_"
COLUMNS = "test_transform_laws.py::test_"


@defect("density", TAIL)
def tail_never_drawn():
    """The density has a tail that no draw reaches."""

    @patch(MixtureOfGaussians, "sample")
    def sample(old, self, params, uniform):
        return old(self, params, uniform * (1 - special.TAIL_WEIGHT))


@defect("density", EXACT)
def draws_of_one_member():
    """All rows are drawn from the first member and mask."""

    @patch(drawing, "_draw_missing")
    def draw_missing(old, ensemble, values, choice, rng):
        return old(ensemble, values, np.zeros_like(choice), rng)


@defect("density", EXACT)
def draws_ignore_the_ordering():
    """Columns are drawn from the first to the last, whatever the ordering."""

    @patch(prepared, "sampler")
    def sampler(old, ensemble, path, dtype=np.float64):
        ranks = ensemble.ranks
        natural = np.broadcast_to(np.arange(ranks.shape[2]) + 1, ranks.shape)
        return old(replace(ensemble, ranks=natural), path, dtype)


@defect("density", EXACT)
def draws_see_nothing():
    """Draws do not depend on the columns drawn before."""

    @patch(ancestral, "_set_units")
    def set_units(_, made, step, units, values, holes):
        units[step.own] = 0.0


@defect("density", TRANSFORMS)
def draws_ignore_shares():
    """Components are drawn as if they had equal shares."""

    @patch(MixtureOfGaussians, "_chosen")
    def chosen(old, self, params, level):
        params = params.copy()
        params[: self.n_components] = 0.0
        return old(self, params, level)


@defect("density", TRANSFORMS)
def draws_of_wrong_scale():
    """Draws have the variance as their standard deviation."""

    @patch(MixtureOfGaussians, "_chosen")
    def chosen(old, self, params, level):
        mean, scale, within = old(self, params, level)
        return mean, scale**2, within


@defect("density", "test_recorded.py::test_money_is_drawn_as_it_was_recorded")
def atoms_never_drawn():
    """Values that recur have a density of their own, but no draws."""

    def sample(old, self, params, uniform):
        none = self.atoms[:, :0]
        return old(replace(self, atoms=none, atom_scales=none), params, uniform)

    for law in (MixtureOfGaussians, TruncatedMixture):
        patch(law, "sample")(sample)


@defect("density", DRAWS + "fill_cells_as_the_density_says")
def draws_not_moved_back():
    """Draws keep the place that standardised columns have."""

    @patch(encoding, "decode")
    def decode(old, table, *args, **kwargs):
        return old(replace(table, center=np.zeros_like(table.center)), *args, **kwargs)


@defect("density", GIVEN)
def proposals_without_weights():
    """Draws given some cells are chosen whether they fit these or not."""

    def uniform(log_weights):
        return np.full(log_weights.shape, 1 / log_weights.shape[1])

    drawing.normalised = uniform  # not in scoring, where it has another use


@defect("density", GIVEN)
def given_cells_do_not_choose_the_member():
    """Given some cells, members are chosen as if all explained them equally well."""

    def uniform(explanation):
        return np.full(explanation.log_weights.shape, 1 / explanation.log_weights.shape[1])

    patch_property(Explanation, "responsibilities")(uniform)


@defect(
    "density",
    COLUMNS + "imputed_means_are_those_of_the_table_and_not_of_its_images",
)
def means_of_images():
    """Means of transformed columns are taken before the way back."""

    @patch(drawing, "_averages")
    def averages(_, table, draws, medians):
        means = np.einsum("nj,njd->nd", draws.chances, draws.values)
        return decode(table, means, as_recorded=False)


@defect(
    "density", "test_draw_laws.py::test_given_a_cell_far_from_all_rows_draws_follow_the_density"
)
def draws_without_background():
    """Given a cell far from all rows, draws are those given the nearest that was seen."""

    @patch(drawing, "chance_given")
    def chance(old, table, cells, by_members):
        return np.zeros(len(cells.values))


@defect("density", "test_draw_laws.py::test_the_background_has_its_share_of_draws_given_cells")
def background_of_all_or_nothing():
    """Draws are of the background, or not, by whether it is likelier."""

    @patch(drawing, "chance_given")
    def chance(old, table, cells, by_members):
        return np.rint(old(table, cells, by_members))


@defect("API", "test_draw_laws.py::test_a_cell_far_from_all_rows_is_told_of")
def far_cells_are_not_told_of():
    """Nobody hears that a given cell is far from all that fit saw."""
    from skmade import _density

    @patch(_density, "warn_far")
    def warn(old, *args):
        return


@defect("API", NEIGHBOURS)
def draws_by_the_place_of_a_row():
    """A row is completed by its place in the table, whatever its cells are."""

    @patch(hashes, "row_hashes")
    def row_hashes(old, X):
        return np.arange(len(X), dtype=np.uint64)


@defect("API", NEIGHBOURS)
def draws_by_the_place_in_a_part():
    """A row is completed by its place among those that are computed together."""

    @patch(Streams, "of_rows")
    def of_rows(old, self, rows):
        return old(self, np.arange(len(rows)))


@defect("density", COMPLETED)
def equal_rows_completed_alike():
    """Equal rows have one completion."""

    @patch(streams, "_n_before")
    def n_before(old, found):
        return np.zeros_like(found)


@defect("density", STREAMS + "numbers_are_independent")
def random_numbers_hardly_mixed():
    """Random numbers of a row go up by steps, those of its neighbours beside them."""
    streams.mixed = lambda bits: bits * np.uint64(hashes.STEP)
