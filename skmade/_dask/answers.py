"""Scores and completions of the rows of a table in partitions, made when they are asked for."""

import copy

import numpy as np

from .._input import MAX_SEED, check_columns, fitted_ensemble, private_random_state
from .._table.rebuild import certain_layout, to_table, with_dtypes
from .partitions import column_dtypes, empty_like, map_partitions, row_counts, stacked


def score_partitions(estimator, X, method, width=(), reader=None):
    """Return an array of dask: what a method gives for each row, of this width.

    `reader` is the density that knows the columns, if it is another estimator.
    """
    check_columns(estimator if reader is None else reader, empty_like(X))
    empty = np.empty((0, *width))
    asked = copy.copy(estimator)  # a later fit changes no answer
    return stacked(map_partitions(_scores, X, asked, method, empty), X, empty)


def _scores(partition, estimator, method, empty):
    """Score the rows of a partition, which may have none."""
    return getattr(estimator, method)(partition) if len(partition) else empty


def impute_partitions(estimator, X, strategy, random_state):
    """Return a table of dask: the rows of X without missing cells."""
    ensemble, layout = fitted_ensemble(estimator)
    check_columns(estimator, empty_like(X))
    if layout.container == "polars":
        raise TypeError(
            "This density learned from a polars DataFrame and completes rows as one, which "
            "dask does not hold: fit an array or a pandas DataFrame."
        )
    seeds = [None] * len(row_counts(X))  # means take no random numbers
    if strategy == "sample":
        rng = private_random_state(random_state)
        seeds = rng.randint(MAX_SEED, size=len(seeds)).tolist()
    empty = _no_rows(ensemble.table, layout, X)
    asked = copy.copy(estimator)  # a later fit changes no answer
    parts = map_partitions(_completed, X, asked, strategy, empty, each=zip(seeds))
    return stacked(parts, X, empty)


def _no_rows(table, layout, X):
    """Return completed rows, none of them, of dtypes that do for all partitions."""
    no_rows, new = np.empty((0, table.n_features)), table.smoothed & (table.n_levels > 0)
    # These hold integers alone, in floats too, which had to hold missing cells.
    kinds = ("count",) if table.smoothed else ("binary", "count")
    whole = np.isin(table.kinds, kinds) & (table.n_levels == 0)
    dtypes = [
        np.dtype(np.int64) if integers else dtype
        for integers, dtype in zip(whole, column_dtypes(X), strict=True)
    ]
    if layout.container == "pandas":
        index = getattr(empty_like(X), "index", None)
        return to_table(certain_layout(layout, dtypes, new), no_rows, index=index)
    empty = to_table(layout, no_rows)
    numeric = all(dtypes[column].kind in "biuf" for column in np.flatnonzero(new))
    return empty if numeric else empty.astype(object)


def _completed(partition, seed, estimator, strategy, empty):
    """Complete the rows of a partition, which may have none."""
    return (
        with_dtypes(estimator.impute(partition, strategy, seed), empty)
        if len(partition)
        else empty
    )
