"""Defects of tables in partitions: which a member has, what is asked of each, errors."""

from skmade._dask import answers, fitting, partitions

from .planting import defect, patch

ANSWERS = "dask/test_answers.py::test_"
FITTING = "dask/test_fitting.py::test_"


@defect("API", FITTING + "partitions_are_dealt_out_once")
def members_share_partitions():
    """All members train on the same partitions."""

    @patch(fitting, "share_out")
    def share_out(old, sizes, n_members, n_features, rng):
        return [old(sizes, n_members, n_features, rng)[0]] * n_members


@defect("API", FITTING + "columns_are_described_by_all_partitions")
def layout_of_the_first_partition():
    """Labels that the first partition has not are unknown."""

    @patch(fitting, "joined_layout")
    def joined_layout(old, layouts):
        return layouts[0]


@defect("API", FITTING + "after_an_error_the_estimator_is_as_it_was")
def errors_without_partition():
    """An error does not say which partition it is of."""

    @patch(partitions, "_call")
    def _call(old, number, function, partition, *arguments):
        return function(partition, *arguments)


@defect("API", ANSWERS + "partitions_do_not_repeat_the_draws_of_others")
def partitions_draw_the_same():
    """Every partition is completed by the same random numbers."""

    @patch(answers, "map_partitions")
    def map_partitions(old, function, X, *arguments, each=()):
        own = list(each)
        return old(function, X, *arguments, each=own[:1] * len(own))


@defect("API", ANSWERS + "dtypes_of_labels_hold_new_ones_of_all_partitions")
def partitions_of_their_own_dtypes():
    """Completed partitions have the dtypes that suit their cells."""

    @patch(answers, "with_dtypes")
    def with_dtypes(old, table, empty):
        return table


@defect("API", FITTING + "a_fit_obeys_what_it_is_asked_for_and_not_the_parameters")
def epochs_taken_from_the_parameters():
    """A fit to partitions trains for max_iter epochs, whatever it is asked for."""

    @patch(fitting, "read_schedule")
    def schedule(old, estimator, n_rows, run):
        return old(estimator, n_rows, run._replace(max_iter=estimator.max_iter))


@defect("API", FITTING + "what_partitions_cannot_have_is_refused_before_any_is_read")
def refused_after_a_pass():
    """All rows are read before a fit is refused."""

    @patch(fitting, "row_counts")
    def row_counts(old, X):
        return [float("nan") for _ in old(X)]
