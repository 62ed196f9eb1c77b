"""Ancestral sampling in the cost of about one pass.

Drawing feature by feature needs the parameters of one feature at a time, and those depend
only on hidden units whose degree is lower than its rank. With the units of every layer
sorted by degree, the units to compute next are a block and what they see is a prefix, so
that each hidden unit is computed once, as soon as the features it may see are drawn (or
given: a cell that is not to be drawn keeps its value).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ._masks import Integers
from ._network import ACTIVATIONS, MADE, Layers

# Rows are drawn together whose units take this much memory: many, since every step of the
# walk has a cost of its own, but not more than stays near the processor.
CHUNK_BYTES = 2**25


@dataclass(frozen=True)
class _Plan:
    """One member's masked weights with every layer sorted by degree, units by rank."""

    ordering: Integers  # (D,), features by rank
    n_units: NDArray[np.int64]  # n_units[r]: units of features of rank <= r
    places: Tensor  # (n_units,), where each unit is among the sorted ones
    weights: list[Tensor]  # (n_out, n_in), hidden layers
    biases: list[Tensor]  # (n_out, 1)
    ends: list[NDArray[np.int64]]  # ends[l][r]: units of layer l with degree <= r
    output: Tensor  # (n_outputs, n_last)
    output_bias: Tensor  # (n_outputs, 1)
    direct: Tensor | None  # (n_direct outputs, n_direct units), units by rank
    direct_places: Tensor  # (n_direct units,), where they are among the sorted units
    n_direct: NDArray[np.int64]  # n_direct[r]: those of features of rank <= r


def sample_values(
    made: MADE,
    layers: Layers,
    ranks: Integers,
    degrees: list[Integers],
    uniforms: Tensor,
    given: Tensor | None = None,
    drawn: Tensor | None = None,
) -> Tensor:
    """Draw rows of values feature by feature, each hidden unit computed once.

    Parameters
    ----------
    made : the network's shape
    layers : masked weights of one member
    ranks : (n_features,)
    degrees : (n_units,) for each hidden layer
    uniforms : (n_rows, n_features), one number in (0, 1) for each cell
    given : (n_rows, n_features), values of the cells that are not drawn; NaN is missing
    drawn : (n_rows, n_features), which cells are drawn; None for all

    Returns
    -------
    values : (n_rows, n_features)
    """
    plan = _plan(made, layers, ranks, degrees)
    given = torch.zeros_like(uniforms) if given is None else given
    drawn = torch.ones_like(uniforms, dtype=torch.bool) if drawn is None else drawn
    width = len(made.unit_features) + sum(made.hidden_layer_sizes)
    chunk_rows = max(1, CHUNK_BYTES // (uniforms.element_size() * width))
    parts = zip(*(table.split(chunk_rows) for table in (uniforms, given, drawn)), strict=True)
    return torch.cat([_sample_chunk(made, plan, *part) for part in parts])


def _plan(made: MADE, layers: Layers, ranks: Integers, degrees: list[Integers]) -> _Plan:
    levels = np.arange(len(ranks) + 1)
    unit_ranks = ranks[made.unit_features]
    n_direct = made.n_direct[1]
    sides = [np.argsort(unit_ranks, kind="stable")]
    sides += [np.argsort(layer, kind="stable") for layer in degrees]
    orders = [torch.from_numpy(side) for side in sides]
    places = torch.from_numpy(np.argsort(sides[0]))
    direct_order = torch.from_numpy(np.argsort(unit_ranks[:n_direct], kind="stable"))
    hidden = range(len(degrees))
    return _Plan(
        ordering=np.argsort(ranks),
        n_units=np.searchsorted(np.sort(unit_ranks), levels, side="right"),
        places=places,
        weights=[layers.weights[h][orders[h + 1]][:, orders[h]] for h in hidden],
        biases=[layers.biases[h][orders[h + 1], None] for h in hidden],
        ends=[np.searchsorted(np.sort(layer), levels, side="right") for layer in degrees],
        output=layers.weights[-1][:, orders[-1]],
        output_bias=layers.biases[-1][:, None],
        direct=None if layers.direct is None else layers.direct[:, direct_order],
        direct_places=places[:n_direct][direct_order],
        n_direct=np.searchsorted(np.sort(unit_ranks[:n_direct]), levels, side="right"),
    )


def _sample_chunk(
    made: MADE, plan: _Plan, uniforms: Tensor, given: Tensor, drawn: Tensor
) -> Tensor:
    """Walk the features in their ordering for one chunk of rows."""
    # Rows run along the last axis: products of a few units with many rows are then fast.
    n_rows = len(uniforms)
    values = given.clone()
    units = uniforms.new_empty(len(plan.places), n_rows)  # by rank
    hidden = [uniforms.new_empty(len(bias), n_rows) for bias in plan.biases]
    by_feature = made.by_feature()
    for rank, column in enumerate(plan.ordering, start=1):
        law, outputs, own = by_feature[column]
        here = drawn[:, column]
        if here.any():
            params = _params(plan, rank, outputs, units, hidden[-1])
            draw = law.sample(params, uniforms[:, column : column + 1])[:, 0]
            values[:, column] = torch.where(here, draw, values[:, column])
        value = values[:, column]
        units[plan.places[own]] = law.units(value).T.nan_to_num(nan=0.0)
        if made.conditioning_weights:
            place = plan.places[made.present_units.start + column]
            units[place] = (~value.isnan()).to(units.dtype)
        _compute_degree(made, plan, rank, units, hidden)
    return values


def _params(plan: _Plan, rank: int, outputs: slice, units: Tensor, last: Tensor) -> Tensor:
    """Parameters of the feature of a rank, (n_rows, 1, n_params)."""
    seen = plan.ends[-1][rank - 1]
    params = torch.addmm(plan.output_bias[outputs], plan.output[outputs, :seen], last[:seen])
    if plan.direct is not None and outputs.stop <= len(plan.direct):
        n_seen = int(plan.n_direct[rank - 1])
        everything = len(plan.direct_places) == len(units)  # then no copy is needed
        below = units[:n_seen] if everything else units[plan.direct_places[:n_seen]]
        params.addmm_(plan.direct[outputs, :n_seen], below)
    return params.T.contiguous().unsqueeze(1)


def _compute_degree(
    made: MADE, plan: _Plan, degree: int, units: Tensor, hidden: list[Tensor]
) -> None:
    """Fill in the hidden units of one degree, layer by layer."""
    activate = ACTIVATIONS[made.activation]
    below, n_below = units, int(plan.n_units[degree])
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
