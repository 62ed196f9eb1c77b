"""Untrained ensembles whose weights are all random, and tables for them."""

from dataclasses import replace

import numpy as np

from skmade._network.ensemble import Architecture, equal_shares
from skmade._network.evidence import Evidence
from skmade._network.masks import draw_ranks
from skmade._network.mixtures import MixtureOfGaussians
from skmade._table.encoding import encode
from skmade._table.learning import learn_columns
from skmade._table.numbers import Numbers
from skmade._training.members import draw_members
from skmade._training.rows import Rows, open_source

# Options of `make_ensemble`, one set for each way of training.
TRAININGS = {
    "plain": {
        "residual": False,
        "direct_connections": False,
        "conditioning_weights": False,
        "order_agnostic": False,
        "connectivity_agnostic": False,
    },
    "direct": {
        "residual": False,
        "conditioning_weights": False,
        "order_agnostic": False,
        "connectivity_agnostic": False,
    },
    "residual": {
        "conditioning_weights": False,
        "order_agnostic": False,
        "connectivity_agnostic": False,
    },
    "order-agnostic": {"connectivity_agnostic": False},
    "connectivity-agnostic": {"order_agnostic": False},
    "evidence": {
        "conditioning_weights": False,
        "order_agnostic": False,
        "connectivity_agnostic": False,
        "evidence": True,
    },
    "agnostic-three-layers": {"hidden_layer_sizes": (12, 16, 16), "activation": "tanh"},
}


# The value of constant columns.
CONSTANT = 3.0


def make_ensemble(
    n_features,
    n_binary=0,
    *,
    levels=(),
    n_counts=0,
    n_members=2,
    n_masks=3,
    hidden_layer_sizes=(16, 16),
    n_components=3,
    seed=0,
    scale=0.5,
    activation="relu",
    residual=True,
    direct_connections=True,
    conditioning_weights=True,
    order_agnostic=True,
    connectivity_agnostic=True,
    columns_scale=1.0,
    missing=0.0,
    unknown=False,
    bounds=None,
    n_constant=0,
    shares="unequal",
    evidence=False,
):
    """Return an ensemble of untrained members whose weights are all random.

    Columns are binary, categorical (one for each number in `levels`), counts (the first of
    them never negative), and else continuous, in random order. The first continuous ones may
    be constant. Members count unequally, unless `shares` are 'equal'. In tables of numbers
    alone the first of two members may have `evidence` for its components, the second none.
    """
    rng = np.random.RandomState(seed)
    kinds, n_levels = draw_kinds(n_features, n_binary, levels, n_counts, rng)
    X = draw_table(kinds, n_levels, 50, rng) * np.where(
        kinds == "continuous", columns_scale, 1.0
    )
    X[:, np.flatnonzero(kinds == "continuous")[:n_constant]] = CONSTANT
    X[rng.random_sample(X.shape) < missing] = np.nan
    architecture = Architecture(
        hidden_layer_sizes,
        activation,
        n_components,
        residual,
        direct_connections,
        conditioning_weights,
    )
    table = learn_columns(X, np.ones(50), kinds, n_levels, bounds=bounds, smoothed=unknown)
    drawn = {
        "n_masks": n_masks,
        "order_agnostic": order_agnostic,
        "connectivity_agnostic": connectivity_agnostic,
    }
    options = {"seed": seed, "scale": scale, "shares": shares, **drawn}
    ensemble = random_members(table, X, architecture, n_members, rng, **options)
    laws = [law for law, _ in ensemble.made.groups]
    if evidence and all(isinstance(law, MixtureOfGaussians) for law in laws):
        return replace(ensemble, evidence=draw_evidence(ensemble, rng))
    return ensemble


def draw_evidence(ensemble, rng):
    """Draw what the features before say of components, for every other member."""
    ranks, n_components = ensemble.ranks[:, 0], ensemble.architecture.n_components
    shape = len(ranks), n_components, ranks.shape[1]
    slopes = rng.normal(scale=0.5, size=(*shape, shape[2]))
    slopes *= (ranks[:, None, :] < ranks[:, :, None])[:, None]
    own = np.arange(shape[2])
    slopes[:, :, own, own] = np.exp(rng.normal(scale=0.3, size=shape))
    slopes[1::2] = 0.0
    return Evidence(slopes, rng.normal(scale=0.5, size=shape) * (slopes.any(axis=3)))


