"""Defects of the core of the rows, from which a detector learns."""

import numpy as np

from skmade import _outlier, _robust_core
from skmade._anomaly import detection, reasons, seen, tails, typical, views
from skmade._table import hashes

from .planting import defect, patch, put

CORE = "test_robust_core.py::test_"
DETECTOR = "test_outlier.py::test_"
VIEWS, TAILS = "anomaly/test_views.py::test_", "anomaly/test_tails.py::test_"
SEEN = "anomaly/test_seen.py::test_"


@defect("API", CORE + "a_cluster_is_left_out")
def core_of_one_step():
    """The core is what a Gaussian of all rows describes best."""
    put(_robust_core, "MAX_STEPS", 0)


@defect("API", DETECTOR + "the_core_of_the_rows_finds_a_cluster_of_outliers")
def rows_outside_of_the_core_count():
    """All rows have the same weight, in the core or not."""
    put(_outlier, "LEFT_OUT_WEIGHT", 1.0)


@defect("API", CORE + "rounding_errors_between_columns_are_no_outliers")
def core_of_any_narrowness():
    """A Gaussian may be as narrow as the rounding errors of a column."""
    put(_robust_core, "MIN_DEVIATION", 1e-6)


@defect("API", CORE + "missing_cells_are_no_outliers")
def missing_numbers_at_the_center():
    """A missing number is taken for the mean, whatever the rest of the row says."""
    put(_robust_core, "N_SWEEPS", 0)


@defect("API", CORE + "numbers_of_a_column_that_is_mostly_missing_are_no_outliers")
def covariances_of_all_rows():
    """The few numbers of a column are taken for the deviations of all rows."""

    @patch(_robust_core, "_moments")
    def _moments(old, numbers, weight):
        center, covariance = old(numbers, weight)
        share = np.sqrt((~np.isnan(numbers)).mean(axis=0))
        return center, covariance * np.outer(share, share)


@defect("API", CORE + "weights_count_as_repeated_rows")
def core_without_weights():
    """The core is a share of the rows, not of their weight."""

    @patch(_robust_core, "best")
    def best(old, scores, weight, share):
        return old(scores, np.ones(len(weight)), share)


@defect("API", DETECTOR + "training_rows_are_scored_as_if_they_were_new")
def training_rows_scored_as_learned():
    """A row of fit is scored by what has learned from it."""

    @patch(seen.Seen, "recalled")
    def recalled(old, self, X, scores):
        return scores


@defect("API", SEEN + "other_rows_have_other_hashes")
def hashes_of_few_bits():
    """Hashes are sums of bits, most of which small integers do not have."""

    @patch(hashes, "mixed")
    def mixed(old, bits):
        return bits * np.uint64(hashes.STEP)


@defect("API", VIEWS + "a_row_is_not_near_to_itself_but_to_its_equals")
def rows_near_to_themselves():
    """A row of fit is its own nearest neighbour."""

    @patch(views, "distance")
    def distance(old, rows, points, own=None):
        return old(rows, points)


@defect("API", VIEWS + "rows_are_looked_at_by_members_that_held_them_out")
def rows_looked_at_by_all_members():
    """A row of fit is looked at by members that learned from it."""

    @patch(views, "_of_held_out")
    def _of_held_out(old, by_member, held_out):
        return by_member.mean(axis=1)


@defect("API", VIEWS + "the_gaussian_of_the_other_rows")
def gaussian_of_the_row_itself():
    """The distance of a row is from a Gaussian that it is part of."""

    @patch(views, "_without_itself")
    def _without_itself(old, gaussian, points, inside, weight):
        return -2 * gaussian.scores(points)


@defect("API", TAILS + "the_tail_goes_on_beyond_all_ordinary_rows")
def no_tail():
    """No row is odder than the oddest ordinary one."""

    @patch(tails.Tail, "log_share")
    def log_share(old, self, oddities):
        return old(self, np.minimum(oddities, self.oddities[-1] + 3 * self.excess))


@defect("API", TAILS + "p_values_of_one_more_row_are_uniform")
def p_values_without_the_row():
    """A p-value is a share of the ordinary rows alone."""

    @patch(tails, "conformal_p_values")
    def conformal_p_values(old, scores, held_out, weight):
        return old(scores, held_out, weight) * (weight.sum() + 1) / weight.sum()


@defect("API", DETECTOR + "a_false_discovery_rate_is_kept")
def discoveries_one_by_one():
    """Each row is an outlier by its own p-value, however many rows there are."""
    put(_outlier, "false_discovery_control", lambda p_values: p_values)


@defect("API", DETECTOR + "explanations_name_the_cell_and_what_would_be_typical")
def explanations_of_the_most_typical_cells():
    """The cells that go best with the others come first."""

    @patch(reasons, "_of_numbers")
    def _of_numbers(old, *args):
        return [reason._replace(chance=1 - reason.chance) for reason in old(*args)]


@defect("API", DETECTOR + "rows_with_holes_are_as_odd_in_any_unit")
def density_of_the_cells_that_are_there():
    """The density of fewer columns is set beside that of all, in whatever units."""

    @patch(typical.TypicalCells, "of_missing")
    def of_missing(old, self, missing):
        return np.zeros(len(missing))


@defect("API", SEEN + "rounding_noise_makes_no_other_row")
def rows_told_by_every_bit():
    """A row of fit that was rounded is another row."""
    put(seen, "PRECISION", 53)


@defect("API", DETECTOR + "a_density_that_holds_out_too_little_is_told_of")
def rows_learned_by_heart_are_ordinary():
    """Rows that no member held out tell what is ordinary, too."""
    put(detection, "NEARLY_ALL", 0.0)
