"""Log-densities of rows, with or without missing cells, and of their features.

Rows are matrices of numbers and codes; NaN is a missing cell. The
density is an average over paths, members with one of their masks. A missing cell is
marginalised in one of three ways, each of which gives a proper density of the others:

left out    the network was trained on rows with holes in this column: it is told so;
moved last  order-agnostic members can use any ordering: what is missing comes after all
            that is observed, where nothing depends on it;
integrated  it is drawn from the conditionals, and the density averaged over the draws. The
            uniforms are the same for every row (quasi-random, Sobol 1967), so that the draws
            are one fixed function of the observed cells before them, and the averages of
            the next cell's conditionals over them sum to one (see `holes`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import qmc

from .._network.ensemble import Ensemble
from .._network.masks import Booleans, Integers
from .._network.special import log_sum_exp
from .._table.encoding import transform
from .._table.numbers import COPIES, Numbers
from .._threads import in_order, one_thread_inside
from .background import background, beyond_edge, chance_of_background, with_background
from .holes import walk_rows
from .prepared import network, one_by_one, same_networks, scorer
from .walk import Rows, enter, feature_log_prob, log_prob_of

Floats = NDArray[np.float64]

# Intermediate results of scoring take at most about so much memory: more brings no speed.
MAX_SCORING_BYTES = 2**25

# A task scores about so many cells, but not fewer or more rows than these. The number of tasks
# is a multiple of one that threads share evenly, unless a task would have too few rows: it has
# a cost of its own.
TASK_CELLS, TASK_ROWS = 2**13, (1024, 2048)
N_TASKS, MIN_TASK_ROWS = 4, 256

# Rows scored together: more bring no speed, and their parameters leave the cache.
MAX_CHUNK_ROWS = 2048

# Draws that integrate the missing cells of a row, over all members and masks. They may depend
# on which cells are missing, never on values: otherwise the density would not sum to one.
N_DRAWS = 224

# A column may be left out if this share of its cells was missing in fit: the network has
# then seen often enough how to do without.
MIN_MISSING = 0.01


def by_chunks(
    score: Callable[[Ensemble, Floats, float], Floats],
    ensemble: Ensemble,
    numbers: Numbers,
    max_bytes: float,
) -> Floats:
    """Score rows chunk by chunk, several at a time: a large table is never float64 as a whole.

    Those that are computed at the same time share the memory.
    """
    own_bytes = min(max_bytes, MAX_SCORING_BYTES)
    size = _rows_of_task(len(numbers), numbers.n_features, own_bytes)

    def score_from(start: int) -> Floats:
        return score(ensemble, numbers[start : start + size], own_bytes)

    with one_thread_inside() as n_threads:
        if size == len(numbers):
            return score_from(0)
        tasks = [partial(score_from, start) for start in range(0, len(numbers), size)]
        return np.concatenate(in_order(tasks, min(n_threads, int(max_bytes // own_bytes))))


def _rows_of_task(n_rows: int, n_features: int, max_bytes: float) -> int:
    """How many rows are scored by one task."""
    fewest, most = TASK_ROWS
    size = min(max(TASK_CELLS // n_features, fewest), most)
    n_tasks = N_TASKS * math.ceil(n_rows / (N_TASKS * size))
    size = min(max(math.ceil(n_rows / n_tasks), MIN_TASK_ROWS), n_rows)
    size = max(min(int(max_bytes / (8 * COPIES * n_features)), size), 1)
    return math.ceil(n_rows / math.ceil(n_rows / size))  # none is much smaller than others


def log_density(ensemble: Ensemble, X: Floats, max_bytes: float) -> Floats:
    """Log of the mean density over paths, and the background, (n,), in nats."""
    cells = transform(ensemble.table, X)
    by_members = log_density_of_members(ensemble, cells.values, max_bytes)
    by_members += cells.log_factors.sum(axis=1)
    by_background = background(ensemble.table, cells).sum(axis=1)
    return with_background(by_members, by_background, beyond_edge(ensemble.table, cells))


def log_density_by_member(ensemble: Ensemble, X: Floats, max_bytes: float) -> Floats:
    """Log-density by each member alone, with the background, (n, M), in nats."""
    cells = transform(ensemble.table, X)
    by_background = background(ensemble.table, cells).sum(axis=1)
    beyond, factors = beyond_edge(ensemble.table, cells), cells.log_factors.sum(axis=1)
    alone = [
        log_density_of_members(member, cells.values, max_bytes) + factors
        for member in one_by_one(ensemble)
    ]
    return np.stack([with_background(own, by_background, beyond) for own in alone], axis=1)


def log_density_of_members(ensemble: Ensemble, values: Floats, max_bytes: float) -> Floats:
    """Log of the mean density of values over members and masks, (n,)."""
    integrated = np.asarray(integrated_cells(ensemble, values).any(axis=1))
    if not integrated.any():
        return _log_density_at_once(ensemble, values)
    scores = np.empty(len(values))
    scores[~integrated] = _log_density_at_once(ensemble, values[~integrated])

    def take(rows: Integers, explanation: Explanation) -> None:
        scores[rows] = explanation.log_density

    explain_all(ensemble, values, integrated, max_bytes, take)
    return scores


def _log_density_at_once(ensemble: Ensemble, values: Floats) -> Floats:
    """Log-density of rows of which no cell has to be integrated.

    Probabilities are averaged, never logits or log-probabilities: only then does the result
    integrate to one.
    """
    logs = np.empty((ensemble.n_paths, len(values)))
    rows: list[Rows] = []
    for path, log_probs in enumerate(logs):
        walk = scorer(ensemble, path)
        rows = rows or enter(walk, values)
        log_probs[:] = log_prob_of(walk, rows) + ensemble.log_odds[path]
    return log_sum_exp(logs) - math.log(ensemble.n_paths)


def feature_log_density(ensemble: Ensemble, X: Floats, max_bytes: float) -> Floats:
    """Each feature's log-probability, (n, D); those of a row sum to its log-density.

    Those of the paths, and of the background, are weighted by their responsibilities; what
    the log-density of the average has beyond that is spread evenly over the observed
    features. A missing cell has 0.
    """
    cells = transform(ensemble.table, X)
    by_members, present = cells.log_factors, ~cells.missing

    def take(rows: Integers, explanation: Explanation) -> None:
        own = np.einsum("nj,njd->nd", explanation.responsibilities, explanation.log_probs)
        own += _rest(explanation.log_density, own, ~np.isnan(cells.values[rows]))
        by_members[rows] += own

    explain_all(ensemble, cells.values, np.ones(len(X), dtype=bool), max_bytes, take)
    by_background = background(ensemble.table, cells)
    total, total_background = by_members.sum(axis=1), by_background.sum(axis=1)
    scores = with_background(total, total_background, beyond_edge(ensemble.table, cells))
    chance = chance_of_background(total_background, scores)[:, None]
    log_probs = (1 - chance) * by_members + chance * by_background
    return np.asarray(log_probs + _rest(scores, log_probs, present))


def _rest(log_density: Floats, log_probs: Floats, present: Booleans) -> Floats:
    """What a log-density (n,) has beyond its features (n, D), spread over the present ones."""
    rest = log_density - log_probs.sum(axis=1)
    share = rest / np.maximum(present.sum(axis=1), 1)
    return np.where(present, share[:, None], 0.0)


@dataclass(frozen=True)
class Explanation:
    """J ways to explain each of n rows: paths, and draws of each."""

    log_probs: Floats  # (n, J, D) of the observed cells
    # (n, J), log-density of all of them under each way, with how much the way counts.
    log_weights: Floats

    @property
    def log_density(self) -> Floats:
        """Log of the mean over the ways, (n,)."""
        return logsumexp(self.log_weights, axis=1) - math.log(self.log_probs.shape[1])

    @property
    def responsibilities(self) -> Floats:
        """Probability of each way given the observed cells, (n, J)."""
        return normalised(self.log_weights)


def normalised(log_weights: Floats) -> Floats:
    """Turn log-weights (n, J) into probabilities of each row's J ways."""
    return np.exp(log_weights - logsumexp(log_weights, axis=1, keepdims=True))


