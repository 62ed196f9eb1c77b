import numpy as np
import pytest
import torch
from conftest import make_ensemble
from numpy.testing import assert_allclose

from skmade import _sampling
from skmade._sampling import sample_units


def sample_naively(made, layers, ranks, uniforms):
    """Draw with one full pass of the network for each feature: the plain algorithm."""
    units = torch.zeros_like(uniforms)
    laws = made.outputs_by_feature()
    for column in np.argsort(ranks):
        law, outputs = laws[column]
        params = made.outputs(layers, units[None])[0][:, None, outputs]
        units[:, column] = law.sample(params, uniforms[:, column : column + 1])[:, 0]
    return units


@pytest.mark.parametrize(("n_features", "n_binary"), [(1, 0), (2, 2), (7, 3), (33, 5)])
def test_fast_sampler_equals_the_naive_one(n_features, n_binary, configuration):
    ensemble = make_ensemble(n_features, n_binary, n_members=2, scale=0.3, **configuration)
    made = ensemble.architecture.build(ensemble.table)
    uniforms = torch.from_numpy(np.random.RandomState(0).random_sample((40, n_features)))
    for m, k in np.ndindex(ensemble.ranks.shape[:2]):
        ranks, degrees = ensemble.ranks[m, k], [layer[m, k] for layer in ensemble.degrees]
        flat = torch.from_numpy(ensemble.weights[m : m + 1]).double()
        stacked = made.masks(ranks[None], [layer[None] for layer in degrees])
        layers = made.masked(made.unflatten(*made.split(flat)), made.gates(stacked, flat))
        naive = sample_naively(made, layers, ranks, uniforms)
        fast = sample_units(made, layers.member(0), ranks, degrees, uniforms)
        assert_allclose(fast.numpy(), naive.numpy(), rtol=1e-6, atol=1e-7)


def test_rows_beyond_one_chunk_are_drawn_alike(monkeypatch):
    ensemble = make_ensemble(3, n_members=1, n_masks=1)
    made = ensemble.architecture.build(ensemble.table)
    ranks, degrees = ensemble.ranks[0, 0], [layer[0, 0] for layer in ensemble.degrees]
    flat = torch.from_numpy(ensemble.weights).double()
    gates = made.gates(made.masks(ranks, degrees), flat)
    layers = made.masked(made.unflatten(*made.split(flat)), gates).member(0)
    uniforms = torch.from_numpy(np.random.RandomState(0).random_sample((100, 3)))
    together = sample_units(made, layers, ranks, degrees, uniforms)
    monkeypatch.setattr(_sampling, "CHUNK_BYTES", 8 * 35 * 7)  # seven rows
    in_chunks = sample_units(made, layers, ranks, degrees, uniforms)
    assert_allclose(in_chunks.numpy(), together.numpy(), rtol=1e-9)


def test_rows_come_from_every_member_and_mask():
    # Members that are far apart show which of them a row comes from.
    ensemble = make_ensemble(1, n_members=4, n_masks=1, n_components=1, scale=0.0)
    made = ensemble.architecture.build(ensemble.table)
    names = made.unflatten(*made.split(torch.arange(ensemble.weights.shape[1])[None]))
    mean = int(names["bias2"][0, 1])
    ensemble.weights[:, mean] = [-300, -100, 100, 300]
    drawn = (
        ensemble.draw(4000, np.random.RandomState(0))
        / ensemble.table.spread
        / 2.0**ensemble.table.exponent
    )
    shares = np.histogram(drawn, bins=[-1000, -200, 0, 200, 1000])[0] / 4000
    assert_allclose(shares, 0.25, atol=0.03)
