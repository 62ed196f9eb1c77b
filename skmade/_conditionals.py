"""The law of one feature given those before it: Bernoulli, mixture of Gaussians.

Each law turns parameters of shape (..., n_features, n_params), the outputs of the network,
into log-probabilities in nats, draws, means and distribution functions. All of them act
elementwise on (..., n_features) values, so one call serves every feature of a kind.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)

# softplus(SOFTPLUS_ONE) = 1: a raw scale of zero means one standard deviation.
SOFTPLUS_ONE = math.log(math.e - 1)

# A sliver of a Student t (4 degrees of freedom: finite variance, quantiles in closed form)
# keeps the log-density of far outliers finite and decreasing where a Gaussian underflows.
# It costs at most -log(1 - TAIL_WEIGHT) = 0.0003 nats a feature.
TAIL_WEIGHT = 3e-4
TAIL_SCALE = 2.0


class Conditional(Protocol):
    """What the network and the sampler ask of a law."""

    @property
    def n_params(self) -> int:
        """Number of outputs of the network that describe one feature."""

    def log_prob(self, params: Tensor, value: Tensor) -> Tensor:
        """Log-density (log-mass of a discrete feature) in nats."""

    def sample(self, params: Tensor, uniform: Tensor) -> Tensor:
        """Turn one uniform number in (0, 1) for each feature into a draw."""

    def mean(self, params: Tensor) -> Tensor:
        """Expected value."""

    def cdf(self, params: Tensor, value: Tensor) -> Tensor:
        """Probability of a value at most `value`."""

    def at(self, position: int) -> "Conditional":
        """Return the law of one feature of the kind alone."""


@dataclass(frozen=True)
class Bernoulli:
    """A binary feature; the one parameter is the logit of P(x = 1)."""

    @property
    def n_params(self) -> int:
        """One logit."""
        return 1

    def log_prob(self, params: Tensor, value: Tensor) -> Tensor:
        """Log-mass of 0 or 1."""
        logit = params[..., 0]
        return logsigmoid(torch.where(value > 0.5, logit, -logit))

    def sample(self, params: Tensor, uniform: Tensor) -> Tensor:
        """1 where the uniform falls below P(x = 1)."""
        return (uniform < torch.sigmoid(params[..., 0])).to(uniform.dtype)

    def mean(self, params: Tensor) -> Tensor:
        """P(x = 1)."""
        return torch.sigmoid(params[..., 0])

    def cdf(self, params: Tensor, value: Tensor) -> Tensor:
        """Zero below 0, P(x = 0) below 1, then one."""
        zero = torch.sigmoid(-params[..., 0])
        return torch.where(value < 0, 0.0, torch.where(value < 1, zero, 1.0))

    def at(self, position: int) -> "Bernoulli":
        """Return itself: binary features share one law."""
        return self


@dataclass(frozen=True)
class MixtureOfGaussians:
    """A continuous feature: a mixture of Gaussians with a thin Student t tail.

    The parameters of a feature are logits, means and raw scales, `n_components` of each.
    A scale is ``floor + softplus(raw)``: smooth, and never below the feature's floor.
    """

    n_components: int
    floor: Tensor  # (n_features,), in units

    @property
    def n_params(self) -> int:
        """Logits, means and raw scales."""
        return 3 * self.n_components

    def log_prob(self, params: Tensor, value: Tensor) -> Tensor:
        """Log-density; finite for every finite value."""
        logits, means, scales = self._unpack(params)
        residual = (value[..., None] - means) / scales
        parts = logits - scales.log() - 0.5 * residual.square()
        body = parts.logsumexp(dim=-1) - logits.logsumexp(dim=-1) - LOG_SQRT_2PI
        return torch.logaddexp(
            body + math.log1p(-TAIL_WEIGHT), student_log_prob(value) + math.log(TAIL_WEIGHT)
        )

    def sample(self, params: Tensor, uniform: Tensor) -> Tensor:
        """Choose a component by the uniform, and use what is left of it within."""
        logits, means, scales = self._unpack(params)
        weights = (1 - TAIL_WEIGHT) * torch.softmax(logits, dim=-1)
        upper = weights.cumsum(dim=-1)
        chosen = (uniform[..., None] >= upper).sum(dim=-1)  # n_components: the tail
        component = chosen.clamp(max=self.n_components - 1)[..., None]

        def pick(table: Tensor) -> Tensor:
            return table.gather(-1, component)[..., 0]

        lower = pick(upper) - pick(weights)
        gaussian = pick(means) + pick(scales) * torch.special.ndtri(
            _open_unit((uniform - lower) / pick(weights))
        )
        in_tail = chosen == self.n_components
        if not in_tail.any():
            return gaussian
        tail = student_quantile(_open_unit((uniform - upper[..., -1]) / TAIL_WEIGHT))
        return torch.where(in_tail, tail, gaussian)

    def mean(self, params: Tensor) -> Tensor:
        """Weighted mean of the components; the tail is centred at zero."""
        logits, means, _ = self._unpack(params)
        return (1 - TAIL_WEIGHT) * (torch.softmax(logits, dim=-1) * means).sum(dim=-1)

    def cdf(self, params: Tensor, value: Tensor) -> Tensor:
        """Weighted sum of the components' distribution functions."""
        logits, means, scales = self._unpack(params)
        parts = torch.special.ndtr((value[..., None] - means) / scales)
        body = (torch.softmax(logits, dim=-1) * parts).sum(dim=-1)
        return (1 - TAIL_WEIGHT) * body + TAIL_WEIGHT * student_cdf(value)

    def at(self, position: int) -> "MixtureOfGaussians":
        """Return the law of one feature alone."""
        return MixtureOfGaussians(self.n_components, self.floor[position : position + 1])

    def _unpack(self, params: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, means, raw = params.split(self.n_components, dim=-1)
        return logits, means, self.floor[:, None] + softplus(raw + SOFTPLUS_ONE)


def raw_scale(scale: Tensor, floor: Tensor) -> Tensor:
    """Return the raw parameter of a scale, the inverse of ``floor + softplus(raw)``."""
    above = (scale - floor).clamp(min=1e-4)
    return above + torch.log(-torch.expm1(-above)) - SOFTPLUS_ONE


def student_log_prob(value: Tensor) -> Tensor:
    """Log-density of the tail; ``hypot`` keeps it finite to the end of the float range."""
    root = torch.hypot(torch.ones_like(value), value / (2 * TAIL_SCALE))
    return math.log(3 / (8 * TAIL_SCALE)) - 5 * root.log()


def student_cdf(value: Tensor) -> Tensor:
    """Distribution function of the tail (4 degrees of freedom, closed form)."""
    half = value / (2 * TAIL_SCALE)
    sine = half / torch.hypot(torch.ones_like(half), half)
    return 0.5 + 0.75 * sine * (1 - sine.square() / 3)


def student_quantile(uniform: Tensor) -> Tensor:
    """Quantile of the tail (4 degrees of freedom, closed form: Shaw 2006)."""
    alpha = (4 * uniform * (1 - uniform)).sqrt()
    ratio = torch.cos(torch.acos(alpha) / 3) / alpha
    return TAIL_SCALE * torch.sign(uniform - 0.5) * 2 * (ratio - 1).clamp(min=0).sqrt()


def _open_unit(uniform: Tensor) -> Tensor:
    """Keep rounding from reaching 0 or 1, whose quantiles are infinite."""
    return uniform.clamp(1e-12, 1 - 1e-12)
