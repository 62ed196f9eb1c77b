"""How `MADEDensity` is fitted: validate, draw members, train them, take over the result.

The estimator's class holds the public contract; this is what its `fit` and `partial_fit`
do. The one place that calls scikit-learn's callbacks.
"""

import copy
import math
import os
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.parallel import Parallel, delayed

from ._input import (
    MAX_SEED,
    check_inside,
    declared_words,
    private_random_state,
    read_bounds,
    read_new_table,
    read_table,
    warn_missing,
    weighted_rows,
    working_bytes,
)
from ._network.ensemble import Architecture, Ensemble
from ._network.masks import ranks_to_ordering, warn_if_narrow
from ._table.checks import warn_constant, warn_free_text, warn_user
from ._table.encoding import Table
from ._table.frame import Layout
from ._table.learning import learn_table
from ._table.numbers import Numbers
from ._training import members
from ._training.rows import Rows, open_source
from ._training.schedule import (
    Schedule,
    auto_batch_size,
    auto_dropout,
    auto_epochs,
    auto_members,
    n_parts,
)

# What a fitted network was drawn for, beside its shape: training cannot change it.
DRAWN_FOR = (
    "ordering",
    "order_agnostic",
    "connectivity_agnostic",
    "n_masks",
    "feature_types",
    "min_scale",
    "handle_unknown",
    "bounds",
)


# Above so many direct weights, of 750 columns of numbers, members have none: they would be
# most of the memory that a fit takes, and grow with the square of the columns.
MAX_DIRECT_WEIGHTS = 2**24

# Stacks that are trained side by side take at most this share of scikit-learn's
# `working_memory`, or one is trained at a time.
WORKING_SHARE = 0.25


class Run(NamedTuple):
    """What a call of `fit` or `partial_fit` asks for."""

    resume: bool  # go on from the fitted weights
    early_stopping: bool
    max_iter: int | str
    keep_optimizer: bool = False  # for the next call, at a step size that stays


def fit_rows(estimator, X, sample_weight, X_val, run):
    """Train on a stand-in, so that the estimator changes only when all went well."""
    from ._training.loop import check_device  # imports torch, which only training needs

    estimator._validate_params()  # partial_fit does so only in its first call
    check_device(estimator.device)
    fitted, rng = copy.copy(estimator), private_random_state(estimator.random_state)
    ensemble = _resumed(fitted) if run.resume else None
    kept_rows = weighted_rows(X, sample_weight)
    read = _recall(fitted, ensemble, *kept_rows) if ensemble else _read(fitted, rng, *kept_rows)
    rows = _training_rows(fitted, read, X_val, run, ensemble)
    if run.early_stopping and not rows.holds_out:
        # One row can't be both learned from and held out: keep the classical start.
        run = run._replace(early_stopping=False, max_iter=0)
    ensemble = ensemble or _drawn(fitted, read.table, rows, rng)
    schedule = read_schedule(estimator, rows.n_rows, run)
    _warn_of_memory(ensemble, schedule)
    stacks = list(members.stacks(ensemble, schedule))
    data = {"X": X, "metadata": {"sample_weight": sample_weight}}
    with telling_callbacks(estimator, len(stacks), data) as context:
        trained = _train(estimator, context, ensemble, stacks, rows, schedule, rng)
    ensemble = members.with_trained(ensemble, trained, run.keep_optimizer)
    remembered = remember(fitted, read.layout, read.fold_seed)
    return finish(estimator, fitted, ensemble, trained, remembered, run)


@contextmanager
def telling_callbacks(estimator, n_tasks, data):
    """Tell callbacks of the beginning and the end of a fit; yield the context of its tasks."""
    context = estimator._init_callback_context(max_subtasks=n_tasks, sequential_subtasks=False)
    context.call_on_fit_task_begin(estimator=estimator, **data)
    yield context
    context.call_on_fit_task_end(estimator=estimator, **data)


def task_context(context, label, position, schedule):
    """Return the context of one task, whose epochs callbacks see.

    It is made before any task starts: a context that grows while it is pickled breaks.
    """
    return context.subcontext(label, task_id=position, max_subtasks=schedule.max_iter)


def remember(estimator, layout, fold_seed):
    """Return what the next call and prediction need beside the ensemble, as plain values."""
    return {
        "layout": asdict(layout),
        "fold_seed": fold_seed,
        "drawn_for": _drawn_for(estimator, layout),
    }


