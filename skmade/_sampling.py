"""Ancestral sampling in the cost of about one pass.

Drawing feature by feature needs the parameters of one feature at a time, and those depend
only on hidden units whose degree is lower than its rank. With the units of every layer
sorted by degree, the units to compute next are a block and what they see is a prefix, so
that each hidden unit is computed once, as soon as the features it may see are drawn.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ._masks import Integers
from ._network import ACTIVATIONS, INPUT_BOUND, MADE, Layers

# Rows are drawn together whose units take this much memory: many, since every step of the
# walk has a cost of its own, but not more than stays near the processor.
CHUNK_BYTES = 2**25


@dataclass(frozen=True)
class _Plan:
    """One member's masked weights with every layer sorted by degree, inputs by rank."""

    weights: list[Tensor]  # (n_out, n_in), hidden layers
    biases: list[Tensor]  # (n_out, 1)
    ends: list[NDArray[np.int64]]  # ends[l][r]: units of layer l with degree <= r
    output: Tensor  # (n_outputs, n_last)
    output_bias: Tensor  # (n_outputs, 1)
    direct: Tensor | None  # (n_outputs, D)


def sample_units(
    made: MADE, layers: Layers, ranks: Integers, degrees: list[Integers], uniforms: Tensor
) -> Tensor:
    """Draw rows of units feature by feature, each hidden unit computed once.

    Parameters
    ----------
    made : the network's shape
    layers : masked weights of one member
    ranks : (n_features,)
    degrees : (n_units,) for each hidden layer
    uniforms : (n_rows, n_features), one number in (0, 1) for each cell

    Returns
    -------
    units : (n_rows, n_features)
    """
    plan = _plan(layers, ranks, degrees)
    order = np.argsort(ranks)
    width = made.n_features + sum(made.hidden_layer_sizes)
    chunk_rows = max(1, CHUNK_BYTES // (uniforms.element_size() * width))
    chunks = [_sample_chunk(made, plan, order, part) for part in uniforms.split(chunk_rows)]
    return torch.cat(chunks)


def _plan(layers: Layers, ranks: Integers, degrees: list[Integers]) -> _Plan:
    sides = [np.argsort(ranks), *(np.argsort(layer, kind="stable") for layer in degrees)]
    orders = [torch.from_numpy(side) for side in sides]
    hidden = range(len(degrees))
    return _Plan(
        weights=[layers.weights[h][orders[h + 1]][:, orders[h]] for h in hidden],
        biases=[layers.biases[h][orders[h + 1], None] for h in hidden],
        ends=[
            np.searchsorted(np.sort(layer), np.arange(len(ranks) + 1), side="right")
            for layer in degrees
        ],
        output=layers.weights[-1][:, orders[-1]],
        output_bias=layers.biases[-1][:, None],
        direct=None if layers.direct is None else layers.direct[:, orders[0]],
    )


def _sample_chunk(made: MADE, plan: _Plan, order: Integers, uniforms: Tensor) -> Tensor:
    """Walk the features in their ordering for one chunk of rows."""
    # Rows run along the last axis: products of a few units with many rows are then fast.
    n_rows = len(uniforms)
    units = torch.empty_like(uniforms)
    inputs = uniforms.new_empty(len(order), n_rows)  # bounded units, by rank
    hidden = [uniforms.new_empty(len(bias), n_rows) for bias in plan.biases]
    outputs_of = made.outputs_by_feature()
    for rank, column in enumerate(order, start=1):
        law, outputs = outputs_of[column]
        seen = plan.ends[-1][rank - 1]
        params = torch.addmm(
            plan.output_bias[outputs], plan.output[outputs, :seen], hidden[-1][:seen]
        )
        if plan.direct is not None:
            params.addmm_(plan.direct[outputs, : rank - 1], inputs[: rank - 1])
        drawn = law.sample(
            params.T.contiguous().unsqueeze(1), uniforms[:, column : column + 1]
        )[:, 0]
        units[:, column] = drawn
        torch.clamp(drawn, -INPUT_BOUND, INPUT_BOUND, out=inputs[rank - 1])
        _compute_degree(made, plan, rank, inputs, hidden)
    return units


def _compute_degree(
    made: MADE, plan: _Plan, degree: int, inputs: Tensor, hidden: list[Tensor]
) -> None:
    """Fill in the hidden units of one degree, layer by layer."""
    activate = ACTIVATIONS[made.activation]
    below, n_below = inputs, degree
    for level, (weight, bias, ends) in enumerate(
        zip(plan.weights, plan.biases, plan.ends, strict=True)
    ):
        block = slice(ends[degree - 1], ends[degree])
        if block.start < block.stop:
            update = activate(
                torch.addmm(bias[block], weight[block, :n_below], below[:n_below])
            )
            hidden[level][block] = below[block] + update if made.skips(level) else update
        below, n_below = hidden[level], int(ends[degree])
