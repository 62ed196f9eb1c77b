"""The conditional density of a column of numbers, in the units of the user, row by row.

The joint is looked at where the mass is, and what it integrates to is the density of the other
cells. To this comes the background, by its chance of these cells.
"""

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .._network.masks import Booleans, Integers
from .._network.mixtures import DiscretisedMixture, MixtureOfGaussians, TruncatedMixture
from .._network.special import student_cdf, student_quantile
from .._table.encoding import Table, decode, standardise, to_cells, transform
from .._threads import in_order, one_thread_inside
from .background import background, beyond_edge
from .conditional import (
    Joint,
    Mixture,
    Question,
    density_of_rest,
    each_part,
    evaluators,
    log_joint,
    mixed,
)
from .curves import N_ADDED, N_ROUNDS, Curve, log_difference, refined
from .hints import AROUND

Floats = NDArray[np.float64]

# Points that a density is known at first: images, of which most are between -4 and 4. Beyond
# the last there is less than 1e-8.
FIRST_POINTS = np.concatenate(
    [
        [-40.0, -28.0, -20.0, -15.0, -11.0, -8.5, -6.5, -5.2],
        np.linspace(-4.2, 4.2, 29),
        [5.2, 6.5, 8.5, 11.0, 15.0, 20.0, 28.0, 40.0],
    ]
)

# Further ones for columns without an edge, or with one that is far out.
FAR_POINTS = np.array([60.0, 100.0, 200.0, 500.0, 1000.0, 3000.0])

# A spike at an atom is alone within so many of its scales; atoms that are closer to each other
# than twice that are bumps of the density.
SPIKE = 6.0

# A spike is cut by the end of a column if so much less of it is on one side.
MUCH = 0.999

# A chance of the background below this, or so near to one, is none, or all.
MIN_CHANCE = 1e-6

# The curve of a count jumps where an atom, or an integer at an end, has more mass than those
# around it: by this width, beside the distance of integers.
JUMP = 1e-6

# Halvings in search of a quantile of members and background, between these numbers of
# standard deviations, as inverse hyperbolic sines.
N_HALVINGS, FARTHEST = 80, 40.0

# Moments of the background are of so many of its quantiles.
N_LEVELS = 4000


