"""Draws from an ensemble: of whole rows, of rows given some cells, of missing cells.

Given cells are conditioned on exactly where an ordering puts them first: in every path
of an order-agnostic ensemble. Elsewhere every path draws the other cells where its
ordering puts them, and of all these draws some are chosen (self-normalised importance
resampling). For many rows from one, the weight of a draw is its density over the density with
which the paths propose it on average (the balance heuristic of Veach and Guibas 1995), so that
a path whose ordering puts the given cells first helps all of them. For rows with many patterns
of holes that costs too much: a draw weighs what its own path says of the observed cells.
"""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .._network.ensemble import Ensemble
from .._network.masks import Booleans, Integers
from .._table.encoding import Table, decode, to_cells, transform
from .._threads import in_order
from .ancestral import chunk_rows, sample_values
from .background import chance_given, draw_background
from .prepared import sampler, scorer
from .scoring import (
    MAX_SCORING_BYTES,
    all_paths,
    explain,
    fixed_uniforms,
    in_parts,
    integrate,
    log_density_of_members,
    normalised,
    paths_of,
    rows_at_once,
)
from .streams import Streams
from .walk import Walk, feature_log_prob

Floats = NDArray[np.float64]

# Rows that a task draws, on average, for threads to gain by it.
MIN_TASK_ROWS = 1000

# Draws to choose from for each row that `draw_given` returns, and at least.
N_PROPOSALS, MIN_PROPOSALS = 8, 4096

# More rows than this are drawn in parts, so that the proposals fit in memory.
MAX_DRAWN_TOGETHER = 10_000

# A smaller chance that given cells are of the background is none.
MIN_CHANCE = 1e-6

# What the first numbers of a row's stream are for: which of its draws completes it, whether it
# is of the background, and the background's cells.
WHICH_DRAW, WHETHER_BACKGROUND, FIRST_CELL = range(3)

# Draws that a row is completed from, over all members and masks.
N_COMPLETIONS = 256


def draw(ensemble: Ensemble, n_samples: int, rng: np.random.RandomState) -> Floats:
    """Draw rows (n_samples, D), each from a member and mask chosen at random."""
    shape = (n_samples, ensemble.table.n_features)
    chances = np.exp(ensemble.log_odds) / ensemble.n_paths
    choice = rng.choice(ensemble.n_paths, size=n_samples, p=chances / chances.sum())
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
    cells = transform(ensemble.table, row[None])
    by_members = log_density_of_members(ensemble, cells.values, MAX_SCORING_BYTES)
    (chance,) = chance_given(ensemble.table, cells, by_members)
    if chance < MIN_CHANCE:
        return _draw_given(ensemble, cells.values, n_samples, rng)
    uniforms = rng.random_sample((n_samples, ensemble.table.n_features))
    rows, n_effective = draw_background(ensemble.table, uniforms), math.inf
    by_member = rng.random_sample(n_samples) >= chance
    if by_member.any():
        n_drawn = int(by_member.sum())
        rows[by_member], n_effective = _draw_given(ensemble, cells.values, n_drawn, rng)
    return rows, n_effective


def _draw_given(
    ensemble: Ensemble, values: Floats, n_samples: int, rng: np.random.RandomState
) -> tuple[Floats, float]:
    """Draw rows of the members given what is there of values (1, D)."""
    missing = np.isnan(values[0])
    exact = _conditioned(ensemble, missing)
    if exact is not None:
        chances = explain(exact, values).responsibilities[0]
        choice = rng.choice(exact.n_paths, size=n_samples, p=chances)
        drawn = _draw_missing(exact, np.repeat(values, n_samples, axis=0), choice, rng)
        return decode(ensemble.table, drawn), math.inf
    parts, n_effective = [], 0.0
    for part in in_parts(np.arange(n_samples), MAX_DRAWN_TOGETHER):
        n_proposals = max(N_PROPOSALS * len(part), MIN_PROPOSALS)
        n_draws = math.ceil(n_proposals / ensemble.n_paths)
        shape = (ensemble.n_paths, n_draws, len(missing))
        draws = _propose(ensemble, values[0], rng.random_sample(shape))
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
    """Let every path draw the missing cells of one row, and weigh all draws.

    `uniforms` has shape (n_paths, J, D).
    """
    missing = np.isnan(values)
    shape = uniforms.shape[1:]
    given, drawn = np.broadcast_to(values, shape), np.broadcast_to(missing, shape)
    rows = np.concatenate(
        [
            sample_values(sampler(ensemble, path), numbers, given, drawn)
            for path, numbers in enumerate(uniforms)
        ]
    )
    joint = np.full(len(rows), -np.inf)
    proposal = joint.copy()
    for path in range(ensemble.n_paths):
        log_prob = feature_log_prob(scorer(ensemble, path), rows)
        np.logaddexp(joint, log_prob.sum(axis=1) + ensemble.log_odds[path], out=joint)
        np.logaddexp(proposal, log_prob[:, missing].sum(axis=1), out=proposal)
    return _Draws(rows[None], normalised((joint - proposal)[None]))


