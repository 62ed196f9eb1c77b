"""Walks through the network are the equations of the paper, step by step."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skmade._network.special import INPUT_BOUND
from skmade._prediction.prepared import sampler, scorer
from skmade._prediction.walk import (
    MIN_CHUNK_ROWS,
    N_SCORING_STEPS,
    feature_log_prob,
    log_prob,
    scoring_ends,
)
from tests.ensembles import draw_values, make_ensemble
from tests.equations import ACTIVATIONS, paths, units_of, walk_outputs

TABLES = {
    "one column": (1, {}),
    "one binary column": (1, {"n_binary": 1}),
    "mixed": (9, {"n_binary": 2, "n_counts": 1, "levels": (3, 5)}),
    "many levels": (5, {"levels": (70, 3, 90), "n_binary": 1}),
    "more features than units": (33, {"n_binary": 5, "n_counts": 3}),
}


def walks(path):
    """A member's walks: of one rank a step, of one step, as in scoring, of uneven steps."""
    n_features = path.made.n_features
    uneven = [1, *range(4, n_features, 5), n_features][-n_features:]
    ends = (np.arange(1, n_features + 1), [n_features], scoring_ends(n_features), uneven)
    return [path.walk(np.unique(of_walk)) for of_walk in ends]


def assert_walks_are_those_of_the_equations(ensemble, values):
    for path in paths(ensemble):
        expected = path.feature_log_prob(values)
        objective, layers = path.objective()
        by_torch = objective.log_prob(layers, torch.from_numpy(values)[None])[0]
        for walk in walks(path):
            parts = feature_log_prob(walk, values)
            assert_allclose(parts, expected, rtol=1e-9, atol=1e-9)
            assert_array_equal(parts[np.isnan(values)], 0)
            assert_allclose(log_prob(walk, values), by_torch, rtol=1e-9, atol=1e-9)
            assert_allclose(log_prob(walk, values), expected.sum(axis=1), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize(("n_features", "kinds"), TABLES.values(), ids=TABLES.keys())
def test_log_probabilities_are_those_of_the_equations(
    n_features, kinds, missing, configuration
):
    ensemble = make_ensemble(n_features, **kinds, n_masks=2, scale=0.3, **configuration)
    values = draw_values(ensemble, 20, np.random.RandomState(0), missing)
    assert_walks_are_those_of_the_equations(ensemble, values)


def test_every_network_is_that_of_the_equations(layers, parts):
    ensemble = make_ensemble(
        9, 2, n_counts=1, levels=(3, 70), hidden_layer_sizes=layers, n_masks=2, **parts
    )
    values = draw_values(ensemble, 20, np.random.RandomState(0), missing=0.2)
    assert_walks_are_those_of_the_equations(ensemble, values)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_that_of_the_equations(activation):
    ensemble = make_ensemble(6, 2, levels=(3,), n_counts=1, activation=activation)
    values = draw_values(ensemble, 20, np.random.RandomState(0))
    assert_walks_are_those_of_the_equations(ensemble, values)


def test_atoms_are_those_of_the_equations():
    # Features of one kind with different numbers of them, spread over the steps of a walk.
    ensemble = make_ensemble(8, n_counts=6, seed=1)
    counted = np.flatnonzero(ensemble.table.kinds == "count")
    ensemble.table.atom_images[counted[::2], 1:] = np.nan
    ensemble.table.atom_scales[counted[::2], 1:] = np.nan
    values = draw_values(ensemble, 50, np.random.RandomState(0))
    assert_walks_are_those_of_the_equations(ensemble, values)


@pytest.mark.parametrize("n_rows", [1, 7, 63])
def test_scores_do_not_depend_on_the_rows_of_a_chunk(n_rows, monkeypatch, configuration):
    ensemble = make_ensemble(6, 2, levels=(3,), n_counts=1, **configuration)
    values = draw_values(ensemble, 64, np.random.RandomState(0), missing=0.2)
    walk = paths(ensemble)[0].walk(scoring_ends(6))
    together, parts = log_prob(walk, values), feature_log_prob(walk, values)
    monkeypatch.setattr("skmade._prediction.walk.CHUNK_BYTES", 1)
    monkeypatch.setattr("skmade._prediction.walk.MIN_CHUNK_ROWS", n_rows)
    assert walk.chunk_rows() == n_rows
    assert_allclose(log_prob(walk, values), together, rtol=1e-12)
    assert_allclose(feature_log_prob(walk, values), parts, rtol=1e-12, atol=1e-14)


def test_more_memory_means_more_rows_at_once(monkeypatch):
    walk = paths(make_ensemble(6))[0].walk(scoring_ends(6))
    sizes = []
    for power in (0, 16, 20, 24):
        monkeypatch.setattr("skmade._prediction.walk.CHUNK_BYTES", 2**power)
        sizes.append(walk.chunk_rows())
    assert sizes[0] == MIN_CHUNK_ROWS
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[1]


def test_no_rows_have_no_scores():
    walk = paths(make_ensemble(3))[0].walk(scoring_ends(3))
    assert log_prob(walk, np.empty((0, 3))).shape == (0,)
    assert feature_log_prob(walk, np.empty((0, 3))).shape == (0, 3)


def test_scoring_writes_to_nothing_that_it_is_given(configuration):
    ensemble = make_ensemble(6, 2, levels=(3,), n_counts=1, **configuration)
    values = draw_values(ensemble, 20, np.random.RandomState(0), missing=0.2)
    walk = paths(ensemble)[0].walk(scoring_ends(6))
    arrays = [values, *walk.hidden, walk.output, walk.unit_order]
    before = [array.copy() for array in arrays]
    assert_array_equal(log_prob(walk, values), log_prob(walk, values))
    for array, kept in zip(arrays, before, strict=True):
        assert_array_equal(array, kept)


def test_preparing_leaves_the_weights_alone(configuration):
    ensemble = make_ensemble(6, 2, **configuration)
    before = ensemble.weights.copy()
    for position in range(ensemble.n_paths):
        scorer(ensemble, position)
        sampler(ensemble, position)
    assert_array_equal(ensemble.weights, before)


def test_outputs_are_those_of_the_equations(layers, parts):
    ensemble = make_ensemble(
        9, 2, n_counts=1, levels=(3, 70), hidden_layer_sizes=layers, n_masks=2, **parts
    )
    units = units_of(ensemble.made, draw_values(ensemble, 20, np.random.RandomState(0), 0.2))
    for path in paths(ensemble):
        expected = path.outputs_of_units(units)
        for walk in walks(path):
            assert_allclose(walk_outputs(walk, units), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("beyond", [1.0, 50.0])
def test_inputs_are_bounded(beyond):
    path = paths(make_ensemble(6, n_counts=2))[0]
    bound = np.full((6, 1), INPUT_BOUND)
    within, above = (path.made.units(bound + more).T for more in (0.0, beyond))
    for walk in walks(path):
        assert_array_equal(walk_outputs(walk, above), walk_outputs(walk, within))


def test_steps_compute_every_unit_once(layers, parts):
    ensemble = make_ensemble(9, 3, levels=(70,), hidden_layer_sizes=layers, **parts)
    for path in paths(ensemble):
        for walk in walks(path):
            sizes = [len(weight) for weight in walk.hidden]
            for level, size in enumerate(sizes):
                rows = [np.r_[step.hidden[level]] for step in walk.steps]
                assert_array_equal(np.concatenate(rows), np.arange(size))
            outputs = [np.r_[rows] for step in walk.steps for _, _, rows, _ in step.outputs]
            assert_array_equal(np.concatenate(outputs), np.arange(len(walk.output)))
            columns = [own for step in walk.steps for _, own, *_ in step.outputs]
            assert_array_equal(np.sort(np.concatenate(columns)), np.arange(9))
            known = np.concatenate([np.r_[step.known] for step in walk.steps])
            assert_array_equal(known, 1 + np.arange(walk.n_inputs - 1))
        by_rank = path.walk(np.arange(1, 10))
        filled = np.concatenate([np.r_[step.own] for step in by_rank.steps])
        assert_array_equal(filled, 1 + np.arange(len(by_rank.unit_order)))


@pytest.mark.parametrize("n_features", range(1, 20))
def test_scoring_takes_few_steps_of_nearly_equal_size(n_features):
    ends = scoring_ends(n_features)
    sizes = np.diff(ends, prepend=0)
    assert len(ends) == min(N_SCORING_STEPS, n_features)
    assert ends[-1] == n_features
    assert sizes.min() >= 1
    assert sizes.max() - sizes.min() <= 1
