"""The MADE's shape: from features to units and outputs, where its weights are, its masks.

Values, one for each feature, are standardised numbers or codes; NaN is a missing cell. The
laws of the features turn them into the units that enter the network. A missing cell enters
as zeros, and has no part in the log-probability. With conditioning weights every feature has
one more unit, which is 1 where its cell is present.

A member's weights are one flat vector, outside this module. `_training` computes with them
for training, `_prediction` for scoring and drawing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .conditionals import Conditional
from .masks import Booleans, Integers, layer_masks

Floats = NDArray[np.float64]

# Features of more units than this have no direct connections: between two categories of
# 1000 levels they would be a million weights.
MAX_DIRECT_UNITS = 64


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
            self, "groups", tuple(sorted(self.groups, key=lambda g: is_large(g[0])))
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
        return tuple(group for group in self.groups if not is_large(group[0]))

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
                found[int(column)] = law.at(slice(position, position + 1)), outputs, units
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

    @cached_property
    def n_weights(self) -> int:
        """How many weights a member has."""
        return sum(math.prod(shape) for shape in self.weight_shapes().values())

    @cached_property
    def n_matrices(self) -> int:
        """How many of the weights' arrays are matrices; they come first."""
        return sum(len(shape) == 2 for shape in self.weight_shapes().values())

    def unflatten(self, flat: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """View one member's flat weights by name."""
        shapes = self.weight_shapes()
        ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
        pieces = np.split(flat, ends[:-1])
        return {
            name: piece.reshape(shape)
            for (name, shape), piece in zip(shapes.items(), pieces, strict=True)
        }

    def masks(self, ranks: Integers, degrees: Sequence[Integers]) -> list[Booleans]:
        """Masks of every layer and, last, of the direct connections."""
        masks = layer_masks(
            ranks[..., self.unit_features], degrees, ranks[..., self.output_features]
        )
        n_outputs, n_units = self.n_direct
        masks[-1] = masks[-1][..., :n_outputs, :n_units]
        return masks

    def skips(self, level: int) -> bool:
        """Whether a hidden layer adds its input: residual, and of equal width."""
        sizes = self.hidden_layer_sizes
        return self.residual and level > 0 and sizes[level] == sizes[level - 1]

    def units(self, values: Floats) -> Floats:
        """Turn values (D, n) into what enters the network, (n_units, n)."""
        n_rows = values.shape[1]
        parts = [
            law.units(values[columns]).reshape(len(columns) * law.n_units, n_rows)
            for law, columns in self.groups
        ]
        missing = np.isnan(values)
        if self.conditioning_weights:
            # The paper's constant 1, seen through the masks of the inputs (section 4.2).
            parts.insert(len(self.small_groups), (~missing).astype(np.float64))
        units = np.concatenate(parts)
        if missing.any():
            np.nan_to_num(units, copy=False)
        return units


@dataclass(frozen=True)
class MaskList(Sequence[tuple[Integers, list[Integers]]]):
    """The ranks (M, D) and degrees (M, n_units) that make each mask of M members' lists."""

    ranks: Integers  # (M, K, D)
    degrees: Sequence[Integers]  # (M, K, n_units) for each hidden layer

    def __len__(self) -> int:
        return self.ranks.shape[1]

    def __getitem__(self, k: Any) -> Any:
        if k >= len(self):
            raise IndexError(k)
        return self.ranks[:, k], [layer[:, k] for layer in self.degrees]


def is_large(law: Conditional) -> bool:
    """Whether a feature has too many units for direct connections."""
    return law.n_units > MAX_DIRECT_UNITS
