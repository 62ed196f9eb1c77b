"""Log-probabilities with gradients: the laws of `conditionals` as training needs them.

Parameters (..., n_params, n_features, n_rows) and values (..., n_features, n_rows) are torch
tensors in single precision, in which values and gradients stay finite far out. The axes are
those of `conditionals`, after one of members.
"""

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from .._network.conditionals import (
    Bernoulli,
    Categorical,
    Conditional,
    DiscretisedMixture,
    MixtureOfGaussians,
    MixtureParameters,
)
from .._network.special import (
    FAR_TAIL,
    INPUT_BOUND,
    LOG_SQRT_2PI,
    NARROW,
    NARROW_TAIL,
    SOFTPLUS_ONE,
    TAIL_SCALE,
    TAIL_WEIGHT,
)

# Below this a Gaussian's distribution function is its asymptotic series (to 1e-4), since
# torch's own loses its gradient there in single precision.
FAR = -8.0

# Beyond this distance (in scales) squares leave single precision.
MAX_DISTANCE = 1e18

# Exponentials that are no normal numbers in single precision take several times as long;
# beside the largest, which is one, they count for nothing.
MIN_LOG_SHARE = -80.0

# Turns an array into a tensor on the device and of the precision of training.
Constants = Callable[[NDArray[Any]], Tensor]


class TrainableLaw(Protocol):
    """What training asks of a law."""

    def units(self, value: Tensor) -> Tensor:
        """Turn values (...) into units (..., n_units)."""

    def log_prob(self, params: Tensor, value: Tensor) -> Tensor:
        """Log-density (log-mass of a discrete feature) in nats."""


def trainable(law: Conditional, constants: Constants) -> TrainableLaw:
    """Return the twin of a law that has gradients."""
    if isinstance(law, Bernoulli):
        return _Bernoulli()
    if isinstance(law, Categorical):
        return _Categorical(law, constants)
    if isinstance(law, DiscretisedMixture):
        return _DiscretisedMixture(law, constants)
    assert isinstance(law, MixtureOfGaussians)
    return _MixtureOfGaussians(law, constants)


class _Bernoulli:
    def units(self, value: Tensor) -> Tensor:
        """0 or 1."""
        return value.unsqueeze(-2)

    def log_prob(self, params: Tensor, value: Tensor) -> Tensor:
        """Log-mass of 0 or 1."""
        logit = params.squeeze(-3)
        return logsigmoid(torch.where(value > 0.5, logit, -logit))


class _Categorical:
    def __init__(self, law: Categorical, constants: Constants) -> None:
        self.levels = constants(np.arange(law.n_levels)[:, None])

    def units(self, value: Tensor) -> Tensor:
        """1 for the level, 0 for the others (and for all of them where it is missing)."""
        return (value.unsqueeze(-2) == self.levels).to(value.dtype)

    def log_prob(self, params: Tensor, value: Tensor) -> Tensor:
        """Log-mass of a level."""
        chosen = params.gather(-3, value.long().unsqueeze(-3)).squeeze(-3)
        return chosen - params.logsumexp(dim=-3)


class _MixtureOfGaussians:
    def __init__(self, law: MixtureOfGaussians, constants: Constants) -> None:
        self.where, self.n_recurring = law.parameters, law.n_recurring
        self.floor = constants(law.floor[:, None])
        places, widths = law.places()
        # Of features that have fewer values that recur, the last are not there.
        absent = np.isnan(law.recurring).T[:, :, None]
        # In memory feature by feature, as outputs are: torch keeps to that order.
        self.places, self.widths, self.absent = (
            constants(part.swapaxes(0, 1)).transpose(0, 1) for part in (places, widths, absent)
        )
        self.absent = self.absent > 0

    def units(self, value: Tensor) -> Tensor:
        """Return the bounded value."""
        return value.clamp(-INPUT_BOUND, INPUT_BOUND).unsqueeze(-2)

    def log_prob(self, params: Tensor, value: Tensor) -> Tensor:
        """Log-density; finite for every finite value."""
        constants = self.floor, self.places, self.widths, self.absent
        return MixtureLogProb.apply(params, value, self.where, *constants)