def finish(estimator, fitted, ensemble, trained, remembered, run):
    """Give the estimator what training found, by way of its stand-in, if it is sound."""
    if not np.isfinite(ensemble.weights).all():
        raise ValueError(
            "Training diverged: weights are not finite. Lower learning_rate_init "
            f"(now {estimator.learning_rate_init})."
        )
    fitted._state = ensemble.to_state()
    fitted._state.update(remembered)
    fitted.feature_types_ = ensemble.table.kinds
    fitted.ordering_ = ranks_to_ordering(ensemble.ranks)
    _report(fitted, trained, run)
    return _take_over(estimator, fitted)


class _Read(NamedTuple):
    """Rows to train on, and what is known of their columns."""

    layout: Layout
    table: Table
    numbers: Numbers
    weight: Any
    fold_seed: int


def _read(estimator, rng, X, kept, weight):
    """Read a new table, and learn its columns."""
    new, fold_seed = read_new_table(estimator, X, kept, weight), int(rng.randint(MAX_SEED))
    read = new.numbers.__getitem__
    known = new.layout, new.kinds, new.bounds, new.survey
    table = learn(estimator, *known, read, weight, fold_seed)
    return _Read(new.layout, table, new.numbers, weight, fold_seed)


def _recall(estimator, ensemble, X, kept, weight):
    """Read a table like the one of fit, whose columns are known."""
    table, layout = ensemble.table, Layout(**estimator._state["layout"])
    numbers = read_table(estimator, X, layout, table, kept=kept).numbers
    check_inside(table, numbers, layout)
    if not ensemble.architecture.conditioning_weights:
        warn_missing(numbers)
    # The same folds again: rows that were trained on must not become held-out rows.
    return _Read(layout, table, numbers, weight, estimator._state["fold_seed"])


def _training_rows(estimator, read, X_val, run, ensemble):
    """Say which rows members train on, and which they hold out."""
    n_rows, validation = len(read.numbers), None
    if X_val is not None:
        numbers = read_table(estimator, X_val, read.layout, read.table, "X_val").numbers
        validation = open_source(read.table, numbers, None, read.fold_seed)
    holds_out = run.early_stopping and n_rows > 1
    return Rows(
        open_source(read.table, read.numbers, read.weight, read.fold_seed),
        n_members=len(ensemble.weights) if ensemble else count_members(estimator, n_rows),
        validation=validation if run.early_stopping else None,
        fraction=estimator.validation_fraction if holds_out else None,
        fold_seed=read.fold_seed,
    )


def learn(estimator, layout, kinds, bounds, surveyed, read, weight, seed):
    """Learn the columns of a new table as the estimator asks for, and warn of odd ones."""
    table = learn_table(
        read,
        weight,
        surveyed,
        kinds,
        layout.n_levels,
        seed,
        bounds=bounds,
        smoothed=estimator.handle_unknown == "smoothed",
        min_scale=estimator.min_scale,
    )
    warn_constant(table, layout)
    warn_free_text(layout, surveyed.n_rows)
    return table


def read_architecture(estimator, table, conditioned):
    """Collect and check the hyperparameters of the network for a table."""
    sizes = np.atleast_1d(np.asarray(estimator.hidden_layer_sizes))
    if sizes.ndim != 1 or sizes.dtype.kind not in "iu" or len(sizes) == 0 or min(sizes) < 1:
        raise ValueError(
            "hidden_layer_sizes must hold one positive integer for each hidden layer, "
            f"got {estimator.hidden_layer_sizes!r}."
        )
    conditioning = estimator.conditioning_weights
    architecture = Architecture(
        hidden_layer_sizes=tuple(int(size) for size in sizes),
        activation=estimator.activation,
        n_components=int(estimator.n_components),
        residual=bool(estimator.residual),
        direct_connections=bool(estimator.direct_connections),
        conditioning_weights=bool(conditioned if conditioning is None else conditioning),
    )
    too_many = math.prod(architecture.build(table).n_direct) > MAX_DIRECT_WEIGHTS
    return replace(architecture, direct_connections=False) if too_many else architecture


def new_architecture(estimator, table):
    """Collect the hyperparameters of the network for a new table."""
    conditioned = estimator.order_agnostic or bool(table.missing.any())
    architecture = read_architecture(estimator, table, conditioned)
    warn_if_narrow(architecture.hidden_layer_sizes, table.n_features)
    if estimator.direct_connections and not architecture.direct_connections:
        warn_user(
            f"{table.n_features} columns are too many for direct connections, of which each "
            f"member would have {math.prod(architecture.build(table).n_direct)}: the network "
            "is fitted without them. Set direct_connections=False, or leave out columns."
        )
    return architecture


