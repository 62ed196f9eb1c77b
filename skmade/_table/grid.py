"""The grid on which a column was recorded, found from its values whatever their noise.

Values that differ by rounding alone are one value: whoever converts a table to inches and
back, or through single precision, records nothing new. What is left tells the resolution,
the usual distance of close neighbours, and the decimals: draws are rounded as values were.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc

Floats = NDArray[np.float64]

# Rounding moves a value by at most this share of it: in single precision, or by some ulps.
SINGLE, ULPS = 2.0**-23, 2.0**-47

# Noise is believed where it makes few values of one (of single precision at most so many),
# and others are so many times farther apart, but for a share of the rows: elsewhere values
# were recorded more finely.
MAX_VARIANTS, CLEAR, MAX_DOUBTFUL = 3, 8, 0.02

# The resolution is the smallest distance of neighbours that more than this share of all
# pairs of neighbours keep, and so many rows, or this share of few: a few values off the grid
# tell nothing. Of a pair only the value with fewer rows counts.
MAX_OFF_GRID, MIN_PAIRS, MIN_SHARE_OF_FEW = 0.02, 3.0, 0.25

# Of the distance between two numbers of a grid, noise takes at most so much.
MAX_ROOM = 0.05

# So many decimals are looked for, on which all rows lie but this share.
MAX_DECIMALS, MAX_SHARE_OFF = 15, 0.05

# Of a larger step so small a share may be off, of rows but those of the most frequent value,
# and steps are found by these factors.
MAX_SHARE_BESIDE, FACTORS = 0.01, (2, 3, 5, 7)

# A grid is no coincidence: numbers as they come would lie on it with a chance of whose inverse
# the logarithm is at least this. All are multiples of a larger step only if the chance of that
# is at most the second number.
MIN_EVIDENCE, MAX_CHANCE = 11.0, 1e-4

# Of many values that stand alone about so many are looked at first.
N_LOOKED_AT = 1000

# Whole numbers up to this are exact.
MAX_EXACT = 2.0**53


def distinct_values(values: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return the values (n,) without repetition, in order, and the weight of each.

    Of values that differ by rounding noise the heaviest stands for all.
    """
    found, position = np.unique(values, return_inverse=True)
    mass = np.bincount(position, weights=weight).astype(np.float64)
    found, mass = _merged(found, mass, ULPS, np.inf)
    # Numbers that lie on a grid but for some ulps are what was recorded, however large.
    grid = find_grid(found, mass, (ULPS,))
    recorded = np.abs(grid.nearest(found) - found) <= ULPS * np.abs(found)
    return _merged(found, mass, SINGLE, MAX_VARIANTS, recorded & (grid.decimals >= 0))


def _merged(
    found: Floats,
    mass: Floats,
    noise: float,
    max_variants: float,
    recorded: NDArray[np.bool_] | None = None,
) -> tuple[Floats, Floats]:
    """Merge neighbours that differ by a share of them, unless too many rows are in doubt.

    In doubt are values nearly as close as merged ones, and what would be merged of more
    values than noise makes, or farther apart. Two that were `recorded` are not merged.
    """
    with np.errstate(over="ignore"):
        gaps = np.diff(found)
    size = np.maximum(np.abs(found[1:]), np.abs(found[:-1]))
    apart = False if recorded is None else recorded[1:] & recorded[:-1]
    same = (gaps <= noise * size) & ~np.asarray(apart)
    unclear = ~same & (gaps <= CLEAR * noise * size) & ~np.asarray(apart)
    group = np.append(0, np.cumsum(~same))
    first = np.flatnonzero(np.append(True, ~same))
    last = np.append(first[1:], len(found)) - 1
    together = np.bincount(group, weights=mass).astype(np.float64)
    wide = found[last] - found[first] > noise * np.abs(found[[first, last]]).max(axis=0)
    many = (last - first + 1 > max_variants) | wide
    doubtful = together[many].sum() + np.minimum(mass[1:], mass[:-1])[unclear].sum()
    if doubtful > MAX_DOUBTFUL * mass.sum():
        return found, mass
    preferred = mass if recorded is None else mass + recorded * mass.sum()
    heaviest = np.lexsort((-preferred, group))
    return found[heaviest[first]], together


def resolution(distinct: Floats, mass: Floats) -> float:
    """Return the distance that neighbouring values keep, all but a few of them."""
    gaps, rows = np.diff(distinct), np.minimum(mass[1:], mass[:-1])
    order = np.argsort(gaps, kind="stable")
    upto, total = np.cumsum(rows[order]), rows.sum()
    enough = max(MAX_OFF_GRID * total, min(MIN_PAIRS, MIN_SHARE_OF_FEW * total))
    return float(gaps[order][min(np.searchsorted(upto, enough), len(gaps) - 1)])


