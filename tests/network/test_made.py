"""The network's shape, without any computation."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skmade._network.made import MAX_DIRECT_UNITS, MaskList
from tests.ensembles import draw_values, make_ensemble
from tests.equations import units_of


def build(**options):
    """Return an ensemble of mixed kinds, its network's shape and some values."""
    ensemble = make_ensemble(6, 2, **{"levels": (3,), "n_counts": 1, **options})
    return ensemble, ensemble.made, draw_values(ensemble, 7, np.random.RandomState(0))


def test_outputs_and_units_are_grouped_by_law():
    _, made, _ = build(n_components=2)
    n_atoms = made.groups[1][0].n_atoms  # small counts are atoms
    assert [law.n_params for law, _ in made.groups] == [6, 6 + n_atoms, 1, 3]
    for column, (law, outputs, units) in enumerate(made.by_feature()):
        assert_array_equal(made.output_features[outputs], [column] * law.n_params)
        assert_array_equal(made.unit_features[units], [column] * law.n_units)
    assert_array_equal(made.unit_features[made.present_units], np.arange(6))


@pytest.mark.parametrize("conditioning_weights", [False, True])
@pytest.mark.parametrize("n_levels", [3, MAX_DIRECT_UNITS + 1])
def test_missing_cells_enter_as_zeros(n_levels, conditioning_weights):
    _, made, values = build(levels=(n_levels,), conditioning_weights=conditioning_weights)
    values[::2, ::2] = np.nan
    values[1::2, 1::2] = np.nan
    assert_array_equal(made.units(values.T).T, units_of(made, values))


def test_categories_of_many_levels_have_no_direct_connections():
    ensemble, made, _ = build(levels=(1000,))
    n_atoms = made.groups[1][0].n_atoms
    n_outputs, n_units = (
        9 * 3 + n_atoms + 2,
        3 + 2 + 6,
    )  # the last six tell which cells are present
    assert made.weight_shapes()["direct"] == (n_outputs, n_units)
    assert ensemble.weights.shape[1] < 1000 * (16 + 16) + 20_000


def test_unflatten_is_a_view_of_all_weights():
    ensemble, made, _ = build()
    flat = ensemble.weights[0]
    weights = made.unflatten(flat)
    assert list(weights) == list(made.weight_shapes())
    assert [piece.shape for piece in weights.values()] == list(made.weight_shapes().values())
    assert_array_equal(np.concatenate([piece.ravel() for piece in weights.values()]), flat)
    assert all(np.shares_memory(piece, flat) for piece in weights.values())
    n_axes = [piece.ndim for piece in weights.values()]
    assert n_axes == [2] * made.n_matrices + [1] * (len(n_axes) - made.n_matrices)


@pytest.mark.parametrize("direct_connections", [False, True])
def test_masks_have_the_shapes_of_the_weights(direct_connections):
    ensemble, made, _ = build(direct_connections=direct_connections, levels=(70,))
    shapes = made.weight_shapes()
    masks = MaskList(ensemble.ranks, ensemble.degrees)
    assert len(masks) == len(list(masks)) == 3
    for k in range(3):
        stacked = made.masks(*masks[k])
        assert [mask.shape for mask in stacked[:-1]] == [
            (2, *shapes[f"weight{level}"]) for level in range(3)
        ]
        assert stacked[-1].shape == (2, *made.n_direct)
        for m in range(2):
            own = made.masks(ensemble.ranks[m, k], [layer[m, k] for layer in ensemble.degrees])
            for mask, others in zip(own, stacked, strict=True):
                assert_array_equal(mask, others[m])
    with pytest.raises(IndexError):
        masks[3]


def test_skips_join_layers_of_equal_width_only():
    _, made, _ = build(hidden_layer_sizes=(16, 8, 8))
    assert [made.skips(level) for level in range(3)] == [False, False, True]
    _, plain, _ = build(residual=False)
    assert not plain.skips(1)
