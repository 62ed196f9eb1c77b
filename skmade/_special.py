"""Functions that torch lacks: mixtures with their gradient, intervals' mass, Student t tails.

All of them keep values and gradients finite far out, in single precision too.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

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
TAIL_SCALE = 2.0  # in units

# Within an interval narrower than this (in scales) a Gaussian's mass is density times width:
# a difference of distribution functions would cancel in single precision. Such masses, too,
# sum to one over the integers, to within exp(-2 pi^2 / NARROW^2).
NARROW = 0.01

# Below this a Gaussian's distribution function is its asymptotic series (to 1e-4), since
# torch's own loses its gradient there in single precision.
FAR = -8.0

# From here on (in units), and in narrower intervals, the mass of the tail is density times
# width: differences of its distribution function cancel in single precision.
FAR_TAIL, NARROW_TAIL = 50.0, 0.1

# Beyond this distance (in scales) squares leave single precision.
MAX_DISTANCE = 1e18


class MixtureLogProb(torch.autograd.Function):
    """Log-density of mixtures of Gaussians with the Student t tail, and its gradient.

    The gradient comes with the value, from the same exponentials: a training step would
    otherwise spend most of its time on them.
    """

    @staticmethod
    def forward(
        ctx: Any, params: Tensor, value: Tensor, floor: Tensor, places: Tensor, widths: Tensor
    ) -> Tensor:
        """Return log-densities (..., F) of values (..., F).

        Parameters
        ----------
        ctx : of autograd
        params : (..., F, 3 K + R), logits, means, raw scales, logits of fixed components
        value : (..., F)
        floor : (F,)
        places, widths : (F, R), of the fixed components
        """
        n_fixed = places.shape[-1]
        k = (params.shape[-1] - n_fixed) // 3
        logits, means, raw, own = params.split([k, k, k, n_fixed], dim=-1)
        raw = raw + SOFTPLUS_ONE
        precision = 1 / (floor[:, None] + softplus(raw))
        distance = (value[..., None] - means) * precision
        parts = logits + precision.log() - 0.5 * distance.square()
        if n_fixed:
            fixed = -widths.log() - 0.5 * ((value[..., None] - places) / widths).square()
            parts, logits = torch.cat([parts, own + fixed], -1), torch.cat([logits, own], -1)
        log_sum, chances = _logsumexp(parts)
        log_total, shares = _logsumexp(logits)
        body = log_sum - log_total + (math.log1p(-TAIL_WEIGHT) - LOG_SQRT_2PI)
        result = torch.logaddexp(body, student_log_prob(value) + math.log(TAIL_WEIGHT))
        if ctx.needs_input_grad[0]:
            in_body = (body - result).exp()[..., None]
            chances = chances.mul_(in_body)
            gradient = torch.empty_like(params)
            by_logit = chances - shares.mul_(in_body)
            gradient[..., :k], gradient[..., 3 * k :] = by_logit[..., :k], by_logit[..., k:]
            pull = chances[..., :k] * precision
            torch.mul(pull, distance, out=gradient[..., k : 2 * k])
            slope = pull.mul_(distance.square_().sub_(1))
            torch.mul(slope, torch.sigmoid(raw), out=gradient[..., 2 * k : 3 * k])
            ctx.save_for_backward(gradient)
        return result

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Scale the gradient that came with the value; only parameters have one."""
        (gradient,) = ctx.saved_tensors
        return gradient * upstream[..., None], None, None, None, None


def _logsumexp(logs: Tensor) -> tuple[Tensor, Tensor]:
    """Log of the sum of exponentials over the last axis, and each one's share of it."""
    # Where all logs are minus infinity, so is the sum.
    top = logs.amax(dim=-1, keepdim=True).clamp(min=torch.finfo(logs.dtype).min)
    shares = (logs - top).exp_()
    total = shares.sum(dim=-1, keepdim=True)
    log_sum = (top + total.log())[..., 0]
    return log_sum, shares.div_(total.clamp(min=torch.finfo(logs.dtype).tiny))


