"""The law of one feature given those before it.

Bernoulli (binary), categorical, a mixture of Gaussians (continuous) and one that is rounded
to integers (count). Parameters (n_params, n_features, n_rows) are outputs of the network,
values have shape (n_features, n_rows), so one call serves every feature of a kind, and sums
over components or levels run over contiguous rows. Training has the same log-probabilities
with gradients and the same order of axes, in `log_prob`.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_ndtr, ndtr, ndtri

from .special import (
    INPUT_BOUND,
    SOFTPLUS_ONE,
    TAIL_WEIGHT,
    log_interval,
    log_mixture,
    log_sum_exp,
    open_unit,
    softplus,
    student_cdf,
    student_log_mass,
    student_log_prob,
    student_quantile,
    with_tail,
)

Floats = NDArray[np.float64]


class Conditional(Protocol):
    """What the network and the sampler ask of a law."""

    @property
    def n_params(self) -> int:
        """Number of outputs of the network that describe one feature."""

    @property
    def n_units(self) -> int:
        """Number of units as which one feature enters the network."""

    def units(self, value: Floats) -> Floats:
        """Turn values (F, n) into units (F, n_units, n)."""

    def log_prob(self, params: Floats, value: Floats) -> Floats:
        """Log-density (log-mass of a discrete feature) in nats, (F, n)."""

    def sample(self, params: Floats, uniform: Floats) -> Floats:
        """Turn uniform numbers (F, n) in (0, 1) into draws (F, n)."""

    def cdf(self, params: Floats, value: Floats) -> Floats:
        """Probability of a value at most `value`, (F, n)."""

    def at(self, positions: Any) -> "Conditional":
        """Return the law of some features of the kind, by their positions among them."""


class _SharedLaw:
    def at(self, positions: Any) -> Self:
        """Return itself: there are no constants of single features."""
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

    def units(self, value: Floats) -> Floats:
        """0 or 1."""
        return value[:, None]

    def log_prob(self, params: Floats, value: Floats) -> Floats:
        """Log-mass of 0 or 1."""
        return log_expit(np.where(value > 0.5, params[0], -params[0]))

    def sample(self, params: Floats, uniform: Floats) -> Floats:
        """1 where the uniform falls below P(x = 1)."""
        return (uniform < expit(params[0])).astype(np.float64)

    def cdf(self, params: Floats, value: Floats) -> Floats:
        """Zero below 0, P(x = 0) below 1, then one."""
        return np.where(value < 0, 0.0, np.where(value < 1, expit(-params[0]), 1.0))


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

    def units(self, value: Floats) -> Floats:
        """1 for the level, 0 for the others (and for all of them where it is missing)."""
        return (value[:, None] == np.arange(self.n_levels)[:, None]).astype(np.float64)

    def log_prob(self, params: Floats, value: Floats) -> Floats:
        """Log-mass of a level."""
        chosen = np.take_along_axis(params, value[None].astype(np.intp), axis=0)[0]
        return np.asarray(chosen - log_sum_exp(params))

    def sample(self, params: Floats, uniform: Floats) -> Floats:
        """Return the first level whose cumulative probability exceeds the uniform."""
        upper = np.exp(params - params.max(axis=0)).cumsum(axis=0)
        # The last sum is the total: where the uniform times it rounds to it, the last level.
        level = (uniform * upper[-1] >= upper[:-1]).sum(axis=0)
        return np.asarray(level, dtype=np.float64)

    def cdf(self, params: Floats, value: Floats) -> Floats:
        """Probability of a code at most `value`."""
        masses = np.exp(params - log_sum_exp(params))
        levels = np.arange(self.n_levels)[:, None, None]
        return np.asarray((masses * (levels <= value)).sum(axis=0))


class MixtureParameters(NamedTuple):
    """Where the parameters of a mixture are among those of its feature."""

    logits: slice  # of the free components, as the following two
    means: slice
    raw_scales: slice
    recurring: slice  # logits of the values that recur


@dataclass(frozen=True)
class MixtureOfGaussians:
    """A continuous feature: a mixture of Gaussians with a thin Student t tail.

    The parameters of a feature are logits, means and raw scales, `n_components` of each, and
    the logits of the values that recur: components with a place of their own and the
    smallest scale. A scale is ``floor + softplus(raw)``: smooth, and never below the floor.
    """

    n_components: int
    floor: Floats  # (n_features,), of images
    recurring: Floats  # (n_features, n_recurring), images; NaN where there are fewer
    recurring_scale: Floats  # (n_features, n_recurring)

    @property
    def n_recurring(self) -> int:
        """Values that recur, of the feature that has most of them."""
        return self.recurring.shape[1]

    @property
    def n_params(self) -> int:
        """Logits, means and raw scales, and logits of the values that recur."""
        return 3 * self.n_components + self.n_recurring

    @property
    def parameters(self) -> MixtureParameters:
        """Where each kind of parameter is: no other file knows their order."""
        k = self.n_components
        ends = (0, k, 2 * k, 3 * k, self.n_params)
        return MixtureParameters(*(slice(*pair) for pair in pairwise(ends)))

    @property
    def n_units(self) -> int:
        """The value itself."""
        return 1

    def units(self, value: Floats) -> Floats:
        """Return the bounded value."""
        return np.minimum(np.maximum(value, -INPUT_BOUND), INPUT_BOUND)[:, None]

    def log_prob(self, params: Floats, value: Floats) -> Floats:
        """Log-density; finite for every finite value."""
        logits, means, raw = self.parts(params)
        precisions = np.reciprocal(self.scales(raw))
        distances = value - means
        distances *= precisions
        if self.n_recurring:
            places, widths = self.places()
            fixed = (value - places) / widths
            logits = np.concatenate([logits, self.own_logits(params)])
            precisions = np.concatenate([precisions, np.broadcast_to(1 / widths, fixed.shape)])
            distances = np.concatenate([distances, fixed])
        with np.errstate(over="ignore"):
            return with_tail(
                log_mixture(logits, precisions, distances), student_log_prob(value)
            )

    def sample(self, params: Floats, uniform: Floats) -> Floats:
        """Choose a component by the uniform, and use what is left of it within."""
        logits, means, raw = self.parts(params)
        below = uniform / (1 - TAIL_WEIGHT)  # one and above: the tail
        if len(logits) == 1 and not self.n_recurring:
            mean, scale, level = means[0], self.scales(raw)[0], below
        else:
            mean, scale, level = self._chosen(params, below)
        draw = np.asarray(mean + scale * ndtri(open_unit(level)))
        in_tail = below >= 1
        if in_tail.any():
            beyond = (uniform[in_tail] - (1 - TAIL_WEIGHT)) / TAIL_WEIGHT
            draw[in_tail] = student_quantile(open_unit(beyond))
        return draw

    def cdf(self, params: Floats, value: Floats) -> Floats:
        """Weighted sum of the components' distribution functions."""
        logits, means, scales = self.unpack(params)
        shares = np.exp(logits - log_sum_exp(logits))
        body = (shares * ndtr((value - means) / scales)).sum(axis=0)
        return np.asarray((1 - TAIL_WEIGHT) * body + TAIL_WEIGHT * student_cdf(value))

    def at(self, positions: Any) -> Self:
        """Return the law of some features."""
        constants = [getattr(self, field.name) for field in fields(self)[1:]]
        return type(self)(self.n_components, *(constant[positions] for constant in constants))

    def parts(self, params: Floats) -> tuple[Floats, Floats, Floats]:
        """View the logits, means and raw scales of the free components."""
        where = self.parameters
        return params[where.logits], params[where.means], params[where.raw_scales]

    def scales(self, raw: Floats) -> Floats:
        """Turn raw scales (..., F, n) into scales."""
        scales = softplus(raw + SOFTPLUS_ONE)
        scales += self.floor[:, None]
        return scales

    def own_logits(self, params: Floats) -> Floats:
        """Logits of the values that recur; of features that have fewer, the last get none."""
        absent = np.isnan(self.recurring).T[:, :, None]
        return np.where(absent, -np.inf, params[self.parameters.recurring])

    def places(self) -> tuple[Floats, Floats]:
        """Where the values that recur are, and their scales, (n_recurring, F, 1)."""
        places = np.nan_to_num(self.recurring).T[:, :, None]
        return places, self._recurring_scale().T[:, :, None]

    def unpack(self, params: Floats) -> tuple[Floats, Floats, Floats]:
        """Logits, means and scales of all components, values that recur included."""
        logits, means, raw = self.parts(params)
        own = self.own_logits(params)
        places, widths = (np.broadcast_to(part, own.shape) for part in self.places())
        pairs = ((logits, own), (means, places), (self.scales(raw), widths))
        logits, means, scales = (np.concatenate(pair) for pair in pairs)
        return logits, means, scales

    def _recurring_scale(self) -> Floats:
        return np.nan_to_num(self.recurring_scale, nan=1.0)

    def _chosen(self, params: Floats, level: Floats) -> tuple[Floats, Floats, Floats]:
        """Mean and scale of the component at a level of the mixture, and the level within."""
        logits, means, raw = self.parts(params)
        if self.n_recurring:
            logits = np.concatenate([logits, self.own_logits(params)])
        masses = np.exp(logits - logits.max(axis=0))
        upper = masses.cumsum(axis=0)
        reached = np.minimum(level, 1) * upper[-1]
        chosen = (reached >= upper[:-1]).sum(axis=0)
        cells = np.arange(chosen.shape[0])[:, None], np.arange(chosen.shape[1])
        mass = masses[chosen, *cells]
        within = (reached - (upper[chosen, *cells] - mass)) / np.maximum(mass, 1e-300)
        free = np.minimum(chosen, self.n_components - 1)
        mean, scale = means[free, *cells], self.scales(raw[free, *cells])
        if self.n_recurring:
            recurs = chosen >= self.n_components
            own = np.maximum(chosen - self.n_components, 0)
            places, widths = (part[own, cells[0], 0] for part in self.places())
            mean, scale = np.where(recurs, places, mean), np.where(recurs, widths, scale)
        return mean, scale, within


