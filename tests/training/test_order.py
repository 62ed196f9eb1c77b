"""Members in the order of their ranks: the same network, most of whose zeros are left out."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skmade._network.made import MAX_DIRECT_UNITS, MaskList
from skmade._training.objective import Objective, masked
from skmade._training.order import Order
from tests.ensembles import draw_values, make_ensemble

MANY = MAX_DIRECT_UNITS + 1

# Tables of which each is a case for itself: one law and several, with enough outputs for
# several stairs, with categories of many levels, with features that have no unit.
TABLES = {
    "one column": (1, {}),
    "numbers": (7, {}),
    "many numbers": (24, {}),
    "mixed": (9, {"n_binary": 2, "levels": (3, 4), "n_counts": 1}),
    "many and mixed": (40, {"n_binary": 12, "levels": (3,) * 6, "n_counts": 2}),
    "many levels": (7, {"n_binary": 1, "levels": (3, MANY)}),
    "levels of two sizes": (7, {"levels": (3, MANY, MANY, MANY + 5)}),
    "constant columns": (5, {"n_constant": 2}),
}


@pytest.fixture(params=TABLES.values(), ids=TABLES.keys())
def ensemble(request, configuration):
    """Return three members, each with an order of its own."""
    n_features, options = request.param
    return make_ensemble(n_features, n_members=3, n_masks=1, **options, **configuration)


def first_mask(ensemble):
    return MaskList(ensemble.ranks, ensemble.degrees)[0]


def order_of(ensemble):
    return Order.of_ranks(ensemble.made, *first_mask(ensemble))


def arrays_of(ensemble):
    """Return weights as arrays, one for each matrix and bias."""
    members = [ensemble.made.unflatten(weights) for weights in ensemble.weights]
    return [np.stack([member[name] for member in members]) for name in members[0]]


def sides_of(ensemble):
    """Return ranks of units, degrees of hidden units, ranks of outputs."""
    ranks, degrees = first_mask(ensemble)
    made = ensemble.made
    return ranks[:, made.unit_features], *degrees, ranks[:, made.output_features]


def test_put_back_undoes_sort(ensemble):
    arrays = arrays_of(ensemble)
    for order in (order_of(ensemble), Order.of_table(ensemble.made)):
        moved = order.sort(arrays)
        for own, there, again in zip(arrays, moved, order.put_back(moved), strict=True):
            assert there.shape == own.shape
            assert there.flags.c_contiguous
            assert_array_equal(again, own)


def test_the_order_of_the_table_moves_nothing(ensemble):
    order, arrays = Order.of_table(ensemble.made), arrays_of(ensemble)
    for own, there in zip(arrays, order.sort(arrays), strict=True):
        assert_array_equal(there, own)
    for own, there in zip(
        sides_of(ensemble), order.sort_sides(sides_of(ensemble)), strict=True
    ):
        assert_array_equal(there, own)


def test_hidden_units_and_the_columns_of_each_law_are_sorted(ensemble):
    made = ensemble.made
    entered, *hidden, left = order_of(ensemble).sort_sides(sides_of(ensemble))
    for side in hidden:
        assert (np.diff(side, axis=1) >= 0).all()
    unit, output = 0, 0
    for group, (law, columns) in enumerate(made.groups):
        if group == len(made.small_groups):
            unit = made.n_direct[1]
        for side, first, size in ((entered, unit, law.n_units), (left, output, law.n_params)):
            own = side[:, first : first + len(columns) * size]
            assert (np.diff(own, axis=1) >= 0).all()
            ranks = np.repeat(first_mask(ensemble)[0][:, columns], size, axis=1)
            assert_array_equal(own, np.sort(ranks, axis=1))
        unit, output = unit + len(columns) * law.n_units, output + len(columns) * law.n_params
    present = made.present_units  # those of the conditioning weights stay
    assert_array_equal(entered[:, present], sides_of(ensemble)[0][:, present])


def test_stairs_cover_all_outputs_once(ensemble):
    for order in (order_of(ensemble), Order.of_table(ensemble.made)):
        ends = [(stair.outputs.start, stair.outputs.stop) for stair in order.stairs]
        assert all(start < end for start, end in ends)
        assert all(end == start for (_, end), (start, _) in pairwise(ends))
        assert (ends[0][0], ends[-1][1]) == (0, len(ensemble.made.output_features))


def test_stairs_leave_out_only_what_masks_hide(ensemble):
    made, order = ensemble.made, order_of(ensemble)
    gates = Objective(made, order=order).gates(*first_mask(ensemble))
    output, n_outputs = gates[len(made.hidden_layer_sizes)], made.n_direct[0]
    for stair in order.stairs:
        seen = output[:, stair.outputs].sum(dim=(0, 1)).numpy()
        # No more and no less.
        assert stair.n_hidden == np.flatnonzero(np.append(1, seen)).max()
        if not made.direct_connections:
            assert stair.n_units == 0
        elif stair.outputs.start >= n_outputs:
            assert stair.n_units == 0  # of many levels, without direct connections
        else:
            assert stair.outputs.stop <= n_outputs
            assert not gates[-1][:, stair.outputs, stair.n_units :].any()


def test_most_zeros_of_many_columns_are_left_out():
    ensemble = make_ensemble(40, n_masks=1, hidden_layer_sizes=(200, 200), **PLAIN)
    order, made = order_of(ensemble), ensemble.made
    for size, seen in ((200, "n_hidden"), (made.n_direct[1], "n_units")):
        kept = sum(
            (stair.outputs.stop - stair.outputs.start) * getattr(stair, seen)
            for stair in order.stairs
        )
        assert kept < 0.7 * size * len(made.output_features)


PLAIN = {
    "order_agnostic": False,
    "connectivity_agnostic": False,
    "conditioning_weights": False,
}


def computed(ensemble, order, values, weight):
    """Return log-probabilities, and gradients in the order of the table."""
    objective = Objective(ensemble.made, dtype=torch.float64, order=order)
    parts, gates = objective.parts(ensemble.weights), objective.gates(*first_mask(ensemble))
    found = [torch.zeros_like(part) for part in parts]
    layers = objective.layers(masked(parts, gates))
    logs = objective.gradients(layers, gates, values, weight, [], found)
    assert_allclose(objective.log_prob(layers, values), logs, rtol=1e-12)
    return logs, objective.flat(found)


def test_the_order_changes_no_log_probability_and_no_gradient(ensemble):
    rng = np.random.RandomState(0)
    values = np.stack([draw_values(ensemble, 5, rng, missing=0.2) for _ in range(3)])
    values, weight = torch.from_numpy(values), torch.from_numpy(rng.normal(size=(3, 5)))
    table = Order.of_table(ensemble.made)
    found = [computed(ensemble, order, values, weight) for order in (order_of(ensemble), table)]
    (logs, gradient), (expected, expected_gradient) = found
    assert logs.isfinite().all()
    assert_allclose(logs, expected, rtol=1e-10)
    size = np.abs(expected_gradient).max()
    assert_allclose(gradient, expected_gradient, rtol=1e-9, atol=1e-12 * max(size, 1))


def test_some_members_keep_their_order(ensemble):
    order, stays = order_of(ensemble), np.array([True, False, True])
    fewer, arrays = order.of_members(stays), arrays_of(ensemble)
    own = [array[stays] for array in arrays]
    for one, other in zip(fewer.sort(own), order.sort(arrays), strict=True):
        assert_array_equal(one, other[stays])
    assert fewer.stairs == order.stairs
