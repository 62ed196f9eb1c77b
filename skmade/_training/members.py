"""Members of an ensemble as training has them: drawn, in stacks, and put back together."""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._network.ensemble import Architecture, Ensemble, equal_shares
from .._network.evidence import Evidence, joined_evidence
from .._network.made import MaskList
from .._network.masks import Integers, draw_degrees
from .._table.checks import warn_user
from .._table.encoding import Table
from .._table.gaussians import Gaussians
from .gaussians import gaussians_of, start_as
from .initial import MAX_START_ROWS, initial_weights
from .recipes import shares_of
from .rows import Rows
from .schedule import Schedule, TrainingState, max_step_rows

# Of weights, a stack in training has: those that are trained, their gradients and two moments,
# their average, and that of the best epoch. Of outputs, about so many copies.
N_COPIES, N_TEMPORARIES = 6, 6

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

# Members are trained in stacks whose size depends on the work alone, never on the number of
# threads or jobs, so that the result does not either. A step of a small stack costs little
# more than its operations' overhead; large ones leave nothing to do for other threads.
MAX_STACK_SIZE = 4
MIN_STACK_WORK = 2**25  # weights times rows in a step


def draw_members(
    table: Table,
    rows: Rows,
    architecture: Architecture,
    ranks: Integers,
    seeds: Sequence[int],
    connectivity_agnostic: bool = False,
    gaussians: bool = False,
) -> Ensemble:
    """Draw members that hold the classical solution of the rows they train on.

    Ranks (M, K, D) and seeds (M,) make M members. The solution is that of regressions or of
    `gaussians`, each a component: then there are as many components as the most that are found.
    """
    made, sizes = architecture.build(table), architecture.hidden_layer_sizes
    mixtures: list[Gaussians | None] = [None] * len(seeds)
    if gaussians:
        mixtures = [gaussians_of(made, *own) for own in rows.start(MAX_START_ROWS)]
        n_found = max(len(mixture.shares) for mixture in mixtures if mixture is not None)
        architecture = replace(architecture, n_components=n_found)
        made = architecture.build(table)
    weights = np.empty((len(seeds), made.n_weights), dtype=np.float32)
    degrees: list[list[Integers]] = []
    evidence: list[Evidence | None] = []
    for member, (values, weight) in enumerate(rows.start(MAX_START_ROWS)):
        seed, own = int(seeds[member]), ranks[member]
        rng = np.random.RandomState(seed) if connectivity_agnostic else None
        lists = [draw_degrees(sizes, table.n_features, rng, architecture.residual) for _ in own]
        degrees.append([np.stack(layer) for layer in zip(*lists, strict=True)])
        start = initial_weights(made, values, weight, own, seed)
        mixture = mixtures[member]
        evidence.append(None)
        if mixture is not None and len(mixture.shares) > 1:
            evidence[-1] = start_as(mixture, made, start, own[0])
        weights[member] = start
    layers = tuple(np.stack(layer) for layer in zip(*degrees, strict=True))
    shares = equal_shares(len(seeds))
    of_all = joined_evidence(evidence, [1] * len(seeds))
    return Ensemble(table, architecture, ranks, layers, weights, shares, of_all)


class Cohort(NamedTuple):
    """Members that are trained by one recipe at one time."""

    recipe: int
    first: int  # number of the first of them among all members
    ensemble: Ensemble
    folds: Integers  # that they hold out
    states: tuple[TrainingState, ...] = ()  # of their stacks, when they have been trained


