import numpy as np
import pytest
import torch
from conftest import draw_table, make_ensemble
from numpy.testing import assert_allclose

from skmade import _sampling
from skmade._drawing import draw
from skmade._features import encode
from skmade._sampling import sample_values


def sample_naively(made, layers, ranks, uniforms, given, drawn):
    """Draw with one full pass of the network for each feature: the plain algorithm."""
    values = given.clone()
    values[drawn] = 0.0
    laws = made.by_feature()
    for column in np.argsort(ranks):
        law, outputs, _ = laws[column]
        params = made.outputs(layers, values[None])[0][:, None, outputs]
        draw = law.sample(params, uniforms[:, column : column + 1])[:, 0]
        values[:, column] = torch.where(drawn[:, column], draw, values[:, column])
    return values


TABLES = {
    "one column": (1, {}),
    "binary": (2, {"n_binary": 2}),
    "mixed": (7, {"n_binary": 2, "n_counts": 1, "levels": (3, 5)}),
    "many levels": (4, {"levels": (70, 3)}),
    "more features than units": (33, {"n_binary": 5}),
}


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize(("n_features", "kinds"), TABLES.values(), ids=TABLES.keys())
def test_fast_sampler_equals_the_naive_one(n_features, kinds, given, configuration):
    ensemble = make_ensemble(n_features, **kinds, n_members=2, scale=0.3, **configuration)
    made, rng = ensemble.build(), np.random.RandomState(0)
    uniforms = torch.from_numpy(rng.random_sample((40, n_features)))
    values = encode(
        ensemble.table, draw_table(ensemble.table.kinds, ensemble.table.n_levels, 40, rng)
    )
    drawn = np.ones((40, n_features), dtype=bool)
    if given:  # some cells are kept, a few of them missing; and one column is given in all rows
        drawn = rng.random_sample(values.shape) < 0.5
        values[~drawn & (rng.random_sample(values.shape) < 0.2)] = np.nan
        drawn[:, 0] = False
    values, drawn = torch.from_numpy(values), torch.from_numpy(drawn)
    for position in range(ensemble.n_components):
        component = ensemble.component(made, position)
        naive = sample_naively(made, component.layers, component.ranks, uniforms, values, drawn)
        fast = component.sample(uniforms, values, drawn)
        assert_allclose(fast, naive, rtol=1e-6, atol=1e-7)


def test_a_given_cell_reaches_the_first_feature_that_is_drawn():
    # Moved to the front, the given column changes the law of every other one.
    ensemble = make_ensemble(4, n_members=1, order_agnostic=True, scale=0.5)
    missing = np.array([True, True, False, True])
    moved = ensemble.moved_last(missing)
    assert (moved.ranks[..., 2] == 1).all()
    component = moved.component(moved.build(), 0)
    uniforms = torch.full((2, 4), 0.3, dtype=torch.float64)
    given = torch.tensor([[0.0, 0, -1, 0], [0, 0, 1, 0]], dtype=torch.float64)
    drawn = component.sample(uniforms, given, torch.from_numpy(missing).expand(2, -1))
    assert (drawn[0] != drawn[1]).all()


def test_rows_beyond_one_chunk_are_drawn_alike(monkeypatch):
    ensemble = make_ensemble(3, n_members=1, n_masks=1)
    made = ensemble.build()
    ranks, degrees = ensemble.ranks[0, 0], [layer[0, 0] for layer in ensemble.degrees]
    flat = torch.from_numpy(ensemble.weights).double()
    gates = made.gates(made.masks(ranks, degrees), flat)
    layers = made.masked(made.unflatten(*made.split(flat)), gates).member(0)
    uniforms = torch.from_numpy(np.random.RandomState(0).random_sample((100, 3)))
    together = sample_values(made, layers, ranks, degrees, uniforms)
    monkeypatch.setattr(_sampling, "CHUNK_BYTES", 8 * 35 * 7)  # seven rows
    in_chunks = sample_values(made, layers, ranks, degrees, uniforms)
    assert_allclose(in_chunks.numpy(), together.numpy(), rtol=1e-9)


def test_rows_come_from_every_member_and_mask():
    # Members that are far apart show which of them a row comes from.
    ensemble = make_ensemble(1, n_members=4, n_masks=1, n_components=1, scale=0.0)
    made = ensemble.build()
    names = made.unflatten(*made.split(torch.arange(ensemble.weights.shape[1])[None]))
    mean = int(names["bias2"][0, 1])
    ensemble.weights[:, mean] = [-300, -100, 100, 300]
    drawn = (
        draw(ensemble, 4000, np.random.RandomState(0))
        / ensemble.table.spread
        / 2.0**ensemble.table.exponent
    )
    shares = np.histogram(drawn, bins=[-1000, -200, 0, 200, 1000])[0] / 4000
    assert_allclose(shares, 0.25, atol=0.03)
