"""Models that tests share: random weights (laws hold untrained), or quick to fit."""

from dataclasses import replace

import numpy as np
import pytest

from skmade import MADEDensity
from skmade._ensemble import Architecture, draw_ensemble, split_rows
from skmade._features import encode, learn_table


def make_ensemble(
    n_features,
    n_binary=0,
    *,
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
):
    """Return an ensemble of untrained members whose weights are all random."""
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(50, n_features)) * columns_scale
    kinds = np.repeat(["continuous", "binary"], [n_features - n_binary, n_binary])
    kinds = rng.permutation(kinds)
    X[:, kinds == "binary"] = rng.randint(2, size=(50, n_binary))
    architecture = Architecture(
        hidden_layer_sizes,
        activation,
        n_components,
        residual,
        direct_connections,
        conditioning_weights,
    )
    table = learn_table(X, np.ones(50), kinds)
    rows = split_rows(encode(table, X), np.ones(50), None, n_members, None, rng)
    ensemble = draw_ensemble(
        table,
        rows,
        architecture,
        seeds=range(n_members),
        n_masks=n_masks,
        order_agnostic=order_agnostic,
        connectivity_agnostic=connectivity_agnostic,
    )
    weights = ensemble.weights + rng.normal(scale=scale, size=ensemble.weights.shape)
    return replace(ensemble, weights=weights.astype(np.float32))


def quick(**parameters):
    """Return an estimator that fits in a fraction of a second."""
    defaults = {"hidden_layer_sizes": (16, 16), "n_components": 3, "n_estimators": 1}
    return MADEDensity(**{**defaults, "max_iter": 5, "random_state": 0, **parameters})


CONFIGURATIONS = {
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
    "agnostic-three-layers": {"hidden_layer_sizes": (12, 16, 16), "activation": "tanh"},
}


@pytest.fixture(params=CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())
def configuration(request):
    """Options of `make_ensemble`, one set for each way of training."""
    return request.param
