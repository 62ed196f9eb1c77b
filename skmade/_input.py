"""What the user passes, checked and as numbers: tables, weights, given cells, random states.

scikit-learn's own checks around those of `_table`.
"""

from collections.abc import Mapping
from numbers import Integral
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import narwhals.stable.v2 as nw
import numpy as np
from sklearn import get_config
from sklearn.utils import _safe_indexing, check_array, check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from ._network.ensemble import Ensemble
from ._table.bounds import read_bounds, read_ends
from ._table.cells import holds_times, missing_cells, without_markers
from ._table.checks import (
    check_binary,
    check_cells,
    check_edges,
    check_given,
    check_interval,
    check_known,
    check_new_cells,
    check_present,
    naming,
    warn_not_rebuilt,
    warn_user,
)
from ._table.encoding import KINDS, unseen_cells
from ._table.frame import (
    check_types,
    collected,
    column_words,
    learn_layout,
    open_filled,
    open_frame,
    to_numbers,
    unknown_labels,
    without_masked,
)
from ._table.layout import Labels, Layout
from ._table.learning import resolve_kinds
from ._table.numbers import Numbers, Survey, survey
from ._table.regions import Asked, asked_between

# Ensembles of fitted estimators, with the state that each was made from.
_ENSEMBLES: WeakKeyDictionary[Any, tuple[Any, ...]] = WeakKeyDictionary()

# numpy.random.RandomState draws seeds below this.
MAX_SEED = np.iinfo(np.int32).max

# Weights are numbers of rows if they are multiples of a part of the least, at most such a
# part, up to rounding, and on average at most so many times the least.
MAX_PARTS, ROUNDING, MAX_MEAN_ROWS = 12, 1e-6, 1000

# Rows that weigh less than this share of the heaviest are left out.
MIN_WEIGHT = 1e-30


def private_random_state(random_state):
    """Return a RandomState; None means fresh entropy, not NumPy's global generator."""
    if random_state is None:
        return np.random.RandomState()
    return check_random_state(random_state)


def working_bytes():
    """How much memory scikit-learn allows for intermediate results."""
    return get_config()["working_memory"] * 2**20


def weighted_rows(X, sample_weight):
    """Return the rows of positive weight, positions if they are among others, and weights.

    Weights count rows, see `counted`. An array of numbers is not copied: it comes whole, with
    the positions of its rows.
    """
    if sample_weight is None:
        return X, None, None
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if not np.isfinite(weight).all():
        raise ValueError("sample_weight contains NaN or infinity.")
    # A share below the resolution of single precision is none.
    kept = weight > MIN_WEIGHT * weight.max()
    if kept.all():
        return X, None, counted(weight)
    if _is_numeric(X):
        return X, np.flatnonzero(kept), counted(weight[kept])
    return _safe_indexing(X, kept), None, counted(weight[kept])


def counted(weight):
    """Return weights that say how many rows each row stands for.

    Only ratios count: those of small whole numbers are numbers of rows. Others together
    stand for their effective number of rows (Kish 1965).
    """
    weight = weight / weight.max()  # their sum is finite
    for parts in range(1, MAX_PARTS + 1):
        rows = weight / weight.min() * parts
        whole = np.rint(rows)
        if whole.mean() <= MAX_MEAN_ROWS * parts and (np.abs(rows - whole) < ROUNDING).all():
            return whole
    return weight * (weight.sum() / np.square(weight).sum())


class NewTable(NamedTuple):
    """A table to learn from, read."""

    layout: Layout
    kinds: Any  # (n_features,)
    numbers: Numbers
    survey: Survey
    bounds: Any  # (2, n_features), or None


def read_new_table(estimator, X, kept=None, weight=None):
    """Read a table to learn from, and survey its columns."""
    layout, numbers = open_new_table(estimator, X, kept)
    surveyed = survey(numbers, weight)
    check_cells(surveyed.n_infinite, layout)
    kinds, bounds = learn_kinds(estimator, layout, surveyed)
    if bounds is not None or not np.isin(kinds, ("auto", "continuous")).all():
        for rows, chunk in numbers.chunks():
            check_new_cells(kinds, bounds, chunk, layout, rows.start)
    warn_not_rebuilt(layout, X)
    return NewTable(layout, kinds, numbers, surveyed, bounds)


