"""Mixtures of Gaussians with atoms: log-densities, log-masses, and their slopes.

Slopes come with the logarithm, from the same exponentials. Parameters are lists of logits,
means, raw scales (..., K, F, n) and logits of atoms (..., R, F, n), as are slopes; an empty
list asks for none.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from .._network.special import LOG_SQRT_2PI, SOFTPLUS_ONE, TAIL_WEIGHT
from .compiled import compiled
from .intervals import around, student_log_prob, up_to

LOG_BODY, LOG_TAIL = math.log1p(-TAIL_WEIGHT), math.log(TAIL_WEIGHT)

# In place of minus infinity.
LOWEST = -1e30

# Exponentials that are no normal numbers in single precision take several times as long;
# beside the largest, which is one, they count for nothing.
MIN_LOG_SHARE = -80.0

# A value is an atom whose log-density there is hardly less than at its place.
AT_ATOM = -0.5 * 0.05**2


class Constants(NamedTuple):
    """What does not change in training, with axes for members and components."""

    floor: Tensor  # (..., 1, F, 1)
    places: Tensor  # (..., R, F, 1), of atoms
    widths: Tensor
    absent: Tensor  # of features that have fewer


class Components(NamedTuple):
    """What the parameters say of a mixture's components; atoms follow the free ones."""

    means: Tensor  # (..., K, F, n), of the free components, as the following
    above: Tensor  # the scales, less the floor
    scales: Tensor
    log_shares: Tensor  # (..., K + R, F, n)


class Terms(NamedTuple):
    """The log of a sum over components, and what is needed to differentiate it."""

    log: Tensor  # (..., F, n)
    chances: Tensor  # (..., K + R, F, n), each component's share of it
    by_mean: Tensor  # (..., K, F, n), derivatives of the free components' logs, in scales
    by_scale: Tensor


@compiled
def joined(first: Tensor, second: Tensor) -> Tensor:
    """Put components of features after others, and stay feature by feature in memory."""
    parts = [first.transpose(-3, -2), second.transpose(-3, -2)]
    return torch.cat(parts, dim=-2).transpose(-3, -2)


@compiled
def components(
    params: list[Tensor], constants: Constants, one: float = SOFTPLUS_ONE
) -> Components:
    """Turn parameters into components."""
    logits, above = params[0], softplus(params[2] + one)
    if constants.places.size(-3) > 0:
        own = params[3].masked_fill(constants.absent, float("-inf"))
        logits = joined(logits, own)
    scales = above + constants.floor
    return Components(params[1], above, scales, logits.log_softmax(dim=-3))


@compiled
def added(
    logs: Tensor,
    by_mean: Tensor,
    by_scale: Tensor,
    lowest: float = LOWEST,
    least: float = MIN_LOG_SHARE,
) -> Terms:
    """Add up the exponentials of logarithms, which are overwritten."""
    # Where all are minus infinity, so is the sum, and no share is NaN.
    top = logs.amax(dim=-3, keepdim=True).clamp_(min=lowest)
    chances = logs.sub_(top).clamp_(min=least).exp_()
    total = chances.sum(dim=-3, keepdim=True)
    log = (top + total.log()).squeeze(-3)
    return Terms(log, chances.div_(total), by_mean, by_scale)


@compiled
def told_apart(chances: Tensor, fixed: Tensor, at_atom: float = AT_ATOM) -> Tensor:
    """Give the chances of all atoms (..., R, F, n) to the one that a value is.

    Where atoms are nearer to each other than they are wide, densities cannot tell them apart,
    and their shares would drift. Recorded values can.
    """
    is_own = (fixed == fixed.amax(dim=-3, keepdim=True)) & (fixed > at_atom)
    told = is_own.any(dim=-3, keepdim=True)
    return torch.where(told, chances.sum(dim=-3, keepdim=True) * is_own, chances)


@compiled
def set_slopes(
    slopes: list[Tensor],
    mixture: Components,
    terms: Terms,
    factor: Tensor,
    least: float = MIN_LOG_SHARE,
) -> None:
    """Write a factor (..., F, n) times the derivatives of the log of a sum."""
    k, factor = mixture.means.size(-3), factor.unsqueeze(-3)
    chances = terms.chances.mul_(factor)
    shares = mixture.log_shares.clamp(min=least).exp_()
    own = [chances.narrow(-3, 0, k), shares.narrow(-3, 0, k)]
    torch.addcmul(own[0], own[1], factor, value=-1, out=slopes[0])
    n_atoms = shares.size(-3) - k
    if n_atoms > 0:
        atoms = [chances.narrow(-3, k, n_atoms), shares.narrow(-3, k, n_atoms)]
        torch.addcmul(atoms[0], atoms[1], factor, value=-1, out=slopes[3])
    pull = own[0].div_(mixture.scales)
    torch.mul(pull, terms.by_mean, out=slopes[1])
    # The derivative of softplus, by its value, is less its own exponential.
    fall = torch.expm1(-mixture.above).mul_(pull)
    torch.mul(fall, -terms.by_scale, out=slopes[2])


