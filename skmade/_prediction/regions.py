"""Draws of rows within regions, and the probability of a region.

Every path draws features in its ordering, those that are restricted within their region, and
a row weighs the mass that its conditionals have there (progressive sampling, Yang et al.
2019). The mean weight is the probability of the region; rows are chosen by their weights.
Of labels alone with few states the probability is a sum over these.
"""

import math
from collections.abc import Mapping
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from .._network.ensemble import Ensemble
from .._network.mixtures import DiscretisedMixture
from .._network.special import (
    TAIL_SCALE,
    log_sum_exp,
    student_log_interval,
    student_quantile,
)
from .._network.within import Region
from .._table.encoding import Table, decode, standardise, to_cells, transform
from .._table.regions import Asked, nearest_row
from .._threads import in_order, one_thread_inside
from .ancestral import Regions, sample_values
from .background import LOG_REST, LOG_SHARE, background, beyond_edge, draw_background
from .drawing import MIN_CHANCE, MIN_PROPOSALS, N_PROPOSALS
from .prepared import sampler
from .scoring import MAX_SCORING_BYTES, fixed_uniforms, log_density

Floats = NDArray[np.float64]

LARGEST = float(np.finfo(np.float64).max)

# Draws of a region whose probability is asked for, and states that are summed up instead.
N_PROBABILITY_DRAWS, MAX_STATES = 8192, 4096


def log_probability(ensemble: Ensemble, asked: Mapping[int, Asked]) -> float:
    """Log-probability of a region; of values of numbers it is a density."""
    if not asked:
        return 0.0
    states = _states(ensemble.table, asked)
    if states is not None:
        with one_thread_inside():
            return float(log_sum_exp(log_density(ensemble, states, MAX_SCORING_BYTES)))
    log_background = _log_background(ensemble.table, asked) + LOG_SHARE
    if _is_beyond(ensemble.table, asked):
        return log_background
    n_draws = math.ceil(N_PROBABILITY_DRAWS / ensemble.n_paths)
    uniforms = fixed_uniforms(ensemble.n_paths, n_draws, ensemble.table.n_features)
    _, log_weights = _draw(ensemble, asked, uniforms, to_end=False)
    by_members = log_sum_exp(log_weights) - math.log(len(log_weights))
    return float(np.logaddexp(by_members + LOG_REST, log_background))


def draw_in_region(
    ensemble: Ensemble, asked: Mapping[int, Asked], n_samples: int, rng: np.random.RandomState
) -> tuple[Floats, float]:
    """Draw rows (n_samples, D) within a region, and say how many draws they were chosen from.

    That number is the effective one, infinite where all weigh the same.
    """
    table = ensemble.table
    if _is_beyond(table, asked):
        return _within(_draw_background(table, asked, n_samples, rng), asked), math.inf
    n_proposals = max(N_PROPOSALS * n_samples, MIN_PROPOSALS)
    shape = ensemble.n_paths, math.ceil(n_proposals / ensemble.n_paths), table.n_features
    values, log_weights = _draw(ensemble, asked, rng.random_sample(shape), to_end=True)
    log_mean = log_sum_exp(log_weights) - math.log(len(log_weights))
    chances = np.exp(log_weights - log_sum_exp(log_weights))
    chosen = rng.choice(len(values), size=n_samples, p=chances / chances.sum())
    rows = decode(table, values[chosen])
    n_effective = float(1 / np.square(chances).sum())
    log_members = log_mean + LOG_REST
    log_background = _log_background(table, asked) + LOG_SHARE
    chance = np.exp(log_background - np.logaddexp(log_members, log_background))
    if chance >= MIN_CHANCE:
        far = rng.random_sample(n_samples) < chance
        rows[far] = _draw_background(table, asked, int(far.sum()), rng)
    return _within(rows, asked), n_effective


def _within(rows: Floats, asked: Mapping[int, Asked]) -> Floats:
    """Return rows of a region with what rounding has put outside of it inside."""
    for column, own in asked.items():
        rows[:, column] = own.nearest(rows[:, column])
    return rows


def _is_beyond(table: Table, asked: Mapping[int, Asked]) -> bool:
    """Whether a region is where members have nothing to say."""
    return bool(beyond_edge(table, transform(table, nearest_row(asked, table)))[0])


