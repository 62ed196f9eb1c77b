"""The ensemble: a table, a network's shape, and members with masks and weights.

It is what fit leaves behind: arrays and plain scalars in a dict, from which it is rebuilt on
demand. Training draws and changes members, prediction walks through them.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._table.encoding import Table
from .conditionals import Bernoulli, Categorical, Conditional, Constant
from .made import MADE
from .masks import Booleans, Integers, move_last
from .mixtures import DiscretisedMixture, MixtureOfGaussians, TruncatedMixture

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Architecture:
    """The network's hyperparameters, as `MADEDensity` names them."""

    hidden_layer_sizes: tuple[int, ...]
    activation: str
    n_components: int
    residual: bool
    direct_connections: bool
    conditioning_weights: bool

    def build(self, table: Table) -> MADE:
        """Return the network's shape for a table."""
        return MADE(
            groups=tuple(_groups(table, self.n_components)),
            hidden_layer_sizes=self.hidden_layer_sizes,
            activation=self.activation,
            residual=self.residual,
            direct_connections=self.direct_connections,
            conditioning_weights=self.conditioning_weights,
        )


def _groups(table: Table, n_components: int) -> Iterator[tuple[Conditional, Integers]]:
    """Yield the laws with the columns they describe."""
    constant = np.flatnonzero(table.constant)
    if len(constant):
        yield Constant(), constant
    images = table.edge_images.T
    ends = np.isfinite(images).any(axis=1)
    numbers = (table.kinds == "continuous") & ~table.constant
    if (numbers & ~ends).any():
        columns = np.flatnonzero(numbers & ~ends)
        yield MixtureOfGaussians(n_components, **_components(table, columns)), columns
    if (numbers & ends).any():
        columns = np.flatnonzero(numbers & ends)
        common = _components(table, columns)
        yield TruncatedMixture(n_components, **common, edges=images[columns]), columns
    counts = np.flatnonzero((table.kinds == "count") & ~table.constant)
    if len(counts):
        center, spread = table.center[counts], table.spread[counts]
        law = DiscretisedMixture(
            n_components,
            **_components(table, counts),
            origin=-center / spread,
            step=1 / spread,
            lowest=(table.ends[0, counts] - center) / spread,
            highest=(table.ends[1, counts] - center) / spread,
            codes=_used((table.codes[counts] - center[:, None]) / spread[:, None]),
        )
        yield law, counts
    binary = np.flatnonzero(table.kinds == "binary")
    if len(binary):
        yield Bernoulli(), binary
    categorical = table.kinds == "categorical"
    for n_levels in np.unique(table.n_levels[categorical]).tolist():
        same = np.flatnonzero(categorical & (table.n_levels == n_levels))
        absent = (table.absent[same, :, None] == np.arange(n_levels)).any(axis=1)
        yield Categorical(n_levels, absent), same


def _components(table: Table, columns: Integers) -> dict[str, Floats]:
    """Return what the mixtures of some columns have in common: floors, and atoms."""
    atoms = _used(table.atom_images[columns])
    return {
        "floor": table.scale_floor[columns],
        "atoms": atoms,
        "atom_scales": table.atom_scales[columns, : atoms.shape[1]],
    }


def _used(padded: Floats) -> Floats:
    """Leave out what no column has."""
    return padded[:, ~np.isnan(padded).all(axis=0)]


# Compared by identity: prediction keeps what it prepared for one.
@dataclass(frozen=True, eq=False)
class Ensemble:
    """M members of one architecture with K masks each, for the columns of one table."""

    table: Table
    architecture: Architecture
    ranks: Integers  # (M, K, D)
    degrees: tuple[Integers, ...]  # (M, K, n_units) for each hidden layer
    weights: NDArray[np.float32]  # (M, n_weights)
    # Where the optimiser stands, kept between calls of partial_fit.
    optimizer: dict[str, Any] | None = None

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Ensemble":
        """Rebuild an ensemble from `to_state`."""
        return cls(
            table=Table.from_state(state["table"]),
            architecture=Architecture(**state["architecture"]),
            ranks=state["ranks"],
            degrees=tuple(state["degrees"]),
            weights=state["weights"],
            optimizer=state["optimizer"],
        )

    def to_state(self) -> dict[str, Any]:
        """Return arrays and plain scalars in dicts and lists, which any serialiser knows."""
        return {
            "table": asdict(self.table),
            "architecture": asdict(self.architecture),
            "ranks": self.ranks,
            "degrees": list(self.degrees),
            "weights": self.weights,
            "optimizer": self.optimizer,
        }

    @property
    def n_paths(self) -> int:
        """How many paths there are: members times masks."""
        return math.prod(self.ranks.shape[:2])

    @property
    def reorderable(self) -> bool:
        """Whether members were trained for several orderings, and so can use any."""
        return bool((self.ranks != self.ranks[:, :1]).any())

    def nearest(self, missing: Booleans) -> Integers:
        """Return the paths (n, M) that rows use whose missing features (n, D) move last.

        Of all members and masks these are the nearest to what was trained: as many as there
        are members, with the fewest pairs of features that change places. Of equally near
        ones every member gives one before any gives a second.
        """
        # The later what is missing already comes, the fewer pairs change places.
        distance = -np.einsum("nd,mkd->nmk", missing.astype(np.int64), self.ranks)
        place = np.argsort(np.argsort(distance, axis=2, kind="stable"), axis=2)
        flat = len(missing), self.n_paths
        return np.lexsort((place.reshape(flat), distance.reshape(flat)))[:, : len(self.weights)]

    def moved_last(self, missing: Booleans) -> "Ensemble":
        """Return the nearest members, with the missing features (D,) after the others."""
        if missing.all() or not missing.any():
            return self
        m, k = np.unravel_index(self.nearest(missing[None])[0], self.ranks.shape[:2])
        return replace(
            self,
            ranks=move_last(self.ranks[m, k], missing)[:, None],
            degrees=tuple(layer[m, k][:, None] for layer in self.degrees),
            weights=self.weights[m],
        )

    @cached_property
    def made(self) -> MADE:
        """The network's shape."""
        return self.architecture.build(self.table)

    def joined_by(self, others: Sequence["Ensemble"]) -> "Ensemble":
        """Return an ensemble of these members and those of others for the same table."""
        together = [self, *others]
        layers = zip(*(ensemble.degrees for ensemble in together), strict=True)
        return replace(
            self,
            ranks=np.concatenate([ensemble.ranks for ensemble in together]),
            degrees=tuple(np.concatenate(layer) for layer in layers),
            weights=np.concatenate([ensemble.weights for ensemble in together]),
        )
