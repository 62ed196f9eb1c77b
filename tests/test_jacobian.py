"""Which outputs depend on which inputs, in training and in prediction."""

import numpy as np
import pytest
import torch
from conftest import components, make_ensemble, walk_outputs
from numpy.testing import assert_array_equal

from skmade._prediction import scoring_ends


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
    features = ensemble.made.output_features, ensemble.made.unit_features
    for component in components(ensemble):
        allowed = component.ranks[None, :] < component.ranks[:, None]
        for moves in (moves_of_training, moves_of_prediction):
            moved = np.zeros((n_features, n_features), dtype=bool)
            for output, unit in np.argwhere(moves(component)):
                moved[features[0][output], features[1][unit]] = True
            assert_array_equal(moved, allowed)


def moves_of_training(component):
    """Which units have a derivative of which outputs, (n_outputs, n_units)."""
    objective, layers = component.objective()
    objective.units = lambda values: values
    units = torch.from_numpy(entering(component))[None, :, None]
    jacobian = torch.autograd.functional.jacobian(
        lambda u: objective.outputs(layers, u)[0, :, 0], units
    )
    return jacobian[:, 0, :, 0].numpy() != 0


def moves_of_prediction(component):
    """Which outputs of which units of a walk that scores are others if they change."""
    walk = component.walk(scoring_ends(component.made.n_features))
    units = entering(component)
    base = walk_outputs(walk, units[None])[0]
    moved = [walk_outputs(walk, units[None] + one)[0] != base for one in np.eye(len(units))]
    return np.stack(moved, axis=1)


def entering(component):
    return np.random.RandomState(0).normal(size=len(component.made.unit_features))