def _draw(
    ensemble: Ensemble, asked: Mapping[int, Asked], uniforms: Floats, to_end: bool
) -> tuple[Floats, Floats]:
    """Let every path draw rows from uniforms (n_paths, J, D); return values and log-weights."""
    n_features = ensemble.table.n_features
    regions = {column: _seen(ensemble, column, own) for column, own in asked.items()}
    ranks = ensemble.ranks.reshape(-1, n_features)

    def draw_path(path: int) -> tuple[Floats, Floats]:
        last = n_features if to_end else max(ranks[path, column] for column in regions)
        weights = np.full(uniforms.shape[1], ensemble.log_odds[path])
        own = Regions(regions, weights, int(last))
        return sample_values(sampler(ensemble, path), uniforms[path], regions=own), weights

    with one_thread_inside():
        parts = in_order([partial(draw_path, path) for path in range(ensemble.n_paths)])
    values, log_weights = zip(*parts, strict=True)
    return np.concatenate(values), np.concatenate(log_weights)


def _seen(ensemble: Ensemble, column: int, asked: Asked) -> Region:
    """Return a region as the network sees it."""
    alone, law = ensemble.table.only(column), ensemble.made.by_feature()[column][0]
    if asked.values is not None:
        cells = transform(alone, asked.values[:, None])
        log_factors = np.where(beyond_edge(alone, cells), -np.inf, cells.log_factors[:, 0])
        return Region(_exact(alone, asked.values, cells.values[:, 0]), log_factors)
    # What is recorded on a grid is all that is nearest to its numbers.
    if isinstance(law, DiscretisedMixture):
        at_end = law.lowest[0], law.highest[0]
        ends = np.concatenate(_standardised_ends(alone, asked))
        low, high = (-math.inf if ends[0] < at_end[0] else ends[0]), ends[1]
        return Region(None, None, low, math.inf if high > at_end[1] else high)
    half = asked.step / 2
    ends = np.array([asked.low - half, asked.high + half])
    known = np.isfinite(ends)
    images = transform(alone, np.where(known, ends, 0.0)[:, None]).values[:, 0]
    lower, upper = np.where(known, _exact(alone, ends, images), ends).tolist()
    return Region(None, None, float(lower), float(upper))


def _exact(alone: Table, X: Floats, images: Floats) -> Floats:
    """Return images (n,) of numbers, those of atoms exactly."""
    for atom, image in zip(alone.atoms[0], alone.atom_images[0], strict=True):
        images = np.where(atom == X, image, images)
    return images


def _log_background(table: Table, asked: Mapping[int, Asked]) -> float:
    """Log-probability of a region by the background."""
    total = 0.0
    for column, own in asked.items():
        alone = table.only(column)
        if own.values is None:
            total += float(student_log_interval(*_standardised_ends(alone, own))[0])
        else:
            cells = transform(alone, own.values[:, None])
            total += float(log_sum_exp(background(alone, cells)[:, 0]))
    return total


def _draw_background(
    table: Table, asked: Mapping[int, Asked], n_rows: int, rng: np.random.RandomState
) -> Floats:
    """Draw rows of the background within a region."""
    rows = draw_background(table, rng.random_sample((n_rows, table.n_features)))
    for column, own in asked.items():
        alone = table.only(column)
        if own.values is None:
            low, high = _standardised_ends(alone, own)
            # On the left side levels keep their digits however far out.
            side = -1.0 if low + high > 0 else 1.0
            below, above = stdtr(4.0, np.sort([side * low, side * high], axis=0) / TAIL_SCALE)
            levels = below + rng.random_sample((n_rows, 1)) * (above - below)
            rows[:, column] = to_cells(alone, side * student_quantile(levels))[:, 0]
        else:
            logs = background(alone, transform(alone, own.values[:, None]))[:, 0]
            chances = np.exp(logs - log_sum_exp(logs))
            rows[:, column] = rng.choice(own.values, size=n_rows, p=chances / chances.sum())
    return rows


def _standardised_ends(alone: Table, asked: Asked) -> tuple[Floats, Floats]:
    """Return the ends of an interval, standardised; of a grid half a step farther out."""
    is_count = alone.kinds[0] == "count"
    beyond = 0.0 if is_count else asked.step / 2
    ends = np.clip([asked.low - beyond, asked.high + beyond], -LARGEST, LARGEST)
    low, high = standardise(alone, ends[:, None])
    half = 0.5 / alone.spread if is_count else np.zeros(1)
    return low - half, high + half


def _states(table: Table, asked: Mapping[int, Asked]) -> Floats | None:
    """Return all rows of a region of a table of labels, if these are few."""
    if table.numeric.any():
        return None
    axes = [np.arange(float(n_labels)) for n_labels in table.n_labels]
    for column, own in asked.items():
        assert own.values is not None
        axes[column] = own.values
    if math.prod(len(axis) for axis in axes) > MAX_STATES:
        return None
    return np.array(list(product(*axes)), dtype=np.float64)