def _drawn(estimator, table, rows, rng):
    """Draw members that hold the classical solution."""
    architecture = new_architecture(estimator, table)
    return members.draw_members(
        table,
        rows,
        architecture,
        seeds=rng.randint(MAX_SEED, size=rows.n_members),
        **mask_options(estimator),
    )


def mask_options(estimator):
    """Collect how masks are drawn, as `draw_mask_list` takes it."""
    names = "n_masks", "ordering", "order_agnostic", "connectivity_agnostic"
    return {name: getattr(estimator, name) for name in names}


def _resumed(estimator):
    """Return the fitted ensemble to train on, if it is still the one asked for."""
    ensemble = Ensemble.from_state(estimator._state)
    conditioned = ensemble.architecture.conditioning_weights
    shape = read_architecture(estimator, ensemble.table, conditioned)
    asked = (shape, estimator.n_estimators)
    n_members = "auto" if asked[1] == "auto" else len(ensemble.weights)
    changed = (
        ["its shape or n_estimators"] if (ensemble.architecture, n_members) != asked else []
    )
    now = _drawn_for(estimator, Layout(**estimator._state["layout"]))
    before = estimator._state.get("drawn_for", now)  # version 0.1.0 did not remember
    changed += [name for name in DRAWN_FOR if before.get(name) != now[name]]
    if changed:
        raise ValueError(
            "warm_start and partial_fit go on with the fitted network, but "
            f"{', '.join(changed)} has been changed. Fit a clone, or set warm_start=False."
        )
    return replace(ensemble, weights=ensemble.weights.copy())  # the old ones stay as they are


def _drawn_for(estimator, layout):
    """Return what the network is drawn for, as plain values that can be saved and compared."""
    asked = {name: getattr(estimator, name) for name in DRAWN_FOR}
    if not isinstance(asked["ordering"], str):
        asked["ordering"] = np.asarray(asked["ordering"]).tolist()
    words = declared_words(estimator, len(layout.levels), layout.names)
    asked["feature_types"] = [str(word) for word in words]
    asked["handle_unknown"] = str(asked["handle_unknown"])
    for name in ("order_agnostic", "connectivity_agnostic"):
        asked[name] = bool(asked[name])
    bounds = read_bounds(asked["bounds"], words, layout)
    asked["bounds"] = None if bounds is None else bounds.tolist()
    asked["n_masks"] = int(asked["n_masks"])
    asked["min_scale"] = None if asked["min_scale"] is None else float(asked["min_scale"])
    return asked


def count_members(estimator, n_rows):
    """Return the number of members, with what 'auto' means for so many rows."""
    asked = estimator.n_estimators
    return auto_members(n_rows) if asked == "auto" else int(asked)


def read_schedule(estimator, n_rows, run):
    """Collect how to train, with what 'auto' means for so many rows."""

    def adapted(asked, automatic):
        return automatic(n_rows) if asked == "auto" else asked

    return Schedule(
        max_iter=adapted(run.max_iter, auto_epochs),
        batch_size=adapted(estimator.batch_size, auto_batch_size),
        learning_rate_init=estimator.learning_rate_init,
        dropout=adapted(estimator.dropout, auto_dropout),
        alpha=estimator.alpha,
        n_iter_no_change=estimator.n_iter_no_change,
        tol=estimator.tol,
        decay=not run.keep_optimizer,
        together=not str(estimator.device).startswith("cpu"),
    )


