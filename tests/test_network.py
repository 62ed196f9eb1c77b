import numpy as np
import pytest
import torch
from conftest import make_ensemble
from numpy.testing import assert_allclose, assert_array_equal

from skmade._network import ACTIVATIONS, INPUT_BOUND, MaskList, mixture_log_prob


def build(**options):
    """Return a network's shape, its flat weights, masks and some units."""
    ensemble = make_ensemble(5, 2, **options)
    made = ensemble.architecture.build(ensemble.table)
    masks = MaskList(made, ensemble.ranks, ensemble.degrees)
    flat = torch.tensor(ensemble.weights, dtype=torch.float64)
    units = torch.from_numpy(np.random.RandomState(0).normal(size=(7, 5)))
    units[:, made.binary] = (units[:, made.binary] > 0).double()
    return made, flat, masks, units


def test_outputs_are_grouped_by_kind():
    made, *_ = build(n_components=2)
    continuous, binary = made.output_features[: 3 * 6], made.output_features[3 * 6 :]
    assert_array_equal(continuous, np.repeat(made.continuous, 6))
    assert_array_equal(binary, made.binary)
    for column, (law, outputs) in enumerate(made.outputs_by_feature()):
        assert_array_equal(made.output_features[outputs], [column] * law.n_params)


def test_unflatten_is_a_view_of_all_weights():
    made, flat, *_ = build()
    weights = made.unflatten(*made.split(flat))
    assert list(weights) == sorted(weights, key=list(made.weight_shapes()).index)
    joined = torch.cat([weights[name].flatten(1) for name in made.weight_shapes()], dim=1)
    assert_array_equal(joined, flat)


def test_outputs_are_those_of_the_equations(configuration):
    made, flat, masks, units = build(**configuration)
    weights = {k: v[0].numpy() for k, v in made.unflatten(*made.split(flat)).items()}
    *layer_masks, direct_mask = [mask[0] for mask in masks[0]]
    hidden, depth = units.numpy(), len(made.hidden_layer_sizes)
    for level in range(depth):
        bias = weights[f"bias{level}"]
        if level == 0 and "seen" in weights:  # a constant 1 through the inputs' mask
            bias = bias + (weights["seen"] * layer_masks[0]) @ np.ones(5)
        below = hidden
        sums = hidden @ (weights[f"weight{level}"] * layer_masks[level]).T + bias
        hidden = ACTIVATIONS[made.activation](torch.from_numpy(sums)).numpy()
        if made.residual and level and below.shape == hidden.shape:
            hidden = hidden + below
    expected = hidden @ (weights[f"weight{depth}"] * layer_masks[depth]).T
    expected += weights[f"bias{depth}"]
    if "direct" in weights:
        expected += units.numpy() @ (weights["direct"] * direct_mask).T
    if "seen_direct" in weights:
        expected += (weights["seen_direct"] * direct_mask) @ np.ones(5)
    layers = made.masked(made.unflatten(*made.split(flat)), made.gates(masks[0], flat))
    stacked = units.expand(len(flat), -1, -1)
    assert_allclose(made.outputs(layers, stacked)[0], expected, rtol=1e-10)
    alone = layers.member(0)
    assert_array_equal(alone.weights[0], layers.weights[0][0])
    assert (alone.direct is None) == (layers.direct is None)


def test_scoring_never_writes_to_weights_or_masks(configuration):
    made, flat, masks, units = build(**configuration)
    before, masks_before = flat.clone(), [[m.copy() for m in layer] for layer in masks]
    first = mixture_log_prob(made, flat, masks, units, 3)
    again = mixture_log_prob(made, flat, masks, units, 3)
    assert_array_equal(first, again)
    assert_array_equal(flat, before)
    for layer, layer_before in zip(masks, masks_before, strict=True):
        for mask, mask_before in zip(layer, layer_before, strict=True):
            assert_array_equal(mask, mask_before)


def test_skips_join_layers_of_equal_width_only():
    made, *_ = build(hidden_layer_sizes=(16, 8, 8))
    assert [made.skips(level) for level in range(3)] == [False, False, True]
    plain, *_ = build(residual=False)
    assert not plain.skips(1)


@pytest.mark.parametrize("beyond", [1.0, 50.0])
def test_inputs_are_bounded(beyond):
    made, flat, masks, _ = build()
    layers = made.masked(made.unflatten(*made.split(flat)), made.gates(masks[0], flat))
    far = torch.full((len(flat), 1, 5), INPUT_BOUND + beyond, dtype=torch.float64)
    bound = torch.full_like(far, INPUT_BOUND)
    assert_array_equal(made.outputs(layers, far), made.outputs(layers, bound))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_finite(activation):
    made, flat, masks, units = build(activation=activation)
    assert mixture_log_prob(made, flat, masks, units, 100).isfinite().all()