def random_members(
    table,
    X,
    architecture,
    n_members,
    rng,
    *,
    seed=0,
    scale=0.5,
    shares="unequal",
    connectivity_agnostic=False,
    **masks,
):
    """Return untrained members for a table, whose weights are all random."""
    ranks = draw_ranks(
        n_members,
        table.n_features,
        np.random.RandomState(seed),
        connectivity_agnostic=connectivity_agnostic,
        **masks,
    )
    ensemble = draw_members(
        table,
        Rows(open_source(table, Numbers(X), None, 0), n_members),
        architecture,
        ranks,
        range(n_members),
        connectivity_agnostic,
    )
    weights = ensemble.weights + rng.normal(scale=scale, size=ensemble.weights.shape)
    return replace(
        ensemble,
        weights=weights.astype(np.float32),
        shares=draw_shares(n_members, rng) if shares == "unequal" else equal_shares(n_members),
    )


# Columns of which each has a law of its own, or something that is its own.
OF_EACH_LAW = {
    "plain": "continuous",
    "zeros": "continuous",
    "positive": "continuous",
    "positive, zeros": "continuous",
    "count": "count",
    "codes": "count",
    "binary": "binary",
    "label": "categorical",
    "constant": "continuous",
}


def draw_of_each_law(n_rows, rng):
    """Draw rows of a table with a column for each law."""
    size, zero = rng.normal(size=(4, n_rows)), rng.random_sample((2, n_rows)) < 0.4
    columns = {
        "plain": size[0],
        "zeros": np.where(zero[0], 0.0, size[1]),
        "positive": np.abs(size[2]),
        "positive, zeros": np.where(zero[1], 0.0, np.abs(size[3])),
        "count": rng.poisson(3, size=n_rows),
        "codes": rng.choice([1.0, 3.0, 9.0, 20.0], size=n_rows),
        "binary": rng.randint(2, size=n_rows),
        "label": rng.randint(3, size=n_rows),
        "constant": np.full(n_rows, CONSTANT),
    }
    return np.column_stack(list(columns.values()))


def ensemble_of_each_law(n_members=2, n_components=3, seed=0, scale=0.3, **masks):
    """Return untrained members for a table with a column for each law, and rows of it."""
    rng = np.random.RandomState(seed)
    X, kinds = draw_of_each_law(200, rng), np.array(list(OF_EACH_LAW.values()))
    bounds = np.tile([[-np.inf], [np.inf]], len(kinds))
    bounds[0, [2, 3]] = 0.0
    n_levels = np.where(kinds == "categorical", 3, 0)
    table = learn_columns(X, np.ones(200), kinds, n_levels, bounds=bounds)
    architecture = Architecture((16, 16), "relu", n_components, True, True, True)
    options = {"seed": seed, "scale": scale, **masks}
    return random_members(table, X, architecture, n_members, rng, **options), X


def draw_shares(n_members, rng):
    """Draw how much each member counts: some of them twice as much as others, or more."""
    odds = rng.permutation(np.geomspace(1, 4, n_members)) * rng.uniform(0.9, 1.1, n_members)
    return odds / odds.sum()


def draw_kinds(n_features, n_binary, levels, n_counts, rng):
    """Return the kinds of columns in random order, and the levels of the categorical ones."""
    n_continuous = n_features - n_binary - len(levels) - n_counts
    kinds = np.repeat(
        ["continuous", "binary", "count", "categorical"],
        [n_continuous, n_binary, n_counts, len(levels)],
    )
    n_levels = np.concatenate([np.zeros(n_features - len(levels), dtype=np.int64), levels])
    order = rng.permutation(n_features)
    return kinds[order], n_levels[order].astype(np.int64)


def draw_table(kinds, n_levels, n_samples, rng):
    """Draw independent columns of the given kinds."""
    X = rng.normal(size=(n_samples, len(kinds)))
    n_signed = 0
    for column, kind in enumerate(kinds):
        if kind == "binary":
            X[:, column] = rng.randint(2, size=n_samples)
        elif kind == "categorical":
            X[:, column] = rng.randint(n_levels[column], size=n_samples)
        elif kind == "count":
            X[:, column] = rng.poisson(2.0, size=n_samples) - 3 * n_signed
            n_signed += 1
    return X


def draw_values(ensemble, n_rows, rng, missing=0.0):
    """Draw rows as the network takes them, with some cells missing."""
    X = draw_table(ensemble.table.kinds, ensemble.table.n_levels, n_rows, rng)
    values = encode(ensemble.table, X)
    values[rng.random_sample(values.shape) < missing] = np.nan
    return values
