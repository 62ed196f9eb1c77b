"""Log-probabilities with gradients: the laws of `conditionals` as training needs them.

Parameters (..., n_params, n_features, n_rows) and values (..., n_features, n_rows) are torch
tensors in single precision, in which values and gradients stay finite far out. The axes are
those of `conditionals`, after one of members.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from .._network.conditionals import (
    Bernoulli,
    Categorical,
    Conditional,
    Constant,
    DiscretisedMixture,
    MixtureOfGaussians,
    MixtureParameters,
    TruncatedMixture,
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

# In place of zero in a logarithm, in single precision.
TINY = 1e-38

# Exponentials that are no normal numbers in single precision take several times as long;
# beside the largest, which is one, they count for nothing.
MIN_LOG_SHARE = -80.0

# Atoms overlap where they are nearer than so many scales; a value is one whose log-density
# there is hardly less than at its place.
CROWDED, AT_ATOM = 6.0, -0.5 * 0.05**2

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
    if isinstance(law, Constant):
        return _Constant()
    if isinstance(law, Categorical):
        return _Categorical(law, constants)
    if isinstance(law, TruncatedMixture):
        return _TruncatedMixture(law, constants)
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


class _Constant:
    def units(self, value: Tensor) -> Tensor:
        """No unit."""
        return value.unsqueeze(-2)[..., :0, :]

    def log_prob(self, params: Tensor, value: Tensor) -> Tensor:
        """Zero."""
        return 0 * params.squeeze(-3)


class _Categorical:
    def __init__(self, law: Categorical, constants: Constants) -> None:
        self.levels = constants(np.arange(law.n_levels)[:, None])
        self.absent = None
        if law.absent.any():
            self.absent = constants(law.absent.T[:, :, None]) > 0

    def units(self, value: Tensor) -> Tensor:
        """1 for the level, 0 for the others."""
        return (value.unsqueeze(-2) == self.levels).to(value.dtype)

    def log_prob(self, params: Tensor, value: Tensor) -> Tensor:
        """Log-mass of a level."""
        if self.absent is not None:
            params = params.masked_fill(self.absent, -torch.inf)
        chosen = params.gather(-3, value.long().unsqueeze(-3)).squeeze(-3)
        return chosen - params.logsumexp(dim=-3)


class _MixtureOfGaussians:
    def __init__(self, law: MixtureOfGaussians, constants: Constants) -> None:
        self.where = law.parameters
        self.floor = constants(law.floor[:, None])
        places, widths = law.places()
        # Of features that have fewer atoms, the last are not there.
        absent = np.isnan(law.atoms).T[:, :, None]
        # In memory feature by feature, as outputs are: torch keeps to that order.
        self.places, self.widths, self.absent = (
            constants(part.swapaxes(0, 1)).transpose(0, 1) for part in (places, widths, absent)
        )
        self.absent = self.absent > 0
        gaps = np.diff(law.atoms, axis=1)
        self.crowded = bool((gaps < CROWDED * widths[1:, :, 0].T).any())

    @property
    def constants(self) -> tuple[MixtureParameters, Tensor, Tensor, Tensor, Tensor]:
        """What does not change in training."""
        return self.where, self.floor, self.places, self.widths, self.absent

    def units(self, value: Tensor) -> Tensor:
        """Return the bounded value."""
        return value.clamp(-INPUT_BOUND, INPUT_BOUND).unsqueeze(-2)

    def log_prob(self, params: Tensor, value: Tensor) -> Tensor:
        """Log-density; finite for every finite value."""
        return MixtureLogProb.apply(params, value, *self.constants, self.crowded)


class _TruncatedMixture(_MixtureOfGaussians):
    def __init__(self, law: TruncatedMixture, constants: Constants) -> None:
        super().__init__(law, constants)
        edges = np.clip(law.edges, -MAX_DISTANCE, MAX_DISTANCE)
        self.edges = constants(edges[:, :1]), constants(edges[:, 1:])
        self.log_tail = student_log_interval(*self.edges) + math.log(TAIL_WEIGHT)

    def log_prob(self, params: Tensor, value: Tensor) -> Tensor:
        """Log-density of a value between the edges."""
        low, high = self.edges
        inside = MixtureLogMass.apply(params, 0 * low, -low, high, *self.constants)
        inside = torch.logaddexp(inside + math.log1p(-TAIL_WEIGHT), self.log_tail)
        return super().log_prob(params, value) - inside


class _DiscretisedMixture(_MixtureOfGaussians):
    def __init__(self, law: DiscretisedMixture, constants: Constants) -> None:
        super().__init__(law, constants)
        self.origin, self.step = (constants(c[:, None]) for c in (law.origin, law.step))
        ends = (np.clip(end, -MAX_DISTANCE, MAX_DISTANCE) for end in (law.lowest, law.highest))
        self.lowest, self.highest = (constants(end[:, None]) for end in ends)
        self.coded = constants(~np.isnan(law.codes[:, :1]))  # whether a feature has codes
        # What is not there is far from every value.
        self.codes, self.code_edges = (
            constants(np.nan_to_num(part, nan=MAX_DISTANCE).T[:, :, None])
            for part in (law.codes, law.code_edges)
        )

    def log_prob(self, params: Tensor, value: Tensor) -> Tensor:
        """Log-mass of an integer."""
        lower, upper = self._cell(value)
        below, above = self._distances(value, lower, upper)
        tail = student_log_interval(value - below, value + above, below + above)
        if len(self.codes):
            lower, upper = self._of_codes(value, lower, upper)
            coded = self.coded > 0
            below = torch.where(coded, value - lower, below)
            above = torch.where(coded, upper - value, above)
        body = MixtureLogMass.apply(params, value, below, above, *self.constants, True)
        return torch.logaddexp(body + math.log1p(-TAIL_WEIGHT), tail + math.log(TAIL_WEIGHT))

    def _distances(self, value: Tensor, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
        """Return how far below and above an integer its cell ends: half a step, or far."""
        # Beside a large count single precision has no half steps.
        half = self.step / 2
        below = torch.where(lower > -MAX_DISTANCE, half, value - lower)
        return below, torch.where(upper < MAX_DISTANCE, half, upper - value)

    def _cell(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return the edges of an integer's cell."""
        half = self.step / 2
        nearest = self.origin + torch.round((value - self.origin) / self.step) * self.step
        lower = (nearest - half).masked_fill(nearest < self.lowest + half, -MAX_DISTANCE)
        upper = (nearest + half).masked_fill(nearest > self.highest - half, MAX_DISTANCE)
        return lower, upper

    def _of_codes(self, value: Tensor, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
        """Return the edges of the cells of codes; between codes there is nothing."""
        each, far = value.unsqueeze(-3), MAX_DISTANCE
        is_code = ((each - self.codes).abs() < self.step / 2).any(dim=-3)
        own_lower = torch.full_like(value, -far)
        own_upper = torch.full_like(value, far)
        if len(self.code_edges):
            below = self.code_edges < each
            own_lower = self.code_edges.masked_fill(~below, -far).amax(dim=-3)
            own_upper = self.code_edges.masked_fill(below, far).amin(dim=-3)
        own_lower, own_upper = (
            torch.where(is_code, edge, value) for edge in (own_lower, own_upper)
        )
        coded = self.coded > 0
        return torch.where(coded, own_lower, lower), torch.where(coded, own_upper, upper)


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
        crowded: bool = False,
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
        crowded : whether some of these overlap
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
            if crowded:
                own = _told_apart(chances[..., k:, :, :], fixed.masked_fill(absent, -torch.inf))
                chances = joined(chances[..., :k, :, :], own)
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
        return gradient * upstream.unsqueeze(-3), *[None] * 7


class MixtureLogMass(torch.autograd.Function):
    """Log-mass of mixtures of Gaussians between two values, and its gradient.

    As in `MixtureLogProb`, without the tail.
    """

    @staticmethod
    def forward(
        ctx: Any,
        params: Tensor,
        value: Tensor,
        below: Tensor,
        above: Tensor,
        where: MixtureParameters,
        floor: Tensor,
        places: Tensor,
        widths: Tensor,
        absent: Tensor,
        points: bool = False,
    ) -> Tensor:
        """Return log-masses (..., F, n) from so far below values to so far above them.

        Atoms are `points`, or Gaussians as other components are.
        """
        logits, means, raw, own = views(params, where)
        k = means.shape[-3]
        raw = raw + SOFTPLUS_ONE
        precision = softplus(raw).add_(floor).reciprocal_()
        value, below, above = (part.unsqueeze(-3) for part in (value, below, above))
        interval = Interval.around(
            (value - means) * precision, below * precision, above * precision
        )
        parts = logits + interval.log_mass
        if len(places):
            own = torch.where(absent, -torch.inf, own)
            if points:
                inside = (places > value - below) & (places < value + above)
                fixed = torch.where(inside, own, -torch.inf)
            else:
                reach = (part / widths for part in (value - places, below, above))
                fixed = own + Interval.around(*reach).log_mass
            parts, logits = joined(parts, fixed), joined(logits, own)
        log_sum, chances = _logsumexp(parts)
        log_total, shares = _logsumexp(logits)
        if ctx.needs_input_grad[0]:
            gradient = torch.empty_like(params)
            by_logit, by_mean, by_raw, by_own = views(gradient, where)
            excess = chances - shares
            by_logit.copy_(excess[..., :k, :, :])
            by_own.copy_(excess[..., k:, :, :]).masked_fill_(absent, 0.0)
            pull = chances[..., :k, :, :] * precision
            torch.mul(pull, interval.by_mean, out=by_mean)
            torch.mul(pull.mul_(interval.by_scale), torch.sigmoid(raw), out=by_raw)
            ctx.save_for_backward(gradient)
        return log_sum - log_total

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Scale the gradient that came with the masses; only parameters have one."""
        (gradient,) = ctx.saved_tensors
        return gradient * upstream.unsqueeze(-3), *[None] * 9


class Interval(NamedTuple):
    """Log-mass of the standard Gaussian in intervals, and how it changes, all of one shape."""

    log_mass: Tensor
    by_mean: Tensor  # per scale that the mean moves up
    by_scale: Tensor  # per share that the scale grows

    @classmethod
    def around(cls, value: Tensor, below: Tensor, above: Tensor) -> "Interval":
        """Describe the intervals from so far below values to so far above them."""
        below, above = (part.clamp(-MAX_DISTANCE, MAX_DISTANCE) for part in (below, above))
        lower, upper = value - below, value + above
        lower, upper = (edge.clamp(-MAX_DISTANCE, MAX_DISTANCE) for edge in (lower, upper))
        # On the left side neither distribution function is close to one.
        right_side = lower + upper > 0
        left, right = (
            torch.where(right_side, -upper, lower),
            torch.where(right_side, -lower, upper),
        )
        width, middle = below + above, 0.5 * (left + right)
        narrow, far = width < NARROW, right < FAR
        # Each formula gets arguments that it can take.
        near = right.clamp(min=FAR)
        mass = (_ndtr(near) - _ndtr(left)).clamp_(min=TINY)
        log_mass = mass.log()
        at_right = torch.exp(-0.5 * near.square() - LOG_SQRT_2PI) / mass
        at_left = torch.exp(-0.5 * left.square() - LOG_SQRT_2PI) / mass
        if bool(far.any()):
            distance = right.clamp(max=FAR)
            ratio = (width * middle).clamp(max=-1e-30)
            part = -torch.expm1(ratio)
            series = _log_ndtr_far(distance)
            log_mass = torch.where(far, series + part.log(), log_mass)
            steep = -distance - distance.reciprocal()
            at_right = torch.where(far, steep / part, at_right)
            at_left = torch.where(far, steep / part * ratio.exp(), at_left)
        by_mean = at_left - at_right
        by_scale = left * at_left - right * at_right
        if bool(narrow.any()):
            density = -0.5 * middle.square() - LOG_SQRT_2PI + width.clamp(min=TINY).log()
            log_mass = torch.where(narrow, density, log_mass)
            by_mean = torch.where(narrow, middle, by_mean)
            by_scale = torch.where(narrow, middle.square() - 1, by_scale)
        return cls(log_mass, torch.where(right_side, -by_mean, by_mean), by_scale)


def _told_apart(chances: Tensor, fixed: Tensor) -> Tensor:
    """Give the chances of all atoms (..., R, F, n) to the one that a value is.

    Where atoms are nearer to each other than they are wide, densities cannot tell them apart,
    and their shares would drift. Recorded values can.
    """
    is_own = (fixed == fixed.amax(dim=-3, keepdim=True)) & (fixed > AT_ATOM)
    told = is_own.any(dim=-3, keepdim=True)
    return torch.where(told, chances.sum(dim=-3, keepdim=True) * is_own, chances)


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


def student_log_interval(lower: Tensor, upper: Tensor, width: Tensor | None = None) -> Tensor:
    """Log-mass of the tail between two values, whose difference may be known better."""
    right_side = lower + upper > 0
    left, right = (
        torch.where(right_side, -upper, lower),
        torch.where(right_side, -lower, upper),
    )
    width = right - left if width is None else width
    middle = (left + right) / 2
    near = (student_cdf(right) - student_cdf(left)).clamp(min=TINY).log()
    far = student_log_prob(middle) + width.clamp(min=TINY).log()
    # All that is beyond a far number: the density there falls as its fifth power.
    beyond = student_log_prob(right) + ((-right).clamp(min=1.0) / 4).log()
    far = torch.where((width > -right) & (right <= -FAR_TAIL), beyond, far)
    return torch.where((width >= NARROW_TAIL) & (right > -FAR_TAIL), near, far)