@dataclass(frozen=True)
class Density:
    """The density of a column in n rows."""

    alone: Table  # of the column
    step: float  # of integers, standardised; zero for numbers
    curve: Curve  # of images, by the members
    chance: Floats  # (n,), of the background
    log_rest: Floats  # (n,), log-density of the values of the other cells by the members

    def __len__(self) -> int:
        return len(self.chance)

    def images(self, X: Floats) -> Floats:
        """Return images of numbers (n, k), of atoms exactly, of counts of their cell's end."""
        images = transform(self.alone, X.reshape(-1, 1)).values.reshape(X.shape)
        for atom, image in zip(self.alone.atoms[0], self.alone.atom_images[0], strict=True):
            images[atom == X] = image
        return images + self.step / 2

    def cells(self, images: Floats) -> Floats:
        """Return the numbers of images, of any shape."""
        X = decode(self.alone, images.reshape(-1, 1), as_recorded=self.step > 0)
        return X.reshape(images.shape)

    @property
    def atoms(self) -> Floats:
        """The atoms of the curve as they were recorded, (A,)."""
        return decode(self.alone, self.curve.atoms[:, None])[:, 0]

    def cdf(self, X: Floats) -> Floats:
        """Probability of at most each number (n, k)."""
        for _, ladder in self.alone.ladders():
            X = ladder.at_most(X)
        by_background = student_cdf(self._standardised(X))
        low, high = self.alone.ends[:, 0]  # what is beyond goes to the ends
        by_background = np.where(low > X, 0.0, np.where(high <= X, 1.0, by_background))
        chance = self.chance[:, None]
        return (1 - chance) * self.curve.cdf(self.images(X)) + chance * by_background

    def quantile(self, levels: Floats) -> Floats:
        """Return the least number whose `cdf` is at least each level, (n, k)."""
        images = self.curve.quantile(levels)
        X = self.cells(images)
        for atom, image in zip(self.atoms, self.curve.atoms, strict=True):
            X[images == image] = atom
        far = self.chance > MIN_CHANCE
        if far.any():
            X[far] = self._mixed_quantile(far, levels[far])
        return X

    def _mixed_quantile(self, rows: Booleans, levels: Floats) -> Floats:
        """Return quantiles of rows with a chance of the background."""
        own = self.of_rows(rows)
        low, high = np.full((2, *levels.shape), -FARTHEST)
        high = -low
        for _ in range(N_HALVINGS):
            middle = (low + high) / 2
            reached = own.cdf(own._from_standardised(np.sinh(middle))) >= levels
            low, high = np.where(reached, low, middle), np.where(reached, middle, high)
        return own._from_standardised(np.sinh(high))

    def moments(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation, (n,) each."""
        nodes = self.cells(self.curve.nodes)
        mean = self.curve.mean_of(nodes, self.atoms)
        apart = nodes - mean[:, None, None], self.atoms - mean[:, None]
        variance = self.curve.mean_of(apart[0] ** 2, apart[1] ** 2)
        levels = (np.arange(N_LEVELS) + 0.5) / N_LEVELS
        far = self._from_standardised(student_quantile(levels))
        both = (1 - self.chance) * mean + self.chance * far.mean()
        variance = (1 - self.chance) * (variance + (mean - both) ** 2)
        return both, np.sqrt(variance + self.chance * (far.var() + (far.mean() - both) ** 2))

    def of_rows(self, rows: Booleans) -> "Density":
        """Return the densities of some rows."""
        return replace(
            self,
            curve=self.curve.of_rows(rows),
            chance=self.chance[rows],
            log_rest=self.log_rest[rows],
        )

    def _standardised(self, X: Floats) -> Floats:
        return standardise(self.alone, X.reshape(-1, 1)).reshape(X.shape) + self.step / 2

    def _from_standardised(self, standardised: Floats) -> Floats:
        flat = standardised.reshape(-1, 1)
        X = to_cells(self.alone, flat, as_recorded=self.step > 0)
        return X.reshape(standardised.shape)


def densities(question: Question) -> list[Density]:
    """Return the density of a column of numbers, part by part of the rows."""
    return each_part(_density, question)


def log_densities(question: Question, X: Floats, known: list[Density]) -> Floats:
    """Log-density (n, k) of numbers of a column, in the user's units."""
    ends = np.cumsum([len(part) for part in known])[:-1]
    pieces = np.split(np.arange(len(question)), ends)
    tasks = [
        partial(_log_density, question.of_rows(rows), X[rows], part)
        for rows, part in zip(pieces, known, strict=True)
    ]
    with one_thread_inside():
        return np.concatenate(in_order(tasks))


def _density(question: Question) -> Density:
    """Find the density of a column of numbers."""
    points = Points.of(question)
    curves, places, log_rest = [], [], np.empty(len(question))
    for rows, evaluator in evaluators(question):
        curves.append(points.curve(evaluator))
        places.append(rows)
        if isinstance(evaluator, Mixture):
            log_rest[rows] = evaluator.log_rest
        else:
            log_rest[rows] = curves[-1].log_total
    _, chance = density_of_rest(question, log_rest)
    return Density(question.alone, points.step, _together(curves, places), chance, log_rest)


def _together(curves: list[Curve], places: list[Integers]) -> Curve:
    """Join curves of rows at some places."""
    if len(curves) == 1:
        return curves[0]
    n_rows, n_points = sum(map(len, places)), max(c.points.shape[1] for c in curves)
    points, logs = np.empty((2, n_rows, n_points))
    log_atoms = np.empty((n_rows, len(curves[0].atoms)))
    for curve, rows in zip(curves, places, strict=True):
        n_more = n_points - curve.points.shape[1]  # the last point stands in for them
        points[rows] = np.pad(curve.points, ((0, 0), (0, n_more)), mode="edge")
        logs[rows] = np.pad(curve.logs, ((0, 0), (0, n_more)), mode="edge")
        log_atoms[rows] = curve.log_atoms
    return Curve(points, logs, curves[0].atoms, log_atoms)


def _log_density(question: Question, X: Floats, known: Density) -> Floats:
    """Log-density (n, k) of numbers in the user's units."""
    cells = transform(known.alone, X.reshape(-1, 1))
    values, log_factors, by_background = (
        part.reshape(X.shape)
        for part in (cells.values, cells.log_factors, background(known.alone, cells))
    )
    by_members = log_joint(question, values) - known.log_rest[:, None] + log_factors
    by_members[beyond_edge(known.alone, cells).reshape(X.shape)] = -np.inf
    return mixed(by_members, by_background, known.chance)


@dataclass(frozen=True)
class Points:
    """Where the density of a column is looked at first, and what is special there."""

    first: Floats  # (N,)
    zones: Floats  # (A, 2), of atoms, in order
    atoms: Floats  # (A,)
    widths: Floats  # (A,), what the height of a spike is multiplied by
    n_rounds: int  # of points that are added
    step: float  # of integers; zero for numbers
    origin: float
    edges: Floats  # (E,), of the cells of integers that have more mass than those around

    @classmethod
    def of(cls, question: Question) -> "Points":
        """Lay out points for a column."""
        law = question.law
        assert isinstance(law, MixtureOfGaussians)
        atoms, scales = law.atoms[0], law.atom_scales[0]
        inside = np.ones(len(atoms))
        low, high, step, origin, edges = -np.inf, np.inf, 0.0, 0.0, np.empty(0)
        if isinstance(law, TruncatedMixture):
            (low, high), inside = law.edges[0], law.atoms_inside[0]
        if isinstance(law, DiscretisedMixture):
            step, origin = float(law.step[0]), float(law.origin[0])
            low, high = law.lowest[0] - step / 2, law.highest[0] + step / 2
            hair = step * JUMP  # at half of the way rounding decides which integer is near
            edges = _edges_of_cells(
                np.append(atoms, [law.lowest[0], law.highest[0]]), step, hair
            )
            low, high = low + hair, high - hair
            edges, atoms = np.clip(edges, low, high), atoms[:0]
            scales, inside = scales[:0], inside[:0]
        there = ~np.isnan(atoms)
        order = np.argsort(atoms[there])
        atoms, scales, inside = (part[there][order] for part in (atoms, scales, inside))
        gaps = np.diff(atoms, prepend=-np.inf, append=np.inf)
        own = 2 * SPIKE * scales
        alone = (gaps[:-1] > own) & (gaps[1:] > own)
        bumps = (atoms[~alone, None] + scales[~alone, None] * AROUND).ravel()
        atoms, scales, inside = atoms[alone], scales[alone], inside[alone]
        zones = np.clip(atoms[:, None] + SPIKE * scales[:, None] * [-1, 1], low, high)
        widths = math.sqrt(2 * math.pi) * scales * inside
        far = step > 0 or question.alone.marginals.reach[0] > FIRST_POINTS[-1] / 4
        points = [-FAR_POINTS, FIRST_POINTS, FAR_POINTS] if far else [FIRST_POINTS]
        first = np.unique(np.clip(np.concatenate([*points, bumps]), low, high))
        n_rounds = N_ROUNDS + math.ceil(len(bumps) / N_ADDED)
        return cls(first, zones, atoms, widths, n_rounds, step, origin, edges)

    def curve(self, evaluator: Mixture | Joint) -> Curve:
        """Return the density of some rows."""
        log_width = math.log(self.step) if self.step else 0.0  # from masses to densities

        def log_density(values: Floats) -> Floats:
            return evaluator.log_joint(self._beside_atoms(values)) - log_width

        hints = evaluator.narrow()
        n_rows = len(hints)
        ends = np.broadcast_to(self.zones.ravel(), (n_rows, 2 * len(self.zones)))
        first = np.broadcast_to(self.first, (n_rows, len(self.first)))
        hints = np.clip(hints, self.first[0], self.first[-1])
        points = self._outside(self._snapped(np.concatenate([first, hints], axis=1)))
        edges = np.broadcast_to(self.edges, (n_rows, len(self.edges)))
        points = np.sort(np.concatenate([points, ends, edges], axis=1), axis=1)
        n_rounds = self.n_rounds + math.ceil(hints.shape[1] / N_ADDED)
        points, logs = refined(points, self._closed, log_density, self._snapped, n_rounds)
        if not len(self.atoms):
            return Curve(points, logs, self.atoms, np.empty((n_rows, 0)))
        smooth = Curve(points, logs, self.atoms[:0], np.empty((n_rows, 0)))
        at_atoms = np.broadcast_to(self.atoms, (n_rows, len(self.atoms)))
        heights = evaluator.log_joint(at_atoms) - log_width
        spikes = log_difference(heights, smooth.log_density(at_atoms))
        return replace(smooth, atoms=self.atoms, log_atoms=spikes + np.log(self.widths))

    def _beside_atoms(self, points: Floats) -> Floats:
        """Move points next to an atom at the end of a column to where its spike ends."""
        for (start, stop), atom in zip(self.zones, self.atoms, strict=True):
            before, after = atom - start, stop - atom
            if before < MUCH * after:  # the column ends to the left of it
                points = np.where((points >= start) & (points < stop), stop, points)
            elif after < MUCH * before:
                points = np.where((points > start) & (points <= stop), start, points)
        return points

    def _closed(self, low: Floats, high: Floats) -> Booleans:
        """Which segments are zones of atoms."""
        closed = np.zeros(low.shape, dtype=bool)
        for start, stop in self.zones:
            closed |= (low >= start) & (high <= stop)
        return closed

    def _outside(self, points: Floats) -> Floats:
        """Move points that are in zones of atoms to their ends."""
        for start, stop in self.zones:
            points = np.where((points > start) & (points < stop), start, points)
        return points

    def _snapped(self, points: Floats) -> Floats:
        """Move points of a count to the nearest integers."""
        if not self.step:
            return points
        return self.origin + np.rint((points - self.origin) / self.step) * self.step


def _edges_of_cells(integers: Floats, step: float, hair: float) -> Floats:
    """Return the numbers a hair to both sides of the edges of integers' cells."""
    known = integers[np.isfinite(integers)]
    edges = known[:, None] + step / 2 * np.array([-1.0, 1.0])
    return np.unique(edges[:, :, None] + hair * np.array([-1.0, 1.0]))
