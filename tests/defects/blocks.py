"""Defects of tables in blocks: which blocks a member has, what is asked of each, and errors."""

from skmade._dask import answers as _block_answers
from skmade._dask import fitting as _block_fitting
from skmade._dask import partitions as _blocks

from .planting import defect, patch

ANSWERS = "dask/test_answers.py::test_"
FITTING = "dask/test_fitting.py::test_"


@defect("API", FITTING + "blocks_are_dealt_out_once")
def members_share_blocks():
    """All members train on the same blocks."""

    @patch(_block_fitting, "share_out")
    def share_out(old, sizes, n_members, n_features, rng):
        return [old(sizes, n_members, n_features, rng)[0]] * n_members


@defect("API", FITTING + "columns_are_described_by_all_blocks")
def layout_of_the_first_block():
    """Labels that the first block has not are unknown."""

    @patch(_block_fitting, "joined_layout")
    def joined_layout(old, layouts):
        return layouts[0]


@defect("API", FITTING + "after_an_error_the_estimator_is_as_it_was")
def errors_without_partition():
    """An error does not say which partition it is of."""

    @patch(_blocks, "_call")
    def _call(old, number, function, block, *arguments):
        return function(block, *arguments)


@defect("API", ANSWERS + "blocks_do_not_repeat_the_draws_of_others")
def blocks_draw_the_same():
    """Every block is completed by the same random numbers."""

    @patch(_block_answers, "map_blocks")
    def map_blocks(old, function, X, *arguments, each=()):
        own = list(each)
        return old(function, X, *arguments, each=own[:1] * len(own))


@defect("API", ANSWERS + "dtypes_of_labels_hold_new_ones_of_all_partitions")
def partitions_of_their_own_dtypes():
    """Completed partitions have the dtypes that suit their cells."""

    @patch(_block_answers, "with_dtypes")
    def with_dtypes(old, table, empty):
        return table


@defect("API", FITTING + "what_blocks_cannot_have_is_refused_before_any_is_read")
def refused_after_a_pass():
    """All rows are read before a fit is refused."""

    @patch(_block_fitting, "row_counts")
    def row_counts(old, X):
        return [float("nan") for _ in old(X)]
