"""Scores and completions of the rows of a table in blocks, made when they are asked for."""

import copy

import numpy as np

from ._blocks import empty_like, map_blocks, row_counts, stacked
from ._reading import MAX_SEED, check_columns, fitted_ensemble, private_random_state
from ._rebuild import to_table


def score_blocks(estimator, X, method, width=()):
    """Return an array of dask: what a method gives for each row, of this width."""
    check_columns(estimator, empty_like(X))
    empty = np.empty((0, *width))
    asked = copy.copy(estimator)  # a later fit changes no answer
    return stacked(map_blocks(_scores, X, asked, method, empty), X, empty)


def _scores(block, estimator, method, empty):
    """Score the rows of a block, which may have none."""
    return getattr(estimator, method)(block) if len(block) else empty


def impute_blocks(estimator, X, strategy, random_state):
    """Return a table of dask: the rows of X without missing cells."""
    layout = fitted_ensemble(estimator)[1]
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
    index = getattr(empty_like(X), "index", None)
    empty = to_table(layout, np.empty((0, len(layout.levels))), index=index)
    asked = copy.copy(estimator)  # a later fit changes no answer
    parts = map_blocks(_completed, X, asked, strategy, empty, each=zip(seeds))
    return stacked(parts, X, empty)


def _completed(block, seed, estimator, strategy, empty):
    """Complete the rows of a block, which may have none."""
    return estimator.impute(block, strategy, seed) if len(block) else empty