def log_ndtr(value: Tensor) -> Tensor:
    """Log of the standard Gaussian's distribution function."""
    # Each formula gets arguments that it can take, or the other's gradient would be NaN.
    far = _log_ndtr_far(value.clamp(min=-MAX_DISTANCE, max=FAR))
    return torch.where(value < FAR, far, torch.log(_ndtr(value.clamp(min=FAR))))


def log_interval(middle: Tensor, width: Tensor) -> Tensor:
    """Log of the standard Gaussian's mass in an interval."""
    # On the left side neither distribution function is close to one.
    left = -middle.abs().clamp(max=MAX_DISTANCE)
    narrow = width < NARROW
    wide = torch.where(narrow, 1.0, width)
    far = left + wide / 2 < FAR
    # Each formula gets arguments that it can take, or the other's gradient would be NaN.
    near = torch.where(far, 0.0, left)
    mass = _ndtr(near + wide / 2) - _ndtr(near - wide / 2)
    upper = torch.where(far, left + wide / 2, FAR)
    ratio = torch.where(far, left * wide, -1.0)
    tail = _log_ndtr_far(upper) + torch.log(-torch.expm1(ratio))
    density = -0.5 * left.square() - LOG_SQRT_2PI + torch.log(width)
    return torch.where(narrow, density, torch.where(far, tail, mass.log()))


def _ndtr(value: Tensor) -> Tensor:
    """Distribution function with full relative precision on the left side."""
    return 0.5 * torch.erfc(-value * math.sqrt(0.5))


def _log_ndtr_far(value: Tensor) -> Tensor:
    """Log of the distribution function below `FAR`: its asymptotic series."""
    inverse = value.square().reciprocal()
    series = torch.log1p(-inverse + 3 * inverse.square())
    return -0.5 * value.square() - torch.log(-value) - LOG_SQRT_2PI + series


def student_log_prob(value: Tensor) -> Tensor:
    """Log-density of the tail; ``hypot`` keeps it finite to the end of the float range."""
    root = torch.hypot(torch.ones_like(value), value / (2 * TAIL_SCALE))
    return math.log(3 / (8 * TAIL_SCALE)) - 5 * root.log()


def student_cdf(value: Tensor) -> Tensor:
    """Distribution function of the tail (4 degrees of freedom, closed form)."""
    half = value / (2 * TAIL_SCALE)
    sine = half / torch.hypot(torch.ones_like(half), half)
    return 0.5 + 0.75 * sine * (1 - sine.square() / 3)


def student_log_mass(middle: Tensor, width: Tensor, from_below: Tensor) -> Tensor:
    """Log-mass of the tail in an interval, or in all that is below where `from_below`."""
    below = student_cdf(middle - width / 2).masked_fill(from_below, 0.0)
    near = (student_cdf(middle + width / 2) - below).clamp(min=torch.finfo(middle.dtype).tiny)
    far = student_log_prob(middle) + width.log()
    wide = (width >= NARROW_TAIL) & (middle.abs() < FAR_TAIL)
    return torch.where(from_below | wide, near.log(), far)


def student_quantile(uniform: Tensor) -> Tensor:
    """Quantile of the tail (4 degrees of freedom, closed form: Shaw 2006)."""
    alpha = (4 * uniform * (1 - uniform)).sqrt()
    ratio = torch.cos(torch.acos(alpha) / 3) / alpha
    return TAIL_SCALE * torch.sign(uniform - 0.5) * 2 * (ratio - 1).clamp(min=0).sqrt()


def raw_scale(scale: Tensor, floor: Tensor) -> Tensor:
    """Return the raw parameter of a scale, the inverse of ``floor + softplus(raw)``."""
    above = (scale - floor).clamp(min=1e-4)
    return above + torch.log(-torch.expm1(-above)) - SOFTPLUS_ONE


def open_unit(uniform: Tensor) -> Tensor:
    """Keep rounding from reaching 0 or 1, whose quantiles are infinite."""
    return uniform.clamp(1e-12, 1 - 1e-12)
