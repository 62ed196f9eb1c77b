"""What a detector sees of a row: its density, how far out it is, and how far from other rows.

No one of these finds all anomalies. The density knows what goes together and how often, and is
blind where a table has too few rows to learn that from. The Gaussian of the core of the rows
is plain, but nothing far out escapes it, in whatever direction, nor do labels that are rare
together. The distance to the nearest rows knows what no smooth density does.

Each says by one number how odd a row is. Beside those of ordinary rows they become shares of
these; the oddest counts, and the density half as much once more. (Chosen on tables other than
those of the benchmark: benchmarks/anomaly_choice.py.)
"""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from .._input import working_bytes
from .._network.ensemble import Ensemble
from .._prediction.scoring import by_chunks, log_density_by_member
from .._robust_core import PlainDensity, concentrated
from .._table.encoding import Table, standardise
from .._table.numbers import Numbers
from .coordinates import Coordinates
from .tails import Tail
from .typical import TypicalCells

Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Share of the rows that the Gaussian describes, so that anomalies among them do not.
CORE = 0.75

# How much the density counts beside what finds a row oddest.
WEIGHT_OF_DENSITY = 0.5

# How far the nearest rows are: the root of the mean square of the distances to so many.
N_NEIGHBORS = 5

# Of more coordinates a Gaussian is not plain, and distances say little.
MAX_COORDINATES = 2000

# What is nearer than this is no nearer than equal rows.
LEAST_DISTANCE = 1e-9

# With fewer rows a coordinate the Gaussian is fitted without each of so many folds.
FEW_A_COORDINATE, N_FOLDS = 10, 32

# Fewer points than this are compared with all rows.
FEW_POINTS = 128

# With less than a share of its distance left when a row leaves, the Gaussian hung on that row.
LEAST_LEFT = 0.05


@dataclass(frozen=True)
class Views:
    """How odd rows are by each view, and the tails of ordinary rows."""

    typical: TypicalCells
    coordinates: Coordinates
    gaussian: PlainDensity
    rows: NDArray[np.float32]  # (R, C), the points among which the nearest are looked for
    tails: tuple[Tail, ...]  # of the density, the Gaussian and the nearest rows
    together: Tail

    @classmethod
    def of(
        cls,
        ensemble: Ensemble,
        numbers: Numbers,
        weight: Floats,
        held_out: Booleans | None,
        core: Booleans,
        ordinary: Floats,
    ) -> tuple[Self, Floats]:
        """Learn them from rows of positive weight; return the rarities of these (n,), too.

        Each row is looked at as if it had not been there: by the members that held it out
        (n, M), where there are any. Gaussian and neighbours are of the core (n,) alone. The
        tails are those of rows with `ordinary` weights (n,).
        """
        X, density = numbers[:], _of_held_out(_density(ensemble, numbers), held_out)
        coordinates = Coordinates.of(ensemble.table, standardise(ensemble.table, X), weight)
        points, far = coordinates.points(standardise(ensemble.table, X)), []
        if 0 < points.shape[1] <= MAX_COORDINATES and core.sum() > N_NEIGHBORS:
            gaussian, from_gaussian = gaussian_of(points, weight, core)
            filled = gaussian.completed(points).astype(np.float32)
            rows, own = filled[core], np.where(core, np.cumsum(core) - 1, -1)
            far = [_log(from_gaussian), _log(distance(rows, filled, own))]
            typical = TypicalCells.of(ensemble, numbers, coordinates, gaussian)
        else:
            gaussian = PlainDensity.of_numbers(points[:, :0], weight)
            rows = points[:0].astype(np.float32)
            typical = TypicalCells.of(ensemble, numbers)
        density = density - typical.of_missing(np.isnan(X))
        oddities = [density, *far]
        tails = tuple(Tail.of(own, ordinary) for own in oddities)
        oddity = combined(tails, oddities)
        together = Tail.of(oddity, ordinary)
        views = cls(typical, coordinates, gaussian, rows, tails, together)
        return views, together.log_share(oddity)

    def rarities(self, ensemble: Ensemble, numbers: Numbers) -> Floats:
        """Log of the share of ordinary rows that are as odd as each row, (n,)."""
        oddity = combined(self.tails, self.oddities(ensemble, numbers))
        return self.together.log_share(oddity)

    def oddities(self, ensemble: Ensemble, numbers: Numbers) -> list[Floats]:
        """How odd new rows are by each view, (n,) each."""
        parts = [self.typical.of_missing(np.isnan(X)) for _, X in numbers.chunks()]
        oddities = [_density(ensemble, numbers).mean(axis=1) - np.concatenate(parts)]
        if len(self.rows):
            parts = [self._far(ensemble.table, chunk) for _, chunk in numbers.chunks()]
            oddities += list(np.concatenate(parts, axis=1))
        return oddities

    def _far(self, table: Table, X: Floats) -> Floats:
        """Log-distances of rows from the Gaussian, and from the nearest rows, (2, n)."""
        points = self.coordinates.points(standardise(table, X))
        filled = self.gaussian.completed(points).astype(np.float32)
        return _log([-2 * self.gaussian.scores(points), distance(self.rows, filled)])

    def to_state(self) -> dict[str, Any]:
        """Return arrays and plain values in dicts and lists, which any serialiser knows."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Rebuild views from `to_state`."""
        return cls(
            TypicalCells(**state["typical"]),
            Coordinates(**state["coordinates"]),
            PlainDensity(**state["gaussian"]),
            state["rows"],
            tuple(Tail(**tail) for tail in state["tails"]),
            Tail(**state["together"]),
        )


