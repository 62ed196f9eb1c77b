"""Members of an ensemble as training has them: drawn, in stacks, and put back together."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .._network.ensemble import Architecture, Ensemble
from .._network.made import MaskList
from .._network.masks import draw_mask_list
from .._table.encoding import Table
from .initial import MAX_START_ROWS, initial_weights
from .rows import Rows
from .schedule import TrainingState

# Members are trained in stacks of this size whatever the number of jobs, so that the
# result does not depend on it.
STACK_SIZE = 8


def draw_members(
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


def stacks(ensemble: Ensemble) -> Iterator[tuple[slice, TrainingState, MaskList]]:
    """Yield the members to train together: positions, starting point and masks."""
    for first in range(0, len(ensemble.weights), STACK_SIZE):
        part = slice(first, first + STACK_SIZE)
        degrees = [layer[part] for layer in ensemble.degrees]
        start = TrainingState(average=ensemble.weights[part], current=ensemble.weights[part])
        if ensemble.optimizer is not None:
            start = replace(
                start,
                current=ensemble.optimizer["current"][part],
                moments=tuple(moment[part] for moment in ensemble.optimizer["moments"]),
                n_steps=ensemble.optimizer["n_steps"],
            )
        yield part, start, MaskList(ensemble.made, ensemble.ranks[part], degrees)


def with_trained(
    ensemble: Ensemble, trained: Sequence[TrainingState], keep_optimizer: bool
) -> Ensemble:
    """Return an ensemble with the weights that training found, stack by stack."""
    optimizer = None
    if keep_optimizer:
        moments = zip(*(stack.moments for stack in trained), strict=True)
        optimizer = {
            "current": np.concatenate([stack.current for stack in trained]),
            "moments": [np.concatenate(moment) for moment in moments],
            "n_steps": trained[0].n_steps,
        }
    weights = np.concatenate([stack.average for stack in trained])
    return replace(ensemble, weights=weights, optimizer=optimizer)


def merge_histories(trained: Sequence[TrainingState]) -> dict[str, list[float]]:
    """Average log-likelihoods over members by epoch; a stack that is done stays as it was."""
    merged: dict[str, list[float]] = {"train": [], "validation": []}
    for key in merged:
        curves = [np.asarray(stack.history[key]) for stack in trained]  # (n_epochs, M)
        n_epochs = max(map(len, curves))
        if min(map(len, curves)) == 0:
            continue
        padded = [np.pad(c, ((0, n_epochs - len(c)), (0, 0)), mode="edge") for c in curves]
        merged[key] = np.concatenate(padded, axis=1).mean(axis=1).tolist()
    return merged