def _conditioned(ensemble: Ensemble, missing: Booleans) -> Ensemble | None:
    """Return the ensemble with observed features first, if its members can do so."""
    if ensemble.reorderable:
        return ensemble.moved_last(missing)
    return ensemble if _observed_first(ensemble, missing[None])[0] else None


def _observed_first(ensemble: Ensemble, missing: Booleans) -> Booleans:
    """Which rows (n, D) have what is missing after the rest in the ordering of every path."""
    first = np.ones(len(missing), dtype=bool)
    for ranks in ensemble.ranks.reshape(-1, missing.shape[1]):
        first &= np.where(missing, 0, ranks).max(axis=1) == (~missing).sum(axis=1)
    return first


def complete(
    ensemble: Ensemble,
    X: Floats,
    rng: np.random.RandomState | None,
    max_bytes: float,
    medians: bool = False,
) -> tuple[Floats, Floats]:
    """Fill in the missing cells of rows: by draws or, without `rng`, by means or `medians`.

    The draws of a row follow from its cells and a seed of `rng`, not from its neighbours; equal
    rows have draws of their own, in turn.

    Returns
    -------
    rows : (n, D), with the observed cells as they were
    n_effective : (n,), effective number of draws that a row was completed from
    """
    cells, max_bytes = transform(ensemble.table, X), min(max_bytes, MAX_SCORING_BYTES)
    given = cells.values
    missing = np.isnan(given)
    empty = missing.all(axis=1)
    streams = None if rng is None else Streams.of(X, rng)
    exact = _observed_first(ensemble, missing) | empty | ensemble.reorderable
    filled, n_effective = given.copy(), np.full(len(X), math.inf)
    by_members = np.full(len(X), math.inf)  # of those without holes nobody asks
    n_exact = N_COMPLETIONS if rng is None else 1  # of equal draws one is enough to choose from
    n_moved = len(ensemble.weights) if ensemble.reorderable else ensemble.n_paths
    for chosen, n_draws, n_slots in (
        (~exact, N_COMPLETIONS, ensemble.n_paths),
        (missing.any(axis=1) & exact & ~empty, n_exact, n_moved),
        (empty, n_exact, ensemble.n_paths),
    ):
        size = rows_at_once(ensemble, max(n_draws, n_slots), max_bytes)
        parts = in_parts(np.flatnonzero(chosen), size)
        tasks = [
            partial(_complete, ensemble, given[part], n_draws, _of_rows(streams, part), medians)
            for part in parts
        ]
        for part, answer in zip(parts, in_order(tasks), strict=True):
            filled[part], n_effective[part], by_members[part] = answer
    n_effective[exact] = math.inf
    filled = filled if rng is None else decode(ensemble.table, filled)
    chance = chance_given(ensemble.table, cells, by_members)
    far = np.flatnonzero(chance >= MIN_CHANCE)
    if len(far):
        filled[far] = _by_background(
            ensemble.table, filled[far], chance[far], _of_rows(streams, far), medians
        )
        n_effective[far[chance[far] > 1 - MIN_CHANCE]] = math.inf
    return np.where(np.isnan(X), filled, X), n_effective


def _by_background(
    table: Table,
    filled: Floats,
    chance: Floats,
    streams: Streams | None,
    medians: bool,
) -> Floats:
    """Give completed rows what the background says, by its chance of each.

    Of means that is the mean of both, of medians the likelier.
    """
    if streams is None:
        center = to_cells(table, np.zeros((1, table.n_features)), as_recorded=medians)
        chance = np.rint(chance) if medians else chance
        means = filled + chance[:, None] * (center - filled)
        return np.where(table.numeric, means, filled)  # labels are equally likely there
    chosen = streams.uniforms(WHETHER_BACKGROUND, 1) < chance[:, None]
    drawn = draw_background(table, streams.uniforms(FIRST_CELL, table.n_features))
    return np.where(chosen, drawn, filled)


