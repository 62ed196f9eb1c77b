"""Members in their own order, in which masks are staircases.

With the columns of each law sorted by rank, and hidden units by degree, the outputs of some
neighbouring columns see a prefix of the hidden units (and of the inputs), and all beyond is
hidden from them. Products over prefixes leave out most of what masks set to zero: a third of a
training step. Weights are sorted when training begins and put back when it ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._network.made import MADE, is_large
from .._network.masks import Integers

# The outputs of a law are cut into so many stairs, where they are many enough: more leave out
# more zeros, but products get small.
N_STAIRS = 4
MIN_STAIR_OUTPUTS = 48


class Stair(NamedTuple):
    """Neighbouring outputs, and how much of what is below they see at most."""

    outputs: slice
    n_hidden: int  # units of the last hidden layer
    n_units: int  # units that they see by direct connections


@dataclass(frozen=True)
class Order:
    """How the columns of each law, and hidden units, of M members are sorted.

    Where members have several masks nothing is sorted, and one order stands for all of them.
    """

    made: MADE
    columns: tuple[Integers, ...]  # (M, F) of each group, positions among its columns
    hidden: tuple[Integers, ...]  # (M, n_units) of each hidden layer
    stairs: tuple[Stair, ...]

    @classmethod
    def of_table(cls, made: MADE) -> "Order":
        """Leave columns and hidden units where they are: a stair for all that see the same."""
        columns = tuple(np.arange(len(columns))[None] for _, columns in made.groups)
        hidden = tuple(np.arange(size)[None] for size in made.hidden_layer_sizes)
        (n_outputs, n_units), n_hidden = made.n_direct, made.hidden_layer_sizes[-1]
        stairs = [
            Stair(slice(0, n_outputs), n_hidden, n_units * made.direct_connections),
            Stair(slice(n_outputs, len(made.output_features)), n_hidden, 0),
        ]
        there = [stair for stair in stairs if stair.outputs.start < stair.outputs.stop]
        return cls(made, columns, hidden, tuple(there))

    @classmethod
    def of_ranks(cls, made: MADE, ranks: Integers, degrees: Sequence[Integers]) -> "Order":
        """Sort columns by their ranks (M, D), and hidden units by their degrees."""
        columns = tuple(
            np.argsort(ranks[:, columns], axis=1, kind="stable") for _, columns in made.groups
        )
        hidden = tuple(np.argsort(layer, axis=1, kind="stable") for layer in degrees)
        stairs: list[Stair] = []
        first = 0
        for law, own in made.groups:
            n_stairs = len(own) * law.n_params // MIN_STAIR_OUTPUTS
            n_stairs = max(1, min(N_STAIRS, len(own), n_stairs))
            ends = np.arange(1, n_stairs + 1) * len(own) // n_stairs
            highest = np.sort(ranks[:, own], axis=1)[:, ends - 1].max(axis=0)
            for start, end, rank in zip(np.append(0, ends[:-1]), ends, highest, strict=True):
                n_hidden = int((degrees[-1] < rank).sum(axis=1).max())
                outputs = slice(first + start * law.n_params, first + end * law.n_params)
                n_units = 0 if is_large(law) else _n_direct(made, int(rank))
                stairs.append(Stair(outputs, n_hidden, n_units))
            first += len(own) * law.n_params
        return cls(made, columns, hidden, tuple(stairs))

    def of_members(self, members: Any) -> "Order":
        """Return the order of some of the members."""
        if len(self.hidden[0]) == 1:  # of one, or of all
            return self
        chosen = ([part[members] for part in parts] for parts in (self.columns, self.hidden))
        columns, hidden = map(tuple, chosen)
        return replace(self, columns=columns, hidden=hidden)

    def sort(self, parts: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Sort arrays of weights, each (M, n_out, n_in) or (M, n_out)."""
        return self._moved(parts, self._sides())

    def put_back(self, parts: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Undo `sort`."""
        return self._moved(parts, [np.argsort(side, axis=1) for side in self._sides()])

    def sort_sides(self, sides: Sequence[Integers]) -> list[Integers]:
        """Sort what is known of units, hidden units and outputs, (M, n) each."""
        places = self._sides()
        return [
            np.take_along_axis(side, np.broadcast_to(place, side.shape), axis=1)
            for side, place in zip(sides, places, strict=True)
        ]

    def sort_outputs(self, of_outputs: NDArray[Any]) -> NDArray[Any]:
        """Sort what is known of the outputs of members, (M, n_outputs)."""
        place = np.broadcast_to(self._sides()[-1], of_outputs.shape)
        return np.take_along_axis(of_outputs, place, axis=1)

    def _sides(self) -> list[Integers]:
        """Positions of units, hidden units and outputs, (M, n) each, in the members' order."""
        made, n_small = self.made, len(self.made.small_groups)
        units: list[Integers] = []
        outputs: list[Integers] = []
        first_unit, first_output = 0, 0
        for index, ((law, own), order) in enumerate(
            zip(made.groups, self.columns, strict=True)
        ):
            if index == n_small:  # those that tell which cells are present come before
                first_unit = made.n_direct[1]
            units.append(_places(first_unit, order, law.n_units))
            outputs.append(_places(first_output, order, law.n_params))
            first_unit += len(own) * law.n_units
            first_output += len(own) * law.n_params
        if made.conditioning_weights:
            present = np.arange(made.present_units.start, made.present_units.stop)
            units.insert(n_small, np.tile(present, (len(self.hidden[0]), 1)))
        return [np.concatenate(units, axis=1), *self.hidden, np.concatenate(outputs, axis=1)]

    def _moved(
        self, parts: Sequence[NDArray[Any]], sides: Sequence[Integers]
    ) -> list[NDArray[Any]]:
        """Take the rows and columns of weights in the order of what is above and below."""
        between = {"direct": (sides[-1], sides[0])}
        for level, (below, above) in enumerate(pairwise(sides)):
            between[f"weight{level}"] = between[f"bias{level}"] = above, below
        moved = []
        for name, part in zip(self.made.weight_shapes(), parts, strict=False):
            above, below = between[name]
            above, below = above[:, : part.shape[1]], below[:, : part.shape[-1]]
            placed = np.empty_like(part)
            for member, own in enumerate(part):
                # One member may stand for all.
                up, down = (side[min(member, len(side) - 1)] for side in (above, below))
                if own.ndim == 1:
                    placed[member] = own[up]
                else:
                    np.take(own[up], down, axis=1, out=placed[member], mode="clip")
            moved.append(placed)
        return moved


def _places(first: int, order: Integers, size: int) -> Integers:
    """Positions of columns' units or outputs, `size` of each, in an order (M, F) of columns."""
    places = first + order[:, :, None] * size + np.arange(size)
    return places.reshape(len(order), -1)


def _n_direct(made: MADE, rank: int) -> int:
    """How many of the first units a feature of some rank sees directly, at most."""
    if not made.direct_connections:
        return 0
    if len(made.groups) > 1 or made.conditioning_weights:
        return made.n_direct[1]  # those of a lower rank are no prefix
    return (rank - 1) * made.groups[0][0].n_units
