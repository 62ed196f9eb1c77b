"""Defects after which scores are no log-densities, or not those of the draws."""

from dataclasses import replace

import numpy as np
from scipy.special import log_expit

from skmade._network import masks, special
from skmade._network.conditionals import Categorical
from skmade._network.made import MADE
from skmade._network.mixtures import DiscretisedMixture
from skmade._prediction import prepared, scoring, walk
from skmade._prediction.prepared import scorer
from skmade._table import encoding
from skmade._table.encoding import Table
from skmade._table.marginals import Marginals

from .planting import defect, patch, patch_property, put

LAWS = "test_laws.py::test_"
LINE = LAWS + "continuous_density_integrates_to_one_in_1d"
PLANE = LAWS + "continuous_density_integrates_to_one_in_2d[plain]"
STATES = LAWS + "binary_probabilities_sum_to_one"
MIXED = LAWS + "mixed_density_sums_and_integrates_to_one[plain]"
HOLES = LAWS + "density_of_the_observed_cells_sums_to_one"
ORDERINGS = "test_jacobian.py::test_every_ordering_is_kept"
DRAWS = "test_draw_laws.py::test_draws_"
TRAINED = "test_contract.py::test_held_out_log_likelihood_is_that_of_the_scores"

# Of a table with holes in training: one column or another is missing.
ONE_HOLE = [f"{HOLES}[left out-missing{pattern}]" for pattern in (1, 2, 4, 8)]


@defect("density", LINE)
def missing_jacobian():
    """Scores are densities of standardised columns."""
    patch_property(Table, "log_jacobian")(lambda self: np.zeros(self.n_features))


@defect("density", LINE)
def flipped_jacobian():
    """The log-Jacobian is subtracted where it is to be added."""
    correct = Table.log_jacobian.fget
    patch_property(Table, "log_jacobian")(lambda self: -correct(self))


@defect("density", PLANE)
def jacobian_without_powers_of_two():
    """Of a column's scale the power of two is left out."""
    patch_property(Table, "log_jacobian")(
        lambda self: np.where(self.kinds == "continuous", -np.log(self.spread), 0.0)
    )


@defect("density", *ONE_HOLE)
def jacobian_of_missing_cells():
    """A missing cell has its column's log-Jacobian."""

    @patch(encoding, "transform")
    def transform(old, table, X):
        cells = old(table, X)
        log_factors = np.where(cells.missing, table.log_jacobian, cells.log_factors)
        return replace(cells, log_factors=log_factors)


@defect(
    "density", "test_transform_laws.py::test_density_of_transformed_columns_integrates_to_one"
)
def slopes_forgotten():
    """The slope of a column's transform is no part of the density."""

    @patch(Marginals, "forward")
    def forward(old, self, standardised):
        images, log_slopes = old(self, standardised)
        return images, np.zeros_like(log_slopes)


@defect("density", STATES)
def log_densities_averaged():
    """Members and masks are averaged by their log-densities."""

    @patch(scoring, "_log_density_at_once")
    def log_density(_, ensemble, values):
        walks = [scorer(ensemble, path) for path in range(ensemble.n_paths)]
        return np.mean([walk.log_prob(own, values) for own in walks], axis=0)


@defect("density", STATES)
def logits_averaged():
    """Members and masks are averaged by the logits of their binary columns."""

    @patch(scoring, "_log_density_at_once")
    def log_density(_, ensemble, values):
        walks = [scorer(ensemble, path) for path in range(ensemble.n_paths)]
        logs = np.array([walk.feature_log_prob(own, values) for own in walks])
        binary = ensemble.table.kinds == "binary"
        logits = logs - np.log(-np.expm1(np.where(binary, logs, -1.0)))
        return np.where(binary, log_expit(logits.mean(axis=0)), logs.mean(axis=0)).sum(axis=1)


@defect("density", ORDERINGS)
def outputs_see_themselves():
    """The mask of the outputs is `<=` where it is to be `<`."""

    @patch(masks, "output_mask")
    def output_mask(_, ranks_out, degrees_in):
        return degrees_in[..., None, :] <= ranks_out[..., :, None]


@defect("density", ORDERINGS)
def direct_connections_see_themselves():
    """Direct connections lead from a column to its own outputs."""

    @patch(masks, "layer_masks")
    def layer_masks(old, ranks_in, degrees, ranks_out):
        *masks, _ = old(ranks_in, degrees, ranks_out)
        return [*masks, ranks_in[..., None, :] <= ranks_out[..., :, None]]


@defect("density", ORDERINGS)
def hidden_mask_too_strict():
    """A hidden unit does not see the rank that is its degree."""

    @patch(masks, "hidden_mask")
    def hidden_mask(_, degrees_out, degrees_in):
        return degrees_out[..., :, None] > degrees_in[..., None, :]