def _of_rows(streams: Streams | None, rows: Integers) -> Streams | None:
    return None if streams is None else streams.of_rows(rows)


def _complete(
    ensemble: Ensemble,
    values: Floats,
    n_draws: int,
    streams: Streams | None,
    medians: bool,
) -> tuple[Floats, Floats, Floats]:
    """Fill in rows from weighted draws, about so many, and say how many of them count.

    The third is the log-density of what is observed.

    With one draw for each row, as values of the network, or without `streams` their average, as
    cells of the table: transforms of columns keep no means.
    """
    missing = np.isnan(values)
    # Where nothing is observed no path is nearer than another.
    paths = all_paths(ensemble, len(values)) if missing[0].all() else paths_of(ensemble, values)
    n_slots = paths.chosen.shape[1]
    shape = n_slots, math.ceil(n_draws / n_slots), values.shape[1]
    if streams is None:
        uniforms = fixed_uniforms(*shape)[:, None]
    else:
        first = FIRST_CELL + values.shape[1]  # after those of the background
        numbers = streams.uniforms(first, math.prod(shape))
        uniforms = numbers.reshape(len(values), *shape).swapaxes(0, 1)
    found, filled, origins = integrate(ensemble, values, missing, uniforms, paths, to_end=True)
    draws = _Draws(filled, found.responsibilities)
    # Draws that go back to the same one count as one.
    places = (origins + np.arange(len(values))[:, None] * origins.shape[1]).ravel()
    by_origin = np.bincount(places, draws.chances.ravel(), origins.size)
    n_effective = 1 / np.square(by_origin.reshape(origins.shape)).sum(axis=1)
    if streams is None:
        averages = _averages(ensemble.table, draws, medians)
        return averages, n_effective, found.log_density
    chosen = _first_above(draws.chances.cumsum(axis=1), streams.uniforms(WHICH_DRAW, 1))
    own = np.take_along_axis(draws.values, chosen[:, None, None], axis=1)[:, 0]
    return own, n_effective, found.log_density


def _averages(table: Table, draws: _Draws, medians: bool) -> Floats:
    """Mean or median of each number, most probable level of each label, of weighted draws.

    A median is a number as it was recorded.
    """
    weights, (n_rows, n_draws, n_features) = draws.chances, draws.values.shape
    cells = decode(table, draws.values.reshape(-1, n_features), as_recorded=medians)
    values = cells.reshape(n_rows, n_draws, n_features)
    if medians:
        averages = _medians(weights, values)
    else:
        averages = np.einsum("nj,njd->nd", weights, values)
    for column in np.flatnonzero(~table.numeric):
        n_levels = max(int(table.n_levels[column]), 2)
        mass = [(weights * (values[:, :, column] == k)).sum(axis=1) for k in range(n_levels)]
        averages[:, column] = np.argmax(mass, axis=0)
    return averages


def _medians(weights: Floats, values: Floats) -> Floats:
    """Return the lower medians (n, D) of J values of each cell (n, J, D), by weights (n, J)."""
    order = np.argsort(values, axis=1, kind="stable")
    levels = np.cumsum(np.take_along_axis(weights[:, :, None], order, axis=1), axis=1)
    middle = (levels < 0.5 * levels[:, -1:]).sum(axis=1, keepdims=True)
    return np.take_along_axis(np.take_along_axis(values, order, axis=1), middle, axis=1)[:, 0]


def _first_above(upper: Floats, uniforms: Floats) -> Integers:
    """Return the first of the cumulative probabilities (n, J) above each uniform (n, 1)."""
    return np.minimum((uniforms >= upper).sum(axis=1), upper.shape[1] - 1)


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
        tasks += [partial(draw_rows, walk, part) for part in in_parts(own, chunk_rows(walk))]
    # Steps of few rows are so short that threads would mostly wait for each other.
    in_order(tasks, None if len(values) >= MIN_TASK_ROWS * len(tasks) else 1)
    return drawn
