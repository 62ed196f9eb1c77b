"""Special functions of the conditionals: mixtures, intervals' mass, Student t tails.

All of them keep values finite far out. They are written with functions that numpy computes
by vector instructions, and reduce over the first axis, which leaves the rows contiguous.
"""

import math
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr, ndtri, stdtrit

Floats = NDArray[np.float64]

LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)

# softplus(SOFTPLUS_ONE) = 1: a raw scale of zero means one standard deviation.
SOFTPLUS_ONE = math.log(math.e - 1)

# Numbers enter the network clipped here (in standard deviations): far out, the conditionals
# stop changing, so that a score falls with the distance of each feature alone.
INPUT_BOUND = 10.0

# A sliver of a Student t (4 degrees of freedom: finite variance, quantiles in closed form)
# keeps the log-density of far outliers finite and decreasing where a Gaussian underflows.
# It costs at most -log(1 - TAIL_WEIGHT) = 0.0003 nats a feature.
TAIL_WEIGHT = 3e-4
TAIL_SCALE = 2.0  # in standardised values

# Within an interval narrower than this (in scales) a Gaussian's mass is density times width:
# a difference of distribution functions would cancel in single precision. Such masses, too,
# sum to one over the integers, to within exp(-2 pi^2 / NARROW^2).
NARROW = 0.01

# Within an interval shorter than this (in scales) the mass is a sum over nodes of Gauss and
# Legendre, to 1e-12 of the density. Of all integers it is one to exp(-2 pi^2 / SHORT^2).
SHORT, NODES = 0.75, np.polynomial.legendre.leggauss(6)

# From here on (standardised), and in narrower intervals, the mass of the tail is density times
# width: differences of its distribution function cancel in single precision.
FAR_TAIL, NARROW_TAIL = 50.0, 0.1

# In place of minus infinity, and of zero in a logarithm.
LOWEST, TINY = -1e308, float(np.finfo(np.float64).tiny)

# The exponential of this is far from the end of the float range.
MAX_EXPONENT = 700.0

# Beyond this distance (in scales) squares overflow.
MAX_DISTANCE = 1e153


def softplus(values: Floats, out: Floats | None = None) -> Floats:
    """Log of one plus the exponential."""
    # 3 to 4 times as fast as np.logaddexp(0, values), which is never vectorised; exp and log1p
    # are wherever there is AVX-512.
    excess = None
    if values.max(initial=0.0) > MAX_EXPONENT:
        excess = np.maximum(values - MAX_EXPONENT, 0.0)
        values = np.minimum(values, MAX_EXPONENT)
    result = np.exp(values, out=out)
    np.log1p(result, out=result)
    if excess is not None:
        result += excess
    return result


def exponentials(*logits: Floats) -> Floats:
    """Turn logits into numbers proportional to their exponentials; return the sum of all.

    The sum is over the first axis. Logits are overwritten.
    """
    top = reduce(np.maximum, (part.max(axis=0) for part in logits))
    if np.abs(top).max(initial=0.0) > MAX_EXPONENT / 2:
        for part in logits:
            part -= top
    return sum(np.exp(part, out=part).sum(axis=0) for part in logits)


def log_sum_exp(logs: Floats) -> Floats:
    """Log of the sum of exponentials over the first axis; very low, but finite, for none."""
    # 2.7 to 3.5 times as fast as scipy's logsumexp, with which scores take a third longer.
    top = np.maximum(logs.max(axis=0), LOWEST)
    return np.asarray(top + np.log(np.maximum(np.exp(logs - top).sum(axis=0), TINY)))


def log_gaussian(distances: Floats, scales: Floats) -> Floats:
    """Log-density of a Gaussian, at distances in scales."""
    return np.asarray(-0.5 * distances**2 - np.log(scales) - LOG_SQRT_2PI)


def gaussians(distances: Floats, scales: Floats) -> Floats:
    """Densities of Gaussians, but for the square root of 2 pi; distances are overwritten."""
    densities = np.square(distances, out=distances)
    densities *= -0.5
    np.exp(densities, out=densities)
    densities /= scales
    return densities


def weighted_sum(weights: Floats, parts: Floats) -> Floats:
    """Sum over the first axis."""
    return np.asarray(np.einsum("k...,k...->...", weights, parts))


def log_ratio(part: Floats, total: Floats) -> Floats:
    """Log of a part of a total, which may be zero; the part is overwritten."""
    part /= total
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(part, out=part))


def with_tail(log_body: Floats, log_tail: Floats) -> Floats:
    """Log of a density (or mass) with the sliver of the tail's, which is never zero."""
    # 3 times as fast as np.logaddexp.
    logs = np.subtract(log_body, log_tail)
    logs += math.log1p(-TAIL_WEIGHT) - math.log(TAIL_WEIGHT)
    logs = softplus(logs)
    logs += log_tail
    logs += math.log(TAIL_WEIGHT)
    return logs


def gaussian_mass(lower: Floats, upper: Floats) -> Floats:
    """Mass of the standard Gaussian between two numbers, which may be infinite."""
    # On the left side neither distribution function is close to one.
    left, right = np.minimum(lower, -upper), np.minimum(upper, -lower)
    width = right - left
    short = width < SHORT
    # The others are few, mostly: what is taken out and put back costs as much as the mass.
    mostly = 2 * np.count_nonzero(short) > short.size
    of_most, of_rest = (_short_mass, _wide_mass) if mostly else (_wide_mass, _short_mass)
    mass = of_most(left, right, width)
    rest = ~short if mostly else short
    if rest.any():
        mass[rest] = of_rest(left[rest], right[rest], width[rest])
    return mass