def _train(estimator, context, ensemble, stacks, rows, schedule, rng):
    """Train the stacks of members side by side: on threads, or on jobs if `n_jobs` says so.

    The trained weights take the place of those that the ensemble had.
    """
    seeds = rng.randint(MAX_SEED, size=len(stacks))
    told = without_state(estimator)
    contexts = [
        task_context(context, _label(part, ensemble), position, schedule)
        for position, (part, _, _) in enumerate(stacks)
    ]
    tasks = [
        partial(
            train_stack,
            told,
            subcontext,
            made=ensemble.made,
            start=start,
            masks=masks,
            rows=rows.of_members(part),
            schedule=schedule,
            seed=int(seed),
        )
        for (part, start, masks), subcontext, seed in zip(stacks, contexts, seeds, strict=True)
    ]
    parts = [part for part, _, _ in stacks]
    jobs = Parallel(n_jobs=estimator.n_jobs)
    if estimator.n_jobs is not None or jobs.n_jobs != 1:  # of joblib's context
        trained = jobs(delayed(alone)(task) for task in tasks)
        both = zip(parts, trained, strict=True)
        return [members.put_in_place(ensemble.weights, *stack) for stack in both]
    from ._training.threads import side_by_side  # imports torch, which only training needs

    def placed(task, part, stopped):
        return members.put_in_place(ensemble.weights, part, task(stopped=stopped))

    at_most = int(WORKING_SHARE * working_bytes() // members.stack_bytes(ensemble, schedule))
    side_by_side_tasks = [partial(placed, *both) for both in zip(tasks, parts, strict=True)]
    return side_by_side(side_by_side_tasks, at_most=max(at_most, 1))


def _warn_of_memory(ensemble, schedule):
    """Warn of a fit that takes more than half of the machine's memory."""
    taken = ensemble.weights.nbytes + members.stack_bytes(ensemble, schedule)
    there = _machine_bytes()
    if taken > there / 2:
        warn_user(
            f"The fit will take about {taken / 2**30:.1f} GB of the machine's "
            f"{there / 2**30:.1f} GB of memory. Fewer n_estimators, hidden_layer_sizes or "
            "n_components need less, and so does direct_connections=False."
        )


def _machine_bytes():
    """How much memory the machine has; infinite where it does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return math.inf


def alone(task):
    """Run the task of a job as it would run beside others, to the same result."""
    from ._training.threads import side_by_side

    (trained,) = side_by_side([lambda stopped: task(stopped=stopped)])
    return trained


def without_state(estimator):
    """Copy the parameters, and not what an earlier fit found: jobs have no use for it."""
    copied = copy.copy(estimator)
    copied.__dict__.pop("_state", None)
    return copied


def _label(part, ensemble):
    """Name the members trained together, counted from one: 'members 1-4 of 8'."""
    n_members = len(ensemble.weights)
    return f"members {part.start + 1}-{min(part.stop, n_members)} of {n_members}"


def train_stack(estimator, context, **task):
    """Train one stack of members, telling callbacks and the console of each epoch."""
    from ._training.loop import fit_network  # imports torch, which only training needs

    context.call_on_fit_task_begin(estimator=estimator)
    parts = n_parts(task["rows"], task["schedule"])
    epochs: list = []

    def begun(epoch):
        """Return the epoch's context, which callbacks see when its first part is done."""
        if len(epochs) < epoch:
            epochs.append(context.subcontext("epoch", max_subtasks=parts))
            epochs[-1].call_on_fit_task_begin(estimator=estimator)
        return epochs[-1]

    def on_part(epoch):
        leaf = begun(epoch).subcontext("part").call_on_fit_task_begin(estimator=estimator)
        leaf.call_on_fit_task_end(estimator=estimator)

    def on_epoch(epoch, train, validation):
        if estimator.verbose:
            held_out = "" if validation is None else f", held out {validation:.4f}"
            print(
                f"[MADEDensity] {context.task_name}, epoch {epoch}: "
                f"log-likelihood {train:.4f}{held_out}"
            )
        return begun(epoch).call_on_fit_task_end(estimator=estimator)

    trained = fit_network(on_epoch=on_epoch, on_part=on_part, device=estimator.device, **task)
    context.call_on_fit_task_end(estimator=estimator)
    return trained


def _report(fitted, trained, run):
    """Set the fitted attributes that tell how training went."""
    history = members.merge_histories(trained)
    before = fitted.history_ if run.resume else {"train": [], "validation": []}
    fitted.history_ = {key: before[key] + history[key] for key in history}
    fitted.n_iter_ = len(fitted.history_["train"])
    fitted.best_validation_score_ = None
    if not run.early_stopping:
        return
    best = np.concatenate([stack.best_score for stack in trained])
    fitted.best_validation_score_ = float(best.mean())
    if not np.isfinite(history["train"]).all():
        warn_user(
            f"Training diverged with learning_rate_init={fitted.learning_rate_init}: the best "
            "epoch before is kept. Lower learning_rate_init.",
            ConvergenceWarning,
        )


def _take_over(estimator, fitted):
    """Give the estimator the state of its stand-in, in a step that no Ctrl-C can halve."""
    state = {**vars(estimator), **vars(fitted)}
    if not hasattr(fitted, "feature_names_in_"):
        state.pop("feature_names_in_", None)
    estimator.__dict__ = state
    return estimator
