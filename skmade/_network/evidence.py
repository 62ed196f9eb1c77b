"""How much the features so far speak for each component of a mixture.

The conditionals of a mixture of Gaussians over all features are mixtures again: of each
component's conditional, weighed by its share and by its density of the features before, which
is the evidence for it. Logarithms of that are quadratic, and no direct connection holds them.
So members that start as such a mixture keep its evidence as it is, beside their weights: it is
added to the logits that the network gives, and training changes the network alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .masks import Booleans, Integers

Floats = NDArray[np.float64]


class RankedEvidence(NamedTuple):
    """The evidence of one member, by rank: r features are known before the feature of rank r.

    What component k expects of a feature comes off it, over its scale. The distance is linear
    in the feature and those before, and its square tells the log-density.
    """

    features: Integers  # (D,) in their order
    slopes: Floats  # (D, K, D), both by rank: those of later features are zero
    shifts: Floats  # (D, K, 1)
    logs: Floats  # (D, K, 1), of the slopes of the features themselves

    def of_rank(self, rank: int, units: Floats) -> Floats:
        """Log-density of a rank's feature given those before, but for a constant, (K, n).

        `units` are features by rank, (D, n), up to this one at least.
        """
        distances = self.slopes[rank, :, : rank + 1] @ units[: rank + 1] - self.shifts[rank]
        return np.asarray(self.logs[rank] - 0.5 * distances**2)

    def by_feature(self, units: Floats, missing: Booleans | None) -> Floats:
        """Evidence of the features before each feature (D, K, n), of units by rank (D, n).

        Missing features, (D, n) in the order of the table, speak for no component.
        """
        found = np.empty((*self.slopes.shape[:2], units.shape[1]), units.dtype)
        so_far = np.zeros_like(found[0])
        for rank, feature in enumerate(self.features):
            found[feature] = relative(so_far)
            own = self.of_rank(rank, units)
            so_far += own if missing is None else np.where(missing[feature], 0.0, own)
        return found

    def astype(self, dtype: type) -> "RankedEvidence":
        """Return it in another precision."""
        return RankedEvidence(self.features, *(part.astype(dtype) for part in self[1:]))


def relative(evidence: Floats) -> Floats:
    """Evidence (K, ...) less that for the component for which there is most."""
    return evidence - evidence.max(axis=0)


@dataclass(frozen=True)
class Evidence:
    """The evidence of M members for K components; of members that have none it is zero."""

    slopes: Floats  # (M, K, D, D): how the distance of a feature depends on features
    shifts: Floats  # (M, K, D)

    @classmethod
    def of_none(cls, n_members: int, n_components: int, n_features: int) -> "Evidence":
        """Return that of members that have none."""
        shape = n_members, n_components, n_features
        return cls(np.zeros((*shape, n_features)), np.zeros(shape))

    @property
    def logs(self) -> Floats:
        """Logarithms of the slopes of the features themselves, (M, K, D)."""
        own = np.diagonal(self.slopes, axis1=2, axis2=3)
        return np.log(np.where(own > 0, own, 1.0))

    @property
    def some(self) -> NDArray[np.bool_]:
        """Which members (M,) have any."""
        return np.asarray(self.slopes.any(axis=(1, 2, 3)))

    def of_path(self, member: int, ranks: Integers) -> RankedEvidence | None:
        """Return that of a member with an ordering, (D,) ranks, if it has any."""
        if not self.some[member]:
            return None
        order = np.argsort(ranks)
        slopes = self.slopes[member][:, order][:, :, order].transpose(1, 0, 2)
        shifts, logs = (part[member][:, order].T for part in (self.shifts, self.logs))
        return RankedEvidence(order, slopes, shifts[:, :, None], logs[:, :, None])

    def of_members(self, members: Any) -> "Evidence":
        """Return that of some of the members."""
        return Evidence(self.slopes[members], self.shifts[members])

    def with_components(self, n_components: int) -> "Evidence":
        """Return that for more components, the first of which have no share.

        For them there is as much as for one that has: they never come into their own.
        """
        n_off = n_components - self.slopes.shape[1]
        parts = (
            np.concatenate([np.repeat(part[:, :1], n_off, axis=1), part], axis=1)
            for part in (self.slopes, self.shifts)
        )
        return Evidence(*parts)


def joined_evidence(parts: Sequence[Evidence | None], sizes: Sequence[int]) -> Evidence | None:
    """Join the evidence of some members and others, if any have some; `sizes` are how many."""
    there = [part for part in parts if part is not None]
    if not there:
        return None
    n_components, n_features = there[0].shifts.shape[1:]
    filled = [
        part or Evidence.of_none(size, n_components, n_features)
        for part, size in zip(parts, sizes, strict=True)
    ]
    return Evidence(
        np.concatenate([part.slopes for part in filled]),
        np.concatenate([part.shifts for part in filled]),
    )
