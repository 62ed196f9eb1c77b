"""The ensemble: a table, a network's shape, and members with masks and weights.

This is the level between the scikit-learn contract and the network. Its state is a dict of
arrays and plain scalars, from which it is rebuilt on demand.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._prediction.walk import Walk, prepare, scoring_ends
from .._table.encoding import Table
from .._training.initial import MAX_START_ROWS, initial_weights
from .._training.rows import Rows
from .._training.schedule import TrainingState
from .conditionals import (
    Bernoulli,
    Categorical,
    Conditional,
    DiscretisedMixture,
    MixtureOfGaussians,
)
from .made import MADE, MaskList
from .masks import Booleans, Integers, draw_mask_list, move_last

Floats = NDArray[np.float64]

# Members are trained in stacks of this size whatever the number of jobs, so that the
# result does not depend on it.
STACK_SIZE = 8

# Prepared weights are kept up to this size; of very many masks they are made at each use.
MAX_PREPARED_BYTES = 2**28


@dataclass(frozen=True)
class Architecture:
    """The network's hyperparameters, as `MADEDensity` names them."""

    hidden_layer_sizes: tuple[int, ...]
    activation: str
    n_components: int
    residual: bool
    direct_connections: bool
    conditioning_weights: bool

    def build(self, table: Table) -> MADE:
        """Return the network's shape for a table."""
        return MADE(
            groups=tuple(_groups(table, self.n_components)),
            hidden_layer_sizes=self.hidden_layer_sizes,
            activation=self.activation,
            residual=self.residual,
            direct_connections=self.direct_connections,
            conditioning_weights=self.conditioning_weights,
        )


def _groups(table: Table, n_components: int) -> Iterator[tuple[Conditional, Integers]]:
    """Yield the laws with the columns they describe."""

    def numbers(kind: str) -> tuple[Integers, dict[str, Floats]]:
        columns = np.flatnonzero(table.kinds == kind)
        used = ~np.isnan(table.recurring[columns]).all(axis=0)
        return columns, {
            "floor": table.scale_floor[columns],
            "recurring": table.recurring[columns][:, used],
            "recurring_scale": table.recurring_scale[columns][:, used],
        }

    continuous, common = numbers("continuous")
    if len(continuous):
        yield MixtureOfGaussians(n_components, **common), continuous
    counts, common = numbers("count")
    if len(counts):
        center, spread = table.center[counts], table.spread[counts]
        law = DiscretisedMixture(
            n_components,
            **common,
            origin=-center / spread,
            step=1 / spread,
            lowest=(table.lowest[counts] - center) / spread,
        )
        yield law, counts
    binary = np.flatnonzero(table.kinds == "binary")
    if len(binary):
        yield Bernoulli(), binary
    categorical = table.kinds == "categorical"
    for n_levels in np.unique(table.n_levels[categorical]).tolist():
        same = np.flatnonzero(categorical & (table.n_levels == n_levels))
        yield Categorical(n_levels), same


