"""The core of a table: what it leaves out, and that units, order and repeats do not matter."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmade import _robust_core
from skmade._robust_core import PlainDensity, find_core
from skmade._table.learning import learn_columns
from skmade.datasets import CorrelatedGaussian
from tests.configurations import quick

N_ORDINARY, N_ODD = 270, 30


def clustered(seed=0):
    """Return ordinary rows, and after them a cluster between their axes."""
    ordinary = CorrelatedGaussian(4).sample(N_ORDINARY, random_state=seed)
    values, axes = np.linalg.eigh(np.cov(ordinary.T))
    cluster = np.random.RandomState(seed).normal(scale=0.1, size=(N_ODD, 4))
    return np.concatenate([ordinary, cluster + 5 * np.sqrt(values[0]) * axes[:, 0]])


def core_of(rows, share=0.75, weight=None):
    """Return the core as a quick density reads the rows."""
    return find_core(quick(), rows, np.ones(len(rows)) if weight is None else weight, share)


@pytest.mark.parametrize("share", [0.5, 0.75, 0.8])
def test_a_cluster_is_left_out(share):
    core = core_of(clustered(), share)
    assert core.sum() in (share * 300, share * 300 + 1)
    assert not core[N_ORDINARY:].any()


def test_one_step_is_not_enough_for_a_cluster(monkeypatch):
    monkeypatch.setattr(_robust_core, "MAX_STEPS", 0)
    assert core_of(clustered())[N_ORDINARY:].any()


def test_units_do_not_matter():
    rows = clustered()
    scaled = rows * [1e-12, 3.0, 1e9, -2.0] + [5.0, -1e4, 0.0, 1.0]
    assert_array_equal(core_of(scaled), core_of(rows))


def test_the_order_of_rows_does_not_matter():
    rows = clustered()
    order = np.random.RandomState(1).permutation(len(rows))
    assert_array_equal(core_of(rows[order]), core_of(rows)[order])


def test_weights_count_as_repeated_rows():
    rows = clustered()
    repeats = np.random.RandomState(1).randint(3, size=len(rows))
    repeated = core_of(np.repeat(rows, repeats, axis=0))
    first = (np.cumsum(repeats) - repeats)[repeats > 0]
    core = core_of(rows, weight=repeats.astype(float))
    assert not core[repeats == 0].any()
    assert_array_equal(core[repeats > 0], repeated[first])


def test_equal_rows_are_all_of_the_core():
    assert core_of(np.tile([[1.0, 2.0]], (20, 1))).all()


def test_rounding_errors_between_columns_are_no_outliers():
    rows = clustered()
    copy = rows[:, 0].copy()
    copy[:30] += 1e-3
    assert core_of(np.column_stack([rows, copy]))[:30].mean() > 0.6


def test_rare_labels_are_left_out():
    rng = np.random.RandomState(0)
    table = pd.DataFrame(
        {"size": rng.normal(size=200), "colour": ["red"] * 190 + ["blue"] * 10}
    )
    table["colour"] = table["colour"].astype("category")
    core = core_of(table, 0.9)
    assert core[:190].mean() > 0.93
    assert not core[190:].any()


def test_missing_cells_are_no_outliers():
    rows = clustered()
    rows[:20, 1] = np.nan
    core = core_of(rows)
    assert not core[N_ORDINARY:].any()
    assert core[:20].mean() > 0.75


def test_numbers_of_a_column_that_is_mostly_missing_are_no_outliers():
    rows = clustered()
    noise = np.random.RandomState(1).normal(size=len(rows))
    noise[np.arange(len(rows)) % 10 != 0] = np.nan
    core = core_of(np.column_stack([rows, noise]))
    assert core[:N_ORDINARY:10].mean() > 0.6
    assert not core[N_ORDINARY:].any()


def test_the_most_likely_numbers_are_the_conditional_means():
    cells = CorrelatedGaussian(4).sample(200, random_state=0)
    table = learn_columns(cells, np.ones(200), np.array(["continuous"] * 4))
    plain = PlainDensity.of(cells, np.ones(200), table)
    row = (cells[:1] - plain.center) * [[1, np.nan, 1, np.nan]]
    covariance = np.linalg.inv(plain.whiten.T @ plain.whiten)
    weights = covariance[1::2, ::2] @ np.linalg.inv(covariance[::2, ::2])
    assert_allclose(plain._completed(row)[0, 1::2], weights @ row[0, ::2], rtol=1e-3)


def test_a_sample_of_a_large_table_is_enough(monkeypatch):
    rows = np.concatenate([clustered(seed) for seed in range(4)])
    expected = core_of(rows)
    monkeypatch.setattr("skmade._table.learning.max_described", lambda n_features: 400)
    core = core_of(rows)
    assert len(core) == len(rows)
    assert not core.reshape(4, 300)[:, N_ORDINARY:].any()
    assert (core == expected).mean() > 0.95


def test_the_plain_density_is_gaussian_times_frequencies():
    rng = np.random.RandomState(0)
    cells = np.column_stack(
        [CorrelatedGaussian(2).sample(50, random_state=0), rng.randint(3, size=50)]
    )
    kinds = np.array(["continuous", "continuous", "categorical"])
    table = learn_columns(cells, np.ones(50), kinds, np.array([0, 0, 3]))
    scores = PlainDensity.of(cells, np.ones(50), table).scores(cells)
    centred = cells[:, :2] - cells[:, :2].mean(axis=0)
    covariance = centred.T @ centred / 50 + _robust_core.MIN_DEVIATION**2 * np.eye(2)
    gaussian = -0.5 * (centred * np.linalg.solve(covariance, centred.T).T).sum(axis=1)
    counts = np.bincount(cells[:, 2].astype(int)) + 0.5
    frequencies = np.log(counts / counts.sum())[cells[:, 2].astype(int)]
    assert_allclose(scores, gaussian + frequencies, rtol=1e-10)
