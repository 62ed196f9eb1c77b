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

from .._table.encoding import Table, standardise
from .conditionals import Bernoulli, Categorical, Conditional, Constant
from .evidence import Evidence, joined_evidence
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
        ends = np.where(np.isfinite(table.ends), standardise(table, table.ends), table.ends)
        law = DiscretisedMixture(
            n_components,
            **_components(table, counts),
            origin=-center / spread,
            step=1 / spread,
            lowest=ends[0, counts],
            highest=ends[1, counts],
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
    shares: Floats  # (M,), how much each member counts; their sum is one
    evidence: Evidence | None = None  # of members that start as mixtures of Gaussians
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
            shares=state.get("shares", equal_shares(len(state["weights"]))),  # new in 0.2
            evidence=state.get("evidence") and Evidence(**state["evidence"]),  # likewise
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
            "shares": self.shares,
            "evidence": self.evidence and asdict(self.evidence),
            "optimizer": self.optimizer,
        }

    @property
    def n_paths(self) -> int:
        """How many paths there are: members times masks."""
        return math.prod(self.ranks.shape[:2])

    @property
    def log_odds(self) -> Floats:
        """How much more or less than on average each path counts, (M * K,), as logarithms.

        Their exponentials have a mean of one.
        """
        with np.errstate(divide="ignore"):
            odds = np.log(self.shares * len(self.shares))
        return np.repeat(odds, self.ranks.shape[1])

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
            shares=self.shares[m] / self.shares[m].sum(),
        )

    @cached_property
    def made(self) -> MADE:
        """The network's shape."""
        return self.architecture.build(self.table)

    def joined_by(self, others: Sequence["Ensemble"], counts: Sequence[float]) -> "Ensemble":
        """Return an ensemble of these members and those of others for the same table.

        `counts` says how much each of the ensembles counts.
        """
        together = [self, *others]
        layers = zip(*(ensemble.degrees for ensemble in together), strict=True)
        shares = [c * one.shares for c, one in zip(counts, together, strict=True)]
        return replace(
            self,
            ranks=np.concatenate([ensemble.ranks for ensemble in together]),
            degrees=tuple(np.concatenate(layer) for layer in layers),
            weights=np.concatenate([ensemble.weights for ensemble in together]),
            shares=np.concatenate(shares) / np.concatenate(shares).sum(),
            evidence=joined_evidence(
                [ensemble.evidence for ensemble in together],
                [len(ensemble.weights) for ensemble in together],
            ),
            optimizer=self.optimizer and _joined([one.optimizer for one in together]),
        )

    def of_members(self, members: slice) -> "Ensemble":
        """Return an ensemble of some of the members."""
        chosen = self.shares[members]
        return replace(
            self,
            ranks=self.ranks[members],
            degrees=tuple(layer[members] for layer in self.degrees),
            weights=self.weights[members],
            shares=chosen / chosen.sum(),
            evidence=self.evidence and self.evidence.of_members(members),
            optimizer=None if self.optimizer is None else _each(self.optimizer, members),
        )

    def with_components(self, n_components: int) -> "Ensemble":
        """Return the same densities from networks of more components, most without a share."""
        wide = replace(self.architecture, n_components=n_components)
        if wide == self.architecture:
            return self
        to = wide.build(self.table)
        optimizer = self.optimizer and {
            "current": widened(self.made, to, self.optimizer["current"], OFF),
            "moments": [widened(self.made, to, m, 0.0) for m in self.optimizer["moments"]],
            "n_steps": self.optimizer["n_steps"],
        }
        weights = widened(self.made, to, self.weights, OFF)
        return replace(
            self,
            architecture=wide,
            weights=weights,
            evidence=self.evidence and self.evidence.with_components(n_components),
            optimizer=optimizer,
        )


# The logit of a component that has no share, whatever the others have.
OFF = -1e4


def equal_shares(n_members: int) -> Floats:
    """Return the shares of members that count the same."""
    return np.full(n_members, 1 / n_members)


def widened(
    narrow: MADE, wide: MADE, weights: NDArray[np.float32], logit: float
) -> NDArray[np.float32]:
    """Put weights (M, n) in a network whose mixtures have more components, with no share.

    Their logits have no connections, and `logit` as their bias. They come first: no level of a
    mixture is beyond its last component.
    """
    to = np.empty(len(narrow.output_features), dtype=np.int64)
    off = np.zeros(len(wide.output_features), dtype=bool)
    for (law, own, _), (wide_law, outputs, _) in zip(
        narrow.by_feature(), wide.by_feature(), strict=True
    ):
        place = np.arange(outputs.start, outputs.stop)
        if isinstance(law, MixtureOfGaussians) and isinstance(wide_law, MixtureOfGaussians):
            kinds = [place[kind] for kind in wide_law.parameters]
            n_off = wide_law.n_components - law.n_components
            off[kinds[0][:n_off]] = True
            place = np.concatenate([*(kind[n_off:] for kind in kinds[:-1]), kinds[-1]])
        to[own] = place
    found = np.zeros((len(weights), wide.n_weights), dtype=weights.dtype)
    depth = len(narrow.hidden_layer_sizes)
    for to_flat, flat in zip(found, weights, strict=True):
        parts, before = wide.unflatten(to_flat), narrow.unflatten(flat)
        for name, part in parts.items():
            if name in (f"weight{depth}", "direct", f"bias{depth}"):
                part[to[: len(before[name])]] = before[name]
            else:
                part[:] = before[name]
        parts[f"bias{depth}"][off] = logit
    return found


def _each(optimizer: dict[str, Any], members: slice) -> dict[str, Any]:
    """Return the optimiser's state of some members."""
    moments = [moment[members] for moment in optimizer["moments"]]
    return {**optimizer, "current": optimizer["current"][members], "moments": moments}


def _joined(optimizers: Sequence[Any]) -> dict[str, Any]:
    """Join the optimiser's states of some members and others."""
    moments = zip(*(optimizer["moments"] for optimizer in optimizers), strict=True)
    return {
        "current": np.concatenate([optimizer["current"] for optimizer in optimizers]),
        "moments": [np.concatenate(moment) for moment in moments],
        "n_steps": optimizers[0]["n_steps"],
    }