@dataclass(frozen=True)
class DiscretisedMixture(MixtureOfGaussians):
    """A count: the draw of a mixture of Gaussians, rounded to the nearest integer.

    The standardised integer k is ``origin + k * step``. `lowest` is that of the smallest
    possible integer, which takes all mass below it, or minus infinity.
    """

    origin: Floats  # (n_features,), as the following
    step: Floats
    lowest: Floats

    def log_prob(self, params: Floats, value: Floats) -> Floats:
        """Log-mass of an integer."""
        logits, means, raw = self.parts(params)
        step, lowest = self.step[:, None], self.lowest[:, None]
        scales = self.scales(raw)
        is_lowest = value < lowest + step / 2
        middle, width = (value - means) / scales, step / scales
        masses = log_interval(middle, width)
        if is_lowest.any():  # it has all that is below it, too
            masses = np.where(is_lowest, log_ndtr(middle + width / 2), masses)
        masses += logits
        if self.n_recurring:
            # Nothing but the integer itself has the mass of one that recurs.
            places, _ = self.places()
            own = self.own_logits(params)
            same = np.abs(value - places) < step / 2
            masses = np.concatenate([masses, np.where(same, own, -np.inf)])
            logits = np.concatenate([logits, own])
        body = log_sum_exp(masses) - log_sum_exp(logits)
        return with_tail(body, student_log_mass(value, step, is_lowest))

    def sample(self, params: Floats, uniform: Floats) -> Floats:
        """Round a draw of the mixture."""
        return self._round(super().sample(params, uniform), np.rint)

    def cdf(self, params: Floats, value: Floats) -> Floats:
        """Distribution function of the mixture at the upper edge of the integer below."""
        step, lowest = self.step[:, None], self.lowest[:, None]
        levels = super().cdf(params, self._round(value, np.floor) + step / 2)
        return np.where(value < lowest - step / 2, 0.0, levels)

    def _round(self, value: Floats, nearest: Callable[[Floats], Floats]) -> Floats:
        """Move a value to an integer's unit, `lowest` or above."""
        origin, step = self.origin[:, None], self.step[:, None]
        # A hair of room: the unit of an integer may lie one rounding error below it.
        steps = (value - origin) / step
        close = np.rint(steps)
        steps = np.where(np.abs(steps - close) < 1e-6, close, nearest(steps))
        return np.maximum(origin + steps * step, self.lowest[:, None])

    def _recurring_scale(self) -> Floats:
        return np.broadcast_to(1e-3 * self.step[:, None], self.recurring.shape)
