"""Conditionals restricted to a set: its mass, and draws of it.

A set is some values or an interval. The mass of a mixture within an interval is that of its
parts: Gaussians, atoms, which are in it or not, and the tail. Axes are those of `conditionals`,
for one feature: parameters (n_params, n).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .conditionals import Conditional
from .mixtures import DiscretisedMixture, MixtureOfGaussians, TruncatedMixture
from .special import (
    TAIL_WEIGHT,
    gaussian_quantile,
    log_interval,
    log_sum_exp,
    open_unit,
    student_cdf,
    student_log_interval,
    student_quantile,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


# An end that is an atom is so up to this share.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Region:
    """Where the values of one feature may be, as the network sees them."""

    values: Floats | None  # these alone
    log_factors: Floats | None = None  # of their masses or densities, in the user's units
    lower: float = -math.inf  # else all between two ends
    upper: float = math.inf


def log_masses(law: Conditional, params: Floats, region: Region) -> Floats:
    """Log-mass (n_parts, n) of each part of a region; of single numbers log-densities."""
    if region.values is not None:
        shape = len(region.values), params.shape[1]
        every = np.broadcast_to(region.values[:, None], shape).reshape(1, -1)
        repeated = np.tile(params, len(region.values))[:, None]
        logs = law.log_prob_once(repeated, every).reshape(shape)
        return logs if region.log_factors is None else logs + region.log_factors[:, None]
    assert isinstance(law, MixtureOfGaussians)
    logs = _parts(law, params, region.lower, region.upper)
    if isinstance(law, TruncatedMixture):
        logs -= log_sum_exp(_parts(law, params, *law.edges[0].tolist()))
    return logs


def draw_within(
    law: Conditional, params: Floats, region: Region, uniform: Floats
) -> tuple[Floats, Floats]:
    """Turn uniform numbers (n,) into draws (n,) within a region; return its log-mass too."""
    logs = log_masses(law, params, region)
    log_mass = log_sum_exp(logs)
    chosen, level = _choose(np.exp(logs - logs.max(axis=0)), uniform)
    if region.values is not None:
        return region.values[chosen], log_mass
    assert isinstance(law, MixtureOfGaussians)
    draws = _draw_between(law, params, region, chosen, level)
    if isinstance(law, DiscretisedMixture):
        draws = law.nearest(draws[None])[0]
    return draws, log_mass


def _draw_between(
    law: MixtureOfGaussians, params: Floats, region: Region, chosen: Integers, level: Floats
) -> Floats:
    """Draw between two ends from the parts that were chosen, at levels within them."""
    lower, upper = _ends(law, region.lower, region.upper)
    _, means, scales = (part[:, 0] for part in law.unpack(params[:, None]))
    own = np.minimum(chosen, len(means) - 1), np.arange(len(chosen))
    mean, scale = means[own], scales[own]
    at = gaussian_quantile(level, (lower - mean) / scale, (upper - mean) / scale)
    below, above = student_cdf(np.array([lower, upper]))
    beyond = student_quantile(open_unit(below + level * (above - below)))
    draws = np.where(chosen == len(means), beyond, mean + scale * at)
    is_atom = (chosen >= law.n_components) & (chosen < len(means))
    return np.where(is_atom, mean, np.clip(draws, lower, upper))  # an atom is its place


def _parts(law: MixtureOfGaussians, params: Floats, lower: float, upper: float) -> Floats:
    """Log-mass of components, atoms and tail between two ends, (n_components + A + 1, n)."""
    inside = _atoms_within(law, lower, upper)
    lower, upper = _ends(law, lower, upper)
    logits, means, scales = (part[:, 0] for part in law.unpack(params[:, None]))
    logs = logits - log_sum_exp(logits) + math.log1p(-TAIL_WEIGHT)
    free = slice(0, law.n_components)
    ends = ((end - means[free]) / scales[free] for end in (lower, upper))
    logs[free] += log_interval(*ends)
    with np.errstate(divide="ignore"):
        logs[law.n_components :] += np.log(inside)[:, None]
    tail = student_log_interval(np.array([lower]), np.array([upper])) + math.log(TAIL_WEIGHT)
    return np.concatenate([logs, np.full((1, logs.shape[1]), tail[0])])


def _atoms_within(law: MixtureOfGaussians, lower: float, upper: float) -> Floats:
    """How much of each atom counts between two ends, which belong to it, (A,)."""
    atoms = law.atoms[0]
    room = ROUNDING * (1 + np.abs(atoms))
    with np.errstate(invalid="ignore"):
        inside = ((lower - room <= atoms) & (atoms <= upper + room)).astype(np.float64)
    return inside * law.atoms_inside[0] if isinstance(law, TruncatedMixture) else inside


def _ends(law: MixtureOfGaussians, lower: float, upper: float) -> tuple[Any, Any]:
    """Return the ends of an interval, within those of the feature."""
    if isinstance(law, TruncatedMixture):
        low, high = law.edges[0].tolist()
        return max(lower, low), min(upper, high)
    return lower, upper


def _choose(masses: Floats, level: Floats) -> tuple[Integers, Floats]:
    """Return which part (n,) is at a level of the whole, and the level within it."""
    upto = masses.cumsum(axis=0)
    reached = np.minimum(level, 1) * upto[-1]
    chosen = (reached >= upto[:-1]).sum(axis=0)
    own = chosen, np.arange(len(level))
    # Of a level at the end of a part that has no mass the next one is chosen.
    within = (reached - (upto[own] - masses[own])) / np.maximum(masses[own], 1e-300)
    return chosen, np.clip(within, 0.0, 1.0)
