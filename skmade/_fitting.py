"""How `MADEDensity` is fitted: validate, draw members, train them, take over the result.

The estimator's class holds the public contract; this is what its `fit` and `partial_fit`
do. The one place that calls scikit-learn's callbacks.
"""

import copy
import warnings
from contextlib import contextmanager
from dataclasses import asdict

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.parallel import Parallel, delayed

from ._dask.partitions import fetched
from ._input import (
    MAX_SEED,
    private_random_state,
    read_new_table,
    read_table,
    warn_free_text,
    warn_missing,
    weighted_rows,
)
from ._network.ensemble import (
    Architecture,
    Ensemble,
    draw_ensemble,
    merge_histories,
)
from ._network.masks import ranks_to_ordering, warn_if_narrow
from ._table.encoding import warn_constant
from ._table.frame import Layout
from ._training import auto as _auto
from ._training.rows import Rows, describe_columns, described_rows, open_source
from ._training.schedule import Schedule, n_parts

# Frames between a warning raised two calls below `fit_estimator` and the user's line:
# `fit` and scikit-learn's two decorators lie between.
USER_LEVEL = 7


def fit_estimator(
    estimator,
    X,
    sample_weight,
    X_val,
    *,
    resume,
    early_stopping,
    max_iter,
    keep_optimizer=False,
):
    """Train on a stand-in, so that the estimator changes only when all went well."""
    from ._training.loop import check_device  # imports torch, which only training needs

    X, sample_weight, X_val = (fetched(given) for given in (X, sample_weight, X_val))
    estimator._validate_params()  # partial_fit does so only in its first call
    check_device(estimator.device)
    fitted = copy.copy(estimator)
    layout, table, rows, fold_seed, rng = _prepare(
        fitted, X, sample_weight, X_val, resume=resume, early_stopping=early_stopping
    )
    if early_stopping and not rows.holds_out:
        # One row can't be both learned from and held out: keep the classical start.
        early_stopping, max_iter = False, 0
    ensemble = _resumed(fitted) if resume else _drawn(fitted, table, rows, rng)
    schedule = read_schedule(estimator, rows.n_rows, max_iter, decay=not keep_optimizer)
    data = {"X": X, "metadata": {"sample_weight": sample_weight}}
    with telling_callbacks(estimator, len(list(ensemble.stacks())), data) as context:
        trained = _train(estimator, context, ensemble, rows, schedule, rng)
    return finish(
        estimator,
        fitted,
        ensemble.with_trained(trained, keep_optimizer),
        trained,
        remembered={"layout": asdict(layout), "fold_seed": fold_seed},
        resume=resume,
        early_stopping=early_stopping,
    )


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


def finish(estimator, fitted, ensemble, trained, *, remembered, resume, early_stopping):
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
    _report(fitted, trained, resume, early_stopping)
    return _take_over(estimator, fitted)


def _prepare(estimator, X, sample_weight, X_val, *, resume, early_stopping):
    """Read rows, learn (or recall) the table, and say how training reads the rows."""
    rng = private_random_state(estimator.random_state)
    X, kept, weight = weighted_rows(X, sample_weight)
    if resume:
        ensemble = Ensemble.from_state(estimator._state)
        table, layout = ensemble.table, Layout(**estimator._state["layout"])
        numbers, _ = read_table(estimator, X, layout, table, kept=kept)
        if not ensemble.architecture.conditioning_weights:
            warn_missing(numbers, stacklevel=USER_LEVEL)
        # The same folds again: rows that were trained on must not become held-out rows.
        fold_seed = estimator._state["fold_seed"]
    else:
        layout, kinds, numbers, surveyed = read_new_table(estimator, X, kept, weight)
        fold_seed = int(rng.randint(MAX_SEED))
        smoothed = estimator.handle_unknown == "smoothed"
        drawn = described_rows(surveyed, fold_seed)
        chosen = slice(None) if drawn is None else drawn
        table = describe_columns(
            numbers[chosen],
            None if weight is None else weight[chosen],
            surveyed,
            kinds,
            layout.n_levels,
            smoothed,
            estimator.min_scale,
        )
        warn_constant(table, layout, stacklevel=USER_LEVEL)
        warn_free_text(layout, len(numbers), stacklevel=USER_LEVEL)
    validation = None
    if X_val is not None:
        numbers_val, _ = read_table(estimator, X_val, layout, table, "X_val")
        validation = open_source(table, numbers_val, None, fold_seed)
    rows = Rows(
        open_source(table, numbers, weight, fold_seed),
        n_members=len(ensemble.weights) if resume else count_members(estimator, len(numbers)),
        validation=validation if early_stopping else None,
        fraction=estimator.validation_fraction if early_stopping and len(numbers) > 1 else None,
        fold_seed=fold_seed,
    )
    return layout, table, rows, fold_seed, rng


