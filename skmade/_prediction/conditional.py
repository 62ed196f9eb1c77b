"""The density of one column of each row given the row's other cells, as a ratio of the joint.

Where a column comes after all observed ones in the ordering of every path, it is a mixture of
the paths' conditionals, weighed by the density that each gives the others: no network is run
again for another value. Elsewhere the joint is scored at several values of the column: at every
level of labels, at every integer of a count, and of numbers at points that follow the mass.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .._network.conditionals import Conditional
from .._network.ensemble import Ensemble
from .._network.masks import Booleans, Integers
from .._network.mixtures import MixtureOfGaussians
from .._network.special import log_sum_exp
from .._table.encoding import Table, to_cells, transform
from .._threads import in_order, one_thread_inside
from .background import background, beyond_edge, chance_of_background, with_background
from .hints import narrow_components, narrow_roots
from .prepared import scorer
from .scoring import (
    MAX_SCORING_BYTES,
    N_DRAWS,
    all_paths,
    draws_per_path,
    explain,
    fixed_uniforms,
    in_parts,
    integrate,
    integrated_cells,
    log_density_of_members,
    rows_at_once,
)
from .walk import parameters_of

Floats = NDArray[np.float64]

Answer = TypeVar("Answer")

# Counts with at most so many possible values are enumerated. Beyond the second number of
# standard deviations there is less than 1e-8.
MAX_ENUMERATED, FARTHEST = 160, 40.0

# Rows of which a table of points is made at once.
MAX_ROWS = 512


@dataclass(frozen=True)
class Question:
    """One column of n rows, given their other cells."""

    ensemble: Ensemble
    column: int
    X: Floats  # (n, D), as the user has them; NaN in the column
    # Whether paths count by the density that they give the other cells, as in the joint, or
    # all rows alike, by the shares of members.
    weighed: bool = True

    def __len__(self) -> int:
        return len(self.X)

    @property
    def alone(self) -> Table:
        """What was learned of the column."""
        return self.ensemble.table.only(self.column)

    @property
    def law(self) -> Conditional:
        """The law of the column's conditionals."""
        return self.ensemble.made.by_feature()[self.column][0]

    def of_rows(self, rows: Integers) -> "Question":
        """Return the question for some of the rows."""
        return replace(self, X=self.X[rows])


