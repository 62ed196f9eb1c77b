"""How `MADEDensity` is fitted: validate, draw members, train them, take over the result.

The estimator's class holds the public contract; this is what its `fit` and `partial_fit`
do. The one place that calls scikit-learn's callbacks.
"""

import copy
from contextlib import contextmanager
from dataclasses import replace
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
    read_new_table,
    read_table,
    warn_missing,
    weighted_rows,
    working_bytes,
)
from ._network.ensemble import Ensemble
from ._network.masks import ranks_to_ordering
from ._parameters import (
    DRAWN_FOR,
    count_members,
    drawn_for,
    new_architecture,
    new_ranks,
    read_architecture,
    read_recipes,
    read_schedule,
)
from ._table.checks import warn_constant, warn_texts, warn_user
from ._table.encoding import Table
from ._table.frame import collected
from ._table.layout import Layout
from ._table.learning import learn_table
from ._table.numbers import Numbers
from ._training import members
from ._training.recipes import allotted, by_recipe, first_sizes
from ._training.rows import Rows, open_source
from ._training.schedule import n_parts

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
    X = collected(X)
    ensemble = _resumed(fitted) if run.resume else None
    kept_rows = weighted_rows(X, sample_weight)
    read = _recall(fitted, ensemble, *kept_rows) if ensemble else _read(fitted, rng, *kept_rows)
    n_rows = len(read.numbers)
    some = read_recipes(fitted, read.table, n_rows, run.early_stopping and n_rows > 1)
    before = members.recalled(ensemble, fitted._state.get("members")) if ensemble else None
    n_members = before.n_trained if before else count_members(fitted, n_rows, some)
    rows = _training_rows(fitted, read, X_val, run, n_members)
    if run.early_stopping and not rows.holds_out:
        # One row can't be both learned from and held out: keep the classical start.
        run = run._replace(early_stopping=False, max_iter=0)
    schedule = read_schedule(estimator, n_rows, run)
    drawing = None
    if ensemble and before:
        cohorts = before.cohorts(ensemble, len(some))
    else:
        drawing = _new_members(fitted, read.table, rows, rng, some)
        sizes = first_sizes(n_members, len(some), n_rows, rows.holds_out)
        cohorts = drawing.cohorts(sizes)
    members.warn_of_memory(cohorts[0].ensemble, n_members, schedule)
    data = {"X": X, "metadata": {"sample_weight": sample_weight}}
    with telling_callbacks(estimator, n_members, data) as context:
        train = partial(_train, estimator, context, rows=rows, schedule=schedule, some=some)
        trained = train(cohorts, rng)
        if drawing is not None and drawing.n_left:
            shares = members.shares_of_recipes(trained, len(some), rows)
            trained += train(drawing.cohorts(allotted(shares, sizes, drawing.n_left)), rng)
    shares = members.shares_of_recipes(trained, len(some), rows)
    together, told = members.joined(trained, shares, run.keep_optimizer)
    if ensemble and before:
        told = told._replace(n_trained=before.n_trained)
        if not rows.holds_out:  # nothing tells how much each counts now
            together, told = replace(together, shares=ensemble.shares), before
    remembered = remember(fitted, read.layout, read.fold_seed, told._asdict())
    counting = [cohort for cohort in trained if shares[cohort.recipe] > 0]
    states = [state for cohort in counting for state in cohort.states]
    return finish(estimator, fitted, together, states, remembered, run)


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