@compiled
def log_density(
    mixture: Components,
    value: Tensor,
    upstream: Tensor,
    slopes: list[Tensor],
    constants: Constants,
    crowded: bool,
    log_body: float = LOG_BODY - LOG_SQRT_2PI,
    log_tail: float = LOG_TAIL,
) -> Tensor:
    """Log-density with the tail; with slopes if there is a list of them."""
    k, each = mixture.means.size(-3), value.unsqueeze(-3)
    distance = (each - mixture.means).div_(mixture.scales)
    squares = distance.square()
    shares = mixture.log_shares
    logs = (shares.narrow(-3, 0, k) - mixture.scales.log()).add_(squares, alpha=-0.5)
    fixed = squares
    n_atoms = constants.places.size(-3)
    if n_atoms > 0:
        fixed = ((each - constants.places) / constants.widths).square_().mul_(-0.5)
        own = shares.narrow(-3, k, n_atoms) - constants.widths.log()
        logs = joined(logs, own + fixed)
    terms = added(logs, distance, squares.sub(1))
    body = terms.log + log_body
    result = torch.logaddexp(body, student_log_prob(value) + log_tail)
    if len(slopes) > 0:
        if crowded:
            own = terms.chances.narrow(-3, k, n_atoms)
            fixed = fixed.masked_fill(constants.absent, float("-inf"))
            own.copy_(told_apart(own, fixed))
        set_slopes(slopes, mixture, terms, (body - result).exp_().mul_(upstream))
    return result


@compiled
def truncated_log_density(
    params: list[Tensor],
    value: Tensor,
    upstream: Tensor,
    slopes: list[Tensor],
    constants: Constants,
    crowded: bool,
    edges: list[Tensor],
    one_sided: bool,
    log_tail: Tensor,
    log_body: float = LOG_BODY,
) -> Tensor:
    """Log-density of a value between edges.

    These are how far they are below and above zero, and of one end, where it is and its side.
    """
    mixture = components(params, constants)
    result = log_density(mixture, value, upstream, slopes, constants, crowded)
    below, above, end, side = edges[0], edges[1], edges[2], edges[3]
    k = mixture.means.size(-3)
    if one_sided:
        interval = up_to((end - mixture.means).div_(mixture.scales * side), side)
    else:
        own = -mixture.means / mixture.scales
        interval = around(own, below / mixture.scales, above / mixture.scales)
    logs = mixture.log_shares.narrow(-3, 0, k) + interval.log_mass
    n_atoms = constants.places.size(-3)
    if n_atoms > 0:
        places, widths = constants.places, constants.widths
        if one_sided:
            inside = up_to((end - places).div_(widths * side), side).log_mass
        else:
            inside = around(-places / widths, below / widths, above / widths).log_mass
        logs = joined(logs, mixture.log_shares.narrow(-3, k, n_atoms) + inside)
    terms = added(logs, interval.by_mean, interval.by_scale)
    body = terms.log + log_body
    within = torch.logaddexp(body, log_tail)
    if len(slopes) > 0:
        by_mass = [torch.empty_like(slope) for slope in slopes]
        set_slopes(by_mass, mixture, terms, (body - within).exp_().mul_(upstream))
        for k in range(len(slopes)):
            slopes[k].sub_(by_mass[k])
    return result - within


@compiled
def log_mass(
    params: list[Tensor],
    value: Tensor,
    below: Tensor,
    above: Tensor,
    log_tail: Tensor,
    upstream: Tensor,
    slopes: list[Tensor],
    constants: Constants,
    log_body: float = LOG_BODY,
) -> Tensor:
    """Log-mass, with that of the tail, from so far below values to so far above them.

    Atoms are points: each is inside as a whole, or not.
    """
    mixture = components(params, constants)
    value, below, above = value.unsqueeze(-3), below.unsqueeze(-3), above.unsqueeze(-3)
    reach = [(value - mixture.means).div_(mixture.scales), below / mixture.scales]
    interval = around(reach[0], reach[1], above / mixture.scales)
    k, n_atoms = mixture.means.size(-3), constants.places.size(-3)
    logs = mixture.log_shares.narrow(-3, 0, k) + interval.log_mass
    if n_atoms > 0:
        places = constants.places
        outside = (places <= value - below) | (places >= value + above)
        own = mixture.log_shares.narrow(-3, k, n_atoms)
        logs = joined(logs, own.masked_fill(outside, float("-inf")))
    terms = added(logs, interval.by_mean, interval.by_scale)
    body = terms.log + log_body
    result = torch.logaddexp(body, log_tail)
    if len(slopes) > 0:
        set_slopes(slopes, mixture, terms, (body - result).exp_().mul_(upstream))
    return result


@compiled
def mixture_log_density(
    params: list[Tensor],
    value: Tensor,
    upstream: Tensor,
    slopes: list[Tensor],
    constants: Constants,
    crowded: bool,
) -> Tensor:
    """Log-density of a mixture that ends nowhere."""
    mixture = components(params, constants)
    return log_density(mixture, value, upstream, slopes, constants, crowded)
