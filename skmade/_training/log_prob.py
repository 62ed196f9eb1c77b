"""Log-probabilities with gradients: the laws of `conditionals` as training needs them.

Parameters (..., n_params, n_features, n_rows) and values (..., n_features, n_rows) are torch
tensors in single precision, in which values and gradients stay finite far out. The axes are
those of `conditionals`, after one of members. A law's slopes come with its log-probabilities,
from the same exponentials: a training step would otherwise spend most of its time on them.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import logsigmoid

from .._network.conditionals import Bernoulli, Categorical, Conditional, Constant
from .._network.mixtures import DiscretisedMixture, MixtureOfGaussians, TruncatedMixture
from .._network.special import INPUT_BOUND
from .intervals import MAX_DISTANCE, student_log_interval
from .mixtures import (
    LOG_TAIL,
    Constants,
    log_mass,
    mixture_log_density,
    truncated_log_density,
)

# Atoms overlap where they are nearer than so many scales.
CROWDED = 6.0

# Turns an array into a tensor on the device and of the precision of training.
ToTensor = Callable[[NDArray[Any]], Tensor]

# Turns what is constant of a law into such a tensor, with an axis of members before it.
Each = Callable[[Callable[[Any], NDArray[Any]]], Tensor]


class TrainableLaw(Protocol):
    """What training asks of a law."""

    def units(self, value: Tensor) -> Tensor:
        """Turn values (...) into units (..., n_units)."""

    def log_prob(
        self,
        params: Tensor,
        value: Tensor,
        upstream: Tensor | None = None,
        slope: Tensor | None = None,
    ) -> Tensor:
        """Log-density (log-mass of a discrete feature) in nats.

        Its derivatives by the parameters, times `upstream` (of the values' shape), are written
        to `slope`, if that is given.
        """


def trainable(laws: Sequence[Conditional], to_tensor: ToTensor) -> TrainableLaw:
    """Return the twin, with gradients, of the laws of M members, or of one for all.

    They are of one kind, and say the same of the same features in different orders.
    """
    law = laws[0]
    if isinstance(law, Bernoulli):
        return _Bernoulli()
    if isinstance(law, Constant):
        return _Constant()

    def each(constant: Callable[[Any], NDArray[Any]]) -> Tensor:
        return to_tensor(np.stack([constant(own) for own in laws]))

    if isinstance(law, Categorical):
        return _Categorical(law, each)
    if isinstance(law, TruncatedMixture):
        return _TruncatedMixture(law, each)
    if isinstance(law, DiscretisedMixture):
        return _DiscretisedMixture(law, each)
    assert isinstance(law, MixtureOfGaussians)
    return _MixtureOfGaussians(law, each)


class _Bernoulli:
    def units(self, value: Tensor) -> Tensor:
        """0 or 1."""
        return value.unsqueeze(-2)

    def log_prob(
        self,
        params: Tensor,
        value: Tensor,
        upstream: Tensor | None = None,
        slope: Tensor | None = None,
    ) -> Tensor:
        """Log-mass of 0 or 1."""
        logit = params.squeeze(-3)
        if slope is not None and upstream is not None:
            torch.mul(value - torch.sigmoid(logit), upstream, out=slope.squeeze(-3))
        return logsigmoid(torch.where(value > 0.5, logit, -logit))


class _Constant:
    def units(self, value: Tensor) -> Tensor:
        """No unit."""
        return value.unsqueeze(-2)[..., :0, :]

    def log_prob(
        self,
        params: Tensor,
        value: Tensor,
        upstream: Tensor | None = None,
        slope: Tensor | None = None,
    ) -> Tensor:
        """Zero."""
        if slope is not None:
            slope.zero_()
        return torch.zeros_like(value)


class _Categorical:
    def __init__(self, law: Categorical, each: Each) -> None:
        self.levels = each(lambda law: np.arange(law.n_levels)[None, :, None])
        self.absent = None
        if law.absent.any():
            self.absent = each(lambda law: law.absent.T[:, :, None]) > 0

    def units(self, value: Tensor) -> Tensor:
        """1 for the level, 0 for the others."""
        return (value.unsqueeze(-2) == self.levels).to(value.dtype)

    def log_prob(
        self,
        params: Tensor,
        value: Tensor,
        upstream: Tensor | None = None,
        slope: Tensor | None = None,
    ) -> Tensor:
        """Log-mass of a level."""
        if self.absent is not None:
            params = params.masked_fill(self.absent, -torch.inf)
        level = value.long().unsqueeze(-3)
        logs = params.log_softmax(dim=-3)
        if slope is not None and upstream is not None:
            torch.mul(logs.exp(), -upstream.unsqueeze(-3), out=slope)
            slope.scatter_add_(-3, level, upstream.unsqueeze(-3))
        return logs.gather(-3, level).squeeze(-3)


class _MixtureOfGaussians:
    def __init__(self, law: MixtureOfGaussians, each: Each) -> None:
        self.where = law.parameters

        def of_atoms(constant: Callable[[Any], NDArray[Any]]) -> Tensor:
            # In memory feature by feature, as outputs are: torch keeps to that order.
            return each(lambda law: constant(law).swapaxes(0, 1)).transpose(1, 2)

        self.constants = Constants(
            floor=each(lambda law: law.floor[None, :, None]),
            places=of_atoms(lambda law: law.places()[0]),
            widths=of_atoms(lambda law: law.places()[1]),
            absent=of_atoms(lambda law: np.isnan(law.atoms).T[:, :, None]) > 0,
        )
        # Whether some atoms overlap.
        gaps, widths = np.diff(law.atoms, axis=1), law.places()[1]
        self.crowded = bool((gaps < CROWDED * widths[1:, :, 0].T).any())

    def units(self, value: Tensor) -> Tensor:
        """Return the bounded value."""
        return value.clamp(-INPUT_BOUND, INPUT_BOUND).unsqueeze(-2)

    def log_prob(
        self,
        params: Tensor,
        value: Tensor,
        upstream: Tensor | None = None,
        slope: Tensor | None = None,
    ) -> Tensor:
        """Log-density; finite for every finite value."""
        asked = self._asked(params, value, upstream, slope)
        return mixture_log_density(*asked, self.constants, self.crowded)

    def _asked(
        self, params: Tensor, value: Tensor, upstream: Tensor | None, slope: Tensor | None
    ) -> tuple[list[Tensor], Tensor, Tensor, list[Tensor]]:
        """Return the arguments of all functions of `mixtures`: parameters by their kinds."""
        parts, slopes = (
            [] if whole is None else [whole[..., kind, :, :] for kind in self.where]
            for whole in (params, slope)
        )
        return parts, value, value if upstream is None else upstream, slopes


class _TruncatedMixture(_MixtureOfGaussians):
    def __init__(self, law: TruncatedMixture, each: Each) -> None:
        super().__init__(law, each)

        low = _column(each, lambda law: law.edges[:, 0])
        high = _column(each, lambda law: law.edges[:, 1])
        self.log_tail = student_log_interval(low, high, high - low) + LOG_TAIL
        below, above = -low.unsqueeze(-3), high.unsqueeze(-3)
        # Most columns end at one side: their end, and the side.
        is_low = above >= MAX_DISTANCE
        end = torch.where(is_low, -below, above)
        self.edges = [below, above, end, torch.ones_like(end).masked_fill(is_low, -1.0)]
        self.one_sided = bool((np.isfinite(law.edges).sum(axis=1) == 1).all())

    def log_prob(
        self,
        params: Tensor,
        value: Tensor,
        upstream: Tensor | None = None,
        slope: Tensor | None = None,
    ) -> Tensor:
        """Log-density of a value between the edges."""
        asked = self._asked(params, value, upstream, slope)
        ends = self.edges, self.one_sided, self.log_tail
        return truncated_log_density(*asked, self.constants, self.crowded, *ends)


class _DiscretisedMixture(_MixtureOfGaussians):
    def __init__(self, law: DiscretisedMixture, each: Each) -> None:
        super().__init__(law, each)

        self.origin = _column(each, lambda law: law.origin)
        self.step = _column(each, lambda law: law.step)
        self.lowest = _column(each, lambda law: law.lowest)
        self.highest = _column(each, lambda law: law.highest)
        # Whether a feature has codes.
        self.coded = each(lambda law: ~np.isnan(law.codes[:, :1])) > 0
        self.n_codes = law.codes.shape[1]
        # What is not there is far from every value.
        far = MAX_DISTANCE
        self.codes = each(lambda law: np.nan_to_num(law.codes, nan=far).T[:, :, None])
        self.code_edges = each(lambda law: np.nan_to_num(law.code_edges, nan=far).T[:, :, None])

    def log_prob(
        self,
        params: Tensor,
        value: Tensor,
        upstream: Tensor | None = None,
        slope: Tensor | None = None,
    ) -> Tensor:
        """Log-mass of an integer."""
        lower, upper = self._cell(value)
        below, above = self._distances(value, lower, upper)
        tail = student_log_interval(value - below, value + above, below + above) + LOG_TAIL
        if self.n_codes:
            lower, upper = self._of_codes(value, lower, upper)
            below = torch.where(self.coded, value - lower, below)
            above = torch.where(self.coded, upper - value, above)
        parts, _, upstream, slopes = self._asked(params, value, upstream, slope)
        return log_mass(parts, value, below, above, tail, upstream, slopes, self.constants)

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
        half = self.step.unsqueeze(-3) / 2
        is_code = ((each - self.codes).abs() < half).any(dim=-3)
        own_lower = torch.full_like(value, -far)
        own_upper = torch.full_like(value, far)
        if self.n_codes > 1:
            below = self.code_edges < each
            own_lower = self.code_edges.masked_fill(~below, -far).amax(dim=-3)
            own_upper = self.code_edges.masked_fill(below, far).amin(dim=-3)
        own_lower, own_upper = (
            torch.where(is_code, edge, value) for edge in (own_lower, own_upper)
        )
        return (
            torch.where(self.coded, own_lower, lower),
            torch.where(self.coded, own_upper, upper),
        )


def _column(each: Each, constant: Callable[[Any], NDArray[Any]]) -> Tensor:
    """Return a number of each feature as a column (M, F, 1), infinite ones far out."""
    far = MAX_DISTANCE
    return each(lambda law: np.clip(constant(law), -far, far)[:, None])
