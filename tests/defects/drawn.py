"""Defects of the metrics of drawn rows."""

import numpy as np

from skmade.metrics import _detection, _differences, _nearest, _tables, _trees, _usefulness

from .planting import defect, patch, patch_property, put

DETECTION, NEAREST = "metrics/test_detection.py::test_", "metrics/test_nearest.py::test_"
DIFFERENCES = "metrics/test_differences.py::test_"
USEFULNESS, TABLES = "metrics/test_usefulness.py::test_", "metrics/test_tables.py::test_"


@defect("API", DETECTION + "the_score_is_the_folded_area_averaged_over_folds")
def area_that_is_not_folded():
    """A classifier that is worse than chance makes up for one that is better."""

    @patch_property(_detection.Detection, "score")
    def score(self):
        return float(np.mean(1 - (2 * self.areas - 1)))


@defect("API", DETECTION + "the_score_is_the_folded_area_averaged_over_folds")
def area_that_is_folded_after_the_mean():
    """Chance is taken from the mean of the folds, not from each of them."""

    @patch_property(_detection.Detection, "score")
    def score(self):
        return float(2 - 2 * max(self.areas.mean(), 0.5))


@defect("API", TABLES + "rare_labels_share_a_code", TABLES + "labels")
def codes_without_a_limit():
    """Labels beyond those that trees take keep codes of their own."""
    put(_trees, "MAX_LABELS", 10**6)


@defect("API", NEAREST + "ties_count_one_half", NEAREST + "copies_of_either_table")
def ties_that_count_for_training():
    """A row that is as near to both tables counts as nearer to that of training."""
    put(_nearest, "TOLERANCE", -1.0)


@defect("API", NEAREST + "ties_count_one_half")
def ties_to_the_last_bit():
    """Distances that are equal but for rounding are no ties."""
    put(_nearest, "TOLERANCE", 0.0)


@defect("API", NEAREST + "labels_differ_by_one", NEAREST + "it_is_what_loops_find")
def labels_that_differ_by_two():
    """A label that differs counts in its own column of ones and in the other's."""

    @patch(_nearest, "_unequal")
    def _unequal(old, one, other):
        return 2 * old(one, other)


@defect("API", NEAREST + "of_the_larger_table_as_many_rows_count")
def tables_of_any_size():
    """All rows count, so that the larger table has the nearest row more often."""

    @patch(_nearest, "_of_a_size")
    def _of_a_size(old, columns, random_state):
        return columns


@defect("API", USEFULNESS + "labels_that_only_one_table_has")
def unseen_labels_as_the_first():
    """A label that no drawn row has is scored by the probability of another."""

    @patch(_usefulness, "_area")
    def _area(old, predictor, X, drawn, test):
        test = np.where(np.isin(test, drawn), test, drawn[0])
        return old(predictor, X, drawn, test)


@defect("API", TABLES + "labels", TABLES + "what_holds_a_table_is_no_information")
def codes_of_each_table():
    """Labels have the codes of their own table, in the order of its labels."""

    @patch(_tables, "_labelled")
    def _labelled(old, name, tables):
        parts = [old(name, [cells]) for cells in tables]
        cells = tuple(part.cells[0] for part in parts)
        return _tables.Column(name, cells, parts[0].labels)


@defect("API", DIFFERENCES + "pairs_of_numbers")
def correlations_from_nought_to_two():
    """The difference of correlations is not halved, so that it may be two."""

    @patch(_differences, "_correlation")
    def _correlation(old, one, other):
        return 2 * old(one, other)


@defect("API", DIFFERENCES + "pairs_with_labels")
def bins_of_each_table():
    """Numbers lie in bins of the range of their own table."""

    @patch(_differences, "_binned")
    def _binned(old, real, drawn):
        return old(real, real)[0], old(drawn, drawn)[0]


@defect("API", DIFFERENCES + "chance_is_what_rows_of_one_distribution_differ_by")
def chance_of_one_table():
    """Chance is that of one table beside the distribution, not beside another table."""

    @patch(_differences, "_error")
    def _error(old, one, other):
        return 1 / np.sqrt(len(one))