class Drawing:
    """Draws members, cohort by cohort, that hold the classical solution of their rows.

    Ranks (M, K, D) and seeds (M,) make M members; there is an architecture for each recipe,
    and whether its members start as `gaussians`.
    """

    def __init__(
        self,
        table: Table,
        rows: Rows,
        architectures: Sequence[Architecture],
        gaussians: Sequence[bool],
        ranks: Integers,
        seeds: Sequence[int],
        connectivity_agnostic: bool = False,
    ) -> None:
        self.table, self.rows = table, rows
        self.architectures, self.gaussians = architectures, gaussians
        self.ranks, self.seeds = ranks, seeds
        self.connectivity_agnostic = connectivity_agnostic
        self.n_drawn, self.n_folds = 0, [0] * len(architectures)

    @property
    def n_left(self) -> int:
        """How many members have not been drawn."""
        return len(self.seeds) - self.n_drawn

    def cohorts(self, sizes: Sequence[int]) -> list[Cohort]:
        """Draw the next members, so many of each recipe; each recipe goes on with its folds."""
        drawn = []
        for recipe, size in enumerate(sizes):
            if size == 0:
                continue
            own = slice(self.n_drawn, self.n_drawn + size)
            folds = self.n_folds[recipe] + np.arange(size)
            ensemble = draw_members(
                self.table,
                self.rows.with_folds(folds),
                self.architectures[recipe],
                self.ranks[own],
                self.seeds[own],
                self.connectivity_agnostic,
                self.gaussians[recipe],
            )
            drawn.append(Cohort(recipe, own.start, ensemble, folds))
            self.n_drawn, self.n_folds[recipe] = own.stop, self.n_folds[recipe] + size
        return drawn


class Trained(NamedTuple):
    """How the members of an ensemble were trained, to train them on: plain numbers."""

    recipes: list[int]  # of each member, those of a recipe next to each other
    folds: list[int]
    n_trained: int  # also those that were left out

    def cohorts(self, ensemble: Ensemble, n_recipes: int) -> list[Cohort]:
        """Return the members as cohorts."""
        recipe = np.minimum(self.recipes, n_recipes - 1)
        cohorts = []
        for own in np.unique(recipe).tolist():
            places = np.flatnonzero(recipe == own)
            part = slice(int(places[0]), int(places[-1]) + 1)
            folds = np.array(self.folds[part])
            cohorts.append(Cohort(own, part.start, ensemble.of_members(part), folds))
        return cohorts


def recalled(ensemble: Ensemble, told: dict[str, Any] | None) -> Trained:
    """Return how an ensemble was trained; models of version 0.1 do not tell.

    All of their members hold out folds of their own, and had the usual dropout.
    """
    if told is not None:
        return Trained(**told)
    n_members = len(ensemble.weights)
    return Trained([1] * n_members, list(range(n_members)), n_members)


def with_states(
    cohorts: Sequence[Cohort],
    places: Sequence[tuple[Cohort, slice]],
    trained: Sequence[TrainingState],
) -> list[Cohort]:
    """Return cohorts with the states of their stacks."""
    by_first: dict[int, list[TrainingState]] = {cohort.first: [] for cohort in cohorts}
    for (cohort, _), state in zip(places, trained, strict=True):
        by_first[cohort.first].append(state)
    return [cohort._replace(states=tuple(by_first[cohort.first])) for cohort in cohorts]


def shares_of_recipes(trained: Sequence[Cohort], n_recipes: int, rows: Rows) -> Floats:
    """Return how much each recipe counts, by the rows that members of all of them held out."""
    here = sorted({cohort.recipe for cohort in trained})
    logs: dict[int, dict[int, Floats]] = {recipe: {} for recipe in here}
    weights: dict[int, Floats] = {}
    for cohort in trained:
        held_out = [row for state in cohort.states for row in _held_out(state)]
        for fold, (own, weight) in zip(cohort.folds.tolist(), held_out, strict=False):
            logs[cohort.recipe][fold], weights[fold] = own, weight
    shares = np.zeros(n_recipes)
    common = sorted(set.intersection(*(set(logs[recipe]) for recipe in here)))
    if len(here) == 1 or not common:
        shares[here] = 1 / len(here)
    elif rows.validation is not None:  # the same rows for all members
        by_recipe = [np.stack([*logs[recipe].values()]) for recipe in here]
        means = [np.logaddexp.reduce(own) - np.log(len(own)) for own in by_recipe]
        shares[here] = shares_of(np.stack(means), weights[common[0]])
    else:
        by_recipe = [np.concatenate([logs[r][fold] for fold in common]) for r in here]
        weight = np.concatenate([weights[fold] for fold in common])
        shares[here] = shares_of(np.stack(by_recipe), weight)
    return shares


