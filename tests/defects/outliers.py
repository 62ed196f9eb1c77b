"""Defects of the core of the rows, from which a detector learns."""

import numpy as np

from skmade import _outlier, _robust_core

from .planting import defect, patch, put

CORE = "test_robust_core.py::test_"
DETECTOR = "test_outlier.py::test_"


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
