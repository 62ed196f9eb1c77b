"""What the members of an ensemble differ by, and how much each kind of them counts.

No one number of components, and no one amount of regularisation, fits all tables. Noise and
dropout gain much on a few hundred noisy rows, and hide what is sharp where columns nearly
depend on each other. So members are trained by several recipes, and the rows that they
hold out say how much each recipe counts: a mixture of densities whose shares maximise the
held-out likelihood (stacked density estimation: Smyth and Wolpert 1999).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .schedule import MANY_ROWS, Schedule, auto_dropout

Floats = NDArray[np.float64]

# Numbers of components, where nobody asks for one.
MANY_COMPONENTS, FEW_COMPONENTS = 10, 3

# Size of the noise added to numbers, in units of what other columns leave unexplained:
# with many components, and with few.
JITTER, MORE_JITTER = 0.3, 0.5

# Of each recipe so many members are trained before any recipe gets more.
FIRST_MEMBERS = 2

# What a recipe of a smaller share would smooth, the mean over members smooths already: shares
# are learned from members alone.
MIN_SHARE = 0.1

# Shares converge fast; a recipe of no use is left with the row that all are given beforehand.
N_EM_STEPS, ROWS_BEFOREHAND = 100, 1.0


class Recipe(NamedTuple):
    """How some of the members are trained."""

    n_components: int  # or as many as there are gaussians
    dropout: float
    jitter: float
    gaussians: bool = False  # whether each component starts as a Gaussian over all features


def recipes(
    n_components: int | str,
    dropout: float | str,
    n_rows: int,
    has_numbers: bool,
    can_compare: bool,
    gaussians: bool,
) -> list[Recipe]:
    """Return the recipes of an ensemble, of which 'auto' makes several.

    The first is the one for tables of many rows. Where recipes cannot be compared, as there are
    no held-out rows or one member alone, it is the usual one: without dropout a network runs
    away if nothing stops it, and noise hides what is sharp. The last is that of one Gaussian
    a conditional, or of as many `gaussians` over all features as a table tells of.
    """
    many = MANY_COMPONENTS if n_components == "auto" else int(n_components)
    few = FEW_COMPONENTS if n_components == "auto" else int(n_components)
    usual = auto_dropout(n_rows) if dropout == "auto" else float(dropout)
    if not (can_compare and has_numbers):
        return [Recipe(many, usual, 0.0)]
    one = 1 if n_components == "auto" else int(n_components)
    last = Recipe(one, usual, 0.0)
    if gaussians and n_components == "auto":
        last = Recipe(one, usual, 0.0, gaussians=True)
    if dropout != "auto":
        return _different(Recipe(many, usual, 0.0), Recipe(few, usual, 0.0), last)
    plain = [Recipe(many, 0.0, 0.0), Recipe(many, usual, 0.0)]
    if n_rows >= MANY_ROWS:
        return [*plain, last] if last.gaussians else plain
    noisy = [Recipe(many, usual, JITTER), Recipe(few, usual, MORE_JITTER)]
    return _different(*plain, *noisy, last)


def _different(*some: Recipe) -> list[Recipe]:
    return list(dict.fromkeys(some))


def by_recipe(schedule: Schedule, recipe: Recipe) -> Schedule:
    """Return a schedule with the regularisation of a recipe."""
    return replace(schedule, dropout=recipe.dropout, jitter=recipe.jitter)


def first_sizes(n_members: int, n_recipes: int, n_rows: int, holds_out: bool) -> list[int]:
    """Return how many members of each recipe are trained first.

    The others follow, of the recipes that turn out well. Without held-out rows, or with too few
    members, all are trained at once, about as many of each recipe.
    """
    n_each = FIRST_MEMBERS if n_rows < MANY_ROWS else 1
    if holds_out and n_recipes > 1 and n_members > n_each * n_recipes:
        return [n_each] * n_recipes
    return [len(part) for part in np.array_split(np.arange(n_members), n_recipes)]


def allotted(shares: Floats, sizes: Sequence[int], n_left: int) -> list[int]:
    """Give the members that are left to recipes, so that each has as many as its share says."""
    total = np.array(sizes)
    for _ in range(n_left):
        total[np.argmax(shares / (total + 1))] += 1
    return (total - sizes).tolist()


def shares_of(logs: Floats, weight: Floats) -> Floats:
    """Return the shares of R densities, from log-densities (R, n) of weighted rows (n,).

    By expectation maximisation; each density begins with as much of some rows more. Those with
    small shares are left out one after the other.
    """
    shares = np.zeros(len(logs))
    left = np.arange(len(logs))
    while True:
        shares[left] = _likeliest(logs[left], weight)
        least = left[np.argmin(shares[left])]
        if len(left) == 1 or shares[least] >= MIN_SHARE:
            return shares
        left = left[left != least]
        shares[least] = 0.0


def _likeliest(logs: Floats, weight: Floats) -> Floats:
    """Return the shares under which the rows are likeliest, and some that all have before."""
    relative = np.exp(logs - logs.max(axis=0))
    shares = np.full(len(logs), 1 / len(logs))
    for _ in range(N_EM_STEPS):
        chances = shares[:, None] * relative
        chances /= chances.sum(axis=0)
        shares = chances @ weight + ROWS_BEFOREHAND
        shares /= shares.sum()
    return shares
