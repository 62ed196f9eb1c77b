import numpy as np
import pytest
import torch
from conftest import draw_table, make_ensemble
from numpy.testing import assert_allclose, assert_array_equal

from skmade._conditionals import INPUT_BOUND
from skmade._network import (
    ACTIVATIONS,
    MAX_DIRECT_UNITS,
    MaskList,
    mixture_log_prob,
)


def build(**options):
    """Return a network's shape, its flat weights, masks and some values of mixed kinds."""
    ensemble = make_ensemble(6, 2, **{"levels": (3,), "n_counts": 1, **options})
    made = ensemble.build()
    masks = MaskList(made, ensemble.ranks, ensemble.degrees)
    flat = torch.tensor(ensemble.weights, dtype=torch.float64)
    rng = np.random.RandomState(0)
    values = draw_table(ensemble.table.kinds, ensemble.table.n_levels, 7, rng)
    return made, flat, masks, torch.from_numpy(values)


def units_of(made, values):
    """The units that enter the network, by the definition: one feature after the other."""
    values = np.asarray(values)
    entered = np.zeros((len(values), len(made.unit_features)))
    for column, (law, _, own) in enumerate(made.by_feature()):
        value, present = values[:, column], ~np.isnan(values[:, column])
        if law.n_units > 1:
            entered[:, own] = value[:, None] == np.arange(law.n_units)
        else:
            entered[present, own.start] = np.clip(value[present], -INPUT_BOUND, INPUT_BOUND)
        if made.conditioning_weights:
            entered[:, made.present_units.start + column] = present
    return entered


def test_outputs_and_units_are_grouped_by_law():
    made, *_ = build(n_components=2)
    n_recurring = made.groups[1][0].n_recurring  # small counts recur
    assert [law.n_params for law, _ in made.groups] == [6, 6 + n_recurring, 1, 3]
    for column, (law, outputs, units) in enumerate(made.by_feature()):
        assert_array_equal(made.output_features[outputs], [column] * law.n_params)
        assert_array_equal(made.unit_features[units], [column] * law.n_units)
    assert_array_equal(made.unit_features[made.present_units], np.arange(6))


@pytest.mark.parametrize("n_levels", [3, MAX_DIRECT_UNITS + 1])
def test_missing_cells_enter_as_zeros(n_levels):
    made, _, _, values = build(levels=(n_levels,))
    values[::2, ::2] = torch.nan
    values[1::2, 1::2] = torch.nan
    assert_array_equal(made.units(values), units_of(made, values))


def test_categories_of_many_levels_have_no_direct_connections():
    made, flat, masks, values = build(levels=(1000,))
    weights = made.unflatten(*made.split(flat))
    n_recurring = made.groups[1][0].n_recurring
    n_outputs, n_units = (
        9 * 3 + n_recurring + 2,
        3 + 2 + 6,
    )  # the last six tell which cells are present
    assert weights["direct"].shape[1:] == (n_outputs, n_units)
    assert flat.shape[1] < 1000 * (16 + 16) + 20_000
    assert mixture_log_prob(made, flat, masks, values, 3).isfinite().all()


def test_unflatten_is_a_view_of_all_weights():
    made, flat, *_ = build()
    weights = made.unflatten(*made.split(flat))
    assert list(weights) == sorted(weights, key=list(made.weight_shapes()).index)
    joined = torch.cat([weights[name].flatten(1) for name in made.weight_shapes()], dim=1)
    assert_array_equal(joined, flat)


@pytest.mark.parametrize("n_levels", [3, MAX_DIRECT_UNITS + 1])
@pytest.mark.parametrize("missing", [False, True])
def test_outputs_are_those_of_the_equations(configuration, missing, n_levels):
    made, flat, masks, values = build(levels=(n_levels,), **configuration)
    if missing:
        values[2:4, 1:5] = torch.nan
    weights = {k: v[0].numpy() for k, v in made.unflatten(*made.split(flat)).items()}
    *layer_masks, direct_mask = [mask[0] for mask in masks[0]]
    units, depth = units_of(made, values), len(made.hidden_layer_sizes)
    hidden = units
    for level in range(depth):
        below = hidden
        sums = hidden @ (weights[f"weight{level}"] * layer_masks[level]).T
        sums += weights[f"bias{level}"]
        hidden = ACTIVATIONS[made.activation](torch.from_numpy(sums)).numpy()
        if made.residual and level and below.shape == hidden.shape:
            hidden = hidden + below
    expected = hidden @ (weights[f"weight{depth}"] * layer_masks[depth]).T
    expected += weights[f"bias{depth}"]
    if "direct" in weights:
        n_outputs, n_units = made.n_direct
        direct = units[:, :n_units] @ (weights["direct"] * direct_mask).T
        expected[:, :n_outputs] += direct
    layers = made.masked(made.unflatten(*made.split(flat)), made.gates(masks[0], flat))
    stacked = values.expand(len(flat), -1, -1)
    assert_allclose(made.outputs(layers, stacked)[0], expected, rtol=1e-10)
    alone = layers.member(0)
    assert_array_equal(alone.weights[0], layers.weights[0][0])
    assert (alone.direct is None) == (layers.direct is None)


def test_log_probabilities_of_features_add_up(configuration):
    made, flat, masks, values = build(**configuration)
    values[3, 1:4] = torch.nan
    layers = made.masked(made.unflatten(*made.split(flat)), made.gates(masks[0], flat))
    stacked = values.expand(len(flat), -1, -1)
    parts = made.feature_log_prob(layers, stacked)
    assert_allclose(parts.sum(dim=-1), made.log_prob(layers, stacked))
    assert_array_equal(parts == 0, stacked.isnan())


def test_scoring_never_writes_to_weights_or_masks(configuration):
    made, flat, masks, values = build(**configuration)
    before, masks_before = flat.clone(), [[m.copy() for m in layer] for layer in masks]
    first = mixture_log_prob(made, flat, masks, values, 3)
    again = mixture_log_prob(made, flat, masks, values, 3)
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
    ensemble = make_ensemble(6, n_counts=2)
    made, masks = ensemble.build(), MaskList(ensemble.build(), ensemble.ranks, ensemble.degrees)
    flat = torch.tensor(ensemble.weights, dtype=torch.float64)
    layers = made.masked(made.unflatten(*made.split(flat)), made.gates(masks[0], flat))
    bound = torch.full((len(flat), 1, 6), INPUT_BOUND, dtype=torch.float64)
    assert_array_equal(made.outputs(layers, bound + beyond), made.outputs(layers, bound))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_finite(activation):
    made, flat, masks, values = build(activation=activation)
    assert mixture_log_prob(made, flat, masks, values, 100).isfinite().all()