def remember(estimator, layout, fold_seed, told):
    """Return what the next call and prediction need beside the ensemble, as plain values.

    `told` is how members were trained.
    """
    return {
        "layout": layout.to_state(),
        "fold_seed": fold_seed,
        "members": told,
        "drawn_for": drawn_for(estimator, layout),
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
    table, layout = ensemble.table, Layout.from_state(estimator._state["layout"])
    numbers = read_table(estimator, X, layout, table, kept=kept).numbers
    check_inside(table, numbers, layout)
    if not ensemble.architecture.conditioning_weights:
        warn_missing(numbers)
    # The same folds again: rows that were trained on must not become held-out rows.
    return _Read(layout, table, numbers, weight, estimator._state["fold_seed"])


def _training_rows(estimator, read, X_val, run, n_members):
    """Say which rows members train on, and which they hold out."""
    n_rows, validation = len(read.numbers), None
    if X_val is not None:
        numbers = read_table(estimator, X_val, read.layout, read.table, "X_val").numbers
        validation = open_source(read.table, numbers, None, read.fold_seed)
    holds_out = run.early_stopping and n_rows > 1
    return Rows(
        open_source(read.table, read.numbers, read.weight, read.fold_seed),
        n_members=n_members,
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
    declared = declared_words(estimator, len(kinds), layout.names)
    warn_texts(layout, declared, table, surveyed.n_observed)
    return table


def _new_members(estimator, table, rows, rng, some):
    """Return what draws members that hold the classical solution."""
    architecture = new_architecture(estimator, table, some[0].n_components)
    return members.Drawing(
        table,
        rows,
        [replace(architecture, n_components=recipe.n_components) for recipe in some],
        [recipe.gaussians for recipe in some],
        new_ranks(estimator, rows.n_members, table.n_features, rng),
        rng.randint(MAX_SEED, size=rows.n_members),
        connectivity_agnostic=estimator.connectivity_agnostic,
    )


def _resumed(estimator):
    """Return the fitted ensemble to train on, if it is still the one asked for."""
    ensemble = Ensemble.from_state(estimator._state)
    conditioned = ensemble.architecture.conditioning_weights
    n_components = estimator.n_components
    if n_components == "auto":
        n_components = ensemble.architecture.n_components
    shape = read_architecture(estimator, ensemble.table, conditioned, int(n_components))
    told = members.recalled(ensemble, estimator._state.get("members"))
    same = ensemble.architecture == shape and estimator.n_estimators in ("auto", told.n_trained)
    changed = [] if same else ["its shape or n_estimators"]
    now = drawn_for(estimator, Layout.from_state(estimator._state["layout"]))
    before = estimator._state.get("drawn_for", now)  # version 0.1.0 did not remember
    changed += [name for name in DRAWN_FOR if before.get(name) != now[name]]
    if changed:
        raise ValueError(
            "warm_start and partial_fit go on with the fitted network, but "
            f"{', '.join(changed)} has been changed. Fit a clone, or set warm_start=False."
        )
    return replace(ensemble, weights=ensemble.weights.copy())  # the old ones stay as they are


def _train(estimator, context, cohorts, rng, *, rows, schedule, some):
    """Train the stacks of members side by side: on threads, or on jobs if `n_jobs` says so.

    Return the cohorts with the states of their stacks. Trained weights take the place of those
    that the ensembles had.
    """
    told = without_state(estimator)
    tasks: list = []
    places: list = []
    for cohort in cohorts:
        own = by_recipe(schedule, some[cohort.recipe])
        for part, start, masks in members.stacks(cohort.ensemble, own, rows.n_members):
            evidence = cohort.ensemble.evidence
            task = partial(
                train_stack,
                told,
                task_context(
                    context, _label(cohort, part, rows), cohort.first + part.start, own
                ),
                made=cohort.ensemble.made,
                start=start,
                masks=masks,
                rows=rows.with_folds(cohort.folds[part]),
                schedule=own,
                seed=int(rng.randint(MAX_SEED)),
                evidence=evidence and evidence.of_members(part),
            )
            tasks.append(task)
            places.append((cohort, part))
    jobs = Parallel(n_jobs=estimator.n_jobs)
    if estimator.n_jobs is not None or jobs.n_jobs != 1:  # of joblib's context
        trained = jobs(delayed(alone)(task) for task in tasks)
        trained = [
            members.put_in_place(cohort, part, state)
            for (cohort, part), state in zip(places, trained, strict=True)
        ]
    else:
        stack_bytes = max(members.stack_bytes(cohort.ensemble, schedule) for cohort in cohorts)
        trained = _on_threads(tasks, places, stack_bytes)
    return members.with_states(cohorts, places, trained)


def _on_threads(tasks, places, stack_bytes):
    """Train stacks on threads, and write the weights of each when it is done."""
    from ._training.threads import side_by_side  # imports torch, which only training needs

    def placed(task, place, stopped):
        cohort, part = place
        return members.put_in_place(cohort, part, task(stopped=stopped))

    at_most = max(int(WORKING_SHARE * working_bytes() // stack_bytes), 1)
    both = zip(tasks, places, strict=True)
    return side_by_side([partial(placed, *one) for one in both], at_most=at_most)


def _label(cohort, part, rows):
    """Name the members trained together, counted from one: 'members 1-4 of 8'."""
    first = cohort.first + part.start + 1
    last = cohort.first + min(part.stop, len(cohort.folds))
    return f"members {first}-{last} of {rows.n_members}"


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
    epochs = np.concatenate([stack.best_epoch for stack in trained])
    if not np.isfinite(history["train"]).all():
        warn_user(
            f"Training diverged with learning_rate_init={fitted.learning_rate_init}: the best "
            "epoch before is kept. Lower learning_rate_init.",
            ConvergenceWarning,
        )
    elif fitted.n_iter_ and not epochs.any():
        warn_user(
            "Training never improved on its start: no epoch scored better on held-out rows, so "
            "the classical solution is kept. It is right where columns are Gaussian. Else try "
            f"learning_rate_init below {fitted.learning_rate_init}, a larger max_iter or "
            "validation_fraction, and look at history_.",
            ConvergenceWarning,
        )


def _take_over(estimator, fitted):
    """Give the estimator the state of its stand-in, in a step that no Ctrl-C can halve."""
    state = {**vars(estimator), **vars(fitted)}
    if not hasattr(fitted, "feature_names_in_"):
        state.pop("feature_names_in_", None)
    estimator.__dict__ = state
    return estimator
