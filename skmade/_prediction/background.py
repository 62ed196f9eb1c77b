"""The background: a broad law of independent columns, which takes over far from all rows.

What the members say ends at the edges of the columns (`Marginals`), as nothing is known of
rows beyond. A sliver of the density is this law: numbers follow a Student t around the
column's center, labels are equally likely. It falls along every ray from the center, and so
does the density where it is alone: far out, no row scores higher than a nearer one.
"""

import math

import numpy as np
from numpy.typing import NDArray

from .._network.masks import Booleans
from .._network.special import (
    open_unit,
    student_log_interval,
    student_log_prob,
    student_quantile,
)
from .._table.encoding import Cells, Table, to_cells

Floats = NDArray[np.float64]

# The share is too small to count wherever rows were: it takes this much from a log-density.
LOG_SHARE = math.log(1e-9)
LOG_REST = math.log1p(-1e-9)


def background(table: Table, cells: Cells) -> Floats:
    """Log-density (of labels and counts log-mass) of each cell, (n, D); 0 where missing."""
    log_probs = student_log_prob(cells.standardised)
    for column in np.flatnonzero(table.kinds == "count").tolist():
        own, half = cells.standardised[:, column], 0.5 / table.spread[column]
        log_probs[:, column] = student_log_interval(own - half, own + half, 2 * half)
    log_probs[:, ~table.numeric] = -np.log(table.n_labels[~table.numeric])
    log_kept = np.log1p(-table.unseen_mass)
    log_probs += table.log_jacobian + log_kept
    for column, _ in table.ladders():  # between rungs there is less than on them
        log_probs[:, column] += cells.log_factors[:, column] - log_kept[column]
    log_probs[cells.missing] = 0.0
    if cells.unseen.any():
        _, columns = np.nonzero(cells.unseen)
        log_probs[cells.unseen] = table.log_unseen[columns]
    return log_probs


def with_background(
    members: Floats, log_background: Floats, beyond: NDArray[np.bool_]
) -> Floats:
    """Mix log-densities (n,) of members and background, which is alone beyond the edges."""
    members = np.where(beyond, -np.inf, members + LOG_REST)
    return np.logaddexp(members, log_background + LOG_SHARE)


def draw_background(table: Table, uniforms: Floats) -> Floats:
    """Draw rows (n, D) of the background, from a number in (0, 1) for each cell."""
    values = student_quantile(open_unit(uniforms))
    for column in np.flatnonzero(~table.numeric):
        codes = np.arange(table.n_labels[column])
        known = np.setdiff1d(codes, table.absent[column])
        values[:, column] = known[(uniforms[:, column] * len(known)).astype(np.int64)]
    return np.where(table.numeric, to_cells(table, values), values)


def beyond_edge(table: Table, cells: Cells) -> Booleans:
    """Which rows (n,) have a number at or beyond the edge of its column."""
    beyond = table.marginals.beyond_edge(cells.values) | cells.outside
    return np.asarray(beyond.any(axis=1))


def chance_given(table: Table, cells: Cells, by_members: Floats) -> Floats:
    """Probability (n,) that rows are of the background, given the cells that are there.

    `by_members` are the log-densities of their values by the members.
    """
    total = by_members + cells.log_factors.sum(axis=1)
    by_background = background(table, cells).sum(axis=1)
    log_density = with_background(total, by_background, beyond_edge(table, cells))
    return chance_of_background(by_background, log_density)


def chance_of_background(log_background: Floats, log_density: Floats) -> Floats:
    """Probability that a row is of the background, given the row."""
    return np.asarray(np.exp(log_background + LOG_SHARE - log_density))
