"""The laws of numbers: mixtures of Gaussians, those that end, and those of integers.

Axes are those of `conditionals`. Training has the same laws with slopes, in its own `mixtures`.
"""

import math
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from .conditionals import Law
from .special import (
    INPUT_BOUND,
    LOG_SQRT_2PI,
    MAX_DISTANCE,
    SOFTPLUS_ONE,
    TAIL_WEIGHT,
    exponentials,
    gaussian_mass,
    gaussian_quantile,
    gaussians,
    log_gaussian,
    log_interval,
    log_ratio,
    log_sum_exp,
    open_unit,
    softplus,
    student_cdf,
    student_log_interval,
    student_log_prob,
    student_quantile,
    weighted_sum,
    with_tail,
)

Floats = NDArray[np.float64]


class MixtureParameters(NamedTuple):
    """Where the parameters of a mixture are among those of its feature."""

    logits: slice  # of the free components, as the following two
    means: slice
    raw_scales: slice
    atoms: slice  # logits of the atoms


@dataclass(frozen=True)
class MixtureOfGaussians(Law):
    """A continuous feature: a mixture of Gaussians with a thin Student t tail.

    The parameters of a feature are logits, means and raw scales, `n_components` of each, and
    the logits of the atoms: components with a place of their own and the smallest scale, which
    are drawn exactly at their place. A scale is ``floor + softplus(raw)``: smooth, and never
    below the floor.
    """

    n_components: int
    floor: Floats  # (n_features,), of images
    atoms: Floats  # (n_features, n_atoms), images; NaN where there are fewer
    atom_scales: Floats  # (n_features, n_atoms)

    @property
    def n_atoms(self) -> int:
        """Number of atoms, of the feature that has most of them."""
        return self.atoms.shape[1]

    @property
    def n_params(self) -> int:
        """Logits, means and raw scales, and logits of the atoms."""
        return 3 * self.n_components + self.n_atoms

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

    def log_prob_once(self, params: Floats, value: Floats) -> Floats:
        """Log-density; finite for every finite value."""
        _, means, raw = self.parts(params)
        with np.errstate(over="ignore"):
            if len(params) == 3:
                scales = self.scales(raw[0], out=raw[0])
                body = log_gaussian((value - means[0]) / scales, scales)
            else:
                shares, total = self._shares(params)
                body = self._log_body(shares, total, means, self.scales(raw, out=raw), value)
            return with_tail(body, student_log_prob(value))

    def sample(self, params: Floats, uniform: Floats) -> Floats:
        """Choose a component by the uniform, and use what is left of it within."""
        logits, means, raw = self.parts(params)
        below = uniform / (1 - TAIL_WEIGHT)  # one and above: the tail
        if len(logits) == 1 and not self.n_atoms:
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

    def scales(self, raw: Floats, out: Floats | None = None) -> Floats:
        """Turn raw scales (..., F, n) into scales."""
        scales = np.add(raw, SOFTPLUS_ONE, out=out)
        softplus(scales, out=scales)
        scales += self.floor[:, None]
        return scales

    def own_logits(self, params: Floats) -> Floats:
        """Logits of the atoms; of features that have fewer, the last get none."""
        own = params[self.parameters.atoms]
        absent = self._absent_atoms
        return own if absent is None else np.where(absent, -np.inf, own)

    def places(self) -> tuple[Floats, Floats]:
        """Where the atoms are, and their scales, (n_atoms, F, 1)."""
        return self._places

    @cached_property
    def _absent_atoms(self) -> NDArray[np.bool_] | None:
        absent = np.isnan(self.atoms).T[:, :, None]
        return absent if absent.any() else None

    @cached_property
    def _places(self) -> tuple[Floats, Floats]:
        places = np.nan_to_num(self.atoms).T[:, :, None]
        return places, self._atom_scales().T[:, :, None]

    def _shares(self, params: Floats) -> tuple[list[Floats], Floats]:
        """Turn logits into numbers proportional to shares, and return them and their sum."""
        shares = [params[self.parameters.logits]]
        if self.n_atoms:
            shares.append(self.own_logits(params))
        return shares, exponentials(*shares)

    def _log_body(
        self, shares: list[Floats], total: Floats, means: Floats, scales: Floats, value: Floats
    ) -> Floats:
        """Log-density of the mixture; the means are overwritten."""
        distances = np.subtract(value, means, out=means)
        distances /= scales
        density = weighted_sum(shares[0], gaussians(distances, scales))
        if self.n_atoms:
            places, widths = self.places()
            density += weighted_sum(shares[1], gaussians((value - places) / widths, widths))
        logs = log_ratio(density, total)
        logs -= LOG_SQRT_2PI
        return logs

    def unpack(self, params: Floats) -> tuple[Floats, Floats, Floats]:
        """Logits, means and scales of all components, atoms included."""
        logits, means, raw = self.parts(params)
        own = self.own_logits(params)
        places, widths = (np.broadcast_to(part, own.shape) for part in self.places())
        pairs = ((logits, own), (means, places), (self.scales(raw), widths))
        logits, means, scales = (np.concatenate(pair) for pair in pairs)
        return logits, means, scales

    def components(self, params: Floats) -> tuple[Floats, Floats, Floats]:
        """Means, scales and shares of the free components, (n_components, F, n)."""
        logits, means, raw = self.parts(params)
        return means, self.scales(raw), np.exp(logits - log_sum_exp(logits))

    def _atom_scales(self) -> Floats:
        return np.nan_to_num(self.atom_scales, nan=1.0)

    def log_mass(self, params: Floats, lower: Floats, upper: Floats) -> Floats:
        """Log-mass between two images (F, n), which may be infinite."""
        logits, means, scales = self.unpack(params)
        masses = logits + log_interval((lower - means) / scales, (upper - means) / scales)
        body = log_sum_exp(masses) - log_sum_exp(logits)
        return with_tail(body, student_log_interval(lower, upper))

    def _chosen(self, params: Floats, level: Floats) -> tuple[Floats, Floats, Floats]:
        """Mean and scale of the component at a level of the mixture, and the level within.

        An atom has no scale: it is drawn as it is.
        """
        logits, means, raw = self.parts(params)
        if self.n_atoms:
            logits = np.concatenate([logits, self.own_logits(params)])
        chosen, within = _component(np.exp(logits - logits.max(axis=0)), level)
        cells = np.arange(chosen.shape[0])[:, None], np.arange(chosen.shape[1])
        free = np.minimum(chosen, self.n_components - 1)
        mean, scale = means[free, *cells], self.scales(raw[free, *cells])
        if self.n_atoms:
            is_atom = chosen >= self.n_components
            own = np.maximum(chosen - self.n_components, 0)
            places = self.places()[0][own, cells[0], 0]
            mean, scale = np.where(is_atom, places, mean), np.where(is_atom, 0.0, scale)
        return mean, scale, within