def open_new_table(estimator, X, kept=None):
    """Return the layout of a table to learn from, and its numbers."""
    frame = open_filled(X)
    if _is_mixed(frame) or _declares_labels(estimator.feature_types):
        frame = frame if isinstance(frame, nw.DataFrame) else _check_shape(frame)
        frame = frame if kept is None else frame[kept]
        layout = learn_layout(frame, _words_of(estimator, frame))
        numbers = Numbers(_check_numbers(to_numbers(layout, frame)))
        validate_data(estimator, X, reset=True, skip_check_array=True)
        return layout, numbers
    numbers = Numbers(_plain_numbers(estimator, frame, reset=True), kept)
    n_features = numbers.n_features
    declared_words(estimator, n_features, None)  # refuses words for other columns
    layout = Layout("array", None, ["float64"], [None] * n_features, [None] * n_features)
    return layout, numbers


def check_new_columns(estimator, empty):
    """Refuse columns that nothing can be learned from; their rows are not here."""
    validate_data(estimator, empty, reset=True, skip_check_array=True)
    if empty.shape[1] == 0:
        raise ValueError("X has no columns.")
    _words_of(estimator, open_frame(empty))


def learn_kinds(estimator, layout, surveyed):
    """Return the kind of each column, after a look at all rows, and the bounds of numbers."""
    check_present(surveyed.n_observed, layout)
    words = declared_words(estimator, len(layout.levels), layout.names)
    kinds = resolve_kinds(words, surveyed, layout)
    return kinds, read_bounds(estimator.bounds, kinds, layout, -surveyed.least[1])


class ReadTable(NamedTuple):
    """A table like the one of fit, read."""

    frame: Any  # as `open_frame` returned it
    numbers: Numbers
    unknown: dict[int, Labels]  # labels that fit did not see, by column


def read_table(estimator, X, layout, table, name="X", kept=None, ignored=()):
    """Read a table like the one of fit, and refuse cells that its columns cannot hold.

    What is in `ignored` columns is not looked at: it is missing.
    """
    X = collected(X)
    frame = open_filled(X)
    if _is_mixed(frame) or not layout.of_numbers:
        frame = frame if isinstance(frame, nw.DataFrame) else _check_shape(frame)
        frame = frame if kept is None else frame[kept]
        with naming(name):
            validate_data(estimator, X, reset=False, skip_check_array=True)
        _check_names(frame, layout, name)
        matrix = _check_numbers(to_numbers(layout, frame, name, ignored))
        numbers, unknown = Numbers(matrix), unknown_labels(layout, matrix, frame)
        check_known(name, {} if table.smoothed else unknown, layout)
    else:
        matrix = _plain_numbers(estimator, frame, reset=False, name=name)
        if len(ignored):
            matrix = np.array(matrix, dtype=np.float64)
            matrix[:, ignored] = np.nan
        numbers, unknown = Numbers(matrix, kept), {}
    n_infinite = sum(np.isinf(chunk).sum(axis=0) for _, chunk in numbers.chunks())
    check_cells(n_infinite, layout, name)
    _check_unseen(table, numbers, layout)
    return ReadTable(frame, numbers, unknown)


def check_columns(estimator, empty):
    """Refuse a table, of which only the columns are here, with others than those of fit."""
    layout = fitted_ensemble(estimator)[1]
    validate_data(estimator, empty, reset=False, skip_check_array=True)
    _check_names(open_frame(empty), layout, "X")


def _check_unseen(table, numbers, layout):
    """Refuse numbers beside zero and one, unless mass was kept for them."""
    if table.smoothed or not (table.kinds == "binary").any():
        return
    for rows, chunk in numbers.chunks():
        check_binary(unseen_cells(table, chunk), chunk, layout, rows.start)


def check_inside(table, numbers, layout):
    """Refuse numbers beyond the ends that the first fit has found, from which to learn more."""
    for rows, chunk in numbers.chunks():
        check_edges(table, chunk, layout, rows.start)


