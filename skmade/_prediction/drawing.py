"""Draws from an ensemble: of whole rows, of rows given some cells, of missing cells.

Given cells are conditioned on exactly where an ordering puts them first: in every path
of an order-agnostic ensemble. Elsewhere every path draws the other cells where its
ordering puts them, and of all these draws some are chosen (self-normalised importance
resampling). The weight of a draw is its density over the density with which the paths
propose it on average (the balance heuristic of Veach and Guibas 1995), so that a path
whose ordering puts the given cells first helps all of them.
"""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .._network.ensemble import Ensemble
from .._network.masks import Booleans, Integers
from .._table.encoding import Table, decode, encode
from .._threads import in_order
from .ancestral import chunk_rows, sample_values
from .prepared import sampler, scorer
from .scoring import (
    by_pattern,
    chunks,
    draws_per_path,
    explain,
    fill,
    fixed_uniforms,
    normalised,
    rows_at_once,
)
from .walk import Walk, feature_log_prob

Floats = NDArray[np.float64]

# Draws to choose from for each row that `draw_given` returns, and at least.
N_PROPOSALS, MIN_PROPOSALS = 8, 4096

# More rows than this are drawn in parts, so that the proposals fit in memory.
MAX_DRAWN_TOGETHER = 10_000

# Draws that a row is completed from.
N_COMPLETIONS = 128


def draw(ensemble: Ensemble, n_samples: int, rng: np.random.RandomState) -> Floats:
    """Draw rows (n_samples, D), each from a member and mask chosen at random."""
    shape = (n_samples, ensemble.table.n_features)
    choice = rng.randint(ensemble.n_paths, size=n_samples)
    values = np.full(shape, np.nan)
    drawn = _draw_missing(ensemble, values, choice, rng)
    return decode(ensemble.table, drawn)


def draw_given(
    ensemble: Ensemble, row: Floats, n_samples: int, rng: np.random.RandomState
) -> tuple[Floats, float]:
    """Draw rows given the cells of one row (D,) that are not NaN.

    Returns
    -------
    rows : (n_samples, D)
    n_effective : effective number of draws that were chosen from; infinite where exact
    """
    values = encode(ensemble.table, row[None])
    missing = np.isnan(values[0])
    exact = _conditioned(ensemble, missing)
    if exact is not None:
        chances = explain(exact, values).responsibilities[0]
        choice = rng.choice(exact.n_paths, size=n_samples, p=chances)
        drawn = _draw_missing(exact, np.repeat(values, n_samples, axis=0), choice, rng)
        return decode(ensemble.table, drawn), math.inf
    parts, n_effective = [], 0.0
    for part in chunks(np.arange(n_samples), MAX_DRAWN_TOGETHER):
        n_proposals = max(N_PROPOSALS * len(part), MIN_PROPOSALS)
        n_draws = math.ceil(n_proposals / ensemble.n_paths)
        shape = (ensemble.n_paths, 1, n_draws, len(row))
        draws = _propose(ensemble, values, rng.random_sample(shape))
        chosen = rng.choice(draws.chances.shape[1], size=len(part), p=draws.chances[0])
        parts.append(draws.values[0, chosen])
        n_effective += float(draws.n_effective[0])
    return decode(ensemble.table, np.concatenate(parts)), n_effective


@dataclass(frozen=True)
class _Draws:
    """J draws of the missing cells of each of n rows."""

    values: Floats  # (n, J, D)
    chances: Floats  # (n, J), their probabilities

    @property
    def n_effective(self) -> Floats:
        """Effective number of draws, between 1 and J, (n,)."""
        return 1 / np.square(self.chances).sum(axis=1)


def _propose(ensemble: Ensemble, values: Floats, uniforms: Floats) -> _Draws:
    """Let every path draw the missing cells of rows, and weigh all draws.

    `uniforms` has shape (n_paths, n or 1, n_draws, D).
    """
    missing = np.isnan(values)
    filled = np.concatenate(list(fill(ensemble, values, missing, uniforms)), axis=1)
    rows = filled.reshape(-1, values.shape[1])
    proposed = np.repeat(missing, filled.shape[1], axis=0)
    joint = np.full(len(rows), -np.inf)
    proposal = joint.copy()
    for path in range(ensemble.n_paths):
        log_prob = feature_log_prob(scorer(ensemble, path), rows)
        np.logaddexp(joint, log_prob.sum(axis=1), out=joint)
        np.logaddexp(proposal, (log_prob * proposed).sum(axis=1), out=proposal)
    log_weights = (joint - proposal).reshape(filled.shape[:2])
    return _Draws(filled, normalised(log_weights))


def _conditioned(ensemble: Ensemble, missing: Booleans) -> Ensemble | None:
    """Return the ensemble with observed features first, if its members can do so."""
    if ensemble.reorderable:
        return ensemble.moved_last(missing)
    first = ensemble.ranks <= (~missing).sum()
    return ensemble if bool((first == ~missing).all()) else None


