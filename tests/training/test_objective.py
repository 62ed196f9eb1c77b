"""The network as training computes it, beside the equations: outputs and log-probabilities."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skmade._network.made import MAX_DIRECT_UNITS, MaskList
from skmade._network.special import INPUT_BOUND
from skmade._training.objective import Objective, masked
from skmade._training.order import Order
from tests.ensembles import draw_values, make_ensemble
from tests.equations import ACTIVATIONS, paths, units_of

MANY = MAX_DIRECT_UNITS + 1


def build(**options):
    """Return a member of mixed kinds with one mask, and some values."""
    ensemble = make_ensemble(6, 2, **{"levels": (3,), "n_counts": 1, **options})
    return paths(ensemble)[0], draw_values(ensemble, 7, np.random.RandomState(0))


def stacked(values):
    return torch.from_numpy(values)[None]


@pytest.fixture
def warns_always():
    """Let torch warn each time, not once in a process."""
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(before)


@pytest.mark.usefixtures("warns_always")
def test_networks_may_be_read_only():
    # As they are when an engine hands a job the memory that it keeps them in.
    made, buffers = build()[0].made, []
    pickled = pickle.dumps(made, protocol=5, buffer_callback=buffers.append)
    made = pickle.loads(pickled, buffers=[bytes(buffer) for buffer in buffers])
    assert not made.groups[0][1].flags.writeable
    Objective(made)


@pytest.mark.parametrize("conditioning_weights", [False, True])
@pytest.mark.parametrize("n_levels", [3, MANY])
def test_missing_cells_enter_as_zeros(n_levels, conditioning_weights):
    path, values = build(levels=(n_levels,), conditioning_weights=conditioning_weights)
    values[::2, ::2] = np.nan
    values[1::2, 1::2] = np.nan
    objective, _ = path.objective()
    entered = objective.units(stacked(values).mT)[0].T
    assert_array_equal(entered, units_of(path.made, values))


@pytest.mark.parametrize("n_levels", [3, MANY])
@pytest.mark.parametrize("missing", [False, True])
def test_outputs_are_those_of_the_equations(configuration, missing, n_levels):
    path, values = build(levels=(n_levels,), **configuration)
    if missing:
        values[2:4, 1:5] = np.nan
    objective, layers = path.objective()
    outputs = objective.outputs(layers, stacked(values).mT)[0].T
    assert_allclose(outputs, path.outputs(values), rtol=1e-10)


def test_log_probabilities_are_those_of_the_features(configuration):
    path, values = build(**configuration)
    values[3, 1:4] = np.nan
    objective, layers = path.objective()
    expected = path.feature_log_prob(values).sum(axis=1)
    assert_allclose(objective.log_prob(layers, stacked(values))[0], expected, rtol=1e-10)


def test_values_without_holes_need_not_be_searched_for_them(configuration):
    path, values = build(**configuration)
    objective, layers = path.objective()
    found, expected = (objective.log_prob(layers, stacked(values), h) for h in (False, True))
    assert_array_equal(found, expected)


def test_single_precision_is_close(configuration):
    path, values = build(**configuration)
    objective, layers = path.objective(torch.float32)
    logs = objective.log_prob(layers, stacked(values).float())
    assert logs.dtype == torch.float32
    expected = path.feature_log_prob(values).sum(axis=1)
    assert_allclose(logs[0], expected, rtol=1e-3, atol=1e-3)


def test_members_of_a_stack_are_computed_each_by_itself(configuration):
    ensemble = make_ensemble(6, 2, levels=(3,), n_counts=1, n_members=3, **configuration)
    values = draw_values(ensemble, 7, np.random.RandomState(0), missing=0.2)
    objective = Objective(ensemble.made, dtype=torch.float64)
    gates = objective.gates(*MaskList(ensemble.ranks, ensemble.degrees)[0])
    layers = objective.layers(masked(objective.parts(ensemble.weights), gates))
    logs = objective.log_prob(layers, stacked(values).expand(3, -1, -1))
    n_masks = ensemble.ranks.shape[1]
    alone = [member.feature_log_prob(values) for member in paths(ensemble)[::n_masks]]
    assert_allclose(logs, np.sum(alone, axis=2), rtol=1e-10)


def test_gates_are_the_masks_in_zeros_and_ones(configuration):
    ensemble = make_ensemble(6, 2, levels=(3, MANY), **configuration)
    for ranks, degrees in MaskList(ensemble.ranks, ensemble.degrees):
        gates = Objective(ensemble.made).gates(ranks, degrees)
        masks = ensemble.made.masks(ranks, degrees)
        assert len(gates) == ensemble.made.n_matrices
        for gate, mask in zip(gates, masks, strict=False):
            assert_array_equal(gate, mask)


@pytest.mark.parametrize("n_rows", [1, 7])
def test_nothing_is_written_to_weights_or_masks(configuration, n_rows):
    path, values = build(**configuration)
    values = values[:n_rows]
    objective, mask = Objective(path.made, dtype=torch.float64), (path.ranks, path.degrees)
    parts = objective.parts(path.flat[None])
    gates = objective.gates(mask[0][None], [layer[None] for layer in mask[1]])
    before = [[tensor.clone() for tensor in tensors] for tensors in (parts, gates)]
    weight, found = (
        torch.ones(1, len(values)).double(),
        [torch.zeros_like(part) for part in parts],
    )
    layers, values = objective.layers(masked(parts, gates)), stacked(values)
    scores = objective.log_prob(layers, values)
    assert_array_equal(objective.gradients(layers, gates, values, weight, [], found), scores)
    assert_array_equal(
        objective.log_prob(objective.layers(masked(parts, gates)), values), scores
    )
    for tensors, kept in zip((parts, gates), before, strict=True):
        for tensor, old in zip(tensors, kept, strict=True):
            assert_array_equal(tensor, old)


def test_parts_are_copies_of_the_weights_in_one_piece_each():
    path, _ = build()
    flat = path.flat[None].astype(np.float32)
    before = flat.copy()
    objective = Objective(path.made)
    parts = objective.parts(flat)
    assert [part.shape[1:] for part in parts] == list(path.made.weight_shapes().values())
    assert_array_equal(objective.flat(parts), flat)
    for part in parts:
        assert part.is_contiguous()
        part.fill_(7.0)
    assert_array_equal(flat, before)


@pytest.mark.parametrize("beyond", [1.0, 50.0])
def test_inputs_are_bounded(beyond):
    path = paths(make_ensemble(6, n_counts=2))[0]
    objective, layers = path.objective()
    bound = torch.full((1, 6, 1), INPUT_BOUND, dtype=torch.float64)
    outputs = (objective.outputs(layers, bound + more) for more in (0.0, beyond))
    assert_array_equal(*outputs)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_that_of_the_equations(activation):
    path, values = build(activation=activation)
    objective, layers = path.objective()
    logs = objective.log_prob(layers, stacked(values))[0]
    assert logs.isfinite().all()
    assert_allclose(logs, path.feature_log_prob(values).sum(axis=1), rtol=1e-10)


def test_the_objective_moves_to_a_device_whole():
    # The meta device computes shapes only, but refuses to mix devices as any other. It cannot
    # say what is in a tensor: that would be waited for.
    ensemble = make_ensemble(4, 1)
    objective = Objective(ensemble.made, "meta")
    gates = objective.gates(*MaskList(ensemble.ranks, ensemble.degrees)[0])
    parts = objective.parts(ensemble.weights)
    layers = objective.layers(masked(parts, gates))
    values, weight = torch.zeros(2, 5, 4, device="meta"), torch.ones(2, 5, device="meta")
    assert objective.log_prob(layers, values).shape == (2, 5)
    assert objective.gradients(layers, gates, values, weight, [], parts).shape == (2, 5)


@pytest.mark.parametrize("sort", [False, True])
def test_weights_in_units_of_strides_come_back_and_score_the_same(configuration, sort):
    ensemble = make_ensemble(
        6, 2, levels=(3, MANY), n_counts=1, n_members=3, n_masks=1, **configuration
    )
    made, (ranks, degrees) = ensemble.made, MaskList(ensemble.ranks, ensemble.degrees)[0]
    order = Order.of_ranks(made, ranks, degrees) if sort else None
    strides = np.random.RandomState(0).uniform(1e-3, 1.0, (3, len(made.output_features)))
    plain, strided = (
        Objective(made, dtype=torch.float64, order=order, strides=own)
        for own in (None, strides)
    )
    flat = ensemble.weights.astype(np.float64)
    for power in (-1, 1, 2):
        assert_allclose(strided.flat(strided.parts(flat, power), power), flat, rtol=1e-12)
    values = np.stack([draw_values(ensemble, 9, np.random.RandomState(0), 0.2)] * 3)
    logs, gates = [], plain.gates(ranks, degrees)
    for objective in (plain, strided):
        layers = objective.layers(masked(objective.parts(flat), gates))
        logs.append(objective.log_prob(layers, torch.from_numpy(values)))
    assert_allclose(logs[1], logs[0], rtol=1e-9)
    # Of some of the members.
    stays = np.array([True, False, True])
    fewer = strided.of_members(stays)
    own_gates = fewer.gates(ranks[stays], [layer[stays] for layer in degrees])
    layers = fewer.layers(masked(fewer.parts(flat[stays]), own_gates))
    found = fewer.log_prob(layers, torch.from_numpy(values[stays]))
    assert_allclose(found, logs[0][torch.from_numpy(stays)], rtol=1e-9)


@pytest.mark.parametrize("sort", [False, True])
def test_a_step_moves_outputs_by_their_strides(sort):
    ensemble = make_ensemble(4, 1, n_members=2, n_masks=1)
    made, (ranks, degrees) = ensemble.made, MaskList(ensemble.ranks, ensemble.degrees)[0]
    order = Order.of_ranks(made, ranks, degrees) if sort else None
    strides = np.random.RandomState(0).uniform(1e-3, 1.0, (2, len(made.output_features)))
    moves = []
    for own in (None, strides):
        objective = Objective(made, dtype=torch.float64, order=order, strides=own)
        parts = objective.parts(ensemble.weights.astype(np.float64))
        before = objective.flat(parts)
        for part in parts:
            part += 0.01
        after = objective.flat(parts)
        moves.append([made.unflatten(member) for member in after - before])
    for plain, strided, of_member in zip(*moves, strides, strict=True):
        for name in plain:
            assert_allclose(plain[name], 0.01, rtol=1e-9)
            is_of_outputs = name in ("weight2", "direct", "bias2")
            stride = of_member[: len(plain[name])] if is_of_outputs else np.ones(1)
            expected = 0.01 * stride.reshape(-1, *(1,) * (plain[name].ndim - 1))
            assert_allclose(strided[name], np.broadcast_to(expected, plain[name].shape))