def column_positions(columns, layout):
    """Return the positions of one column, or a list of them, by name or position."""
    names = list(range(len(layout.levels))) if layout.names is None else list(layout.names)
    columns = columns.tolist() if getattr(columns, "ndim", 0) == 1 else columns
    several = isinstance(columns, list) or (isinstance(columns, tuple) and columns not in names)
    found = []
    for column in columns if several else [columns]:
        if column in names:
            found.append(names.index(column))
        elif isinstance(column, Integral) and int(column) in range(len(names)):
            found.append(int(column))
        else:
            raise ValueError(
                f"column is {column!r}, which is no column of the table in fit: it has "
                f"{', '.join(map(repr, names[:8]))}{', ...' if len(names) > 8 else ''}."
            )
    if not found:
        raise ValueError("column holds no column: give a name, a position, or a list of them.")
    return found


def read_fitted(estimator, X):
    """Return the ensemble of a fitted estimator, and rows for it as numbers."""
    ensemble, layout = fitted_ensemble(estimator)
    return ensemble, read_table(estimator, X, layout, ensemble.table).numbers


def fitted_ensemble(estimator):
    """Return the ensemble of a fitted estimator, and what fit remembers of the columns.

    What it prepares for prediction is kept from call to call, beside the estimator, whose
    state stays plain arrays.
    """
    check_is_fitted(estimator)
    state, ensemble, layout = _ENSEMBLES.get(estimator, (None, None, None))
    if state is not estimator._state:
        state = estimator._state
        ensemble, layout = Ensemble.from_state(state), Layout.from_state(state["layout"])
        _ENSEMBLES[estimator] = (state, ensemble, layout)
    return ensemble, layout


def read_given(estimator, given, layout, table):
    """Read the cells that draws are conditioned on: one row of numbers, NaN elsewhere."""
    given = _named_cells(given)
    if isinstance(open_frame(given), nw.DataFrame):
        _, rows, unknown = read_table(estimator, given, layout, table, "given")
        numbers = rows[:]
    else:
        row = _given_row(given, layout)
        numbers = to_numbers(layout, row, "given")
        unknown = unknown_labels(layout, numbers, row)
        check_cells(np.isinf(numbers).sum(axis=0), layout, "given")
    check_known("given", unknown, layout, hint="Only labels that fit saw can be given.")
    if len(numbers) != 1:
        raise ValueError(
            f"given must be a mapping or one row, got {len(numbers)} rows. To complete several "
            "rows, each by its own cells, use impute."
        )
    check_given(table, numbers, layout)
    return numbers[0]


def read_regions(given, layout, table):
    """Read where columns are asked to be: single values, intervals (low, high), lists or sets.

    Returns what is asked of each column, by position.
    """
    given = _named_cells(given)
    if not isinstance(given, Mapping):
        given = dict(enumerate(_given_row(given, layout)[0]))
        given = {layout.names[k] if layout.names else k: cell for k, cell in given.items()}
    asked = {}
    for column, wanted in given.items():
        position = _given_position(column, layout)
        if isinstance(wanted, tuple):
            between = _asked_between(wanted, position, layout, table)
            if not table.constant[position]:  # which is where it is
                asked[position] = between
        elif is_region(wanted) or not missing_cells(np.array([wanted], dtype=object)).any():
            asked[position] = _asked_values(wanted, position, layout, table)
    return asked


def is_region(wanted):
    """Whether a column is asked to be in an interval or a set."""
    if isinstance(wanted, tuple | list | set | frozenset | range):
        return True
    return not isinstance(wanted, str) and getattr(wanted, "ndim", 0) == 1


def _named_cells(given):
    """Return a row of a DataFrame as a mapping, anything else as it is."""
    if hasattr(given, "to_dict") and getattr(given, "ndim", 2) == 1:
        return given.to_dict()
    return given


def _asked_values(wanted, position, layout, table):
    """Read a value, or several, that a column may have."""
    cells = [*wanted] if is_region(wanted) else [wanted]
    label = layout.label(position)
    if not cells:
        raise ValueError(f"{label} is given as no value at all: name one, or leave it out.")
    rows = np.full((len(cells), len(layout.levels)), None, dtype=object)
    rows[:, position] = cells
    numbers = to_numbers(layout, rows, "given")
    check_cells(np.isinf(numbers).sum(axis=0), layout, "given")
    unknown = unknown_labels(layout, numbers, rows)
    check_known("given", unknown, layout, hint="Only labels that fit saw can be given.")
    if np.isnan(numbers[:, position]).any():
        raise ValueError(f"{label} is given with a missing value among others: leave it out.")
    check_given(table, numbers, layout)
    return Asked(np.unique(numbers[:, position]))


