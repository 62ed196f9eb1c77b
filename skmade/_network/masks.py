"""Masks from orderings: every connection of a MADE is one comparison of two ranks.

A feature has a rank (its position 1..D in an ordering), a hidden unit has a degree
(it may see the features of rank <= degree). Which weights survive follows from comparing
the two (Germain et al. 2015, sections 3 and 4, equations 12 and 13).
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .._table.checks import warn_user

Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


def draw_ordering(
    ordering: str | Sequence[int], n_features: int, rng: np.random.RandomState
) -> Integers:
    """Return the column positions in the order in which they are modelled."""
    if isinstance(ordering, str):
        if ordering == "natural":
            return np.arange(n_features)
        return rng.permutation(n_features)
    positions = np.asarray(ordering)
    if positions.shape != (n_features,) or not np.array_equal(
        np.sort(positions), np.arange(n_features)
    ):
        raise ValueError(
            f"ordering must hold each column position 0..{n_features - 1} once, "
            f"got {positions.tolist()!r}."
        )
    return positions.astype(np.int64)


def ordering_to_ranks(ordering: Integers) -> Integers:
    """Return each feature's rank 1..D: ``ranks[ordering] == [1, ..., D]``."""
    return np.argsort(ordering) + 1


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


def draw_mask_list(
    n_masks: int,
    layer_sizes: Sequence[int],
    n_features: int,
    rng: np.random.RandomState,
    *,
    ordering: str | Sequence[int] = "random",
    order_agnostic: bool = False,
    connectivity_agnostic: bool = False,
    shared: bool = False,
) -> tuple[Integers, list[Integers]]:
    """Draw the fixed list of masks that a member cycles over.

    Order-agnostic training draws an ordering for each mask, connectivity-agnostic
    training the hidden degrees (Germain et al. 2015, section 4.2 and 4.3).

    Returns
    -------
    ranks : (n_masks, n_features)
    degrees : one (n_masks, n_units) array for each hidden layer
    """
    if not (order_agnostic or connectivity_agnostic):
        n_masks = 1
    first = draw_ordering(ordering, n_features, rng)
    ranks = [ordering_to_ranks(first)]
    for _ in range(1, n_masks):
        following = draw_ordering("random", n_features, rng) if order_agnostic else first
        ranks.append(ordering_to_ranks(following))
    degree_rng = rng if connectivity_agnostic else None
    degrees = [
        draw_degrees(layer_sizes, n_features, degree_rng, shared) for _ in range(n_masks)
    ]
    return np.stack(ranks), [np.stack(layer) for layer in zip(*degrees, strict=True)]


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
