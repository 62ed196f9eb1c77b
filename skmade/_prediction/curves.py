"""Densities of one number a row, known at some points: distribution functions and quantiles.

Between points the logarithm of the density is a cubic with the slopes of parabolas through
neighbouring points, so that that of a Gaussian is exact however few points it has. Slopes are
limited (Fritsch and Carlson 1980), as cubics would overshoot where a density jumps. Integrals
over a segment are sums over nodes of Gauss and Legendre.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Nodes and weights of Gauss and Legendre on (0, 1).
NODES, WEIGHTS = (part / 2 for part in np.polynomial.legendre.leggauss(5))
NODES = NODES + 0.5

# No slope is more than so many times that of the chord to a neighbour.
MAX_SLOPE = 3.0

# Points are added so many at a time, in so many rounds: where the density is high and known
# at few points.
N_ADDED, N_ROUNDS = 8, 12

# The mass of a segment is taken to be wrong by the rise of the logarithm within it, between
# these shares.
RISES = 0.05, 8.0

# Halvings of a segment in search for a quantile.
N_HALVINGS = 50

# What is so far below the top of its row counts for nothing.
LOWEST = -600.0


@dataclass(frozen=True)
class Curve:
    """Densities of n rows through N points each, and atoms: values with a probability."""

    points: Floats  # (n, N), in order; some may coincide
    logs: Floats  # (n, N), of the density but for a constant of the row
    atoms: Floats  # (A,), the same for all rows, in order
    log_atoms: Floats  # (n, A), of the atoms' masses, but for that constant

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def top(self) -> Floats:
        """The highest logarithm of each row, (n,)."""
        return np.asarray(self.logs.max(axis=1))

    @cached_property
    def _scaled(self) -> Floats:
        return np.maximum(self.logs - self.top[:, None], LOWEST)

    @cached_property
    def slopes(self) -> Floats:
        """Slopes of the logarithm at the points, (n, N)."""
        steps = np.diff(self.points, axis=1)
        apart = steps > 0
        chords = np.diff(self._scaled, axis=1) / np.where(apart, steps, 1.0)
        left = np.concatenate([chords[:, :1], chords], axis=1)
        right = np.concatenate([chords, chords[:, -1:]], axis=1)
        before = np.concatenate([steps[:, :1], steps], axis=1)
        after = np.concatenate([steps, steps[:, -1:]], axis=1)
        both = np.maximum(before + after, np.finfo(np.float64).tiny)
        slopes = (after * left + before * right) / both
        limit = MAX_SLOPE * np.minimum(np.abs(left), np.abs(right))
        return np.clip(slopes, -limit, limit)

    def _within(self, segment: Integers, part: Floats) -> Floats:
        """Logarithm of the density at parts (n, k, 5) of segments (n, k), less the top."""
        rows = np.arange(len(self))[:, None]
        ends = rows, segment, segment + 1
        low, high = self._scaled[ends[0], ends[1]], self._scaled[ends[0], ends[2]]
        step = self.points[ends[0], ends[2]] - self.points[ends[0], ends[1]]
        rise = step * self.slopes[ends[0], ends[1]], step * self.slopes[ends[0], ends[2]]
        return _hermite(low, high, *rise, part)

    @property
    def nodes(self) -> Floats:
        """Where densities are summed, (n, N - 1, 5)."""
        steps = np.diff(self.points, axis=1)
        return np.asarray(self.points[:, :-1, None] + steps[:, :, None] * NODES)

    @cached_property
    def _masses(self) -> Floats:
        """Mass around each node, but for a constant of the row."""
        steps = np.diff(self.points, axis=1)
        segments = np.broadcast_to(np.arange(steps.shape[1]), steps.shape)
        density = np.exp(self._within(segments, NODES[None, None]))
        return np.asarray(density * WEIGHTS * steps[:, :, None])

    @cached_property
    def log_total(self) -> Floats:
        """Logarithm of what densities and masses of atoms sum to, (n,)."""
        atoms = np.exp(self.log_atoms - self.top[:, None]).sum(axis=1)
        return np.asarray(self.top + np.log(self._masses.sum(axis=(1, 2)) + atoms))

    @property
    def _scale(self) -> Floats:
        return np.exp(self.top - self.log_total)

    @cached_property
    def masses_of_atoms(self) -> Floats:
        """Probability of each atom, (n, A)."""
        return np.exp(self.log_atoms - self.log_total[:, None])

    @cached_property
    def _cumulative(self) -> Floats:
        """Mass of the density below each point, atoms left out, (n, N)."""
        sums = self._masses.sum(axis=2).cumsum(axis=1) * self._scale[:, None]
        return np.concatenate([np.zeros((len(sums), 1)), sums], axis=1)

    def of_rows(self, rows: NDArray[np.bool_]) -> "Curve":
        """Return the densities of some rows."""
        return Curve(self.points[rows], self.logs[rows], self.atoms, self.log_atoms[rows])

    def log_density(self, values: Floats) -> Floats:
        """Logarithm of the density at values (n, k), but for the constant."""
        segment, part, _ = self._place(values)
        return np.asarray(self._within(segment, part[:, :, None])[..., 0] + self.top[:, None])

    def _place(self, values: Floats) -> tuple[Integers, Floats, Floats]:
        """Return the segment of values (n, k), which part of it is below, and its length."""
        inside = np.clip(values, self.points[:, :1], self.points[:, -1:])
        segment = _segment(self.points, inside)
        rows = np.arange(len(self))[:, None]
        start = self.points[rows, segment]
        step = self.points[rows, segment + 1] - start
        return segment, (inside - start) / np.where(step > 0, step, 1.0), step

    def cdf(self, values: Floats) -> Floats:
        """Probability of at most each value, (n, k)."""
        atoms = (self.atoms <= values[:, :, None]) * self.masses_of_atoms[:, None]
        return np.clip(self._below(values) + atoms.sum(axis=2), 0.0, 1.0)

    def _below(self, values: Floats) -> Floats:
        """Mass of the density below values (n, k), atoms left out."""
        segment, part, step = self._place(values)
        return self._below_in(segment, part, step)

    def _below_in(self, segment: Integers, part: Floats, step: Floats) -> Floats:
        """Mass of the density below parts of segments (n, k), each `step` long."""
        rows = np.arange(len(self))[:, None]
        density = np.exp(self._within(segment, part[:, :, None] * NODES))
        own = (density * WEIGHTS).sum(axis=2) * part * step
        return np.asarray(self._cumulative[rows, segment] + self._scale[:, None] * own)

    def quantile(self, levels: Floats) -> Floats:
        """Return the least value whose `cdf` is at least each level, (n, k)."""
        rows = np.arange(len(self))[:, None]
        places = np.broadcast_to(self.atoms, (len(self), len(self.atoms)))
        below = self._below(places)  # density alone, below each atom
        masses = self.masses_of_atoms
        before = np.cumsum(masses, axis=1) - masses
        # An atom is at the levels from all that is below it, up to its own mass more.
        start = below + before
        levels = np.asarray(levels)
        above = levels[:, :, None] - start[:, None]
        at_atom = (above > 0) & (above <= masses[:, None])
        passed = np.where(above > masses[:, None], masses[:, None], 0.0).sum(axis=2)
        goal = np.minimum(levels - passed, self._cumulative[:, -1:])
        segment = _segment(self._cumulative, goal)
        start = self.points[rows, segment]
        step = self.points[rows, segment + 1] - start
        low, high = np.zeros(goal.shape), np.ones(goal.shape)
        for _ in range(N_HALVINGS):
            middle = (low + high) / 2
            reached = self._below_in(segment, middle, step) >= goal
            low, high = np.where(reached, low, middle), np.where(reached, middle, high)
        found = start + high * step
        if not at_atom.any():
            return np.asarray(found)
        return np.where(at_atom.any(axis=2), self.atoms[at_atom.argmax(axis=2)], found)

    def mean_of(self, at_nodes: Floats, at_atoms: Floats) -> Floats:
        """Mean of a function, given at the nodes and (A,) at the atoms, (n,)."""
        mean = (self._masses * at_nodes).sum(axis=(1, 2)) * self._scale
        return np.asarray(mean + (self.masses_of_atoms * at_atoms).sum(axis=1))


def _hermite(low: Floats, high: Floats, first: Floats, last: Floats, part: Floats) -> Floats:
    """Cubic through two values with slopes, at parts of the way on one axis more."""
    low, high, first, last = (value[..., None] for value in (low, high, first, last))
    rest = 1 - part
    return np.asarray(
        rest**2 * (low * (1 + 2 * part) + first * part)
        + part**2 * (high * (1 + 2 * rest) - last * rest)
    )


def _segment(ends: Floats, values: Floats) -> Integers:
    """Return the last segment (n, k) that begins at most at each value."""
    found = np.zeros(values.shape, dtype=np.int64)
    for own, column in zip(found.T, values.T, strict=True):
        own[:] = (ends[:, 1:-1] <= column[:, None]).sum(axis=1)
    return found


def refined(
    points: Floats,
    closed: Callable[[Floats, Floats], NDArray[np.bool_]],
    log_density: Callable[[Floats], Floats],
    snap: Callable[[Floats], Floats],
    n_rounds: int = N_ROUNDS,
) -> tuple[Floats, Floats]:
    """Add points (n, N) where the density is high and known at few, and return logs too.

    `closed` tells which segments take none, and `snap` moves a point to where it may be.
    """
    logs = log_density(points)
    for _ in range(n_rounds):
        low, high = points[:, :-1], points[:, 1:]
        need = _doubt(points, logs)
        middle = snap((low + high) / 2)
        need[closed(low, high) | (middle <= low) | (middle >= high)] = -np.inf
        chosen = np.argpartition(-need, N_ADDED, axis=1)[:, :N_ADDED]
        rows = np.arange(len(points))[:, None]
        # Of segments that are closed the end stands in.
        open_ones = np.isfinite(need[rows, chosen])
        new = np.where(open_ones, middle[rows, chosen], low[rows, chosen])
        points = np.concatenate([points, new], axis=1)
        logs = np.concatenate([logs, log_density(new)], axis=1)
        order = np.argsort(points, axis=1, kind="stable")
        points, logs = points[rows, order], logs[rows, order]
    return points, logs


def _doubt(points: Floats, logs: Floats) -> Floats:
    """Logarithm of how wrong the mass of each segment may be, (n, N - 1)."""
    steps, height = np.diff(points, axis=1), np.maximum(logs[:, :-1], logs[:, 1:])
    chords = np.abs(np.diff(logs, axis=1)) / np.where(steps > 0, steps, np.inf)
    # A density may bend where its ends are level: neighbours tell.
    padded = np.pad(chords, ((0, 0), (1, 1)))
    steepest = np.maximum(chords, np.maximum(padded[:, :-2], padded[:, 2:]))
    with np.errstate(divide="ignore"):
        return np.asarray(height + np.log(steps * np.clip(steepest * steps, *RISES)))


def log_difference(log_all: Floats, log_part: Floats) -> Floats:
    """Logarithm of what is left of an amount without a part; of nothing minus infinity."""
    with np.errstate(divide="ignore", invalid="ignore"):
        left = -np.expm1(np.minimum(log_part - log_all, 0.0))
        return np.asarray(log_all + np.log(left))