class _DiscretisedMixture(_MixtureOfGaussians):
    def __init__(self, law: DiscretisedMixture, constants: Constants) -> None:
        super().__init__(law, constants)
        self.step, self.lowest = (constants(c[:, None]) for c in (law.step, law.lowest))

    def log_prob(self, params: Tensor, value: Tensor) -> Tensor:
        """Log-mass of an integer."""
        logits, means, raw, own = views(params, self.where)
        scales = self.floor + softplus(raw + SOFTPLUS_ONE)
        is_lowest = value < self.lowest + self.step / 2
        each = value.unsqueeze(-3)
        middle, width = (each - means) / scales, self.step / scales
        below = log_ndtr(middle + width / 2)
        parts = logits + torch.where(
            is_lowest.unsqueeze(-3), below, log_interval(middle, width)
        )
        if self.n_recurring:
            own = own.masked_fill(self.absent, -torch.inf)
            # Nothing but the integer itself has the mass of one that recurs.
            same = (each - self.places).abs() < self.step / 2
            parts = joined(parts, own + torch.where(same, 0.0, -torch.inf))
            logits = joined(logits, own)
        body = parts.logsumexp(dim=-3) - logits.logsumexp(dim=-3)
        tail = student_log_mass(value, self.step, is_lowest)
        return torch.logaddexp(body + math.log1p(-TAIL_WEIGHT), tail + math.log(TAIL_WEIGHT))


def views(params: Tensor, where: MixtureParameters) -> tuple[Tensor, ...]:
    """View each kind of a mixture's parameters (..., n_params, F, n)."""
    return tuple(params[..., kind, :, :] for kind in where)


def joined(first: Tensor, second: Tensor) -> Tensor:
    """Put components of features after others, and stay feature by feature in memory."""
    parts = [part.transpose(-3, -2) for part in (first, second)]
    return torch.cat(parts, dim=-2).transpose(-3, -2)


class MixtureLogProb(torch.autograd.Function):
    """Log-density of mixtures of Gaussians with the Student t tail, and its gradient.

    The gradient comes with the value, from the same exponentials: a training step would
    otherwise spend most of its time on them.
    """

    @staticmethod
    def forward(
        ctx: Any,
        params: Tensor,
        value: Tensor,
        where: MixtureParameters,
        floor: Tensor,
        places: Tensor,
        widths: Tensor,
        absent: Tensor,
    ) -> Tensor:
        """Return log-densities (..., F, n) of values (..., F, n).

        Parameters
        ----------
        ctx : of autograd
        params : (..., 3 K + R, F, n)
        value : (..., F, n)
        where : logits, means and raw scales of K components, logits of R fixed ones
        floor : (F, 1)
        places, widths, absent : (R, F, 1), of the fixed components
        """
        logits, means, raw, own = views(params, where)
        n_fixed, k = len(places), means.shape[-3]
        each = value.unsqueeze(-3)
        raw = raw + SOFTPLUS_ONE
        precision = softplus(raw).add_(floor).reciprocal_()
        distance = (each - means).mul_(precision)
        parts, weights = logits - 0.5 * distance.square(), precision
        if n_fixed:
            own = torch.where(absent, -torch.inf, own)
            fixed = -0.5 * ((each - places) / widths).square()
            parts, logits = joined(parts, own + fixed), joined(logits, own)
            weights = joined(precision, widths.reciprocal().expand_as(own))
        log_sum, chances = _logsumexp(parts, weights)
        log_total, shares = _logsumexp(logits)
        body = log_sum - log_total + (math.log1p(-TAIL_WEIGHT) - LOG_SQRT_2PI)
        result = torch.logaddexp(body, student_log_prob(value) + math.log(TAIL_WEIGHT))
        if ctx.needs_input_grad[0]:
            in_body = (body - result).exp().unsqueeze(-3)
            chances = chances.mul_(in_body)
            gradient = torch.empty_like(params)
            by_logit, by_mean, by_raw, by_own = views(gradient, where)
            excess = chances - shares.mul_(in_body)
            by_logit.copy_(excess[..., :k, :, :])
            by_own.copy_(excess[..., k:, :, :]).masked_fill_(absent, 0.0)
            pull = chances[..., :k, :, :] * precision
            torch.mul(pull, distance, out=by_mean)
            slope = pull.mul_(distance.square_().sub_(1))
            torch.mul(slope, torch.sigmoid(raw), out=by_raw)
            ctx.save_for_backward(gradient)
        return result

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Scale the gradient that came with the value; only parameters have one."""
        (gradient,) = ctx.saved_tensors
        return gradient * upstream.unsqueeze(-3), *[None] * 6


def _logsumexp(logs: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Log of the (weighted) sum of exponentials over components, and each one's share."""
    # Where all logs are minus infinity, so is the sum.
    top = logs.amax(dim=-3, keepdim=True).clamp_(min=torch.finfo(logs.dtype).min)
    shares = (logs - top).clamp_(min=MIN_LOG_SHARE).exp_()
    if weights is not None:
        shares.mul_(weights)
    total = shares.sum(dim=-3, keepdim=True)
    log_sum = (top + total.log()).squeeze(-3)
    return log_sum, shares.div_(total)


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
