"""Walks are prepared once, and kept as long as their ensemble is."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmade._prediction import prepared
from skmade._prediction.drawing import draw
from skmade._prediction.prepared import sampler, scorer
from skmade._prediction.walk import feature_log_prob
from tests.ensembles import draw_values, make_ensemble
from tests.equations import paths
from tests.laws import log_density


def test_paths_are_counted_member_by_member():
    ensemble = make_ensemble(4, 1, n_members=3, n_masks=2)
    values = draw_values(ensemble, 10, np.random.RandomState(0))
    assert ensemble.n_paths == 6
    for position, path in enumerate(paths(ensemble)):
        expected = path.feature_log_prob(values)
        for walk in (scorer(ensemble, position), sampler(ensemble, position)):
            assert_allclose(feature_log_prob(walk, values), expected, rtol=1e-9, atol=1e-9)


def test_another_ensemble_has_walks_of_its_own():
    ensemble = make_ensemble(4, 1)
    first = scorer(ensemble, 0), sampler(ensemble, 0)
    assert scorer(ensemble, 0) is first[0]
    assert sampler(ensemble, 0) is first[1]
    missing = np.array([True, False, True, False])
    others = (replace(ensemble, weights=-ensemble.weights), ensemble.moved_last(missing))
    values = draw_values(ensemble, 10, np.random.RandomState(0))
    for other in others:
        (expected, *_) = (part.feature_log_prob(values) for part in paths(other))
        for walk in (scorer(other, 0), sampler(other, 0)):
            assert_allclose(feature_log_prob(walk, values), expected, rtol=1e-9, atol=1e-9)


@pytest.fixture
def prepare(monkeypatch):
    """Count the walks that are prepared."""
    calls, old = [], prepared.prepare

    def counting(*arguments):
        calls.append(arguments)
        return old(*arguments)

    monkeypatch.setattr(prepared, "prepare", counting)
    return calls


X = np.random.RandomState(0).normal(size=(30, 12))


def use(ensemble):
    """Score and draw rows by all paths."""
    return log_density(ensemble, X), draw(ensemble, 200, np.random.RandomState(0))


def test_walks_are_prepared_once(prepare):
    ensemble = make_ensemble(12, n_members=2, n_masks=3)
    log_density(ensemble, X)
    assert len(prepare) == 6
    scores, rows = use(ensemble)
    assert len(prepare) == 12
    again = use(ensemble)
    assert len(prepare) == 12
    assert_array_equal(again[0], scores)
    assert_array_equal(again[1], rows)
    sampler(ensemble, 0)  # of double precision
    assert len(prepare) == 13


def test_more_walks_than_memory_allows_are_prepared_at_each_use(prepare, monkeypatch):
    ensemble = make_ensemble(12, n_members=2, n_masks=3)
    expected = use(ensemble)
    monkeypatch.setattr(prepared, "MAX_PREPARED_BYTES", 8 * 6 * ensemble.weights.shape[1] - 1)
    other = make_ensemble(12, n_members=2, n_masks=3)
    prepare.clear()
    for _ in range(2):
        for answer, as_before in zip(use(other), expected, strict=True):
            assert_array_equal(answer, as_before)
    assert len(prepare) == 24
    monkeypatch.setattr(prepared, "MAX_PREPARED_BYTES", 8 * 6 * ensemble.weights.shape[1])
    assert scorer(other, 0) is scorer(other, 0)


def test_walks_go_away_with_their_ensemble():
    gc.collect()
    n_before, ensemble = len(prepared._WALKS), make_ensemble(4)
    walks = [weakref.ref(scorer(ensemble, 0)), weakref.ref(sampler(ensemble, 0))]
    assert len(prepared._WALKS) == n_before + 1
    assert all(walk() is not None for walk in walks)
    del ensemble
    gc.collect()
    assert len(prepared._WALKS) == n_before
    assert all(walk() is None for walk in walks)
