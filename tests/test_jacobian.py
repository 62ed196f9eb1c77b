"""Which outputs depend on which inputs, in training and in prediction."""

import itertools
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from skmade._prediction.walk import scoring_ends
from tests.ensembles import make_ensemble
from tests.equations import paths, walk_outputs


@pytest.mark.parametrize(
    ("n_features", "kinds"),
    [
        (1, {}),
        (2, {"n_binary": 1}),
        (5, {"n_binary": 2}),
        (6, {"n_binary": 1, "n_counts": 1, "levels": (3, 70)}),
        (32, {"n_binary": 10}),
    ],
)
def test_jacobian_is_zero_where_forbidden_and_not_where_allowed(
    n_features, kinds, configuration
):
    sizes = [max(size, 40) for size in configuration.get("hidden_layer_sizes", (40, 40))]
    options = {**configuration, "hidden_layer_sizes": tuple(sizes), "activation": "softplus"}
    ensemble = make_ensemble(n_features, **kinds, **options)
    for path in paths(ensemble):
        allowed = path.ranks[None, :] < path.ranks[:, None]
        for moves in MOVES:
            assert_array_equal(moves_of_features(path, moves), allowed)


ORDERINGS = [
    *(order for n in (1, 2, 5) for order in itertools.permutations(range(n))),
    range(32),
    range(32)[::-1],
    np.random.RandomState(0).permutation(32),
]


def test_every_ordering_is_kept():
    # Without direct connections the hidden units alone must show all that is allowed.
    for order, direct_connections in zip(ORDERINGS, itertools.cycle([False, True])):
        ranks = np.argsort(order) + 1
        path = one_path(len(ranks), direct_connections)
        path = replace(path, ranks=ranks)
        allowed = ranks[None, :] < ranks[:, None]
        for moves in MOVES:
            assert_array_equal(moves_of_features(path, moves), allowed)


@cache
def one_path(n_features, direct_connections):
    """Return a member with every degree in each hidden layer."""
    (path,) = paths(
        make_ensemble(
            n_features,
            n_binary=n_features // 3,
            n_members=1,
            hidden_layer_sizes=(40, 40),
            activation="softplus",
            direct_connections=direct_connections,
            order_agnostic=False,
            connectivity_agnostic=False,
        )
    )
    return path


def moves_of_features(path, moves):
    """Which features have a parameter that a unit of which features moves, (D, D)."""
    n_features, made = path.made.n_features, path.made
    moved = np.zeros((n_features, n_features), dtype=bool)
    for output, unit in np.argwhere(moves(path)):
        moved[made.output_features[output], made.unit_features[unit]] = True
    return moved


def moves_of_training(path, sort=False):
    """Which units have a derivative of which outputs, (n_outputs, n_units)."""
    objective, layers = path.objective(sort=sort)
    objective.units = lambda values: values
    units = torch.from_numpy(entering(path))[None, :, None]
    jacobian = torch.autograd.functional.jacobian(
        lambda u: objective.outputs(layers, u)[0, :, 0], units
    )
    # Where each unit and output is in the order of the table.
    made = path.made
    sizes = len(made.unit_features), *made.hidden_layer_sizes, len(made.output_features)
    entered, *_, left = objective.order.sort_sides([np.arange(size)[None] for size in sizes])
    moved = np.zeros((sizes[-1], sizes[0]), dtype=bool)
    moved[np.ix_(left[0], entered[0])] = jacobian[:, 0, :, 0].numpy() != 0
    return moved


def moves_of_sorted_training(path):
    """Do the same where columns and units are sorted by ranks and degrees."""
    return moves_of_training(path, sort=True)


def moves_of_prediction(path):
    """Which outputs of which units of a walk that scores are others if they change."""
    walk = path.walk(scoring_ends(path.made.n_features))
    units = entering(path)
    base = walk_outputs(walk, units[None])[0]
    moved = [walk_outputs(walk, units[None] + one)[0] != base for one in np.eye(len(units))]
    return np.stack(moved, axis=1)


def entering(path):
    return np.random.RandomState(0).normal(size=len(path.made.unit_features))


MOVES = moves_of_training, moves_of_sorted_training, moves_of_prediction
