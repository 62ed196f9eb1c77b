"""Defects of what is far from all rows: the edges and the background."""

from dataclasses import replace

import numpy as np

from skmade._prediction import background
from skmade._table import marginals
from skmade._table.marginals import Marginals

from .planting import defect, patch, put

FAR = "prediction/test_background.py::test_"


@defect("density", FAR + "scores_beyond_the_edges_fall_along_every_ray")
def members_asked_beyond_the_edges():
    """Rows beyond an edge have what the members say of the nearest row within."""

    @patch(background, "with_background")
    def with_background(old, members, log_background, beyond):
        return old(members, log_background, np.zeros_like(beyond))


@defect("density", FAR + "density_with_a_background_integrates_to_one")
def background_on_top():
    """The background is added to members that have a mass of one already."""

    @patch(background, "with_background")
    def with_background(old, members, log_background, beyond):
        return old(members - background.LOG_REST, log_background, beyond)


@defect("density", FAR + "density_with_a_background_integrates_to_one")
def background_in_other_units():
    """The background's density is that of standardised values, and not of the column."""

    @patch(background, "background")
    def of_cells(old, table, cells):
        return old(table, cells) - np.where(cells.missing, 0.0, table.log_jacobian)


@defect("density", FAR + "masses_with_a_background_sum_to_one")
def background_of_missing_cells():
    """Missing cells have a probability under the background."""

    @patch(background, "background")
    def of_cells(old, table, cells):
        none = np.zeros_like(cells.missing)
        filled = np.where(cells.missing, 0.0, cells.standardised)
        return old(table, replace(cells, standardised=filled, missing=none))


@defect(
    "density",
    "table/test_marginals.py::test_images_beyond_the_reach_have_their_slopes_and_inverses",
)
def slopes_beyond_the_reach_forgotten():
    """Values are spread out up to the edge, and the density is not thinned."""

    @patch(Marginals, "_spread_out")
    def spread_out(old, self, images, log_slopes):
        old(self, images, np.zeros_like(log_slopes))


@defect("API", FAR + "the_far_cell_is_to_blame")
def background_spread_evenly():
    """Where only the background is left, all features have the same part."""

    @patch(background, "background")
    def of_cells(old, table, cells):
        parts = old(table, cells)
        return np.broadcast_to(parts.mean(axis=1, keepdims=True), parts.shape).copy()


@defect(
    "density",
    "table/test_marginals.py::test_transformed_columns_come_back_from_beyond_the_reach",
)
def draws_beyond_the_reach_stay_spread_out():
    """What is drawn beyond the reach does not come back to where it was spread out from."""
    put(marginals, "_gathered", lambda stretched: np.minimum(stretched, 1))
