"""The ensemble: a table, a network's shape, and members with masks and weights.

This is the level between the scikit-learn contract and the network: numpy arrays in, numpy
arrays out, torch only inside. Its state is a dict of arrays and plain scalars, from which
it is rebuilt on demand.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ._conditionals import MixtureOfGaussians
from ._features import Table, decode, encode
from ._masks import Integers, draw_mask_list
from ._network import INPUT_BOUND, MADE, MaskList, mixture_log_prob, private_torch
from ._sampling import sample_units
from ._start import fit_linear_start
from ._training import Rows, TrainingState

Floats = NDArray[np.float64]

# Members are trained in stacks of this size whatever the number of jobs, so that the
# result does not depend on it.
STACK_SIZE = 4

# The square of a unit divided by the smallest scale stays finite in single precision.
MAX_TRAINING_UNIT = 1e14

# Rows scored together: more bring no speed, and their parameters leave the cache.
MAX_CHUNK_ROWS = 2048


@dataclass(frozen=True)
class Architecture:
    """The network's hyperparameters, as `MADEDensity` names them."""

    hidden_layer_sizes: tuple[int, ...]
    activation: str
    n_components: int
    residual: bool
    direct_connections: bool
    conditioning_weights: bool

    def build(self, table: Table, single: bool = False) -> MADE:
        """Return the network's shape for a table, for double or single precision."""
        continuous = np.flatnonzero(~table.binary)
        dtype = torch.float32 if single else torch.float64
        floor = torch.from_numpy(table.scale_floor[continuous]).to(dtype)
        return MADE(
            continuous=continuous,
            binary=np.flatnonzero(table.binary),
            hidden_layer_sizes=self.hidden_layer_sizes,
            law=MixtureOfGaussians(self.n_components, floor),
            activation=self.activation,
            residual=self.residual,
            direct_connections=self.direct_connections,
            conditioning_weights=self.conditioning_weights,
        )


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
            table=Table(**state["table"]),
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

    @private_torch()
    def log_density(self, X: Floats, max_bytes: float) -> Floats:
        """Log of the mean density over members and masks, (n_samples,), in nats."""
        made = self.architecture.build(self.table)
        width = 4 * len(made.output_features) + sum(made.hidden_layer_sizes)
        chunk_size = int(
            np.clip(max_bytes / (8 * width * len(self.weights)), 1, MAX_CHUNK_ROWS)
        )
        scores = mixture_log_prob(
            made,
            torch.tensor(self.weights, dtype=torch.float64),
            MaskList(made, self.ranks, self.degrees),
            torch.from_numpy(encode(self.table, X)),
            chunk_size,
        )
        return np.asarray(scores) + self.table.log_jacobian

    @private_torch()
    def draw(self, n_samples: int, rng: np.random.RandomState) -> Floats:
        """Draw rows, each from a member and mask chosen at random."""
        made = self.architecture.build(self.table)
        n_masks = self.ranks.shape[1]
        choice = rng.randint(len(self.weights) * n_masks, size=n_samples)
        uniforms = torch.from_numpy(rng.random_sample((n_samples, made.n_features)))
        units = torch.empty_like(uniforms)
        with torch.no_grad():
            for chosen in np.unique(choice):
                m, k = divmod(int(chosen), n_masks)
                rows = torch.from_numpy(np.flatnonzero(choice == chosen))
                ranks, degrees = self.ranks[m, k], [layer[m, k] for layer in self.degrees]
                flat = torch.tensor(self.weights[m : m + 1], dtype=torch.float64)
                gates = made.gates(made.masks(ranks, degrees), like=flat)
                layers = made.masked(made.unflatten(*made.split(flat)), gates).member(0)
                units[rows] = sample_units(made, layers, ranks, degrees, uniforms[rows])
        return decode(self.table, np.asarray(units))

    def stacks(self) -> Iterator[tuple[slice, TrainingState, MaskList]]:
        """Yield the members to train together: positions, starting point and masks."""
        made = self.architecture.build(self.table)
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
            yield part, start, MaskList(made, self.ranks[part], degrees)

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