class Grid(NamedTuple):
    """Numbers ``(offset + k * multiple) / 10**decimals`` for every integer k, or all."""

    decimals: int  # negative where there is no grid
    multiple: int
    offset: int

    def nearest(self, values: Floats, low: float = -np.inf, high: float = np.inf) -> Floats:
        """Move values to the nearest number of the grid between two ends."""
        inside = np.clip(values, low, high)
        if self.decimals < 0:
            return inside
        power = 10.0**self.decimals
        steps = np.rint((inside * power - self.offset) / self.multiple)
        first, last = ((end * power - self.offset) / self.multiple for end in (low, high))
        # An end on the grid may lie a rounding error beyond it.
        first, last = np.ceil(first - SINGLE), np.floor(last + SINGLE)
        if first > last:
            return inside
        steps = np.clip(steps, first, last)
        whole = self.offset + steps * self.multiple
        return np.where(np.abs(whole) < MAX_EXACT, whole / power, inside)


NO_GRID = Grid(-1, 1, 0)


def find_grid(
    distinct: Floats, mass: Floats, noises: tuple[float, ...] = (SINGLE, ULPS)
) -> Grid:
    """Return the coarsest grid of decimals on which nearly all values lie, up to noise.

    The most frequent value is on many grids, and counts for none.
    """
    at_most = MAX_SHARE_OFF * (mass.sum() - mass.max())
    # Where most values stand alone, some of them tell at once of most grids that they are none.
    some = slice(None, None, 1 + len(mass) // N_LOOKED_AT)
    alone, largest = len(mass) > 0.5 * mass.sum(), np.abs(distinct).max()
    for noise in noises:
        for decimals in range(MAX_DECIMALS + 1):
            power = 10.0**decimals
            if largest * power >= MAX_EXACT:
                break
            if alone:
                on_grid = _on_grid(distinct[some] * power, mass[some], noise)[0]
                if np.count_nonzero(on_grid) < 0.5 * len(on_grid):
                    continue
            last = distinct * power
            on_grid, room = _on_grid(last, mass, noise)
            evidence = -np.log(2 * room[on_grid & (np.abs(last) > room)]).sum()
            off = mass.sum() - _mass_kept(np.rint(last[on_grid]), mass[on_grid])
            if off <= at_most and evidence >= MIN_EVIDENCE:
                whole = np.rint(last[on_grid]).astype(np.int64)
                return Grid(decimals, *_multiple(whole, mass[on_grid]))
    return NO_GRID


def _on_grid(last: Floats, mass: Floats, noise: float) -> tuple[NDArray[np.bool_], Floats]:
    """Tell which numbers are whole up to noise, and how much of that each is allowed."""
    size = np.abs(last)
    room = noise * np.maximum(size, mass @ size / mass.sum())
    # Where numbers have no such digits, all of them are whole.
    spacing = np.spacing(size)
    room = np.minimum(np.maximum(room, spacing), MAX_ROOM)
    return (np.abs(last - np.rint(last)) <= room) & (spacing < MAX_ROOM), room


def _mass_kept(rounded: Floats, mass: Floats) -> float:
    """Return the mass of the heaviest values at each number: a grid loses what it merges."""
    if len(rounded) == 0:
        return 0.0
    first = np.flatnonzero(np.append(True, np.diff(rounded) != 0))
    return float(np.maximum.reduceat(mass, first).sum())


def _multiple(last: NDArray[np.int64], mass: Floats) -> tuple[int, int]:
    """Return the largest step between nearly all whole numbers, and the first; one if none."""
    multiple = int(np.gcd.reduce(last - last[0])) if len(last) > 1 else 0
    if multiple == 0 or multiple ** -(len(last) - 2.0) > MAX_CHANCE:
        multiple = 1
    offset = int(last[0] % multiple)
    found = True
    while found:
        found = False
        for factor in FACTORS:
            rest = last % (multiple * factor)
            own = _usual(rest, mass)
            if own is not None and _no_chance(rest == own, last % multiple == offset, factor):
                multiple, offset, found = multiple * factor, own, True
    return multiple, offset


def _usual(rest: NDArray[np.int64], mass: Floats) -> int | None:
    """Return the rest that all numbers have but a small share; None if there is none.

    The most frequent number counts for none, nor does the most frequent one with another rest.
    """
    others = np.where(np.arange(len(mass)) == mass.argmax(), 0.0, mass)
    rests, position = np.unique(rest, return_inverse=True)
    usual = rests[np.bincount(position, weights=others).argmax()]
    off = others[rest != usual]
    small = off.sum() - off.max(initial=0.0) <= MAX_SHARE_BESIDE * others.sum()
    return int(usual) if small else None


def _no_chance(larger: NDArray[np.bool_], smaller: NDArray[np.bool_], factor: int) -> bool:
    """Whether so many of the numbers of a step are hardly on a larger one by chance."""
    n_on, n_all = int((larger & smaller).sum()), int(smaller.sum())
    # The first of them says where the larger step begins.
    return bool(bdtrc(max(n_on - 2, 0), max(n_all - 1, 1), 1 / factor) <= MAX_CHANCE)