def _wide_mass(left: Floats, right: Floats, width: Floats) -> Floats:
    mass = ndtr(right)
    mass -= ndtr(left)
    return np.asarray(mass)


def _short_mass(left: Floats, right: Floats, width: Floats) -> Floats:
    """Integrate the density: a third of the time of two distribution functions."""
    mass, point = np.zeros(width.shape), np.empty(width.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        middle = (left + right) / 2
        for node, weight in zip(*NODES, strict=True):
            np.multiply(width, node / 2, out=point)
            point += middle
            np.square(point, out=point)
            point *= -0.5
            np.exp(point, out=point)
            point *= weight / math.sqrt(8 * math.pi)
            mass += point
        mass *= width
    return mass


def log_interval(lower: Floats, upper: Floats) -> Floats:
    """Log of the standard Gaussian's mass between two numbers, which may be infinite."""
    lower, upper = (np.clip(end, -MAX_DISTANCE, MAX_DISTANCE) for end in (lower, upper))
    # On the left side neither distribution function is close to one.
    right_side = lower + upper > 0
    left, right = np.where(right_side, -upper, lower), np.where(right_side, -lower, upper)
    width, middle = right - left, (left + right) / 2
    above, below = log_ndtr(right), log_ndtr(left)
    mass = above + np.log(-np.expm1(np.minimum(below - above, -1e-300)))
    density = -0.5 * middle**2 - LOG_SQRT_2PI + np.log(np.maximum(width, TINY))
    return np.where(width < NARROW, density, mass)


def student_log_prob(value: Floats) -> Floats:
    """Log-density of the tail."""
    # 10 times as fast as the logpdf of scipy.stats.t, whose squares overflow far out.
    distance = np.multiply(value, 0.5 / TAIL_SCALE)
    far = np.max(np.abs(distance), initial=0.0) > MAX_DISTANCE
    half = np.clip(distance, -MAX_DISTANCE, MAX_DISTANCE) if far else distance
    logs = np.square(half)
    np.log1p(logs, out=logs)
    logs *= -2.5
    logs += math.log(3 / (8 * TAIL_SCALE))
    if far:  # it falls to the end of the float range
        logs -= 5 * np.log(np.maximum(np.abs(distance) / MAX_DISTANCE, 1.0))
    return np.asarray(logs)


def student_cdf(value: Floats) -> Floats:
    """Distribution function of the tail (4 degrees of freedom, closed form)."""
    # 8 to 16 times as fast as scipy's stdtr.
    half = np.clip(value, -MAX_DISTANCE, MAX_DISTANCE) / (2 * TAIL_SCALE)
    sine = half / np.hypot(1.0, half)
    return np.asarray(0.5 + 0.75 * sine * (1 - sine**2 / 3))


def student_log_interval(lower: Floats, upper: Floats, least: Floats | float = 0.0) -> Floats:
    """Log-mass of the tail between two numbers, which may be infinite.

    Far out, where their difference is lost, they are `least` apart.
    """
    lower, upper = (np.clip(end, -1e307, 1e307) for end in (lower, upper))
    right_side = lower + upper > 0
    left, right = np.where(right_side, -upper, lower), np.where(right_side, -lower, upper)
    width = right - left
    width = np.where(width < 1.5 * least, least, width)
    near = np.log(np.maximum(student_cdf(right) - student_cdf(left), TINY))
    far = student_log_prob((left + right) / 2) + np.log(np.maximum(width, TINY))
    # All that is beyond a far number: the density there falls as its fifth power.
    beyond = student_log_prob(right) + np.log(np.maximum(-right, 1.0) / 4)
    far = np.where((width > -right) & (right <= -FAR_TAIL), beyond, far)
    return np.where((width >= NARROW_TAIL) & (right > -FAR_TAIL), near, far)


def gaussian_quantile(level: Floats, lower: Floats, upper: Floats) -> Floats:
    """Quantile of the standard Gaussian between two numbers."""
    lower, upper = (np.clip(end, -1e307, 1e307) for end in (lower, upper))
    right_side = lower + upper > 0
    left, right = np.where(right_side, -upper, lower), np.where(right_side, -lower, upper)
    level = np.where(right_side, 1 - level, level)
    reached = ndtr(left) + level * (ndtr(right) - ndtr(left))
    quantile = np.clip(ndtri(np.clip(reached, 1e-300, 1 - 1e-12)), left, right)
    return np.where(right_side, -quantile, quantile)


def student_quantile(uniform: Floats) -> Floats:
    """Quantile of the tail."""
    return np.asarray(TAIL_SCALE * stdtrit(4.0, uniform))


def raw_scale(scale: Floats, floor: Floats) -> Floats:
    """Return the raw parameter of a scale, the inverse of ``floor + softplus(raw)``."""
    above = np.maximum(scale - floor, 1e-4)
    return np.asarray(above + np.log(-np.expm1(-above)) - SOFTPLUS_ONE)


def open_unit(uniform: Floats) -> Floats:
    """Keep rounding from reaching 0 or 1, whose quantiles are infinite."""
    return uniform.clip(1e-12, 1 - 1e-12)