@defect("density", ORDERINGS)
def mask_of_rows_for_columns():
    """In hidden masks the units that see and those that are seen change places."""

    @patch(masks, "hidden_mask")
    def hidden_mask(_, degrees_out, degrees_in):
        return degrees_out[..., :, None] <= degrees_in[..., None, :]


@defect(
    "density",
    "test_jacobian.py::test_jacobian_is_zero_where_forbidden_and_not_where_allowed"
    "[connectivity-agnostic-5-kinds2]",
)
def degrees_not_shared():
    """Residual connections join units of different degrees."""

    @patch(masks, "draw_degrees")
    def draw_degrees(old, layer_sizes, n_features, rng=None, shared=False):
        return old(layer_sizes, n_features, rng, shared=False)


@defect("density", "test_density.py::test_orderings")
def ordering_taken_for_ranks():
    """An ordering is used as the list of ranks, its inverse."""

    @patch(masks, "ordering_to_ranks")
    def ordering_to_ranks(_, ordering):
        return ordering + 1


@defect("density", *ONE_HOLE)
def missing_cells_taken_for_means():
    """A missing cell is scored as if it held its column's mean."""

    @patch(walk, "enter")
    def enter(old, path, values):
        return old(path, np.nan_to_num(values))


@defect("density", LAWS + "integrated_cells_are_summed_over")
def missing_cells_not_integrated():
    """Missing cells are left out also where the network was never trained to do without."""

    @patch(scoring, "integrated_cells")
    def integrated_cells(_, ensemble, values):
        return np.zeros(values.shape, dtype=bool)


@defect("density", TRAINED)
def missing_cells_called_present():
    """The units that tell which cells are there are always 1."""

    @patch(MADE, "units")
    def units(old, self, values):
        entered = old(self, values)
        entered[self.present_units] = 1.0
        return entered


@defect("density", DRAWS + "reach_the_tail_as_often_as_the_density_says")
def tail_not_in_the_density():
    """Draws reach a tail that the density does not have."""
    put(special, "with_tail", lambda log_body, log_tail: log_body)


@defect("density", LINE)
def tail_on_top():
    """The tail is added to a body that has a mass of one already."""

    @patch(special, "with_tail")
    def with_tail(old, log_body, log_tail):
        return old(log_body - np.log1p(-special.TAIL_WEIGHT), log_tail)


@defect("density", LINE)
def factor_of_two_pi_forgotten():
    """Gaussians lack the factor 1 / sqrt(2 pi)."""
    put(special, "LOG_SQRT_2PI", 0.0)


@defect("density", LINE)
def scale_of_one_gaussian_forgotten():
    """Of a single Gaussian the scale is left out."""

    @patch(special, "log_gaussian")
    def log_gaussian(old, distances, scales):
        return old(distances, np.ones_like(scales))


@defect("density", MIXED)
def softmax_without_denominator():
    """Logits of a label are taken for its log-probabilities."""

    @patch(Categorical, "log_prob")
    def log_prob(_, self, params, value):
        return np.take_along_axis(params, value[None].astype(np.intp), axis=0)[0]


@defect("density", HOLES + "[with unknown labels-missing0]")
def mass_of_unknown_labels_counted_twice():
    """Known labels do not give up what is kept for unknown ones."""

    @patch(encoding, "transform")
    def transform(old, table, X):
        cells = old(table, X)
        known = ~(cells.missing | cells.unseen)
        own = np.where(known, np.log1p(-table.unseen_mass), 0.0)
        return replace(cells, log_factors=cells.log_factors - own)


@defect("density", DRAWS + "of_labels_and_counts_follow_the_exact_probabilities")
def intervals_of_counts_shifted():
    """An integer has the mass from itself to the next one."""

    @patch(DiscretisedMixture, "_cell")
    def cell(old, self, value):
        half = self.step[:, None] / 2
        return tuple(edge + half for edge in old(self, value))


@defect("density", LAWS + "probabilities_of_counts_sum_to_one")
def lowest_count_without_what_is_below():
    """The mass below a count's smallest integer is lost."""

    @patch(DiscretisedMixture, "log_prob_once")
    def log_prob(old, self, params, value):
        return old(replace(self, lowest=np.full_like(self.lowest, -np.inf)), params, value)


@defect("density", STATES)
def scores_in_single_precision():
    """Scoring computes in single precision."""

    @patch(prepared, "scorer")
    def scorer(_, ensemble, path):
        ends = walk.scoring_ends(ensemble.table.n_features)
        return prepared._walk(ensemble, path, ends, np.float32)


@defect("density", TRAINED)
def residual_connections_dropped():
    """Scores and draws leave out the residual connections that training had."""

    @patch(walk, "compute_hidden")
    def compute_hidden(old, path, *args):
        old(replace(path, made=replace(path.made, residual=False)), *args)
