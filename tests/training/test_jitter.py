"""Noise that is added to numbers in training: which cells it moves, and how far."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from scipy.stats import norm

from skmade._table.encoding import encode
from skmade._table.learning import learn_columns
from skmade._table.numbers import Numbers
from skmade._training import jitter as jitter_module
from skmade._training.jitter import (
    BANDWIDTHS,
    SHARE_OF_BANDWIDTH,
    Jitter,
    best_bandwidth,
    left_by_others,
    noise_scale,
)
from skmade._training.rows import Rows, open_source
from tests.ensembles import (
    CONSTANT,
    OF_EACH_LAW,
    draw_of_each_law,
    ensemble_of_each_law,
    make_ensemble,
)

NAMES = list(OF_EACH_LAW)
MOVED = ["plain", "zeros", "positive", "positive, zeros"]
SIZE = 0.3


@pytest.fixture(scope="module")
def ensemble():
    return ensemble_of_each_law(n_members=3)[0]


def rows_of(ensemble, X, n_members=3, weight=None, **options):
    source = open_source(ensemble.table, Numbers(X), weight, 0)
    return Rows(source, n_members, **options)


def values_of(rows, n_members=3):
    """Return all rows, (M, n, D), as training has them."""
    return torch.from_numpy(np.tile(rows.source.encoded.values, (n_members, 1, 1)))


def moved_by(jitter, values, size=1.0):
    """Move values up, by `size` standard deviations of the noise."""
    return jitter.moved(values, torch.full_like(values, size), np.arange(len(values)))


def test_numbers_move_and_all_else_stays(ensemble):
    X = draw_of_each_law(300, np.random.RandomState(1))
    X[np.random.RandomState(2).random_sample(X.shape) < 0.1] = np.nan
    rows = rows_of(ensemble, X)
    values, before = values_of(rows), values_of(rows)
    noise = torch.randn(values.shape, generator=torch.Generator().manual_seed(0))
    found = Jitter(ensemble.made, rows, SIZE, "cpu").moved(values, noise, np.arange(3))
    assert_array_equal(values, before)  # the caller's
    assert_array_equal(found.isnan(), before.isnan())
    for column, name in enumerate(NAMES):
        own, was, cells = found[..., column], before[..., column], X[:, column]
        there = ~np.isnan(cells)
        stays = np.full(300, name not in MOVED)
        if "zeros" in name:
            stays = cells == 0.0
            assert stays.mean() > 0.2
        assert_array_equal(own[:, stays & there], was[:, stays & there])
        if name in MOVED:
            assert (own[:, ~stays & there] != was[:, ~stays & there]).double().mean() > 0.99
        else:
            assert_array_equal(own[:, there], was[:, there])


def test_noise_never_moves_a_cell_beyond_an_edge(ensemble):
    X = draw_of_each_law(300, np.random.RandomState(1))
    rows = rows_of(ensemble, X)
    jitter, values = Jitter(ensemble.made, rows, SIZE, "cpu"), values_of(rows)
    for size in (-30.0, 30.0):
        found = moved_by(jitter, values, size).numpy()
        for column in (2, 3):  # they are positive
            low, high = ensemble.table.edge_images[:, column]
            assert found[..., column].min() >= np.float32(low) > -np.inf
            assert found[..., column].max() <= high
    # What lies beyond by itself is not moved back.
    low = float(ensemble.table.edge_images[0, 2])
    assert (moved_by(jitter, values, -30.0)[..., 2] == np.float32(low)).any()
    beyond = values.clone()
    beyond[:, :10, 2] = low - 0.5
    for size in (-1.0, 1.0):
        assert_array_equal(moved_by(jitter, beyond, size)[:, :10, 2], beyond[:, :10, 2])


def left_by_regression(values, weight, column):
    """What least squares on all other columns leaves of one."""
    root = np.sqrt(weight / weight.sum())[:, None]
    others = np.delete(values, column, axis=1)
    design = np.column_stack([np.ones(len(values)), others]) * root
    target = values[:, [column]] * root
    solution, *_ = np.linalg.lstsq(design, target, rcond=None)
    return float(np.sqrt(((target - design @ solution) ** 2).sum()))


@pytest.mark.parametrize("weighted", [False, True])
def test_noise_is_as_large_as_what_regression_leaves_says(weighted, monkeypatch):
    monkeypatch.setattr(jitter_module, "best_bandwidth", lambda *_: 2 * SIZE)
    ensemble = make_ensemble(5, 1, n_counts=1)
    rng = np.random.RandomState(0)
    X = rng.normal(size=(200, 5)) @ (np.eye(5) + rng.normal(scale=0.7, size=(5, 5)))
    kinds = ensemble.table.kinds
    X[:, kinds == "binary"] = X[:, kinds == "binary"] > 0
    X[:, kinds == "count"] = np.abs(np.rint(2 * X[:, kinds == "count"]))
    weight = rng.uniform(0.1, 3, size=200) if weighted else None
    rows = rows_of(ensemble, X, weight=weight, fraction=0.2)
    jitter, values = Jitter(ensemble.made, rows, SIZE, "cpu"), values_of(rows)
    found = (moved_by(jitter, values) - values).numpy()
    encoded, of_rows = rows.source.encoded.values.astype(float), rows.source.encoded.weight
    for member, train in enumerate(rows.folds(0)[0]):
        for column in np.flatnonzero(kinds == "continuous"):
            left = left_by_regression(encoded[train], of_rows[train].astype(float), column)
            assert_allclose(found[member, :, column], SIZE * left, rtol=1e-3, atol=1e-5)
        assert not found[member][:, kinds != "continuous"].any()
    # Members hold out other rows, and each has its own scale.
    assert (jitter.scales[0] != jitter.scales[1]).any()
    some = jitter.moved(values[[2, 0]], torch.ones_like(values[:2]), np.array([2, 0]))
    assert_array_equal(some, moved_by(jitter, values)[[2, 0]])


def left_out_likelihood(values, weight, bandwidth):
    """Weighted log-likelihood of each row under the kernels of the others."""
    logs = [
        logsumexp(
            norm.logpdf(np.delete(values, row, axis=0), own, bandwidth).sum(axis=1),
            b=np.delete(weight, row),
        )
        for row, own in enumerate(values)
    ]
    return weight @ np.array(logs)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("radius", [0.0, 3.0])
def test_noise_is_no_more_than_a_share_of_the_best_bandwidth(weighted, radius):
    rng = np.random.RandomState(0)
    values, weight = rng.normal(size=(80, 2)), np.ones(80)
    if radius:  # rows near a curve
        values *= 1e-2
        angle = rng.uniform(0, 2 * np.pi, size=80)
        values += radius * np.column_stack([np.cos(angle), np.sin(angle)])
    if weighted:
        weight = rng.randint(1, 4, size=80).astype(float)
    logs = [left_out_likelihood(values, weight, bandwidth) for bandwidth in BANDWIDTHS]
    expected = BANDWIDTHS[np.argmax(logs)]
    assert best_bandwidth(values, weight) == expected
    assert best_bandwidth(values + np.array([100, -3]), weight) == expected
    made = make_ensemble(2).architecture.build(make_ensemble(2).table)
    left = left_by_others(made, values, weight)
    scale = noise_scale(made, values, weight, SIZE)
    share = SHARE_OF_BANDWIDTH * best_bandwidth(values / left, weight)
    assert_allclose(scale, min(SIZE, share) * left)
    assert share < 0.1 if radius else share > 0.2


def test_equal_rows_are_one_for_a_bandwidth():
    values = np.random.RandomState(0).normal(size=(60, 2))
    weight = np.random.RandomState(1).randint(1, 4, size=60)
    expected = best_bandwidth(values, weight.astype(float))
    repeated = np.repeat(values, weight, axis=0)
    assert best_bandwidth(repeated, np.ones(len(repeated))) == expected
    assert expected > BANDWIDTHS[0]


@pytest.mark.parametrize("n_rows", [1, 2])
def test_bandwidths_of_few_or_equal_rows_are_numbers(n_rows):
    for values in (np.zeros((5, 2)), np.random.RandomState(0).normal(size=(n_rows, 2))):
        assert best_bandwidth(values, np.ones(len(values))) in BANDWIDTHS


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_columns_that_nearly_depend_on_others_hardly_move(noise):
    rng = np.random.RandomState(0)
    first, alone = rng.normal(size=(2, 300))
    X = np.column_stack([first, first + noise * rng.normal(size=300), alone])
    table = learn_columns(X, np.ones(300), np.array(["continuous"] * 3))
    made = make_ensemble(3).architecture.build(table)
    left = left_by_others(made, encode(table, X), np.ones(300))
    assert (left[:2] < 2 * noise + 1e-4).all()
    assert (left[:2] > 0).all()
    assert_allclose(left[2], 1.0, rtol=0.1)


@pytest.mark.parametrize("n_rows", [2, 5, 9])
def test_of_few_rows_regression_does_not_explain_all(n_rows):
    ensemble = make_ensemble(6, n_members=1)
    values = np.random.RandomState(0).normal(size=(n_rows, 6))
    left = left_by_others(ensemble.made, values, np.ones(n_rows))
    assert np.isfinite(left).all()
    assert (left > 0.1 * values.std(axis=0)).all()
    # It is shrunk toward a sphere.
    assert (left <= 1.5 * values.std(axis=0).max()).all()


def test_constant_and_empty_columns_have_a_scale_that_is_a_number():
    ensemble = make_ensemble(3, n_constant=1)
    X = np.random.RandomState(0).normal(size=(40, 3))
    constant, other = (
        np.flatnonzero(ensemble.table.constant)[0],
        (np.flatnonzero(~ensemble.table.constant)[0]),
    )
    X[:, constant] = CONSTANT
    X[:, other] = np.nan
    jitter = Jitter(ensemble.made, rows_of(ensemble, X, 2), SIZE, "cpu")
    assert jitter.scales.isfinite().all()
    assert not jitter.scales[..., constant].any()


def test_without_numbers_nothing_moves():
    ensemble = make_ensemble(4, 2, levels=(3,), n_counts=1)
    rng = np.random.RandomState(0)
    X = rng.randint(2, size=(50, 4)).astype(float)
    rows = rows_of(ensemble, X, 2)
    values = values_of(rows, 2)
    assert_array_equal(moved_by(Jitter(ensemble.made, rows, SIZE, "cpu"), values), values)


def test_weights_count_as_repeated_rows(ensemble):
    X = draw_of_each_law(60, np.random.RandomState(3))
    weight = np.random.RandomState(4).randint(1, 4, size=60)
    weighted = Jitter(ensemble.made, rows_of(ensemble, X, weight=weight), SIZE, "cpu")
    repeated = rows_of(ensemble, np.repeat(X, weight, axis=0))
    repeated = Jitter(ensemble.made, replace(repeated), SIZE, "cpu")
    assert_allclose(weighted.scales, repeated.scales, rtol=1e-4)
