"""The MADE: values and masks in, log p(x) out.

Values, one for each feature, are standardised numbers or codes; NaN is a missing cell. The
laws of the features turn them into the units that enter the network. A missing cell enters
as zeros, and has no part in the log-probability. With conditioning weights every feature has
one more unit, which is 1 where its cell is present.

A stack of M members is computed together: every weight has a leading axis of length M, so
that eight small networks cost a few large matrix products instead of many small ones.
Weights live in one flat vector a member, outside this module's functions, which never
write to them: masking makes new matrices.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ._conditionals import Conditional
from ._masks import Booleans, Integers, layer_masks

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "logistic": torch.sigmoid,
    "softplus": torch.nn.functional.softplus,
    "identity": lambda values: values,
}

# The process that imported this module, and whose thread pool torch uses.
_PROCESS = os.getpid()

# Features of more units than this have no direct connections: between two categories of
# 1000 levels they would be a million weights.
MAX_DIRECT_UNITS = 64


@dataclass(frozen=True)
class Layers:
    """Masked weights, ready for matrix products: (M, n_out, n_in) and (M, n_out)."""

    weights: list[Tensor]  # hidden layers, then output
    biases: list[Tensor]
    direct: Tensor | None

    def member(self, position: int) -> "Layers":
        """Return the layers of one member, without the leading axis."""
        direct = None if self.direct is None else self.direct[position]
        return Layers(
            [w[position] for w in self.weights], [b[position] for b in self.biases], direct
        )


@dataclass(frozen=True)
class MADE:
    """A masked autoencoder's shape; its weights are passed to each method.

    `groups` are laws with the columns they describe. Outputs are parameters in the order of
    the groups, feature by feature; units likewise, with those that tell which cells are
    present after the groups that have direct connections.
    """

    groups: tuple[tuple[Conditional, Integers], ...]
    hidden_layer_sizes: tuple[int, ...]
    activation: str = "relu"
    residual: bool = True
    direct_connections: bool = True
    conditioning_weights: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "groups", tuple(sorted(self.groups, key=lambda g: _is_large(g[0])))
        )

    @cached_property
    def n_features(self) -> int:
        """Number of features, D."""
        return sum(len(columns) for _, columns in self.groups)

    @cached_property
    def output_features(self) -> Integers:
        """The feature that each output describes."""
        return np.concatenate(
            [np.repeat(columns, law.n_params) for law, columns in self.groups]
        )

    @cached_property
    def unit_features(self) -> Integers:
        """The feature that each unit describes."""
        parts = [np.repeat(columns, law.n_units) for law, columns in self.groups]
        if self.conditioning_weights:
            parts.insert(len(self.small_groups), np.arange(self.n_features))
        return np.concatenate(parts)

    @cached_property
    def n_direct(self) -> tuple[int, int]:
        """How many of the first outputs and units have direct connections."""
        n_outputs = sum(len(columns) * law.n_params for law, columns in self.small_groups)
        n_units = sum(len(columns) * law.n_units for law, columns in self.small_groups)
        return n_outputs, n_units + self.conditioning_weights * self.n_features

    @cached_property
    def present_units(self) -> slice:
        """Where the units are that tell which cells are present."""
        n_units = self.n_direct[1]
        return slice(n_units - self.conditioning_weights * self.n_features, n_units)

    @property
    def small_groups(self) -> tuple[tuple[Conditional, Integers], ...]:
        """The first groups, those with direct connections."""
        return tuple(group for group in self.groups if not _is_large(group[0]))

    def by_feature(self) -> list[tuple[Conditional, slice, slice]]:
        """Each feature's law, the outputs that hold its parameters, and its units."""
        found: dict[int, tuple[Conditional, slice, slice]] = {}
        output, unit = 0, 0
        for index, (law, columns) in enumerate(self.groups):
            if index == len(self.small_groups):
                unit = self.n_direct[1]
            for position, column in enumerate(columns):
                outputs = slice(output, output + law.n_params)
                units = slice(unit, unit + law.n_units)
                found[int(column)] = law.at(position), outputs, units
                output, unit = outputs.stop, units.stop
        return [found[column] for column in range(self.n_features)]

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of a member's weights: matrices first, then biases."""
        sizes = (len(self.unit_features), *self.hidden_layer_sizes, len(self.output_features))
        shapes: dict[str, tuple[int, ...]] = {}
        for level, (n_in, n_out) in enumerate(pairwise(sizes)):
            shapes[f"weight{level}"] = (n_out, n_in)
        if self.direct_connections:
            shapes["direct"] = self.n_direct
        for level, n_out in enumerate(sizes[1:]):
            shapes[f"bias{level}"] = (n_out,)
        return shapes

    def split(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        """View flat weights (M, n_weights) as matrix weights and biases."""
        shapes = self.weight_shapes().values()
        n_matrix = sum(math.prod(shape) for shape in shapes if len(shape) == 2)
        return flat[:, :n_matrix], flat[:, n_matrix:]

    def unflatten(self, matrices: Tensor, biases: Tensor) -> dict[str, Tensor]:
        """View the two parts of flat weights by name."""
        shapes = self.weight_shapes()
        weights = {}
        for dimensions, part in ((2, matrices), (1, biases)):
            named = {name: s for name, s in shapes.items() if len(s) == dimensions}
            pieces = part.split([math.prod(s) for s in named.values()], dim=1)
            for (name, shape), piece in zip(named.items(), pieces, strict=True):
                weights[name] = piece.unflatten(1, shape)
        return weights

    def masks(self, ranks: Integers, degrees: Sequence[Integers]) -> list[Booleans]:
        """Masks of every layer and, last, of the direct connections."""
        masks = layer_masks(
            ranks[..., self.unit_features], degrees, ranks[..., self.output_features]
        )
        n_outputs, n_units = self.n_direct
        masks[-1] = masks[-1][..., :n_outputs, :n_units]
        return masks

    def to(self, device: str) -> "MADE":
        """Return the same shape with its constants on a device."""
        groups = tuple((law.to(device), columns) for law, columns in self.groups)
        return replace(self, groups=groups)

    def gates(self, masks: Sequence[Booleans], like: Tensor) -> list[Tensor]:
        """Turn masks into zeros and ones of the type and device of `like`."""
        return [torch.tensor(mask, dtype=like.dtype, device=like.device) for mask in masks]

    def masked(self, weights: dict[str, Tensor], gates: Sequence[Tensor]) -> Layers:
        """Multiply weights and masks."""
        depth = len(self.hidden_layer_sizes) + 1
        matrices = [weights[f"weight{level}"] * gates[level] for level in range(depth)]
        biases = [weights[f"bias{level}"] for level in range(depth)]
        direct = weights["direct"] * gates[-1] if "direct" in weights else None
        return Layers(matrices, biases, direct)

    def units(self, values: Tensor) -> Tensor:
        """Turn values (..., D) into what enters the network, (..., n_units)."""
        parts = [
            law.units(values[..., torch.from_numpy(columns)]).flatten(-2)
            for law, columns in self.groups
        ]
        if self.conditioning_weights:
            # The paper's constant 1, seen through the masks of the inputs (section 4.2).
            parts.insert(len(self.small_groups), (~values.isnan()).to(values.dtype))
        return torch.cat(parts, dim=-1).nan_to_num(nan=0.0)

    def outputs(
        self,
        layers: Layers,
        values: Tensor,
        drop: Callable[[Tensor], Tensor] = lambda hidden: hidden,
    ) -> Tensor:
        """Parameters of all conditionals, (M, n, n_outputs), of values (M, n, D)."""
        activate = ACTIVATIONS[self.activation]
        units = self.units(values)
        hidden = units
        for level, (weight, bias) in enumerate(
            zip(layers.weights[:-1], layers.biases[:-1], strict=True)
        ):
            update = drop(activate(_affine(bias, hidden, weight)))
            hidden = hidden + update if self.skips(level) else update
        params = _affine(layers.biases[-1], hidden, layers.weights[-1])
        if layers.direct is None:
            return params
        n_outputs, n_units = self.n_direct
        seen, direct = units[..., :n_units], layers.direct.mT
        if n_outputs == params.shape[-1]:
            return torch.baddbmm(params, seen, direct)
        small = torch.baddbmm(params[..., :n_outputs], seen, direct)
        return torch.cat([small, params[..., n_outputs:]], dim=-1)

    def skips(self, level: int) -> bool:
        """Whether a hidden layer adds its input: residual, and of equal width."""
        sizes = self.hidden_layer_sizes
        return self.residual and level > 0 and sizes[level] == sizes[level - 1]

    def log_prob_by_group(self, params: Tensor, values: Tensor) -> Iterator[Tensor]:
        """Log-probabilities given the parameters, (..., n_columns) for each group."""
        missing, known = values.isnan(), values.nan_to_num(nan=0.0)
        for by_feature, (law, columns) in zip(self.by_group(params), self.groups, strict=True):
            of_group = torch.from_numpy(columns)
            log_prob = law.log_prob(by_feature, known[..., of_group])
            yield log_prob.masked_fill(missing[..., of_group], 0.0)

    def by_group(self, params: Tensor) -> Iterator[Tensor]:
        """View the parameters (..., n_outputs) as (..., n_columns, n_params) by group."""
        widths = [len(columns) * law.n_params for law, columns in self.groups]
        parts = params.split(widths, dim=-1)
        for part, (law, columns) in zip(parts, self.groups, strict=True):
            yield part.unflatten(-1, (len(columns), law.n_params))

    def log_prob(
        self,
        layers: Layers,
        values: Tensor,
        drop: Callable[[Tensor], Tensor] = lambda hidden: hidden,
    ) -> Tensor:
        """Log p(values) in nats, (M, n), of values (M, n, D)."""
        params = self.outputs(layers, values, drop)
        parts = [part.sum(dim=-1) for part in self.log_prob_by_group(params, values)]
        return torch.stack(parts).sum(dim=0)

    def feature_log_prob(self, layers: Layers, values: Tensor) -> Tensor:
        """Log-probability of each feature given those before it, (M, n, D); 0 if missing."""
        params = self.outputs(layers, values)
        result = values.new_empty(values.shape)
        for part, (_, columns) in zip(
            self.log_prob_by_group(params, values), self.groups, strict=True
        ):
            result[..., torch.from_numpy(columns)] = part
        return result


@dataclass(frozen=True)
class MaskList(Sequence[list[Booleans]]):
    """The layer masks (M, n_out, n_in) of M members, each list made when it is asked for."""

    made: MADE
    ranks: Integers  # (M, K, D)
    degrees: Sequence[Integers]  # (M, K, n_units) for each hidden layer

    def __len__(self) -> int:
        return self.ranks.shape[1]

    def __getitem__(self, k: Any) -> Any:
        if k >= len(self):
            raise IndexError(k)
        return self.made.masks(self.ranks[:, k], [layer[:, k] for layer in self.degrees])


@contextmanager
def private_torch() -> Iterator[None]:
    """Compute as if nobody had changed torch's modes, whatever the caller has switched on.

    In a forked child, whose parent's threads did not follow, compute on one thread: a
    matrix product that waits for the others would hang.
    """
    forked = os.getpid() != _PROCESS
    n_threads = torch.get_num_threads() if forked else 0
    if forked:
        torch.set_num_threads(1)
    try:
        with (
            torch.device("cpu"),
            torch.inference_mode(False),
            torch.autocast("cpu", enabled=False),
        ):
            yield
    finally:
        if forked:
            torch.set_num_threads(n_threads)


def _is_large(law: Conditional) -> bool:
    return law.n_units > MAX_DIRECT_UNITS


def _affine(bias: Tensor, inputs: Tensor, weight: Tensor) -> Tensor:
    return torch.baddbmm(bias.unsqueeze(1), inputs, weight.mT)


def mixture_log_prob(
    made: MADE,
    flat: Tensor,
    masks: Sequence[Sequence[Booleans]],
    values: Tensor,
    chunk_size: int,
) -> Tensor:
    """Log of the mean density over members and masks, (n,), of values (n, D).

    Probabilities are averaged, never logits or log-probabilities: only then does the
    result integrate to one. `masks` holds a list of layer masks for each mask of the list.
    """
    total = torch.full((len(values),), -torch.inf, dtype=values.dtype)
    with torch.no_grad():
        weights = made.unflatten(*made.split(flat))
        for mask in masks:
            layers = made.masked(weights, made.gates(mask, flat))
            for start in range(0, len(values), chunk_size):
                rows = slice(start, start + chunk_size)
                block = values[rows].expand(len(flat), -1, -1)
                logs = made.log_prob(layers, block).logsumexp(dim=0)
                total[rows] = torch.logaddexp(total[rows], logs)
    return total - math.log(len(masks) * len(flat))