@dataclass(frozen=True)
class Mixture:
    """The density of a column that comes last: J conditionals of each of n rows."""

    law: Conditional
    params: Floats  # (n_params, n, J)
    log_weights: Floats  # (n, J), of probabilities
    log_rest: Floats  # (n,), log-density of the other cells

    def log_joint(self, values: Floats) -> Floats:
        """Log-density of values (n, k) and the other cells, (n, k)."""
        # Parameters are repeated for each value: some values at a time.
        size = max(1, MAX_SCORING_BYTES // self.params.nbytes)
        parts = [values[:, k : k + size] for k in range(0, values.shape[1], size)]
        return np.concatenate([self._log_joint(part) for part in parts], axis=1)

    def _log_joint(self, values: Floats) -> Floats:
        shape = (*self.log_weights.shape, values.shape[1])
        params = np.repeat(self.params.reshape(len(self.params), 1, -1), shape[2], axis=2)
        every = np.broadcast_to(values[:, None], shape).reshape(1, -1)
        logs = self.law.log_prob_once(params, every).reshape(shape)
        logs += self.log_weights[:, :, None]
        return log_sum_exp(logs.swapaxes(0, 1)) + self.log_rest[:, None]

    def narrow(self) -> Floats:
        """Return points (n, H) around narrow peaks."""
        assert isinstance(self.law, MixtureOfGaussians)
        return narrow_components(self.law, self.params, self.log_weights)


@dataclass(frozen=True)
class Joint:
    """The density of a column among others: rows are scored with each value."""

    ensemble: Ensemble
    column: int
    values: Floats  # (n, D), of the network; NaN in the column

    def log_joint(self, values: Floats) -> Floats:
        """Log-density of values (n, k) and the other cells, (n, k)."""
        filled = np.repeat(self.values, values.shape[1], axis=0)
        filled[:, self.column] = values.ravel()
        found = log_density_of_members(self.ensemble, filled, MAX_SCORING_BYTES)
        return found.reshape(values.shape)

    def narrow(self) -> Floats:
        """Return points (n, H) around narrow peaks."""
        law = self.ensemble.made.by_feature()[self.column][0]
        assert isinstance(law, MixtureOfGaussians)
        n_paths = self.ensemble.n_paths
        params = [
            parameters_of(scorer(self.ensemble, path), self.values, self.column)
            for path in range(n_paths)
        ]
        weights = np.full((len(self.values), n_paths), -math.log(n_paths))
        own = narrow_components(law, np.stack(params, axis=2), weights)
        return np.concatenate(
            [own, narrow_roots(self.ensemble, self.values, self.column)], axis=1
        )


def comes_last(ensemble: Ensemble, values: Floats, column: int) -> Booleans:
    """Which rows (n, D) observe nothing that comes after a column in the ordering of a path."""
    observed = ~np.isnan(values)
    observed[:, column] = True
    # Paths that can be reordered move what is missing last, where there is some.
    last = np.asarray(observed.all(axis=1) | (not ensemble.reorderable))
    observed[:, column] = False
    for ranks in ensemble.ranks.reshape(-1, values.shape[1]):
        last &= np.where(observed, ranks, 0).max(axis=1) < ranks[column]
    return np.asarray(last)


def _mixture(ensemble: Ensemble, values: Floats, column: int) -> Mixture:
    """Return the density of a column that comes last."""
    law = ensemble.made.by_feature()[column][0]
    cells = integrated_cells(ensemble, values)
    cells[:, column] = False
    if cells.any():
        n_draws = draws_per_path(ensemble, N_DRAWS)
        uniforms = fixed_uniforms(ensemble.n_paths, n_draws, values.shape[1])[:, None]
        paths = all_paths(ensemble, len(values))
        # To the end: of what comes before the column nothing is left undrawn.
        found, filled, _ = integrate(ensemble, values, cells, uniforms, paths, to_end=True)
    else:
        n_draws, found = 1, explain(ensemble, values)
        filled = np.repeat(values[:, None], ensemble.n_paths, axis=1)
    parts = []
    for path in range(ensemble.n_paths):
        own = filled[:, path * n_draws : (path + 1) * n_draws]
        flat = own.reshape(-1, values.shape[1])
        params = parameters_of(scorer(ensemble, path), flat, column)
        parts.append(params.reshape(len(params), len(values), -1))
    log_rest = found.log_density
    n_ways = found.log_weights.shape[1]
    log_weights = found.log_weights - (log_rest + math.log(n_ways))[:, None]
    return Mixture(law, np.concatenate(parts, axis=2), log_weights, log_rest)


def _unweighed(ensemble: Ensemble, mixture: Mixture) -> Mixture:
    """Let each path count by the share of its member alone."""
    logs = mixture.log_weights.reshape(len(mixture.log_weights), ensemble.n_paths, -1)
    of_paths = log_sum_exp(np.moveaxis(logs, 2, 0))
    logs = logs - of_paths[:, :, None]  # draws of a path count as they did
    logs += (ensemble.log_odds - math.log(ensemble.n_paths))[:, None]
    return replace(mixture, log_weights=logs.reshape(mixture.log_weights.shape))


@dataclass(frozen=True)
class Masses:
    """Probabilities of L values of a column, in n rows."""

    logs: Floats  # (n, L), logarithms of probabilities
    log_rest: Floats  # (n,), log-density of the other cells


def masses(question: Question, support: Floats) -> Masses:
    """Return the probabilities of all values of a column: labels' codes, or few numbers."""
    parts = each_part(partial(_masses, support=support), question)
    pairs = zip(*((part.logs, part.log_rest) for part in parts), strict=True)
    return Masses(*map(np.concatenate, pairs))


def values_of(table: Table, column: int) -> Floats | None:
    """Return all values that a column may have, of labels the codes; None if there are many."""
    if table.constant[column]:
        return table.ends[:1, column]
    if not table.numeric[column]:
        return np.arange(float(table.n_labels[column]))
    codes = table.codes[column]
    if not np.isnan(codes).all():
        return np.asarray(codes[~np.isnan(codes)])
    if table.kinds[column] == "continuous":
        return None
    alone = table.only(column)
    low, high = to_cells(alone, np.array([[-FARTHEST], [FARTHEST]]))[:, 0]
    if high - low >= MAX_ENUMERATED:
        return None
    return np.arange(low, high + 1)


def each_part(answer: Callable[[Question], Answer], question: Question) -> list[Answer]:
    """Answer for parts of the rows, of which several are computed at the same time."""
    size = min(MAX_ROWS, rows_at_once(question.ensemble, N_DRAWS, MAX_SCORING_BYTES))
    parts = in_parts(np.arange(len(question)), size)
    with one_thread_inside():
        return in_order([partial(answer, question.of_rows(rows)) for rows in parts])


def evaluators(question: Question) -> list[tuple[Integers, Mixture | Joint]]:
    """Return what tells densities, with the rows that each is for."""
    ensemble, column = question.ensemble, question.column
    values = transform(ensemble.table, question.X).values
    last = comes_last(ensemble, values, column)
    drawn = integrated_cells(ensemble, values)
    drawn[:, column] = False
    found: list[tuple[Integers, Mixture | Joint]] = []
    for draws in (False, True):
        rows = np.flatnonzero(last & (drawn.any(axis=1) == draws))
        if len(rows):
            mixture = _mixture(ensemble, values[rows], column)
            found.append((rows, mixture if question.weighed else _unweighed(ensemble, mixture)))
    rows = np.flatnonzero(~last)
    if len(rows):
        found.append((rows, Joint(ensemble, column, values[rows])))
    return found


def log_joint(question: Question, values: Floats) -> Floats:
    """Log-density (n, k) by the members of values of the column with the other cells."""
    found = np.empty(values.shape)
    for rows, evaluator in evaluators(question):
        found[rows] = evaluator.log_joint(values[rows])
    return found


def _masses(question: Question, support: Floats) -> Masses:
    """Return the probabilities of all values of a column, for few rows."""
    alone, n_rows = question.alone, len(question)
    cells = transform(alone, support[:, None])
    values = np.broadcast_to(cells.values[:, 0], (n_rows, len(support)))
    logs, seen = np.empty(values.shape), ~np.isnan(values[0])
    logs[:, seen] = log_joint(question, values[:, seen])
    log_rest = log_sum_exp(logs[:, seen].T)
    logs[:, ~seen] = log_rest[:, None]  # the mass kept for them is among the factors
    logs += cells.log_factors[:, 0] - log_rest[:, None]
    by_background = np.broadcast_to(background(alone, cells)[:, 0], logs.shape)
    log_density, chance = density_of_rest(question, log_rest)
    logs = mixed(logs, by_background, chance)
    total = log_sum_exp(logs.T)
    return Masses(logs - total[:, None], log_density + total)


def mixed(by_members: Floats, by_background: Floats, chance: Floats) -> Floats:
    """Mix log-densities (n, k) of members and background, by its chance (n,)."""
    chance = chance[:, None]
    with np.errstate(divide="ignore"):
        return np.logaddexp(np.log1p(-chance) + by_members, np.log(chance) + by_background)


def density_of_rest(question: Question, log_rest: Floats) -> tuple[Floats, Floats]:
    """Log-density (n,) of the other cells, and the chance of the background given them.

    `log_rest` is the log-density of their values by the members.
    """
    table = question.ensemble.table
    cells = transform(table, question.X)
    total = log_rest + cells.log_factors.sum(axis=1)
    own = background(table, cells).sum(axis=1)
    log_density = with_background(total, own, beyond_edge(table, cells))
    return log_density, chance_of_background(own, log_density)
