"""The law of one feature given those before it.

Bernoulli (binary), categorical, and that of a constant column; those of numbers are in
`mixtures`. Parameters (n_params, n_features, n_rows) are outputs of the network, values have
shape (n_features, n_rows), so one call serves every feature of a kind, and sums over components
or levels run over contiguous rows. Training has the same log-probabilities with slopes and the
same order of axes, in `log_prob`.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from .special import (
    log_sum_exp,
    softplus,
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

    def log_prob_once(self, params: Floats, value: Floats) -> Floats:
        """Log-probability by parameters that nobody needs afterwards: they are overwritten."""

    def sample(self, params: Floats, uniform: Floats) -> Floats:
        """Turn uniform numbers (F, n) in (0, 1) into draws (F, n)."""

    def cdf(self, params: Floats, value: Floats) -> Floats:
        """Probability of a value at most `value`, (F, n)."""

    def at(self, positions: Any) -> "Conditional":
        """Return the law of some features of the kind, by their positions among them."""


class Law:
    def log_prob(self, params: Floats, value: Floats) -> Floats:
        """Log-density (log-mass of a discrete feature) in nats, (F, n)."""
        shape = np.broadcast_shapes(params.shape[1:], value.shape)
        return self.log_prob_once(np.broadcast_to(params, (len(params), *shape)).copy(), value)

    def log_prob_once(self, params: Floats, value: Floats) -> Floats:
        """Log-probability by parameters that may be overwritten."""
        return self.log_prob(params, value)


class _SharedLaw(Law):
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
        logs = softplus(np.where(value > 0.5, -params[0], params[0]))
        return np.negative(logs, out=logs)

    def sample(self, params: Floats, uniform: Floats) -> Floats:
        """1 where the uniform falls below P(x = 1)."""
        return (uniform < expit(params[0])).astype(np.float64)

    def cdf(self, params: Floats, value: Floats) -> Floats:
        """Zero below 0, P(x = 0) below 1, then one."""
        return np.where(value < 0, 0.0, np.where(value < 1, expit(-params[0]), 1.0))


@dataclass(frozen=True)
class Constant(_SharedLaw):
    """A column of one value, about which there is nothing to say: its probability is one."""

    @property
    def n_params(self) -> int:
        """One, of which nothing depends: a network has outputs."""
        return 1

    @property
    def n_units(self) -> int:
        """None: it tells nothing of the others."""
        return 0

    def units(self, value: Floats) -> Floats:
        """No unit."""
        return np.empty((len(value), 0, value.shape[1]))

    def log_prob(self, params: Floats, value: Floats) -> Floats:
        """Zero."""
        return np.zeros(value.shape)

    def sample(self, params: Floats, uniform: Floats) -> Floats:
        """Zero, the standardised value."""
        return np.zeros(uniform.shape)

    def cdf(self, params: Floats, value: Floats) -> Floats:
        """One from the value on."""
        return np.where(value < 0, 0.0, 1.0)


@dataclass(frozen=True)
class Categorical(Law):
    """A feature with `n_levels` levels, coded 0, 1, ...; the parameters are logits.

    Those of levels that no row of fit had have no part in it: their mass is not the network's.
    """

    n_levels: int
    absent: NDArray[np.bool_]  # (n_features, n_levels)

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
        logits = self._logits(params)
        chosen = np.take_along_axis(logits, value[None].astype(np.intp), axis=0)[0]
        return np.asarray(chosen - log_sum_exp(logits))

    def sample(self, params: Floats, uniform: Floats) -> Floats:
        """Return the first level whose cumulative probability exceeds the uniform."""
        logits = self._logits(params)
        upper = np.exp(logits - logits.max(axis=0)).cumsum(axis=0)
        # The last sum is the total: where the uniform times it rounds to it, the last level.
        level = (uniform * upper[-1] >= upper[:-1]).sum(axis=0)
        return np.asarray(level, dtype=np.float64)

    def cdf(self, params: Floats, value: Floats) -> Floats:
        """Probability of a code at most `value`."""
        logits = self._logits(params)
        masses = np.exp(logits - log_sum_exp(logits))
        levels = np.arange(self.n_levels)[:, None, None]
        return np.asarray((masses * (levels <= value)).sum(axis=0))

    def at(self, positions: Any) -> Self:
        """Return the law of some features."""
        return type(self)(self.n_levels, self.absent[positions])

    def _logits(self, params: Floats) -> Floats:
        absent = self._absent
        return params if absent is None else np.where(absent, -np.inf, params)

    @cached_property
    def _absent(self) -> NDArray[np.bool_] | None:
        return self.absent.T[:, :, None] if self.absent.any() else None
