"""The law of one feature given those before it.

Bernoulli (binary), categorical, a mixture of Gaussians (continuous) and one that is rounded
to integers (count). Parameters (..., n_features, n_params) are outputs of the network, values
have shape (..., n_features), so one call serves every feature of a kind.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Protocol, Self

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from ._special import (
    INPUT_BOUND,
    LOG_SQRT_2PI,
    MAX_DISTANCE,
    SOFTPLUS_ONE,
    TAIL_WEIGHT,
    MixtureLogProb,
    log_interval,
    log_ndtr,
    open_unit,
    student_cdf,
    student_log_mass,
    student_quantile,
)


class Conditional(Protocol):
    """What the network and the sampler ask of a law."""

    @property
    def n_params(self) -> int:
        """Number of outputs of the network that describe one feature."""

    @property
    def n_units(self) -> int:
        """Number of units as which one feature enters the network."""

    def units(self, value: Tensor) -> Tensor:
        """Turn values (...) into units (..., n_units)."""

    def log_prob(self, params: Tensor, value: Tensor) -> Tensor:
        """Log-density (log-mass of a discrete feature) in nats."""

    def sample(self, params: Tensor, uniform: Tensor) -> Tensor:
        """Turn one uniform number in (0, 1) for each feature into a draw."""

    def mean(self, params: Tensor) -> Tensor:
        """Expected units, before any bound, (..., n_units)."""

    def cdf(self, params: Tensor, value: Tensor) -> Tensor:
        """Probability of a value at most `value`."""

    def at(self, position: int) -> "Conditional":
        """Return the law of one feature of the kind alone."""

    def to(self, device: str) -> "Conditional":
        """Return the law with its constants on a device."""


class _SharedLaw:
    def at(self, position: int) -> Self:
        """Return itself: there are no constants of single features, nor any to move."""
        return self

    def to(self, device: str) -> Self:
        """Return itself."""
        return self


@dataclass(frozen=True)
class Bernoulli(_SharedLaw):
    """A binary feature; the one parameter is the logit of P(x = 1)."""

    @property
    def n_params(self) -> int:
        """One logit."""
        return 1

    @property
    def n_units(self) -> int:
        """The value itself."""
        return 1

    def units(self, value: Tensor) -> Tensor:
        """0 or 1."""
        return value[..., None]

    def log_prob(self, params: Tensor, value: Tensor) -> Tensor:
        """Log-mass of 0 or 1."""
        logit = params[..., 0]
        return logsigmoid(torch.where(value > 0.5, logit, -logit))

    def sample(self, params: Tensor, uniform: Tensor) -> Tensor:
        """1 where the uniform falls below P(x = 1)."""
        return (uniform < torch.sigmoid(params[..., 0])).to(uniform.dtype)

    def mean(self, params: Tensor) -> Tensor:
        """P(x = 1)."""
        return torch.sigmoid(params)

    def cdf(self, params: Tensor, value: Tensor) -> Tensor:
        """Zero below 0, P(x = 0) below 1, then one."""
        zero = torch.sigmoid(-params[..., 0])
        return torch.where(value < 0, 0.0, torch.where(value < 1, zero, 1.0))


@dataclass(frozen=True)
class Categorical(_SharedLaw):
    """A feature with `n_levels` levels, coded 0, 1, ...; the parameters are logits."""

    n_levels: int

    @property
    def n_params(self) -> int:
        """A logit for each level."""
        return self.n_levels

    @property
    def n_units(self) -> int:
        """A unit for each level."""
        return self.n_levels

    def units(self, value: Tensor) -> Tensor:
        """1 for the level, 0 for the others (and for all of them where it is missing)."""
        levels = torch.arange(self.n_levels, dtype=value.dtype, device=value.device)
        return (value[..., None] == levels).to(value.dtype)

    def log_prob(self, params: Tensor, value: Tensor) -> Tensor:
        """Log-mass of a level."""
        chosen = params.gather(-1, value.long()[..., None])[..., 0]
        return chosen - params.logsumexp(dim=-1)

    def sample(self, params: Tensor, uniform: Tensor) -> Tensor:
        """Return the first level whose cumulative probability exceeds the uniform."""
        upper = torch.softmax(params, dim=-1).cumsum(dim=-1)
        # Rounding may leave the last sum a hair below one.
        level = (uniform[..., None] >= upper).sum(dim=-1).clamp(max=self.n_levels - 1)
        return level.to(uniform.dtype)

    def mean(self, params: Tensor) -> Tensor:
        """Probabilities of the levels."""
        return torch.softmax(params, dim=-1)

    def cdf(self, params: Tensor, value: Tensor) -> Tensor:
        """Probability of a code at most `value`."""
        levels = torch.arange(self.n_levels, dtype=value.dtype, device=value.device)
        return (torch.softmax(params, dim=-1) * (levels <= value[..., None])).sum(dim=-1)


@dataclass(frozen=True)
class MixtureOfGaussians:
    """A continuous feature: a mixture of Gaussians with a thin Student t tail.

    The parameters of a feature are logits, means and raw scales, `n_components` of each, and
    the logits of the values that recur: components with a place of their own and the
    smallest scale. A scale is ``floor + softplus(raw)``: smooth, and never below the floor.
    """

    n_components: int
    floor: Tensor  # (n_features,), in units
    recurring: Tensor  # (n_features, n_recurring), in units; NaN where there are fewer
    recurring_scale: Tensor  # (n_features, n_recurring)

    @property
    def n_recurring(self) -> int:
        """Values that recur, of the feature that has most of them."""
        return self.recurring.shape[1]

    @property
    def n_params(self) -> int:
        """Logits, means and raw scales, and logits of the values that recur."""
        return 3 * self.n_components + self.n_recurring

    @property
    def n_units(self) -> int:
        """The value itself."""
        return 1

    def units(self, value: Tensor) -> Tensor:
        """Return the bounded value."""
        return value.clamp(-INPUT_BOUND, INPUT_BOUND)[..., None]

    def log_prob(self, params: Tensor, value: Tensor) -> Tensor:
        """Log-density; finite for every finite value."""
        if self.n_recurring:  # of features that have fewer, the last are not there
            n_free = 3 * self.n_components
            own = params[..., n_free:].masked_fill(self.recurring.isnan(), -torch.inf)
            params = torch.cat([params[..., :n_free], own], dim=-1)
        places, widths = self.recurring.nan_to_num(), self._recurring_scale()
        return MixtureLogProb.apply(params, value, self.floor, places, widths)

    def sample(self, params: Tensor, uniform: Tensor) -> Tensor:
        """Choose a component by the uniform, and use what is left of it within."""
        logits, means, scales = self.unpack(params)
        weights = (1 - TAIL_WEIGHT) * torch.softmax(logits, dim=-1)
        upper = weights.cumsum(dim=-1)
        chosen = (uniform[..., None] >= upper).sum(dim=-1)  # beyond the last: the tail
        n_components = weights.shape[-1]
        component = chosen.clamp(max=n_components - 1)[..., None]

        def pick(table: Tensor) -> Tensor:
            return table.gather(-1, component)[..., 0]

        lower = pick(upper) - pick(weights)
        gaussian = pick(means) + pick(scales) * torch.special.ndtri(
            open_unit((uniform - lower) / pick(weights))
        )
        in_tail = chosen == n_components
        if not in_tail.any():
            return gaussian
        tail = student_quantile(open_unit((uniform - upper[..., -1]) / TAIL_WEIGHT))
        return torch.where(in_tail, tail, gaussian)

    def mean(self, params: Tensor) -> Tensor:
        """Weighted mean of the components; the tail is centred at zero."""
        logits, means, _ = self.unpack(params)
        body = (torch.softmax(logits, dim=-1) * means).sum(dim=-1, keepdim=True)
        return (1 - TAIL_WEIGHT) * body

    def cdf(self, params: Tensor, value: Tensor) -> Tensor:
        """Weighted sum of the components' distribution functions."""
        logits, means, scales = self.unpack(params)
        parts = torch.special.ndtr((value[..., None] - means) / scales)
        body = (torch.softmax(logits, dim=-1) * parts).sum(dim=-1)
        return (1 - TAIL_WEIGHT) * body + TAIL_WEIGHT * student_cdf(value)

    def at(self, position: int) -> Self:
        """Return the law of one feature alone."""
        return self._mapped(lambda constant: constant[position : position + 1])

    def to(self, device: str) -> Self:
        """Return the law with its constants on a device."""
        return self._mapped(lambda constant: constant.to(device))

    def _mapped(self, function: Callable[[Tensor], Tensor]) -> Self:
        constants = [getattr(self, field.name) for field in fields(self)[1:]]
        return type(self)(self.n_components, *map(function, constants))

    def _recurring_scale(self) -> Tensor:
        return self.recurring_scale.nan_to_num(nan=1.0)

    def _split(self, params: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Split parameters into logits, means, scales, and logits of what recurs."""
        k = self.n_components
        logits, means, raw, own = params.split([k, k, k, self.n_recurring], dim=-1)
        scales = self.floor[:, None] + softplus(raw + SOFTPLUS_ONE)
        return logits, means, scales, own.masked_fill(self.recurring.isnan(), -torch.inf)

    def unpack(self, params: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, means and scales of all components, values that recur included."""
        logits, means, scales, own = self._split(params)
        places = self.recurring.nan_to_num().expand_as(own)
        narrow = self._recurring_scale().expand_as(own)
        pairs = ((logits, own), (means, places), (scales, narrow))
        logits, means, scales = (torch.cat(pair, dim=-1) for pair in pairs)
        return logits, means, scales


@dataclass(frozen=True)
class DiscretisedMixture(MixtureOfGaussians):
    """A count: the draw of a mixture of Gaussians, rounded to the nearest integer.

    The integer k lies at ``origin + k * step`` in units. `lowest` is the unit of the smallest
    possible integer, which takes all mass below it, or minus infinity.
    """

    origin: Tensor  # (n_features,), as the following
    step: Tensor
    lowest: Tensor

    def log_prob(self, params: Tensor, value: Tensor) -> Tensor:
        """Log-mass of an integer."""
        logits, means, scales, own = self._split(params)
        parts = logits + self._log_component(value[..., None], means, scales)
        if self.n_recurring:
            parts = torch.cat([parts, own + self._log_recurring(value[..., None])], dim=-1)
            logits = torch.cat([logits, own], dim=-1)
        body = parts.logsumexp(dim=-1) - logits.logsumexp(dim=-1)
        return torch.logaddexp(
            body + math.log1p(-TAIL_WEIGHT), self._log_tail(value) + math.log(TAIL_WEIGHT)
        )

    def sample(self, params: Tensor, uniform: Tensor) -> Tensor:
        """Round a draw of the mixture."""
        return self._round(super().sample(params, uniform), torch.round)

    def mean(self, params: Tensor) -> Tensor:
        """Expected value, to within a fiftieth of a step."""
        logits, means, scales = self.unpack(params)
        origin, lowest, step = (c[:, None] for c in (self.origin, self.lowest, self.step))
        # A narrow component: sum over the integers around it.
        around = torch.arange(-8, 9, dtype=params.dtype, device=params.device)
        steps = torch.round((means - origin) / step)[..., None] + around
        integers = origin[..., None] + steps * step[..., None]
        middle = (integers - means[..., None]) / scales[..., None]
        mass = log_interval(middle, (step / scales)[..., None]).exp()
        narrow = (mass * torch.maximum(integers, lowest[..., None])).sum(dim=-1)
        # A wide one: the mean of what is cut off at the lowest integer.
        above = ((means - lowest) / scales).clamp(max=MAX_DISTANCE)
        density = torch.exp(-0.5 * above.square() - LOG_SQRT_2PI)
        cut = means + scales * (density - above * torch.special.ndtr(-above))
        mean = torch.where(scales < step, narrow, cut)
        body = (torch.softmax(logits, dim=-1) * mean).sum(dim=-1, keepdim=True)
        return (1 - TAIL_WEIGHT) * body

    def cdf(self, params: Tensor, value: Tensor) -> Tensor:
        """Distribution function of the mixture at the upper edge of the integer below."""
        integer = self._round(value, torch.floor)
        levels = super().cdf(params, integer + self.step / 2)
        return torch.where(value < self.lowest - self.step / 2, 0.0, levels)

    def _round(self, value: Tensor, nearest: Callable[[Tensor], Tensor]) -> Tensor:
        """Move a value to an integer's unit, `lowest` or above."""
        # A hair of room: the unit of an integer may lie one rounding error below it.
        steps = (value - self.origin) / self.step
        close = torch.round(steps)
        steps = torch.where((steps - close).abs() < 1e-6, close, nearest(steps))
        return torch.maximum(self.origin + steps * self.step, self.lowest)

    def _is_lowest(self, value: Tensor) -> Tensor:
        return value < self.lowest + self.step / 2

    def _log_component(self, value: Tensor, means: Tensor, scales: Tensor) -> Tensor:
        """Log-mass of each component, of integers (..., n_features, 1)."""
        middle, width = (value - means) / scales, self.step[:, None] / scales
        below = log_ndtr(middle + width / 2)
        is_lowest = self._is_lowest(value[..., 0])[..., None]
        return torch.where(is_lowest, below, log_interval(middle, width))

    def _log_recurring(self, value: Tensor) -> Tensor:
        """Nothing but the integer itself has the mass of one that recurs."""
        same = (value - self.recurring).abs() < self.step[:, None] / 2
        return torch.where(same, 0.0, -torch.inf)

    def _recurring_scale(self) -> Tensor:
        return (1e-3 * self.step[:, None]).expand_as(self.recurring)

    def _log_tail(self, value: Tensor) -> Tensor:
        """Log-mass of the tail."""
        return student_log_mass(value, self.step, self._is_lowest(value))