def _asked_between(pair, position, layout, table):
    """Read two ends between which a column may be."""
    label = layout.label(position)
    if layout.levels[position] is not None:
        raise ValueError(
            f"{label} holds labels, of which there are no intervals: give a list of labels "
            f"instead of {pair!r}."
        )
    low, high = read_ends(pair, label, layout.clocks[position])
    if not low <= high or low == np.inf or high == -np.inf:
        raise ValueError(
            f"The interval of {label} must be (low, high) with low <= high, None for an open "
            f"end, got {pair!r}."
        )
    asked = asked_between(table, position, low, high)
    check_interval(asked, table, position, low, high, layout)
    return asked


def _check_names(frame, layout, name):
    """Refuse a DataFrame with other column names: scikit-learn compares only text."""
    if not isinstance(frame, nw.DataFrame) or layout.names is None:
        return
    if list(frame.to_native().columns) != list(layout.names):
        raise ValueError(
            f"The column names of {name} are not those of fit, in their order: "
            f"{list(frame.to_native().columns)} instead of {list(layout.names)}."
        )


def _given_row(given, layout):
    """Return given cells as a row of objects, None for the others."""
    if np.ma.isMaskedArray(given):
        given = without_masked(given)
    columns = list(range(len(layout.levels))) if layout.names is None else layout.names
    row = np.full((1, len(columns)), None, dtype=object)
    if not isinstance(given, Mapping):
        cells = np.asarray(given, dtype=object).ravel()
        if len(cells) != len(columns):
            raise ValueError(
                f"given has {len(cells)} cells for {len(columns)} columns: give a mapping "
                "{column: value}, or one row with NaN where nothing is given. To complete "
                "several rows, each by its own cells, use impute."
            )
        row[0] = cells
        return row
    for column, value in given.items():
        row[0, _given_position(column, layout)] = value
    return row


def _given_position(column, layout):
    """Return the position of a column that is given."""
    columns = list(range(len(layout.levels))) if layout.names is None else list(layout.names)
    if column not in columns:
        raise ValueError(f"given names {column!r}, which is no column of the table in fit.")
    return columns.index(column)


def warn_missing(numbers):
    """Warn of missing cells in rows for a network that cannot be told which they are."""
    if any(np.isnan(chunk).any() for _, chunk in numbers.chunks()):
        warn_user(
            "Cells are missing, as none was in the first fit: the network takes them for zeros "
            "or means. Set conditioning_weights=True before the first fit."
        )


def declared_words(estimator, n_features, names):
    """Return the type that the estimator declares for each column, 'auto' where none."""
    return column_words(estimator.feature_types, n_features, names, (*KINDS, "auto"))


def _words_of(estimator, frame):
    """Return the declared type of each column of an open table."""
    names = list(frame.columns) if isinstance(frame, nw.DataFrame) else None
    return declared_words(estimator, frame.shape[1], names)


def _declares_labels(feature_types):
    """Whether some column of an array is declared to hold labels."""
    words = feature_types.values() if isinstance(feature_types, dict) else feature_types
    words = [words] if isinstance(words, str) else words
    return any(isinstance(word, str) and word == "categorical" for word in words)


def _is_mixed(frame):
    """Whether an open table's columns are to be read one by one."""
    return isinstance(frame, nw.DataFrame) or holds_times(frame)


def _check_shape(array):
    """Apply scikit-learn's checks of an array, whatever it holds."""
    return check_array(array, dtype=None, ensure_all_finite=False)


def _check_numbers(numbers):
    """Apply scikit-learn's checks to a matrix that was made from a table."""
    return check_array(numbers, dtype=np.float64, ensure_all_finite=False)


def _is_numeric(X):
    """Whether a table is an array of numbers that can be read chunk by chunk."""
    return type(X) in (np.ndarray, np.memmap) and X.dtype.kind in "biuf"


def _plain_numbers(estimator, frame, reset, name="X"):
    """Validate an array of numbers, which keeps its type; errors name the column."""
    check_types(frame, name)
    if getattr(getattr(frame, "dtype", None), "kind", None) == "O":
        frame = without_markers(frame)
    dtype = None if _is_numeric(frame) else np.float64
    with naming(name):
        return validate_data(
            estimator, frame, dtype=dtype, ensure_all_finite=False, reset=reset
        )