def complete(
    ensemble: Ensemble,
    X: Floats,
    rng: np.random.RandomState | None,
    max_bytes: float,
) -> tuple[Floats, Floats]:
    """Fill in the missing cells of rows: by draws, or by expected values without `rng`.

    Returns
    -------
    rows : (n, D), with the observed cells as they were
    n_effective : (n,), effective number of draws that a row was completed from
    """
    values = encode(ensemble.table, X)
    missing = np.isnan(values)
    n_effective = np.full(len(X), math.inf)
    inexact = []
    for rows, pattern in by_pattern(missing, np.asarray(missing.any(axis=1))):
        exact = _conditioned(ensemble, pattern)
        if exact is None:
            inexact.append(rows)
            continue
        values[rows] = _complete_exactly(exact, values[rows], rng, max_bytes)
    if inexact:
        rows = np.sort(np.concatenate(inexact))
        values[rows], n_effective[rows] = _complete_by_draws(
            ensemble, values[rows], rng, max_bytes
        )
    filled = values if rng is None else decode(ensemble.table, values)
    return np.where(np.isnan(X), filled, X), n_effective


def _complete_exactly(
    exact: Ensemble, values: Floats, rng: np.random.RandomState | None, max_bytes: float
) -> Floats:
    """Fill in rows of one pattern by members that put the observed features first."""
    if rng is None:
        return _complete_by_draws(exact, values, rng, max_bytes)[0]
    filled = np.empty_like(values)
    for part in chunks(np.arange(len(values)), rows_at_once(exact, 1, max_bytes)):
        upper = explain(exact, values[part]).responsibilities.cumsum(axis=1)
        choice = _first_above(upper, rng.random_sample(len(part)))
        filled[part] = _draw_missing(exact, values[part], choice, rng)
    return filled


def _complete_by_draws(
    ensemble: Ensemble, values: Floats, rng: np.random.RandomState | None, max_bytes: float
) -> tuple[Floats, Floats]:
    """Fill in rows from weighted draws, and say how many draws count.

    With one draw for each row, as values of the network, or without `rng` their average,
    as cells of the table: transforms of columns keep no means.
    """
    n_paths, n_draws = ensemble.n_paths, draws_per_path(ensemble, N_COMPLETIONS)
    filled, n_effective = np.empty_like(values), np.empty(len(values))
    n_fixed = n_draws if rng is None else 0
    fixed = fixed_uniforms(n_paths, n_fixed, values.shape[1])[:, None]
    for part in chunks(np.arange(len(values)), rows_at_once(ensemble, n_draws, max_bytes)):
        shape = (n_paths, len(part), n_draws, values.shape[1])
        uniforms = fixed if rng is None else rng.random_sample(shape)
        draws = _propose(ensemble, values[part], uniforms)
        n_effective[part] = draws.n_effective
        if rng is None:
            filled[part] = _averages(ensemble.table, draws)
            continue
        chosen = _first_above(draws.chances.cumsum(axis=1), rng.random_sample(len(part)))
        filled[part] = np.take_along_axis(draws.values, chosen[:, None, None], axis=1)[:, 0]
    return filled, n_effective


def _averages(table: Table, draws: _Draws) -> Floats:
    """Mean of each number and most probable level of each label over weighted draws."""
    weights, (n_rows, n_draws, n_features) = draws.chances, draws.values.shape
    cells = decode(table, draws.values.reshape(-1, n_features), as_recorded=False)
    values = cells.reshape(n_rows, n_draws, n_features)
    averages = np.einsum("nj,njd->nd", weights, values)
    for column in np.flatnonzero(~table.numeric):
        n_levels = max(int(table.n_levels[column]), 2)
        mass = [(weights * (values[:, :, column] == k)).sum(axis=1) for k in range(n_levels)]
        averages[:, column] = np.argmax(mass, axis=0)
    return averages


def _first_above(upper: Floats, uniform: Floats) -> Integers:
    """Return the first of the cumulative probabilities (n, J) above each uniform (n,)."""
    return np.minimum((uniform[:, None] >= upper).sum(axis=1), upper.shape[1] - 1)


def _draw_missing(
    ensemble: Ensemble, values: Floats, choice: Integers, rng: np.random.RandomState
) -> Floats:
    """Draw the missing cells of rows, each from the path that was chosen for it."""
    # Columns are drawn one by one: contiguous they are read and written much faster.
    uniforms = rng.random_sample(values.shape[::-1]).T
    missing = np.isnan(values)
    drawn = np.empty_like(values, order="F")
    whole = bool(missing.all())

    def draw_rows(walk: Walk, own: Integers) -> None:
        # A slice is no copy: of one path alone all rows are neighbours.
        together = own[-1] - own[0] + 1 == len(own)
        rows = slice(own[0], own[-1] + 1) if together else own
        given = () if whole else (values[rows], missing[rows])
        drawn[rows] = sample_values(walk, uniforms[rows], *given)

    tasks = []
    for chosen in np.unique(choice):
        # A draw is one of many: the network's share of it need not be in double precision.
        walk = sampler(ensemble, int(chosen), np.float32)
        own = np.flatnonzero(choice == chosen)
        tasks += [partial(draw_rows, walk, part) for part in chunks(own, chunk_rows(walk))]
    in_order(tasks)
    return drawn
