"""The way through the network and back, for a stack of members.

Tensors of weights are (M, n_out, n_in) and (M, n_out); those of rows (M, n_units, n). Stairs
are lists of four numbers: the first output and the end, and how many hidden units and units of
the inputs these outputs see (`order`).
"""

import torch
from torch import Tensor

from .compiled import compiled


@compiled
def activate(values: Tensor, activation: str) -> Tensor:
    """Apply an activation."""
    if activation == "relu":
        return torch.relu(values)
    if activation == "tanh":
        return torch.tanh(values)
    if activation == "logistic":
        return torch.sigmoid(values)
    if activation == "softplus":
        return torch.nn.functional.softplus(values)
    return values


@compiled
def times_rise(slope: Tensor, activated: Tensor, activation: str) -> Tensor:
    """Multiply slopes by the derivative of an activation, given its values."""
    if activation == "relu":
        return slope * (activated > 0)
    if activation == "tanh":
        return slope * (1 - activated.square())
    if activation == "logistic":
        return slope * (activated - activated.square())
    if activation == "softplus":
        return slope * torch.expm1(-activated).neg_()
    return slope


@compiled
def hidden_layers(
    units: Tensor,
    weights: list[Tensor],
    biases: list[Tensor],
    factors: list[Tensor],
    skips: list[bool],
    activation: str,
) -> tuple[list[Tensor], list[Tensor]]:
    """Return what enters each layer, from the units on, and what activations gave.

    `factors`, if any, are what dropout multiplies each layer by; `skips` says which hidden
    layers add their input.
    """
    inputs, activated = [units], [units][:0]
    for level in range(len(skips)):
        below = inputs[level]
        hidden = torch.baddbmm(biases[level].unsqueeze(2), weights[level], below)
        hidden = activate(hidden, activation)
        activated.append(hidden)
        if len(factors) > 0:
            hidden = hidden * factors[level]
        inputs.append(hidden + below if skips[level] else hidden)
    return inputs, activated


@compiled
def output_layer(
    inputs: list[Tensor], weight: Tensor, bias: Tensor, direct: Tensor, stairs: list[list[int]]
) -> Tensor:
    """Compute the outputs, (M, n_outputs, n), stair by stair."""
    units, hidden = inputs[0], inputs[-1]
    params = bias.unsqueeze(2).repeat(1, 1, units.size(2))  # a copy, of one row too
    for first, end, n_hidden, n_units in stairs:
        own = params[:, first:end]
        if n_hidden > 0:
            own.baddbmm_(weight[:, first:end, :n_hidden], hidden[:, :n_hidden])
        if n_units > 0:
            own.baddbmm_(direct[:, first:end, :n_units], units[:, :n_units])
    return params


@compiled
def way_back(
    slope: Tensor,
    inputs: list[Tensor],
    activated: list[Tensor],
    factors: list[Tensor],
    weights: list[Tensor],
    gates: list[Tensor],
    stairs: list[list[int]],
    skips: list[bool],
    activation: str,
    found: list[Tensor],
    add: bool,
) -> None:
    """Turn slopes of the outputs into those of matrices, gated, and of biases.

    They are written (or added) to `found`, in the order of weights. What no stair sees is zero
    there, and stays so: to set large matrices to zero at each step takes as long as products.
    """
    depth, units, hidden = len(skips), inputs[0], inputs[-1]
    above, output = torch.zeros_like(hidden), found[depth]
    by_direct = found[depth + 1]  # a bias, where no stair has direct connections
    beta = 1 if add else 0
    for first, end, n_hidden, n_units in stairs:
        own = slope[:, first:end]
        if n_hidden > 0:
            seen = hidden[:, :n_hidden].transpose(1, 2)
            output[:, first:end, :n_hidden].baddbmm_(own, seen, beta=beta)
            weight = weights[-1][:, first:end, :n_hidden]
            above[:, :n_hidden].baddbmm_(weight.transpose(1, 2), own)
        if n_units > 0:
            seen = units[:, :n_units].transpose(1, 2)
            by_direct[:, first:end, :n_units].baddbmm_(own, seen, beta=beta)
    biases = [slope.sum(dim=2)]
    for back in range(depth):
        level = depth - 1 - back
        slope = times_rise(above, activated[level], activation)
        if len(factors) > 0:
            slope = slope * factors[level]
        found[level].baddbmm_(slope, inputs[level].transpose(1, 2), beta=beta)
        biases.append(slope.sum(dim=2))
        if level > 0:
            through = torch.bmm(weights[level].transpose(1, 2), slope)
            above = through + above if skips[level] else through
    for k in range(len(biases)):
        bias = found[len(found) - 1 - k]
        bias.copy_(bias + biases[k] if add else biases[k])
    for k in range(len(gates)):
        found[k].mul_(gates[k])