def combined(tails: tuple[Tail, ...], oddities: list[Floats]) -> Floats:
    """How odd rows are (n,), by what finds them oddest, and by their density."""
    pairs = zip(tails, oddities, strict=True)
    rare = np.stack([-tail.log_share(own) for tail, own in pairs])
    return np.asarray(rare.max(axis=0) + WEIGHT_OF_DENSITY * rare[0])


def gaussian_of(points: Floats, weight: Floats, core: Booleans) -> tuple[PlainDensity, Floats]:
    """Return the Gaussian of the core of the core, and how far rows are from it, (n,).

    Each row is as far as if it had not been there. Where there are few rows, whether a row is
    described depends on it, too: then each is set beside the Gaussian of other folds.
    """
    share = CORE if core.all() else 1.0

    def fit(rows: Booleans) -> tuple[PlainDensity, Booleans]:
        inside = rows.copy()
        gaussian, inside[rows] = concentrated(
            points[rows], weight[rows], share, PlainDensity.of_numbers
        )
        return gaussian, inside

    gaussian, inside = fit(core)
    if core.sum() >= FEW_A_COORDINATE * points.shape[1]:
        return gaussian, _without_itself(gaussian, points, inside, weight)
    fold = np.random.default_rng(0).permutation(len(points)) % N_FOLDS
    far = -2 * gaussian.scores(points)
    for own in (fold == k for k in range(N_FOLDS)):
        if (core & ~own).any():
            far[own] = -2 * fit(core & ~own)[0].scores(points[own])
    return gaussian, far


def _log(distances: Any) -> Floats:
    """Logarithm of distances, whose tails then end like powers: no row is infinitely far."""
    return np.log(np.maximum(distances, LEAST_DISTANCE))


def _density(ensemble: Ensemble, numbers: Numbers) -> Floats:
    """Log-density of rows by each member, negative, (n, M)."""
    return -by_chunks(log_density_by_member, ensemble, numbers, working_bytes())


def _of_held_out(by_member: Floats, held_out: Booleans | None) -> Floats:
    """Mean of (n, M) over the members that held a row out; of all, if none did."""
    if held_out is None:
        return by_member.mean(axis=1)
    counted = held_out | ~held_out.any(axis=1, keepdims=True)
    return np.where(counted, by_member, 0.0).sum(axis=1) / counted.sum(axis=1)


def _without_itself(
    gaussian: PlainDensity, points: Floats, inside: Booleans, weight: Floats
) -> Floats:
    """Squared distances (n,) of the Gaussian's own rows, as if each had not been there.

    The mean and the covariance without one row are those of all less a matrix of rank one.
    """
    squared = -2 * gaussian.scores(points)
    n = max(weight[inside].sum(), 3.0)
    left = np.maximum(1 - n * squared / (n - 1) ** 2, LEAST_LEFT)
    return np.where(inside, squared * n**2 * (n - 2) / (n - 1) ** 3 / left, squared)


def distance(
    rows: NDArray[np.float32], points: NDArray[np.float32], own: Integers | None = None
) -> Floats:
    """Root mean square distance of points (n, C) to the nearest rows.

    `own` (n,) are the positions of the points that are rows: these are not near to themselves.
    """
    if own is None:
        own = np.full(len(points), -1)
    # A tree for a few points is not worth its making.
    algorithm = "brute" if len(points) < FEW_POINTS else "auto"
    search = NearestNeighbors(n_neighbors=N_NEIGHBORS + 1, algorithm=algorithm).fit(rows)
    nearest = search.kneighbors(points, return_distance=False)
    left_out = nearest == own[:, None]
    left_out[~left_out.any(axis=1), -1] = True
    nearest = nearest[~left_out].reshape(len(points), N_NEIGHBORS)
    # Exact: products of matrices lose what is left of nearly equal rows.
    squared = [
        np.square(rows[place].astype(np.float64) - points).sum(axis=1) for place in nearest.T
    ]
    return np.asarray(np.sqrt(np.mean(squared, axis=0)))
