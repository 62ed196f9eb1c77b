"""Members of an ensemble as training has them: drawn, in stacks, and put back together."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._network.ensemble import Architecture, Ensemble
from .._network.made import MaskList
from .._network.masks import draw_mask_list
from .._table.encoding import Table
from .initial import MAX_START_ROWS, initial_weights
from .rows import Rows
from .schedule import Schedule, TrainingState, max_step_rows

# Of weights, a stack in training has: those that are trained, their gradients and two moments,
# their average, and that of the best epoch. Of outputs, about so many copies.
N_COPIES, N_TEMPORARIES = 6, 6

Singles = NDArray[np.float32]

# Members are trained in stacks whose size depends on the work alone, never on the number of
# threads or jobs, so that the result does not either. A step of a small stack costs little
# more than its operations' overhead; large ones leave nothing to do for other threads.
MAX_STACK_SIZE = 4
MIN_STACK_WORK = 2**25  # weights times rows in a step


def draw_members(
    table: Table, rows: Rows, architecture: Architecture, seeds: Sequence[int], **options: Any
) -> Ensemble:
    """Draw members that hold the classical solution of the rows they train on.

    One seed makes one member; `options` are those of `draw_mask_list`.
    """
    made = architecture.build(table)
    n_weights = sum(math.prod(shape) for shape in made.weight_shapes().values())
    weights = np.empty((len(seeds), n_weights), dtype=np.float32)
    ranks, degrees = [], []
    for member, (values, weight) in enumerate(rows.start(MAX_START_ROWS)):
        seed = int(seeds[member])
        own_ranks, own_degrees = draw_mask_list(
            layer_sizes=architecture.hidden_layer_sizes,
            n_features=table.n_features,
            rng=np.random.RandomState(seed),
            shared=architecture.residual,
            **options,
        )
        ranks.append(own_ranks)
        degrees.append(own_degrees)
        weights[member] = initial_weights(made, values, weight, own_ranks, seed)
    layers = tuple(np.stack(layer) for layer in zip(*degrees, strict=True))
    return Ensemble(table, architecture, np.stack(ranks), layers, weights)


def stack_size(ensemble: Ensemble, schedule: Schedule) -> int:
    """Return how many members train together: few, where each has enough to do."""
    n_members, n_weights = ensemble.weights.shape
    if schedule.together:
        return n_members
    size = math.ceil(MIN_STACK_WORK / (n_weights * schedule.batch_size))
    return max(1, min(size, MAX_STACK_SIZE, n_members // 2))


def stack_bytes(ensemble: Ensemble, schedule: Schedule) -> int:
    """Return about how much memory the training of a stack takes."""
    size = stack_size(ensemble, schedule)
    n_rows = min(schedule.batch_size, max_step_rows(ensemble.made, size))
    n_weights = N_COPIES * ensemble.weights.shape[1]
    return 4 * size * (n_weights + N_TEMPORARIES * n_rows * len(ensemble.made.output_features))


def stacks(
    ensemble: Ensemble, schedule: Schedule
) -> Iterator[tuple[slice, TrainingState, MaskList]]:
    """Yield the members to train together: positions, starting point and masks."""
    size = stack_size(ensemble, schedule)
    for first in range(0, len(ensemble.weights), size):
        part = slice(first, first + size)
        degrees = [layer[part] for layer in ensemble.degrees]
        start = TrainingState(average=ensemble.weights[part])
        if ensemble.optimizer is not None:
            start = replace(
                start,
                current=ensemble.optimizer["current"][part],
                moments=tuple(moment[part] for moment in ensemble.optimizer["moments"]),
                n_steps=ensemble.optimizer["n_steps"],
            )
        yield part, start, MaskList(ensemble.ranks[part], degrees)


def put_in_place(weights: Singles, part: slice, trained: TrainingState) -> TrainingState:
    """Write a stack's weights into those of all members; return the rest of its state.

    Wide tables have large members, which need not be in memory twice.
    """
    weights[part] = trained.average
    return replace(trained, average=weights[part])


def with_trained(
    ensemble: Ensemble, trained: Sequence[TrainingState], keep_optimizer: bool
) -> Ensemble:
    """Return an ensemble with weights in place, and the optimiser's state if it is kept."""
    optimizer = None
    if keep_optimizer:
        moments = zip(*(stack.moments for stack in trained), strict=True)
        optimizer = {
            "current": np.concatenate([stack.current for stack in trained]),
            "moments": [np.concatenate(moment) for moment in moments],
            "n_steps": trained[0].n_steps,
        }
    return replace(ensemble, optimizer=optimizer)


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
