"""Densities known at some points: what they integrate to, their quantiles, their atoms."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from skmade._prediction.curves import Curve, log_difference, refined

START = np.linspace(-8, 8, 25)


def curve_of(log_density, start=START, atoms=(), masses=()):
    points, logs = refined(
        np.array([start]),
        lambda low, high: np.zeros(low.shape, dtype=bool),
        log_density,
        lambda values: values,
    )
    log_atoms = np.log(np.array([masses], dtype=float).reshape(1, -1))
    return Curve(points, logs, np.array(atoms, dtype=float), log_atoms)


@pytest.mark.parametrize(
    ("law", "tolerance"),
    [
        (stats.norm(0.3, 1.2), 1e-6),
        (stats.norm(-1.234, 1e-3), 1e-6),
        (stats.t(4), 1e-4),
        (stats.gamma(5, -8.1, 1), 1e-3),
    ],
)
def test_curves_are_the_laws_they_were_made_of(law, tolerance):
    start = np.sort(np.append(START, law.mean() + np.array([-5, 0, 5]) * law.std()))
    curve = curve_of(lambda values: law.logpdf(values) + 300, start)
    mass = law.cdf(start[-1]) - law.cdf(start[0])
    assert_allclose(curve.log_total, 300 + np.log(mass), atol=tolerance)
    levels = np.array([[0.001, 0.1, 0.5, 0.9, 0.999]])
    expected = (law.cdf(curve.quantile(levels)) - law.cdf(start[0])) / mass
    assert_allclose(expected, levels, atol=tolerance)
    assert_allclose(curve.cdf(curve.quantile(levels)), levels, atol=1e-9)
    assert_allclose(curve.mean_of(np.ones_like(curve.nodes), np.ones(0)), 1)


def test_narrow_and_wide_modes_are_found_together():
    law = [(0.7, stats.norm(-2, 0.01)), (0.3, stats.norm(3, 0.7))]
    curve = curve_of(lambda v: np.logaddexp(*(np.log(s) + p.logpdf(v) for s, p in law)))
    assert_allclose(curve.log_total, 0, atol=1e-4)
    assert_allclose(curve.cdf(np.array([[0.0]])), 0.7, atol=1e-4)


def test_atoms_are_jumps():
    curve = curve_of(stats.norm.logpdf, atoms=[-1.0, 0.5], masses=[0.5, 1.5])
    below = (0.5 + stats.norm.cdf(0.5)) / 3  # all that is below the second atom
    assert_allclose(curve.log_total, np.log(3), atol=1e-6)
    assert_allclose(curve.masses_of_atoms, [[1 / 6, 1 / 2]], atol=1e-6)
    levels = [[below - 1e-3, below + 1e-3, below + 0.499, below + 0.501]]
    found = curve.quantile(np.array(levels))[0]
    assert found[0] < 0.5
    assert found[1] == found[2] == 0.5 < found[3]
    assert_allclose(curve.cdf(np.array([[0.5 - 1e-9, 0.5]])), [[below, below + 0.5]], atol=1e-6)
    assert_allclose(curve.cdf(found[None, [0, 3]])[0], np.array(levels)[0, [0, 3]], atol=1e-6)
    assert_allclose(curve.mean_of(curve.nodes, curve.atoms), (-0.5 + 0.75) / 3, atol=1e-6)


def test_slopes_do_not_overshoot_at_a_jump():
    points = np.array([[-2.0, -1.0, 0.0, 1.0, 2.0]])
    curve = Curve(
        points, np.array([[-500.0, -499, 0, -0.1, -400]]), np.empty(0), np.empty((1, 0))
    )
    inner = np.linspace(-2, 2, 101)[None]
    assert curve.log_density(inner).max() < 0.1


def test_a_part_is_taken_off():
    assert_allclose(log_difference(np.log(5.0), np.log(3.0)), np.log(2.0))
    assert log_difference(np.log(3.0), np.log(3.0 + 1e-15)) == -np.inf
