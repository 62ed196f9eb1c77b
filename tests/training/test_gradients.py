"""Gradients of the whole objective, beside difference quotients of the equations."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skmade._network.made import MAX_DIRECT_UNITS
from skmade._training.objective import Objective, masked
from skmade._training.order import Order
from tests.ensembles import draw_values, make_ensemble
from tests.equations import ACTIVATIONS, paths

MANY = MAX_DIRECT_UNITS + 1

# A column of each kind, one of them with ends, and one without any unit.
MIXED = {"levels": (3, MANY, MANY + 2), "n_counts": 1, "n_constant": 1, "unknown": True}
N_ROWS = 6


def mixed(**options):
    """Return three members that see different masks, and a table with holes for each."""
    bounds = np.tile([[-np.inf], [np.inf]], 9)
    ensemble = make_ensemble(9, 2, n_members=3, n_masks=1, **MIXED, **options)
    kinds = ensemble.table.kinds
    ended = np.flatnonzero((kinds == "continuous") & ~ensemble.table.constant)[0]
    bounds[:, ended] = -5.0, 5.0
    ensemble = make_ensemble(9, 2, n_members=3, n_masks=1, bounds=bounds, **MIXED, **options)
    rng = np.random.RandomState(0)
    values = np.stack([draw_values(ensemble, N_ROWS, rng, missing=0.2) for _ in range(3)])
    return ensemble, values


class Stack:
    """Members as training has them, sorted or not, and what is asked of them.

    Their weights are in units of strides, unless these are left out.
    """

    def __init__(self, ensemble, sort, strides=True):
        self.paths = paths(ensemble)
        ranks = ensemble.ranks[:, 0]
        degrees = [layer[:, 0] for layer in ensemble.degrees]
        order = Order.of_ranks(ensemble.made, ranks, degrees) if sort else None
        shape = len(ranks), len(ensemble.made.output_features)
        self.strides = np.random.RandomState(2).uniform(0.1, 2.0, shape) if strides else None
        self.objective = Objective(
            ensemble.made, dtype=torch.float64, order=order, strides=self.strides
        )
        parts = self.objective.parts(ensemble.weights.astype(np.float64))
        self.gates = self.objective.gates(ranks, degrees)
        self.layers = self.objective.layers(masked(parts, self.gates))
        self.found = [torch.zeros_like(part) for part in parts]

    def gradients(self, values, weight, factors=(), **options):
        """Return log-probabilities, and gradients by their names for each member."""
        # Factors come in the order of the table, as the equations have them.
        moved = []
        for own, order in zip(factors, self.objective.order.hidden, strict=False):
            places = np.broadcast_to(order[:, :, None], own.shape)
            moved.append(torch.from_numpy(np.take_along_axis(own, places, axis=1)))
        rows = torch.from_numpy(values), torch.from_numpy(weight)
        task = self.layers, self.gates, *rows, moved, self.found
        logs = self.objective.gradients(*task, **options)
        flat = self.objective.flat(self.found, power=1)
        return logs.numpy(), [self.objective.made.unflatten(own) for own in flat]

    def raw_gradients(self):
        """Return gradients by what training has, (M, n_weights), in the order of the table."""
        arrays = self.objective.order.put_back([part.numpy() for part in self.found])
        return np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1)


def draw_factors(made, rng):
    """Return what dropout multiplies by, (M, n_hidden, n) for each layer."""
    return [
        (rng.random_sample((3, size, N_ROWS)) > 0.3) / 0.7 for size in made.hidden_layer_sizes
    ]


def assert_gradients_are_difference_quotients(ensemble, values, sort, dropout):
    rng = np.random.RandomState(1)
    weight = rng.normal(size=values.shape[:2])
    factors = draw_factors(ensemble.made, rng) if dropout else []
    stack = Stack(ensemble, sort)
    logs, gradients = stack.gradients(values, weight, factors)
    for member, path in enumerate(stack.paths):
        own = [layer[member].T for layer in factors] or None
        expected = path.feature_log_prob(values[member], own).sum(axis=1)
        assert np.isfinite(expected).all()
        assert_allclose(logs[member], expected, rtol=1e-9)
        task = path, values[member], weight[member], own
        for name in path.made.weight_shapes():
            assert_moves_along(gradients[member], name, *task, rng)
        masks = path.made.masks(path.ranks, path.degrees)
        for (name, gradient), mask in zip(gradients[member].items(), masks, strict=False):
            if name.startswith("bias"):  # there are no direct connections
                break
            assert not gradient[~mask].any()


def assert_moves_along(gradients, name, path, values, weight, factors, rng):
    """Compare a gradient with the objective's change along random directions."""
    flat, h = path.flat.copy(), 1e-6
    own = path.made.unflatten(flat)[name]  # a view: what is written to it moves the path
    kept = own.copy()
    moved = type(path)(path.made, flat, path.ranks, path.degrees)
    size = np.sqrt((gradients[name] ** 2).sum())
    for _ in range(3):
        direction, sums = rng.normal(size=own.shape), []
        for sign in (1, -1):
            own[...] = kept + sign * h * direction
            sums.append(weight @ moved.feature_log_prob(values, factors).sum(axis=1))
        quotient = (sums[0] - sums[1]) / (2 * h)
        assert_allclose((gradients[name] * direction).sum(), quotient, atol=1e-6 * (1 + size))


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("sort", [False, True])
def test_gradients_are_difference_quotients(configuration, sort, dropout):
    # Bends of relu are nowhere near.
    assert_gradients_are_difference_quotients(*mixed(**configuration), sort, dropout)


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("sort", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_of_every_activation_are_difference_quotients(activation, sort, dropout):
    assert_gradients_are_difference_quotients(*mixed(activation=activation), sort, dropout)


def test_gradients_of_every_network_are_difference_quotients(layers, parts):
    task = mixed(hidden_layer_sizes=layers, **parts)
    assert_gradients_are_difference_quotients(*task, sort=True, dropout=True)


@pytest.mark.parametrize("sort", [False, True])
@pytest.mark.parametrize("n_features", [1, 24])
def test_gradients_of_one_law_are_difference_quotients(n_features, sort):
    options = {"conditioning_weights": False, "order_agnostic": False}
    ensemble = make_ensemble(n_features, n_members=3, n_masks=1, **options)
    rng = np.random.RandomState(0)
    values = np.stack([draw_values(ensemble, N_ROWS, rng) for _ in range(3)])
    assert_gradients_are_difference_quotients(ensemble, values, sort, dropout=False)


@pytest.mark.parametrize("sort", [False, True])
def test_rows_may_come_slice_by_slice(sort):
    ensemble, values = mixed()
    rng = np.random.RandomState(1)
    weight, factors = rng.normal(size=values.shape[:2]), draw_factors(ensemble.made, rng)
    logs, expected = Stack(ensemble, sort).gradients(values, weight, factors)
    stack, by_slice = Stack(ensemble, sort), []
    for rows in (slice(0, 2), slice(2, 3), slice(3, None)):
        task = values[:, rows], weight[:, rows], [layer[:, :, rows] for layer in factors]
        own, gradients = stack.gradients(*task, add=rows.start > 0)
        by_slice.append(own)
    assert_allclose(np.concatenate(by_slice, axis=1), logs, rtol=1e-12)
    for own, other in zip(gradients, expected, strict=True):
        for name, gradient in own.items():
            assert_allclose(gradient, other[name], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("sort", [False, True])
def test_nothing_is_left_of_gradients_before(sort):
    ensemble, values = mixed()
    weight = np.random.RandomState(1).normal(size=values.shape[:2])
    stack, fresh = Stack(ensemble, sort), Stack(ensemble, sort)
    stack.gradients(values[:, ::-1] + 0.0, 100 * weight)
    again, expected = (own.gradients(values, weight)[1] for own in (stack, fresh))
    for own, other in zip(again, expected, strict=True):
        for name, gradient in own.items():
            assert_array_equal(gradient, other[name])


def test_rows_without_holes_have_the_same_gradients_if_none_are_looked_for():
    ensemble, values = mixed()
    values = np.nan_to_num(values)
    weight = np.random.RandomState(1).normal(size=values.shape[:2])
    found = [Stack(ensemble, True).gradients(values, weight, holes=h) for h in (True, False)]
    assert_array_equal(found[0][0], found[1][0])
    for own, other in zip(found[0][1], found[1][1], strict=True):
        for name, gradient in own.items():
            assert_array_equal(gradient, other[name])


@pytest.mark.parametrize("sort", [False, True])
def test_strides_change_no_gradient_beyond_the_chain_rule(configuration, sort):
    ensemble, values = mixed(**configuration)
    weight = np.random.RandomState(1).normal(size=values.shape[:2])
    stacks = [Stack(ensemble, sort, strides) for strides in (True, False)]
    found, expected = (stack.gradients(values, weight) for stack in stacks)
    assert_allclose(found[0], expected[0], rtol=1e-9)
    last = f"weight{len(ensemble.made.hidden_layer_sizes)}"
    for own, other in zip(found[1], expected[1], strict=True):
        for name, gradient in own.items():
            assert_allclose(gradient, other[name], rtol=1e-9, atol=1e-10)
    # A gradient by what training has is that by a weight times the output's stride.
    in_strides = [stacks[0].objective.made.unflatten(own) for own in stacks[0].raw_gradients()]
    for own, other, strides in zip(in_strides, expected[1], stacks[0].strides, strict=True):
        assert_allclose(own[last], other[last] * strides[:, None], rtol=1e-9, atol=1e-10)
        assert_allclose(own["weight0"], other["weight0"], rtol=1e-9, atol=1e-10)
