"""The fast sampler is the naive one, which passes the network once for each feature."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmade._prediction import ancestral
from skmade._prediction.ancestral import sample_values
from skmade._prediction.prepared import sampler
from tests.ensembles import draw_values, make_ensemble
from tests.equations import paths


def sample_naively(path, uniforms, given, drawn):
    """Draw with one full pass of the network for each feature: the plain algorithm."""
    values = np.where(drawn, 0.0, given)
    laws = path.made.by_feature()
    for column in np.argsort(path.ranks):
        law, outputs, _ = laws[column]
        params = path.outputs(values)[:, outputs].T[:, None]
        draw = law.sample(params, uniforms[None, :, column])[0]
        values[:, column] = np.where(drawn[:, column], draw, values[:, column])
    return values


def assert_fast_equals_naive(ensemble, given, monkeypatch):
    n_features, rng = ensemble.table.n_features, np.random.RandomState(0)
    uniforms = rng.random_sample((40, n_features))
    values = draw_values(ensemble, 40, rng)
    drawn = np.ones((40, n_features), dtype=bool)
    if given:  # some cells are kept, a few of them missing; and one column is given in all rows
        drawn = rng.random_sample(values.shape) < 0.5
        values[~drawn & (rng.random_sample(values.shape) < 0.2)] = np.nan
        drawn[:, 0] = False
    for position, path in enumerate(paths(ensemble)):
        naive = sample_naively(path, uniforms, values, drawn)
        for group_size in (2, 3, 32):
            monkeypatch.setattr(ancestral, "GROUP_SIZE", group_size)
            walk = sampler(ensemble, position)
            fast = sample_values(walk, uniforms, values, drawn)
            assert_allclose(fast, naive, rtol=1e-6, atol=1e-7)
            if not given:
                assert_array_equal(sample_values(walk, uniforms), fast)


TABLES = {
    "one column": (1, {}),
    "binary": (2, {"n_binary": 2}),
    "mixed": (7, {"n_binary": 2, "n_counts": 1, "levels": (3, 5)}),
    "numbers": (6, {"n_counts": 2}),
    "many levels": (4, {"levels": (70, 3)}),
    "more features than units": (33, {"n_binary": 5}),
}


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize(("n_features", "kinds"), TABLES.values(), ids=TABLES.keys())
def test_fast_sampler_equals_the_naive_one(
    n_features, kinds, given, configuration, monkeypatch
):
    ensemble = make_ensemble(n_features, **kinds, n_members=2, scale=0.3, **configuration)
    assert_fast_equals_naive(ensemble, given, monkeypatch)


@pytest.mark.parametrize("given", [False, True])
def test_every_network_draws_as_the_naive_sampler(layers, parts, given, monkeypatch):
    ensemble = make_ensemble(
        9, 2, n_counts=1, levels=(3, 70, 80), hidden_layer_sizes=layers, n_masks=2, scale=0.3,
        **parts,
    )  # fmt: skip
    assert_fast_equals_naive(ensemble, given, monkeypatch)


def test_drawing_writes_to_nothing_that_it_is_given():
    ensemble = make_ensemble(5, 1, levels=(3,))
    rng = np.random.RandomState(0)
    walk, given = sampler(ensemble, 0), draw_values(ensemble, 20, rng, missing=0.2)
    arrays = [given, rng.random_sample(given.shape), rng.random_sample(given.shape) < 0.5]
    arrays += [*walk.hidden, walk.output]
    before = [array.copy() for array in arrays]
    uniforms, drawn = arrays[1:3]
    values = sample_values(walk, uniforms, given, drawn)
    assert_array_equal(values[~drawn], given[~drawn])
    for array, kept in zip(arrays, before, strict=True):
        assert_array_equal(array, kept)


def test_a_given_cell_reaches_the_first_feature_that_is_drawn():
    # Moved to the front, the given column changes the law of every other one.
    ensemble = make_ensemble(4, n_members=1, order_agnostic=True, scale=0.5)
    missing = np.array([True, True, False, True])
    moved = ensemble.moved_last(missing)
    assert (moved.ranks[..., 2] == 1).all()
    uniforms, given = np.full((2, 4), 0.3), np.array([[0.0, 0, -1, 0], [0, 0, 1, 0]])
    drawn = sample_values(sampler(moved, 0), uniforms, given, np.tile(missing, (2, 1)))
    assert (drawn[0] != drawn[1])[[0, 1, 3]].all()
    assert_array_equal(drawn[:, 2], given[:, 2])


def test_rows_beyond_one_chunk_are_drawn_alike(monkeypatch):
    ensemble = make_ensemble(3, n_members=1, n_masks=1)
    rng = np.random.RandomState(0)
    uniforms, given = rng.random_sample((100, 3)), rng.normal(size=(100, 3))
    drawn = rng.random_sample((100, 3)) < 0.5
    walk = sampler(ensemble, 0)
    together, completed = (
        sample_values(walk, uniforms),
        sample_values(walk, uniforms, given, drawn),
    )
    width = len(walk.unit_order) + sum(map(len, walk.hidden)) + walk.n_inputs
    monkeypatch.setattr(ancestral, "MIN_CHUNK_ROWS", 1)
    monkeypatch.setattr(ancestral, "CHUNK_BYTES", 8 * width * 7)  # seven rows
    assert_allclose(sample_values(walk, uniforms), together, rtol=1e-9)
    assert_allclose(sample_values(walk, uniforms, given, drawn), completed, rtol=1e-9)


def test_in_single_precision_draws_are_nearly_the_same():
    ensemble = make_ensemble(6, n_members=1)
    rng = np.random.RandomState(0)
    uniforms = rng.random_sample((2000, 6))
    double = sample_values(sampler(ensemble, 0), uniforms)
    single = sample_values(sampler(ensemble, 0, np.float32), uniforms)
    assert single.dtype == np.float64
    # A uniform next to the border of two components may fall into the other one.
    close = np.isclose(single, double, rtol=1e-3, atol=1e-3).all(axis=1)
    assert close.mean() > 0.99
    assert len(np.unique(single[:, 0])) == 2000