def integrated_cells(ensemble: Ensemble, values: Floats) -> Booleans:
    """Which missing cells the network cannot just leave out."""
    may_be_left_out = (
        ensemble.table.missing >= MIN_MISSING
    ) & ensemble.architecture.conditioning_weights
    return np.isnan(values) & ~may_be_left_out


def explain_all(
    ensemble: Ensemble,
    values: Floats,
    chosen: Booleans,
    max_bytes: float,
    take: Callable[[Integers, Explanation], None],
) -> None:
    """Explain the chosen rows, part by part: `take` their positions and what explains them."""
    cells = integrated_cells(ensemble, values)
    some = np.asarray(cells.any(axis=1))
    if ensemble.reorderable:  # whatever else is missing moves last, too
        n_slots, n_draws = len(ensemble.weights), 1
        cells = np.isnan(values)
    else:
        n_slots, n_draws = ensemble.n_paths, draws_per_path(ensemble, N_DRAWS)
    uniforms = fixed_uniforms(n_slots, n_draws, values.shape[1])[:, None]

    def explain_part(part: Integers) -> None:
        if not some[part[0]]:
            return take(part, explain(ensemble, values[part]))
        paths = paths_of(ensemble, values[part])
        take(part, integrate(ensemble, values[part], cells[part], uniforms, paths)[0])

    for own, n_ways in ((~some, ensemble.n_paths), (some, n_slots * n_draws)):
        size = rows_at_once(ensemble, n_ways, max_bytes)
        parts = in_parts(np.flatnonzero(chosen & own), size)
        in_order([partial(explain_part, part) for part in parts])


