"""Defects of what is read: tables, labels, weights, and rows a chunk at a time."""

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from skmade import _fitting, _input
from skmade._prediction import scoring
from skmade._table import checks, encoding, frame
from skmade._table.numbers import Numbers

from .planting import defect, patch

CONTRACT = "test_contract.py::test_"
INPUT = "test_refusals.py::test_"
WRITTEN = CONTRACT + "callers_tables_are_never_written"
CONTAINERS = INPUT + "any_container_gives_the_same_answer"
REFUSED = INPUT + "bad_tables_are_refused_in_scoring"
WIDTH = INPUT + "tables_of_another_width_are_refused"


@defect("API", CONTRACT + "a_row_scores_the_same_alone_and_in_any_batch")
def rows_lost_between_chunks():
    """The first row of each chunk but the first is taken for the one before it."""

    @patch(Numbers, "__getitem__")
    def chunk(old, self, rows):
        found = old(self, rows)
        if isinstance(rows, slice) and rows.start:
            found = found.copy()
            found[:1] = old(self, slice(rows.start - 1, rows.start))
        return found


@defect("API", WRITTEN)
def table_written():
    """Rows are standardised in the caller's own array."""

    @patch(encoding, "standardise")
    def standardise(old, table, X):
        standardised = old(table, X)
        if not X.flags.writeable:
            return standardised
        X[...] = standardised
        return X


@defect("API", WRITTEN)
def weights_written():
    """sample_weight is normalised in the caller's own array."""

    @patch(_input, "weighted_rows")
    def weighted_rows(old, X, sample_weight):
        result = old(X, sample_weight)
        if isinstance(sample_weight, np.ndarray) and sample_weight.flags.writeable:
            sample_weight /= sample_weight.max()
        return result


@defect("API", CONTAINERS)
def single_precision_stays():
    """Rows of float32 are standardised in float32."""

    @patch(Numbers, "__getitem__")
    def getitem(old, self, rows):
        chunk = old(self, rows)
        return chunk.astype(np.float32) if self.array.dtype == np.float32 else chunk


@defect("API", INPUT + "integers_are_not_rounded_into_their_type")
def scores_in_the_type_of_the_table():
    """Scores of a table of integers are integers."""

    @patch(scoring, "by_chunks")
    def by_chunks(old, score, ensemble, numbers, max_bytes):
        scores = old(score, ensemble, numbers, max_bytes)
        integers = numbers.array.dtype.kind == "i"
        return scores.astype(numbers.array.dtype) if integers else scores


@defect("API", INPUT + "masked_cells_are_missing")
def masked_cells_read():
    """What lies below the mask of a masked array is taken for its value."""

    @patch(_input, "open_filled")
    def filled(old, X):
        return old(np.ma.getdata(X) if isinstance(X, np.ma.MaskedArray) else X)


@defect("API", REFUSED)
def infinity_accepted():
    """Infinite cells are scored."""

    @patch(checks, "check_cells")
    def check_cells(_, *args):
        pass


@defect("API", WIDTH)
def one_column_broadcast():
    """A table of one column is taken for one in which all columns are equal."""

    @patch(_input, "_plain_numbers")
    def numbers(old, estimator, X, reset, name="X"):
        if not reset and np.shape(X)[1:] == (1,):
            X = np.broadcast_to(X, (len(X), estimator.n_features_in_))
        return old(estimator, X, reset, name)


@defect("API", WIDTH)
def wide_tables_cut():
    """Columns beyond those of fit are ignored."""

    @patch(_input, "_plain_numbers")
    def numbers(old, estimator, X, reset, name="X"):
        if not reset and np.ndim(X) == 2:
            X = np.asarray(X)[:, : estimator.n_features_in_]
        return old(estimator, X, reset, name)


@defect("API", INPUT + "column_names_are_held_to")
def reordered_columns_accepted():
    """The columns of a DataFrame are taken by position, whatever their names."""

    @patch(_input, "validate_data")
    def validate(old, estimator, X, reset, **kwargs):
        if isinstance(X, pd.DataFrame) and not reset:
            X = X.set_axis(estimator.feature_names_in_, axis=1)
        return old(estimator, X, reset=reset, **kwargs)

    @patch(_input, "_check_names")
    def check_names(_, *args):
        pass


@defect(
    "API",
    INPUT + "labels_that_fit_did_not_see_are_refused_and_never_taken_for_others",
)
def unknown_labels_taken_for_the_first():
    """A label that fit did not see scores like the first."""

    @patch(frame, "to_numbers")
    def to_numbers(old, layout, *args):
        numbers = old(layout, *args)
        return np.where((layout.n_levels > 0) & (numbers == frame.UNKNOWN), 0.0, numbers)


@defect(
    "API",
    INPUT + "categories_are_told_apart_by_their_labels_and_not_by_their_codes",
)
def categories_read_by_code():
    """Categories are read by the codes that the table at hand has for them."""

    @patch(frame, "to_numbers")
    def to_numbers(old, layout, X, name="X", ignored=()):
        numbers = old(layout, X, name, ignored)
        table = X.to_native() if isinstance(X, nw.DataFrame) else None
        for column in range(numbers.shape[1]) if isinstance(table, pd.DataFrame) else ():
            if isinstance(table.dtypes.iloc[column], pd.CategoricalDtype):
                codes = table.iloc[:, column].cat.codes.to_numpy(dtype=float)
                numbers[:, column] = np.where(codes < 0, np.nan, codes)
        return numbers


@defect("API", CONTRACT + "few_rows")
def one_column_refused():
    """A table needs two columns."""

    @patch(_fitting, "read_new_table")
    def read(old, estimator, X, *args):
        if np.shape(X)[1] < 2:
            raise ValueError("Found 1 feature, a minimum of 2 is required.")
        return old(estimator, X, *args)
