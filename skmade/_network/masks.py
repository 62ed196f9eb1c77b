"""Masks from orderings: every connection of a MADE is one comparison of two ranks.

A feature has a rank (its position 1..D in an ordering), a hidden unit has a degree
(it may see the features of rank <= degree). Which weights survive follows from comparing
the two (Germain et al. 2015, sections 3 and 4, equations 12 and 13).
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .._table.checks import warn_user

Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


# An ordering in words, the positions of the columns, or a list of such orderings.
Ordering = str | Sequence[int] | Sequence[Sequence[int]]


def given_orderings(ordering: Ordering, n_features: int) -> Integers:
    """Return the column positions in the order in which they are to be modelled, (n, D)."""
    if isinstance(ordering, str):
        return np.arange(n_features)[None]
    positions = np.atleast_2d(np.asarray(ordering))
    everything = np.arange(n_features)
    right = positions.ndim == 2 and positions.shape[1] == n_features and len(positions) > 0
    if not right or not (np.sort(positions, axis=1) == everything).all():
        raise ValueError(
            f"ordering must hold each column position 0..{n_features - 1} once, or several "
            f"such orderings, got {positions.tolist()!r}."
        )
    return positions.astype(np.int64)


def random_orderings(n_orderings: int, n_features: int, rng: np.random.RandomState) -> Integers:
    """Draw orderings (n_orderings, D) at random, without replacement while they last."""
    n_different = math.factorial(n_features)
    seen: set[bytes] = set()
    drawn: list[Integers] = []
    while len(drawn) < n_orderings:
        following = rng.permutation(n_features)
        if len(seen) == n_different:
            seen.clear()
        if following.tobytes() not in seen:
            seen.add(following.tobytes())
            drawn.append(following)
    return np.array(drawn, dtype=np.int64).reshape(n_orderings, n_features)


def draw_ranks(
    n_members: int,
    n_features: int,
    rng: np.random.RandomState,
    *,
    n_masks: int = 1,
    ordering: Ordering = "random",
    order_agnostic: bool = False,
    connectivity_agnostic: bool = False,
) -> Integers:
    """Draw the ranks (n_members, n_masks, D) of the masks that each member cycles over.

    Order-agnostic training draws an ordering for each mask, connectivity-agnostic training has
    one for all (Germain et al. 2015, section 4.2 and 4.3); others have one mask. One ordering
    that is given is the first of each member's; of several each of these has the next.
    """
    n_masks = n_masks if order_agnostic or connectivity_agnostic else 1
    n_drawn = n_masks if order_agnostic else 1
    drawn = random_orderings(n_members * n_drawn, n_features, rng)
    orderings = drawn.reshape(n_members, n_drawn, n_features)
    if not isinstance(ordering, str) or ordering == "natural":
        given = given_orderings(ordering, n_features)
        if len(given) == 1:
            orderings[:, 0] = given
        else:
            orderings = given[np.arange(len(drawn)) % len(given)].reshape(orderings.shape)
    orderings = np.repeat(orderings, n_masks // n_drawn, axis=1)
    return ordering_to_ranks(orderings)


def ordering_to_ranks(ordering: Integers) -> Integers:
    """Return each feature's rank 1..D: ``ranks[ordering] == [1, ..., D]``."""
    return np.argsort(ordering, axis=-1) + 1


def ranks_to_ordering(ranks: Integers) -> Integers:
    """Return the column positions sorted by rank, along the last axis."""
    return np.argsort(ranks, axis=-1)


def spread_degrees(n_units: int, n_features: int) -> Integers:
    """Spread the degrees of one hidden layer evenly over 1..D-1, in ascending order."""
    n_degrees = max(n_features - 1, 1)  # D = 1: the only output sees no hidden unit
    return 1 + (np.arange(n_units) * n_degrees) // n_units


def warn_if_narrow(layer_sizes: Sequence[int], n_features: int) -> None:
    """Warn when a hidden layer has fewer units than there are degrees."""
    if min(layer_sizes) < n_features - 1:
        warn_user(
            f"A hidden layer of {min(layer_sizes)} units cannot hold each of the degrees "
            f"1..{n_features - 1} of {n_features} features: some conditionals share their "
            f"hidden units. Set hidden_layer_sizes to at least {n_features - 1} units."
        )


def draw_degrees(
    layer_sizes: Sequence[int],
    n_features: int,
    rng: np.random.RandomState | None = None,
    shared: bool = False,
) -> list[Integers]:
    """Return the degrees of every hidden layer: spread evenly, shuffled if `rng` is given.

    With `shared`, layers of equal width get equal degrees, so that a skip connection
    from unit k to unit k never lets a unit see more than its degree allows.
    """
    drawn: list[Integers] = []
    for n_units in layer_sizes:
        if shared and drawn and len(drawn[-1]) == n_units:
            drawn.append(drawn[-1])
            continue
        degrees = spread_degrees(n_units, n_features)
        drawn.append(degrees if rng is None else rng.permutation(degrees))
    return drawn


def hidden_mask(degrees_out: Integers, degrees_in: Integers) -> Booleans:
    """Mask into a hidden layer: unit k sees unit (or feature) j iff degree(k) >= degree(j)."""
    return degrees_out[..., :, None] >= degrees_in[..., None, :]


def output_mask(ranks_out: Integers, degrees_in: Integers) -> Booleans:
    """Mask into the outputs: rank d sees degree (or rank) j iff j < d, strictly."""
    return degrees_in[..., None, :] < ranks_out[..., :, None]


def layer_masks(
    ranks_in: Integers, degrees: Sequence[Integers], ranks_out: Integers
) -> list[Booleans]:
    """Return the masks of all layers, input to output, and last the direct one."""
    sides = [ranks_in, *degrees]
    masks = [hidden_mask(b, a) for a, b in pairwise(sides)]
    masks.append(output_mask(ranks_out, sides[-1]))
    masks.append(output_mask(ranks_out, ranks_in))
    return masks


def move_last(ranks: Integers, missing: Booleans) -> Integers:
    """Return ranks (..., D) in which what is missing (D,) follows what is observed."""
    order = np.argsort(ranks + missing * ranks.shape[-1], axis=-1)
    return np.argsort(order, axis=-1) + 1
