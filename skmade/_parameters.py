"""What the parameters of `MADEDensity` ask for, read for a table: shape, masks, schedule."""

import math
from dataclasses import replace

import numpy as np

from ._input import declared_words
from ._network.ensemble import Architecture
from ._network.masks import draw_ranks, warn_if_narrow
from ._table.bounds import read_bounds
from ._table.checks import warn_user
from ._training.recipes import recipes
from ._training.schedule import (
    Schedule,
    auto_batch_size,
    auto_epochs,
    auto_members,
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


def read_architecture(estimator, table, conditioned, n_components):
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
        n_components=n_components,
        residual=bool(estimator.residual),
        direct_connections=bool(estimator.direct_connections),
        conditioning_weights=bool(conditioned if conditioning is None else conditioning),
    )
    too_many = math.prod(architecture.build(table).n_direct) > MAX_DIRECT_WEIGHTS
    return replace(architecture, direct_connections=False) if too_many else architecture


def new_architecture(estimator, table, n_components):
    """Collect the hyperparameters of the network for a new table."""
    conditioned = estimator.order_agnostic or bool(table.missing.any())
    architecture = read_architecture(estimator, table, conditioned, n_components)
    warn_if_narrow(architecture.hidden_layer_sizes, table.n_features)
    if estimator.direct_connections and not architecture.direct_connections:
        warn_user(
            f"{table.n_features} columns are too many for direct connections, of which each "
            f"member would have {math.prod(architecture.build(table).n_direct)}: the network "
            "is fitted without them. Set direct_connections=False, or leave out columns."
        )
    return architecture


def new_ranks(estimator, n_members, n_features, rng):
    """Draw the ranks of the masks of members, (n_members, n_masks, n_features)."""
    names = "n_masks", "ordering", "order_agnostic", "connectivity_agnostic"
    options = {name: getattr(estimator, name) for name in names}
    return draw_ranks(n_members, n_features, rng, **options)


def read_recipes(estimator, table, n_rows, holds_out):
    """Return how members are trained for so many rows."""
    return recipes(
        estimator.n_components,
        estimator.dropout,
        n_rows,
        has_numbers=bool((table.kinds == "continuous").any()),
        gaussians=may_be_gaussians(estimator, table),
        can_compare=holds_out and estimator.n_estimators != 1,
    )


def may_be_gaussians(estimator, table):
    """Whether members may start as mixtures of Gaussians of all columns.

    These have to be numbers, none of which recurs or is missing, in one ordering.
    """
    numbers = np.isin(table.kinds, ["continuous", "count"]) & ~table.constant
    agnostic = estimator.order_agnostic or estimator.connectivity_agnostic
    return bool(
        numbers.all()
        and np.isnan(table.atom_images).all()
        and not table.missing.any()
        and not (agnostic or estimator.conditioning_weights)
        and estimator.direct_connections
    )


def count_members(estimator, n_rows, some):
    """Return the number of members, with what 'auto' means for so many rows and recipes."""
    asked = estimator.n_estimators
    return auto_members(n_rows, len(some)) if asked == "auto" else int(asked)


def read_schedule(estimator, n_rows, run):
    """Collect how to train, with what 'auto' means for so many rows."""

    def adapted(asked, automatic):
        return automatic(n_rows) if asked == "auto" else asked

    return Schedule(
        max_iter=adapted(run.max_iter, auto_epochs),
        batch_size=adapted(estimator.batch_size, auto_batch_size),
        learning_rate_init=estimator.learning_rate_init,
        alpha=estimator.alpha,
        n_iter_no_change=estimator.n_iter_no_change,
        tol=estimator.tol,
        decay=not run.keep_optimizer,
        together=not str(estimator.device).startswith("cpu"),
    )


def drawn_for(estimator, layout):
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