def _held_out(state: TrainingState) -> list[tuple[Floats, Floats]]:
    """Return what each member of a stack says of the rows that it held out, if it did."""
    if state.held_out is None or state.held_out_weight is None:
        return []
    return list(zip(state.held_out, state.held_out_weight, strict=True))


def stack_size(ensemble: Ensemble, schedule: Schedule, n_members: int) -> int:
    """Return how many of some members train together: few, where each has enough to do."""
    n_own, n_weights = ensemble.weights.shape
    if schedule.together:
        return n_own
    size = math.ceil(MIN_STACK_WORK / (n_weights * schedule.batch_size))
    return max(1, min(size, MAX_STACK_SIZE, n_members // 2, n_own))


def stack_bytes(ensemble: Ensemble, schedule: Schedule) -> int:
    """Return about how much memory the training of a stack takes."""
    size = stack_size(ensemble, schedule, 2 * MAX_STACK_SIZE)
    n_rows = min(schedule.batch_size, max_step_rows(ensemble.made, size))
    n_weights = N_COPIES * ensemble.weights.shape[1]
    return 4 * size * (n_weights + N_TEMPORARIES * n_rows * len(ensemble.made.output_features))


def warn_of_memory(ensemble: Ensemble, n_members: int, schedule: Schedule) -> None:
    """Warn of a fit that takes more than half of the machine's memory."""
    taken = 4 * n_members * ensemble.weights.shape[1] + stack_bytes(ensemble, schedule)
    there = _machine_bytes()
    if taken > there / 2:
        warn_user(
            f"The fit will take about {taken / 2**30:.1f} GB of the machine's "
            f"{there / 2**30:.1f} GB of memory. Fewer n_estimators, hidden_layer_sizes or "
            "n_components need less, and so does direct_connections=False."
        )


def _machine_bytes() -> float:
    """How much memory the machine has; infinite where it does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return math.inf


def stacks(
    ensemble: Ensemble, schedule: Schedule, n_members: int
) -> Iterator[tuple[slice, TrainingState, MaskList]]:
    """Yield the members to train together: positions, starting point and masks.

    They are some of `n_members`.
    """
    size = stack_size(ensemble, schedule, n_members)
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


def put_in_place(cohort: Cohort, part: slice, trained: TrainingState) -> TrainingState:
    """Write a stack's weights into those of its cohort; return the rest of its state.

    Wide tables have large members, which need not be in memory twice.
    """
    weights = cohort.ensemble.weights
    weights[part] = trained.average
    return replace(trained, average=weights[part])


def joined(
    trained: Sequence[Cohort], shares: Floats, keep_optimizer: bool
) -> tuple[Ensemble, Trained]:
    """Join trained cohorts, recipe by recipe; return how each member was trained, too.

    The members of a recipe count the same; those of recipes without a share are left out. The
    optimiser's state is kept if that is asked for.
    """
    counting = [cohort for cohort in trained if shares[cohort.recipe] > 0]
    in_order = sorted(counting, key=lambda cohort: cohort.recipe)
    n_components = max(cohort.ensemble.architecture.n_components for cohort in counting)
    recipes, folds, done = [], [], []
    for cohort in in_order:
        recipes += [cohort.recipe] * len(cohort.folds)
        folds += cohort.folds.tolist()
        optimizer = _optimizer_of(cohort.states) if keep_optimizer else None
        own = replace(cohort.ensemble, optimizer=optimizer)
        done.append(own.with_components(n_components))
    sizes = np.bincount(recipes, minlength=len(shares))
    counts = [
        shares[cohort.recipe] * len(cohort.folds) / sizes[cohort.recipe] for cohort in in_order
    ]
    n_trained = sum(len(cohort.folds) for cohort in trained)
    return done[0].joined_by(done[1:], counts), Trained(recipes, folds, n_trained)


def _optimizer_of(trained: Sequence[TrainingState]) -> dict[str, Any]:
    """Return where the optimiser stands, of the members of some stacks."""
    moments = zip(*(stack.moments for stack in trained), strict=True)
    return {
        "current": np.concatenate([stack.current for stack in trained]),
        "moments": [np.concatenate(moment) for moment in moments],
        "n_steps": trained[0].n_steps,
    }


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