def read_architecture(estimator, conditioned):
    """Collect and check the hyperparameters of the network."""
    sizes = np.atleast_1d(np.asarray(estimator.hidden_layer_sizes))
    if sizes.ndim != 1 or sizes.dtype.kind not in "iu" or len(sizes) == 0 or min(sizes) < 1:
        raise ValueError(
            "hidden_layer_sizes must hold one positive integer for each hidden layer, "
            f"got {estimator.hidden_layer_sizes!r}."
        )
    conditioning = estimator.conditioning_weights
    return Architecture(
        hidden_layer_sizes=tuple(int(size) for size in sizes),
        activation=estimator.activation,
        n_components=int(estimator.n_components),
        residual=bool(estimator.residual),
        direct_connections=bool(estimator.direct_connections),
        conditioning_weights=bool(conditioned if conditioning is None else conditioning),
    )


def new_architecture(estimator, table):
    """Collect the hyperparameters of the network for a new table."""
    return read_architecture(estimator, estimator.order_agnostic or bool(table.missing.any()))


def _drawn(estimator, table, rows, rng):
    """Draw members that hold the classical solution."""
    architecture = new_architecture(estimator, table)
    warn_if_narrow(architecture.hidden_layer_sizes, table.n_features, stacklevel=USER_LEVEL)
    return draw_ensemble(
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
    asked = (read_architecture(estimator, conditioned), estimator.n_estimators)
    n_members = "auto" if asked[1] == "auto" else len(ensemble.weights)
    if (ensemble.architecture, n_members) != asked:
        raise ValueError(
            "warm_start and partial_fit go on with the fitted network, but its shape or "
            "n_estimators has been changed. Fit a clone, or set warm_start=False."
        )
    return ensemble


def count_members(estimator, n_rows):
    """Return the number of members, with what 'auto' means for so many rows."""
    asked = estimator.n_estimators
    return _auto.n_members(n_rows) if asked == "auto" else int(asked)


def read_schedule(estimator, n_rows, max_iter, decay):
    """Collect how to train, with what 'auto' means for so many rows."""

    def adapted(asked, automatic):
        return automatic(n_rows) if asked == "auto" else asked

    return Schedule(
        max_iter=adapted(max_iter, _auto.n_epochs),
        batch_size=adapted(estimator.batch_size, _auto.batch_size),
        learning_rate_init=estimator.learning_rate_init,
        dropout=adapted(estimator.dropout, _auto.dropout),
        alpha=estimator.alpha,
        n_iter_no_change=estimator.n_iter_no_change,
        tol=estimator.tol,
        decay=decay,
    )


def _train(estimator, context, ensemble, rows, schedule, rng):
    """Train the stacks of members, in parallel if `n_jobs` says so."""
    stacks = list(ensemble.stacks())
    seeds = rng.randint(MAX_SEED, size=len(stacks))
    made = ensemble.made
    contexts = [
        task_context(context, _label(part, ensemble), position, schedule)
        for position, (part, _, _) in enumerate(stacks)
    ]
    return Parallel(n_jobs=estimator.n_jobs)(
        delayed(train_stack)(
            estimator,
            subcontext,
            made=made,
            start=start,
            masks=masks,
            rows=rows.of_members(part),
            schedule=schedule,
            seed=int(seed),
            device=estimator.device,
        )
        for (part, start, masks), subcontext, seed in zip(stacks, contexts, seeds, strict=True)
    )


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

    trained = fit_network(on_epoch=on_epoch, on_part=on_part, **task)
    context.call_on_fit_task_end(estimator=estimator)
    return trained


def _report(fitted, trained, resume, early_stopping):
    """Set the fitted attributes that tell how training went."""
    history = merge_histories(trained)
    before = fitted.history_ if resume else {"train": [], "validation": []}
    fitted.history_ = {key: before[key] + history[key] for key in history}
    fitted.n_iter_ = len(fitted.history_["train"])
    fitted.best_validation_score_ = None
    if not early_stopping:
        return
    best = np.concatenate([stack.best_score for stack in trained])
    fitted.best_validation_score_ = float(best.mean())
    if not np.isfinite(history["train"]).all():
        warnings.warn(
            f"Training diverged with learning_rate_init={fitted.learning_rate_init}: the best "
            "epoch before is kept. Lower learning_rate_init.",
            ConvergenceWarning,
            stacklevel=USER_LEVEL,
        )


def _take_over(estimator, fitted):
    """Give the estimator the state of its stand-in, in a step that no Ctrl-C can halve."""
    state = {**vars(estimator), **vars(fitted)}
    if not hasattr(fitted, "feature_names_in_"):
        state.pop("feature_names_in_", None)
    estimator.__dict__ = state
    return estimator