@dataclass(frozen=True)
class Ensemble:
    """M members of one architecture with K masks each, for the columns of one table."""

    table: Table
    architecture: Architecture
    ranks: Integers  # (M, K, D)
    degrees: tuple[Integers, ...]  # (M, K, n_units) for each hidden layer
    weights: NDArray[np.float32]  # (M, n_weights)
    # Where the optimiser stands, kept between calls of partial_fit.
    optimizer: dict[str, Any] | None = None

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Ensemble":
        """Rebuild an ensemble from `to_state`."""
        return cls(
            table=Table.from_state(state["table"]),
            architecture=Architecture(**state["architecture"]),
            ranks=state["ranks"],
            degrees=tuple(state["degrees"]),
            weights=state["weights"],
            optimizer=state["optimizer"],
        )

    def to_state(self) -> dict[str, Any]:
        """Return arrays and plain scalars in dicts and lists, which any serialiser knows."""
        return {
            "table": asdict(self.table),
            "architecture": asdict(self.architecture),
            "ranks": self.ranks,
            "degrees": list(self.degrees),
            "weights": self.weights,
            "optimizer": self.optimizer,
        }

    @property
    def n_components(self) -> int:
        """How many members and masks there are."""
        return math.prod(self.ranks.shape[:2])

    @property
    def reorderable(self) -> bool:
        """Whether members were trained for several orderings, and so can use any."""
        return bool((self.ranks != self.ranks[:, :1]).any())

    def moved_last(self, missing: Booleans) -> "Ensemble":
        """Return members whose orderings put the missing features (D,) after the others.

        Of all members and masks these are the nearest to what was trained: as many as there
        are members, with the fewest pairs of features that change places. Of equally near
        ones every member gives one before any gives a second.
        """
        if missing.all() or not missing.any():
            return self
        # The later what is missing already comes, the fewer pairs change places.
        distance = -self.ranks[..., missing].sum(axis=2)  # (M, K), up to a constant
        place = np.argsort(np.argsort(distance, axis=1, kind="stable"), axis=1)
        nearest = np.lexsort((place.ravel(), distance.ravel()))[: len(self.weights)]
        m, k = np.unravel_index(nearest, self.ranks.shape[:2])
        return replace(
            self,
            ranks=move_last(self.ranks[m, k], missing)[:, None],
            degrees=tuple(layer[m, k][:, None] for layer in self.degrees),
            weights=self.weights[m],
        )

    @cached_property
    def made(self) -> MADE:
        """The network's shape."""
        return self.architecture.build(self.table)

    def scorer(self, position: int) -> Walk:
        """Return one member with one mask, counted member by member, to score rows."""
        return self._walk(position, scoring_ends(self.table.n_features), np.float64)

    def sampler(self, position: int, dtype: type = np.float64) -> Walk:
        """Return one member with one mask, counted member by member, to draw rows."""
        return self._walk(position, np.arange(1, self.table.n_features + 1), dtype)

    def _walk(self, position: int, ends: Integers, dtype: type) -> Walk:
        """Prepare a walk, and keep it if all of its kind fit in memory.

        Threads that do so at the same time prepare equal ones.
        """
        key = position, len(ends), dtype
        if key in self._walks:
            return self._walks[key]
        m, k = divmod(position, self.ranks.shape[1])
        degrees = [layer[m, k] for layer in self.degrees]
        walk = prepare(self.made, self.weights[m], self.ranks[m, k], degrees, ends, dtype)
        if 8 * self.n_components * self.weights.shape[1] <= MAX_PREPARED_BYTES:
            self._walks[key] = walk
        return walk

    @cached_property
    def _walks(self) -> dict[tuple[int, int, type], Walk]:
        return {}

    def stacks(self) -> Iterator[tuple[slice, TrainingState, MaskList]]:
        """Yield the members to train together: positions, starting point and masks."""
        for first in range(0, len(self.weights), STACK_SIZE):
            part = slice(first, first + STACK_SIZE)
            degrees = [layer[part] for layer in self.degrees]
            start = TrainingState(average=self.weights[part], current=self.weights[part])
            if self.optimizer is not None:
                start = replace(
                    start,
                    current=self.optimizer["current"][part],
                    moments=tuple(moment[part] for moment in self.optimizer["moments"]),
                    n_steps=self.optimizer["n_steps"],
                )
            yield part, start, MaskList(self.made, self.ranks[part], degrees)

    def with_trained(self, stacks: Sequence[TrainingState], keep_optimizer: bool) -> "Ensemble":
        """Return the ensemble with the weights that training found."""
        optimizer = None
        if keep_optimizer:
            moments = zip(*(stack.moments for stack in stacks), strict=True)
            optimizer = {
                "current": np.concatenate([stack.current for stack in stacks]),
                "moments": [np.concatenate(moment) for moment in moments],
                "n_steps": stacks[0].n_steps,
            }
        weights = np.concatenate([stack.average for stack in stacks])
        return replace(self, weights=weights, optimizer=optimizer)

    def joined_by(self, others: Sequence["Ensemble"]) -> "Ensemble":
        """Return an ensemble of these members and those of others for the same table."""
        together = [self, *others]
        layers = zip(*(ensemble.degrees for ensemble in together), strict=True)
        return replace(
            self,
            ranks=np.concatenate([ensemble.ranks for ensemble in together]),
            degrees=tuple(np.concatenate(layer) for layer in layers),
            weights=np.concatenate([ensemble.weights for ensemble in together]),
        )


def draw_ensemble(
    table: Table, rows: Rows, architecture: Architecture, seeds: Sequence[int], **options: Any
) -> Ensemble:
    """Draw members that hold the classical solution of the rows they train on.

    One seed makes one member; `options` are those of `draw_mask_list`.
    """
    made = architecture.build(table)
    ranks, degrees, weights = [], [], []
    for seed, (values, weight) in zip(seeds, rows.start(MAX_START_ROWS), strict=True):
        own_ranks, own_degrees = draw_mask_list(
            layer_sizes=architecture.hidden_layer_sizes,
            n_features=table.n_features,
            rng=np.random.RandomState(seed),
            shared=architecture.residual,
            **options,
        )
        ranks.append(own_ranks)
        degrees.append(own_degrees)
        weights.append(initial_weights(made, values, weight, own_ranks, int(seed)))
    layers = tuple(np.stack(layer) for layer in zip(*degrees, strict=True))
    return Ensemble(table, architecture, np.stack(ranks), layers, np.stack(weights))


def merge_histories(stacks: Sequence[TrainingState]) -> dict[str, list[float]]:
    """Average log-likelihoods over members by epoch; a stack that is done stays as it was."""
    merged: dict[str, list[float]] = {"train": [], "validation": []}
    for key in merged:
        curves = [np.asarray(stack.history[key]) for stack in stacks]  # (n_epochs, M)
        n_epochs = max(map(len, curves))
        if min(map(len, curves)) == 0:
            continue
        padded = [np.pad(c, ((0, n_epochs - len(c)), (0, 0)), mode="edge") for c in curves]
        merged[key] = np.concatenate(padded, axis=1).mean(axis=1).tolist()
    return merged