@private_torch()
def draw_ensemble(
    table: Table, rows: Rows, architecture: Architecture, seeds: Sequence[int], **options: Any
) -> Ensemble:
    """Draw members that hold the classical solution of the rows they train on.

    One seed makes one member; `options` are those of `draw_mask_list`.
    """
    made = architecture.build(table)
    ranks, degrees, weights = [], [], []
    for seed, train in zip(seeds, rows.train, strict=True):
        own_ranks, own_degrees = draw_mask_list(
            layer_sizes=architecture.hidden_layer_sizes,
            n_features=table.n_features,
            rng=np.random.RandomState(seed),
            shared=architecture.residual,
            **options,
        )
        ranks.append(own_ranks)
        degrees.append(own_degrees)
        weights.append(_initial_weights(made, rows, train, own_ranks, int(seed)))
    layers = tuple(np.stack(layer) for layer in zip(*degrees, strict=True))
    return Ensemble(table, architecture, np.stack(ranks), layers, np.stack(weights))


def _initial_weights(
    made: MADE, rows: Rows, train: Integers, ranks: Integers, seed: int
) -> NDArray[np.float32]:
    """Return a member's flat weights; its held-out rows have no part in them."""
    # The network sees bounded units, and so does the regression.
    units = np.clip(rows.units[train].astype(np.float64), -INPUT_BOUND, INPUT_BOUND)
    weight = rows.weight[train].astype(np.float64)
    if not made.direct_connections:
        ranks = np.ones_like(ranks)  # no place for coefficients: start from the marginals
    start = fit_linear_start(units, weight, ranks, made.continuous, made.law.n_components)
    # Shares of ones, with one more row that holds one half in every binary column.
    ones = weight @ units[:, made.binary] / weight.mean()
    rates = (ones + 0.5) / (len(units) + 1)
    return made.initial_weights(start, rates, seed).astype(np.float32)


def split_rows(
    units: Floats,
    weight: Floats,
    validation_units: Floats | None,
    n_members: int,
    fraction: float | None,
    rng: np.random.RandomState,
) -> Rows:
    """Say which rows each member trains on and which it holds out.

    Members hold out consecutive folds of one permutation, so that ten members that hold
    out a tenth of 100 rows hold out every row once. With `validation_units` all train on all
    rows and are stopped by those; without `fraction` nothing is held out.
    """
    n_samples = len(units)
    weight = weight / weight.mean()
    train = np.tile(np.arange(n_samples), (n_members, 1))
    held_out = None
    if validation_units is not None:
        n_validation = len(validation_units)
        units = np.concatenate([units, validation_units])
        weight = np.concatenate([weight, np.ones(n_validation)])
        held_out = np.tile(np.arange(n_samples, len(units)), (n_members, 1))
    elif fraction is not None:
        n_held_out = max(1, math.floor(fraction * n_samples))
        shuffled = rng.permutation(n_samples)
        turned = np.stack([np.roll(shuffled, -m * n_held_out) for m in range(n_members)])
        train, held_out = turned[:, n_held_out:], turned[:, :n_held_out]
    # Units beyond the bound enter the network as the bound; as values of a conditional
    # they must not overflow single precision.
    single = np.clip(units, -MAX_TRAINING_UNIT, MAX_TRAINING_UNIT).astype(np.float32)
    return Rows(single, weight.astype(np.float32), train, held_out)


def merge_histories(
    stacks: Sequence[TrainingState], log_jacobian: float
) -> dict[str, list[float]]:
    """Average log-likelihoods over members by epoch; a stack that is done stays as it was."""
    merged: dict[str, list[float]] = {"train": [], "validation": []}
    for key in merged:
        curves = [np.asarray(stack.history[key]) for stack in stacks]  # (n_epochs, M)
        n_epochs = max(map(len, curves))
        if min(map(len, curves)) == 0:
            continue
        padded = [np.pad(c, ((0, n_epochs - len(c)), (0, 0)), mode="edge") for c in curves]
        means = np.concatenate(padded, axis=1).mean(axis=1)
        merged[key] = [float(mean) + log_jacobian for mean in means]
    return merged