def _component(masses: Floats, level: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Return which component is at a level of the mixture, and the level within it, (F, n)."""
    upper = masses.cumsum(axis=0)
    reached = np.minimum(level, 1) * upper[-1]
    chosen = (reached >= upper[:-1]).sum(axis=0)
    cells = np.arange(chosen.shape[0])[:, None], np.arange(chosen.shape[1])
    mass = masses[chosen, *cells]
    within = (reached - (upper[chosen, *cells] - mass)) / np.maximum(mass, 1e-300)
    return chosen, within


@dataclass(frozen=True)
class TruncatedMixture(MixtureOfGaussians):
    """A continuous feature that ends: a mixture that has all its mass between two images."""

    edges: Floats  # (n_features, 2), infinite where it does not end

    def log_prob_once(self, params: Floats, value: Floats) -> Floats:
        """Log-density of a value between the edges."""
        _, means, raw = self.parts(params)
        shares, total = self._shares(params)
        scales = self.scales(raw, out=raw)
        with np.errstate(over="ignore"):
            within = weighted_sum(shares[0], self._masses_within(means, scales))
            if self.n_atoms:
                within += weighted_sum(shares[1], self._atoms_within)
            body = self._log_body(shares, total, means, scales, value)
            logs = with_tail(body, student_log_prob(value))
        logs -= with_tail(log_ratio(within, total), self._log_tail_within)
        return logs

    def sample(self, params: Floats, uniform: Floats) -> Floats:
        """Choose a component, or the tail, by its mass between the edges, and a value there."""
        logits, means, scales = self.unpack(params)
        lower, upper = self._edges
        low, high = (lower - means) / scales, (upper - means) / scales
        logs = logits - log_sum_exp(logits) + log_interval(low, high)
        tail = student_log_interval(lower, upper) + math.log(TAIL_WEIGHT / (1 - TAIL_WEIGHT))
        logs = np.concatenate([logs, np.broadcast_to(tail, logs.shape[1:])[None]])
        chosen, level = _component(np.exp(logs - logs.max(axis=0)), uniform)
        cells = np.arange(chosen.shape[0])[:, None], np.arange(chosen.shape[1])
        own = np.minimum(chosen, len(means) - 1), *cells
        within = gaussian_quantile(level, low[own], high[own])
        draw = means[own] + np.where(chosen < self.n_components, scales[own], 0.0) * within
        below, above = student_cdf(lower), student_cdf(upper)
        beyond = student_quantile(open_unit(below + level * (above - below)))
        return np.clip(np.where(chosen == len(means), beyond, draw), lower, upper)

    def cdf(self, params: Floats, value: Floats) -> Floats:
        """Probability of a value at most `value`."""
        lower, upper = self._edges
        inside = np.clip(value, lower, upper)
        return np.exp(
            self.log_mass(params, lower, inside) - self.log_mass(params, *self._edges)
        )

    def _masses_within(self, means: Floats, scales: Floats) -> Floats:
        """Mass of each component between the edges."""
        lower, upper = self._edges
        if np.isposinf(self.edges[:, 1]).all():  # most columns that end do so below alone
            low = np.subtract(means, lower)
            low /= scales
            return ndtr(low, out=low)
        return gaussian_mass((lower - means) / scales, (upper - means) / scales)

    @property
    def atoms_inside(self) -> Floats:
        """Mass of each atom's Gaussian between the edges, (n_features, n_atoms)."""
        lower, upper = self._edges
        places, widths = (part[:, :, 0].T for part in self.places())
        return np.exp(log_interval((lower - places) / widths, (upper - places) / widths))

    @cached_property
    def _atoms_within(self) -> Floats:
        return self.atoms_inside.T[:, :, None]

    @cached_property
    def _log_tail_within(self) -> Floats:
        return student_log_interval(*self._edges)

    @cached_property
    def _edges(self) -> tuple[Floats, Floats]:
        edges = np.clip(self.edges, -MAX_DISTANCE, MAX_DISTANCE)
        return edges[:, :1], edges[:, 1:]


@dataclass(frozen=True)
class DiscretisedMixture(MixtureOfGaussians):
    """A count: the draw of a mixture of Gaussians, moved to the nearest integer.

    The standardised integer k is ``origin + k * step``. A lowest and a highest integer take
    all mass beyond them, too. Where codes are the only values, all mass goes to the nearest
    one, but for the sliver of the tail.
    """

    origin: Floats  # (n_features,), as the following
    step: Floats
    lowest: Floats  # standardised, infinite where there is none
    highest: Floats
    codes: Floats  # (n_features, n_codes), standardised; NaN where there are fewer

    def log_prob_once(self, params: Floats, value: Floats) -> Floats:
        """Log-mass of an integer."""
        _, means, raw = self.parts(params)
        shares, total = self._shares(params)
        scales = self.scales(raw, out=raw)
        cell = self._cell(value)
        lower, upper = self._cells(value, cell)
        with np.errstate(over="ignore"):
            low = (lower - means) / scales
            high = np.subtract(upper, means, out=means)
            high /= scales
            mass = weighted_sum(shares[0], gaussian_mass(low, high))
        if self.n_atoms:
            places = self.places()[0]
            inside = (lower < places) & (places < upper)
            mass += weighted_sum(shares[1], inside.astype(np.float64))
        body = log_ratio(mass, total)
        if self.codes.shape[1]:
            body[lower >= upper] = -np.inf
        return with_tail(body, student_log_interval(*cell, self.step[:, None]))

    def sample(self, params: Floats, uniform: Floats) -> Floats:
        """Move a draw of the mixture to an integer, or code."""
        return self.nearest(super().sample(params, uniform))

    def cdf(self, params: Floats, value: Floats) -> Floats:
        """Distribution function of the mixture at the upper edge of the integer below."""
        origin, step = self.origin[:, None], self.step[:, None]
        # A hair of room: the unit of an integer may lie one rounding error below it.
        below = origin + np.floor((value - origin) / step + 1e-6) * step
        if self.codes.shape[1]:
            codes = np.where(self._codes < value + 1e-6 * step, self._codes, -np.inf)
            coded = ~np.isnan(self.codes[:, :1])
            below = np.where(coded, np.nanmax(codes, axis=0), below)
        within = np.where(np.isfinite(below), below, 0.0)
        upper = self._cells(within, self._cell(within))[1]
        levels = np.where(np.isfinite(upper), super().cdf(params, upper), 1.0)
        beyond = (below < self.lowest[:, None] - step / 2) | ~np.isfinite(below)
        return np.where(beyond, 0.0, levels)

    @property
    def _codes(self) -> Floats:
        return self.codes.T[:, :, None]

    def nearest(self, value: Floats) -> Floats:
        """Return the nearest integer or code, (F, n)."""
        origin, step = self.origin[:, None], self.step[:, None]
        nearest = origin + np.rint((value - origin) / step) * step
        nearest = np.clip(nearest, self.lowest[:, None], self.highest[:, None])
        if not self.codes.shape[1]:
            return nearest
        distance = np.abs(np.where(np.isnan(self._codes), np.inf, self._codes) - value)
        chosen = distance.argmin(axis=0)
        codes = self.codes[np.arange(len(chosen))[:, None], chosen]
        return np.where(np.isnan(codes), nearest, codes)

    def _cell(self, value: Floats) -> tuple[Floats, Floats]:
        """Return the edges of an integer's cell, (F, n) each."""
        origin, half = self.origin[:, None], self.step[:, None] / 2
        nearest = origin + np.rint((value - origin) / (2 * half)) * (2 * half)
        is_lowest = nearest < self.lowest[:, None] + half
        is_highest = nearest > self.highest[:, None] - half
        return (
            np.where(is_lowest, -np.inf, nearest - half),
            np.where(is_highest, np.inf, nearest + half),
        )

    def _cells(self, value: Floats, cell: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
        """Return the edges of what counts as an integer or code; beside codes nothing does."""
        lower, upper = cell
        if not self.codes.shape[1]:
            return lower, upper
        nearest = self.nearest(value)
        edges = self.code_edges.T[:, :, None]
        with np.errstate(invalid="ignore"):
            own_lower = np.where(edges < nearest, edges, -np.inf).max(axis=0)
            own_upper = np.where(edges > nearest, edges, np.inf).min(axis=0)
        same = np.abs(value - nearest) < self.step[:, None] / 2
        coded = ~np.isnan(self.codes[:, :1])
        lower = np.where(coded, np.where(same, own_lower, value), lower)
        return lower, np.where(coded, np.where(same, own_upper, value), upper)

    @property
    def code_edges(self) -> Floats:
        """Halfway between two codes their cells meet, (F, n_codes - 1)."""
        return (self.codes[:, 1:] + self.codes[:, :-1]) / 2

    def _atom_scales(self) -> Floats:
        return np.broadcast_to(1e-3 * self.step[:, None], self.atoms.shape)
