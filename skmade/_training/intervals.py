"""Mass in intervals of Gaussians and of the Student t tail, in single precision.

Values and slopes stay finite wherever the intervals are.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .._network.special import (
    FAR_TAIL,
    LOG_SQRT_2PI,
    NARROW,
    NARROW_TAIL,
    TAIL_SCALE,
)
from .compiled import compiled

# Below this a Gaussian's distribution function is its asymptotic series (to 1e-4), since
# torch's own loses its gradient there in single precision.
FAR = -8.0

# Beyond this distance (in scales) squares leave single precision.
MAX_DISTANCE = 1e18

# In place of zero in a logarithm, in single precision.
TINY = 1e-38


class Interval(NamedTuple):
    """Log-mass of the standard Gaussian in intervals, and how it changes, all of one shape."""

    log_mass: Tensor
    by_mean: Tensor  # per scale that the mean moves up
    by_scale: Tensor  # per share that the scale grows


@compiled
def _ndtr(value: Tensor, root_half: float = math.sqrt(0.5)) -> Tensor:
    """Distribution function with full relative precision on the left side."""
    return torch.erfc(value * -root_half).mul_(0.5)


@compiled
def _log_ndtr_far(value: Tensor, log_root: float = LOG_SQRT_2PI) -> Tensor:
    """Log of the distribution function below `FAR`: its asymptotic series."""
    inverse = value.square().reciprocal()
    series = torch.log1p(-inverse + 3 * inverse.square())
    return -0.5 * value.square() - torch.log(-value) - log_root + series


@compiled
def _density(distance: Tensor, log_root: float = LOG_SQRT_2PI, least: float = -80.0) -> Tensor:
    """Density of the standard Gaussian, no less than what is a normal number."""
    return distance.square().mul_(-0.5).sub_(log_root).clamp_(min=least).exp_()


@compiled
def up_to(
    end: Tensor,
    side: Tensor,
    most: float = MAX_DISTANCE,
    far_end: float = FAR,
) -> Interval:
    """Describe all up to an end (side 1), or all from one on, with its sign changed (-1)."""
    end = end.clamp(-most, most)
    near = end.clamp(min=far_end)
    mass = _ndtr(near)
    steep = _density(near).div_(mass)
    log_mass = mass.log_()
    far = end < far_end
    if bool(far.any()):
        distance = end.clamp(max=far_end)
        log_mass = torch.where(far, _log_ndtr_far(distance), log_mass)
        steep = torch.where(far, -distance - distance.reciprocal(), steep)
    return Interval(log_mass, -side * steep, end.neg_().mul_(steep))


@compiled
def around(
    value: Tensor,
    below: Tensor,
    above: Tensor,
    most: float = MAX_DISTANCE,
    far_end: float = FAR,
    thin: float = NARROW,
    tiny: float = TINY,
    log_root: float = LOG_SQRT_2PI,
) -> Interval:
    """Describe the intervals from so far below values to so far above them."""
    below, above = below.clamp(-most, most), above.clamp(-most, most)
    lower, upper = (value - below).clamp_(-most, most), (value + above).clamp_(-most, most)
    # On the left side neither distribution function is close to one.
    right_side = lower + upper > 0
    left = torch.where(right_side, -upper, lower)
    right = torch.where(right_side, -lower, upper)
    width, middle = below + above, 0.5 * (left + right)
    narrow, far = width < thin, right < far_end
    # Each formula gets arguments that it can take.
    near = right.clamp(min=far_end)
    mass = (_ndtr(near) - _ndtr(left)).clamp_(min=tiny)
    at_right, at_left = _density(near).div_(mass), _density(left).div_(mass)
    log_mass = mass.log_()
    reach = left.clamp(min=-13.0)  # where nothing is beyond, in single precision
    if bool(far.any()):
        reach = torch.where(far, left, reach)
        distance = right.clamp(max=far_end)
        ratio = (width * middle).clamp_(max=-1e-30)
        part = torch.expm1(ratio).neg_()
        log_mass = torch.where(far, _log_ndtr_far(distance) + part.log(), log_mass)
        steep = (-distance - distance.reciprocal()).div_(part)
        at_right = torch.where(far, steep, at_right)
        at_left = torch.where(far, steep * ratio.exp(), at_left)
    by_mean = at_left - at_right
    by_scale = reach * at_left - right * at_right
    if bool(narrow.any()):
        density = -0.5 * middle.square() - log_root + width.clamp(min=tiny).log()
        log_mass = torch.where(narrow, density, log_mass)
        by_mean = torch.where(narrow, middle, by_mean)
        by_scale = torch.where(narrow, middle.square() - 1, by_scale)
    return Interval(log_mass, torch.where(right_side, -by_mean, by_mean), by_scale)


@compiled
def student_log_prob(
    value: Tensor,
    width: float = 2 * TAIL_SCALE,
    at_center: float = math.log(3 / (8 * TAIL_SCALE)),
) -> Tensor:
    """Log-density of the tail; ``hypot`` keeps it finite to the end of the float range."""
    root = torch.hypot(torch.ones_like(value), value / width)
    return root.log_().mul_(-5).add_(at_center)


@compiled
def student_cdf(value: Tensor, width: float = 2 * TAIL_SCALE) -> Tensor:
    """Distribution function of the tail (4 degrees of freedom, closed form)."""
    half = value / width
    sine = half / torch.hypot(torch.ones_like(half), half)
    return 0.5 + 0.75 * sine * (1 - sine.square() / 3)


@compiled
def student_log_interval(
    lower: Tensor,
    upper: Tensor,
    width: Tensor,
    tiny: float = TINY,
    far_tail: float = FAR_TAIL,
    narrow_tail: float = NARROW_TAIL,
) -> Tensor:
    """Log-mass of the tail between two values, whose difference may be known better."""
    right_side = lower + upper > 0
    left = torch.where(right_side, -upper, lower)
    right = torch.where(right_side, -lower, upper)
    near = (student_cdf(right) - student_cdf(left)).clamp_(min=tiny).log_()
    far = student_log_prob((left + right) / 2) + width.clamp(min=tiny).log()
    # All that is beyond a far number: the density there falls as its fifth power.
    beyond = student_log_prob(right) + ((-right).clamp(min=1.0) / 4).log()
    far = torch.where((width > -right) & (right <= -far_tail), beyond, far)
    return torch.where((width >= narrow_tail) & (right > -far_tail), near, far)