def draws_per_path(ensemble: Ensemble, n_draws: int = N_DRAWS) -> int:
    """How many draws of each member and mask make `n_draws` of a row, or a few more."""
    return math.ceil(n_draws / ensemble.n_paths)


def rows_at_once(ensemble: Ensemble, n_ways: int, max_bytes: float) -> int:
    """How many rows can be explained in so many ways within a number of bytes."""
    made = ensemble.made
    kept = 4 * n_ways * made.n_features
    in_passing = 5 * len(made.output_features) + 3 * len(made.unit_features)
    return int(np.clip(max_bytes / (8 * (kept + in_passing)), 1, MAX_CHUNK_ROWS))


def explain(ensemble: Ensemble, values: Floats) -> Explanation:
    """Log-probabilities by each path, for rows of which no cell has to be drawn."""
    log_probs = [
        feature_log_prob(scorer(ensemble, path), values) for path in range(ensemble.n_paths)
    ]
    together = np.stack(log_probs, axis=1)
    return Explanation(together, together.sum(axis=2) + ensemble.log_odds)


@dataclass(frozen=True)
class Paths:
    """The S paths that explain each of n rows, and the orderings they use."""

    chosen: Integers  # (n, S)
    order: Integers  # (n, S, D), the features by rank


def paths_of(ensemble: Ensemble, values: Floats) -> Paths:
    """Return the paths of rows: all of them, or the nearest that put missing cells last."""
    missing = np.isnan(values)
    if ensemble.reorderable:
        chosen = ensemble.nearest(missing)
        ranks = ensemble.ranks.reshape(-1, values.shape[1])[chosen]
        return Paths(chosen, np.argsort(ranks + missing[:, None] * values.shape[1], axis=2))
    return all_paths(ensemble, len(values))


def all_paths(ensemble: Ensemble, n_rows: int) -> Paths:
    """Return every path, with its own ordering."""
    order = np.argsort(ensemble.ranks.reshape(ensemble.n_paths, -1), axis=1)
    chosen = np.broadcast_to(np.arange(ensemble.n_paths), (n_rows, ensemble.n_paths))
    return Paths(chosen, np.broadcast_to(order, (n_rows, *order.shape)))


def integrate(
    ensemble: Ensemble,
    values: Floats,
    cells: Booleans,
    uniforms: Floats,
    paths: Paths,
    to_end: bool = False,
) -> tuple[Explanation, Floats, Integers]:
    """Explain rows by draws of some of their cells; return filled rows (n, J, D) and origins.

    `uniforms` has shape (S, n or 1, n_draws, D). Cells on which no observed one depends are
    drawn only `to_end`.
    """
    shape = (*paths.chosen.shape, *uniforms.shape[2:])
    answers = [np.empty((*shape[:3], size)) for size in (shape[3], shape[3], 1, 1)]
    numbers = np.broadcast_to(uniforms, (shape[1], shape[0], *shape[2:]))
    alike = same_networks(ensemble)[paths.chosen]
    for path in np.unique(alike).tolist():
        rows, slots = np.nonzero(alike == path)
        order, own = paths.order[rows, slots], numbers[slots, rows]
        found = walk_rows(
            network(ensemble, path), values[rows], cells[rows], order, own, to_end
        )
        for answer, part in zip(answers, found, strict=True):
            answer[rows, slots] = part
    # Of the paths chosen for a row the mean of what they count is one.
    log_odds = ensemble.log_odds[paths.chosen]
    log_odds -= logsumexp(log_odds, axis=1, keepdims=True) - math.log(shape[1])
    answers[2] += log_odds[:, :, None, None]
    answers[-1] += np.arange(shape[1])[:, None, None] * shape[2]
    filled, log_probs, log_weights, origins = (
        answer.reshape(len(values), -1, answer.shape[3]) for answer in answers
    )
    explanation = Explanation(log_probs, log_weights[..., 0])
    return explanation, filled, origins[..., 0].astype(np.int64)


def fixed_uniforms(n_paths: int, n_draws: int, n_features: int) -> Floats:
    """Quasi-random numbers in (0, 1), (n_paths, n_draws, n_features), always the same."""
    n_points = n_paths * n_draws
    power = math.ceil(math.log2(max(n_points, 2)))
    points = qmc.Sobol(n_features, rng=np.random.default_rng(0)).random_base2(power)
    return points[:n_points].reshape(n_paths, n_draws, n_features)


def in_parts(rows: Integers, size: int) -> list[Integers]:
    """Split row positions into equal parts of at most `size`: one, or four, eight, ..."""
    n_parts = math.ceil(len(rows) / size)
    n_parts = n_parts if n_parts < 2 else 4 * math.ceil(n_parts / 4)
    return [part for part in np.array_split(rows, n_parts) if len(part)] if n_parts else []
