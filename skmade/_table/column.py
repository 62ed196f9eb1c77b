"""What is learned of one column by itself: location, spread, resolution, atoms, ends."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import pdtrc

from .grid import NO_GRID, SINGLE, Grid, distinct_values, find_grid, resolution
from .ladder import Ladder
from .numbers import whole_numbers

Floats = NDArray[np.float64]

# A conditional narrower than this (in spreads, about standard deviations) is not believed,
# even of columns recorded much more finely: it bounds what a duplicated column can add.
MIN_SCALE = 1e-3

# A column of whole numbers is a count if their distance of one is at least so many spreads.
MIN_STEP = 0.1

# Whole numbers beyond this are large numbers that happen to be whole.
MAX_COUNT = 2.0**40

# The mixture of a count may be this narrow, in steps between integers (in spreads: no less
# than the second number). Its masses are at most one.
COUNT_SCALE = 0.1
MIN_COUNT_SCALE = 1e-5

# Whole numbers are codes, and others between and beyond them improbable, if there are at most
# so many, at most such a share of the rows hold one that no other row does (about the chance
# of a new one, Good 1953), and each is on average in so many rows.
MAX_CODES, MAX_ALONE, MIN_MEAN_ROWS = 32, 0.002, 10

# Values that recur far more often than their neighbours (zeros of an income, round numbers)
# are atoms: at most so many in a column, each in at least this share of the rows and five of
# them, and so many times what the values around them let expect.
MAX_ATOMS = 32
MIN_ATOM_SHARE = 0.002
MIN_ATOM_ROWS = 5
MIN_EXCESS = 1.5
END_EXCESS = 2.0  # of an atom at which the column ends
MAX_CHANCE = 1e-4
N_NEIGHBOURS = 3  # on each side

# Values that stand for less than this share of a row tell nothing of a column.
MIN_ROWS = 1e-3

# Levels of the central 90 %, a hair apart from those at which one more row of hardly any
# weight would move a quantile to another row.
CENTRAL = 0.05 - 1e-4, 0.95 + 1e-4

# Distance between the 5 % and the 95 % quantile of a standard Gaussian.
GAUSSIAN_CENTRAL_RANGE = 3.2897


@dataclass(frozen=True)
class Column:
    """What fit learned of a column; a number x is (x / 2**exponent - center) / spread."""

    kind: str
    exponent: int = 0
    center: float = 0.0
    spread: float = 1.0
    floor: float = 1.0  # smallest scale of a conditional
    constant: bool = False
    grid: Grid = NO_GRID
    atoms: tuple[float, ...] = ()  # values as recorded
    codes: tuple[float, ...] = ()
    low: float = -np.inf  # ends: nothing beyond them is drawn
    high: float = np.inf
    margin: float = 0.0  # beyond ends: half of the cell of a number that was recorded
    beside: float = 0.0  # share of rows between the rungs of a count

    @property
    def ladder(self) -> Ladder | None:
        """The rungs of a count that was recorded in steps; None for others."""
        if self.kind != "count" or self.grid.multiple == 1 or self.codes or self.constant:
            return None
        return Ladder.of(self.grid.multiple, self.grid.offset, np.array(self.atoms))


def learn_column(
    values: Floats, weight: Floats, kind: str, min_scale: float | None = None
) -> Column:
    """Learn a column from its values, and weights that count rows; 'auto' finds its kind.

    With `min_scale`, in spreads, no scale of a continuous column is smaller, none of its
    values is an atom, whose component would be as narrow as the values are rounded, and 'auto'
    calls no column a count.
    """
    if kind not in ("auto", "continuous", "count"):
        return Column(kind)
    # Integers are far from overflow, and keep their distance of one.
    exponent = 0 if kind == "count" else int(np.frexp(np.abs(values).max())[1])
    scaled = np.ldexp(values, -exponent)
    recorded, mass = distinct_values(values, weight)
    counting = mass >= min(MIN_ROWS, mass.max())
    recorded, mass = recorded[counting], mass[counting]
    grid = find_grid(recorded, mass)
    recorded = _without_noise(recorded, grid)
    distinct = np.ldexp(recorded, -exponent)
    center, spread = location_and_spread(scaled, weight)
    # Below a few ulps of its own magnitude a spread is rounding error, not data. The mean of
    # many equal values may be farther from them.
    rounding = 8 * np.finfo(np.float64).eps * np.abs(scaled).max()
    if len(distinct) == 1 or spread <= rounding:
        value = float(distinct[mass.argmax()])
        return _constant(value, exponent, "count" if kind == "count" else "continuous")
    if kind == "auto":
        is_count = min_scale is None and _counts(recorded, grid, np.ldexp(spread, exponent))
        kind = "count" if is_count else "continuous"
    if kind == "count":
        center, spread = np.ldexp(center, exponent), np.ldexp(spread, exponent)
        floor = max(COUNT_SCALE / spread, MIN_COUNT_SCALE)
        learned = Column(kind, 0, center, spread, floor, grid=grid, margin=0.5)
        learned = _with_atoms(
            _as_count(learned, recorded, mass), recorded, mass, float(grid.multiple)
        )
        return _by_rungs(learned, values, weight, recorded, mass)
    # A value rounded to multiples of `step` has an error of standard deviation
    # step / sqrt(12): nothing finer than that was recorded.
    step = resolution(distinct, mass)
    floor = max(step / spread / np.sqrt(12), MIN_SCALE)
    learned = Column(kind, exponent, center, spread, floor, grid=grid)
    if min_scale is not None:
        return replace(learned, floor=max(floor, min_scale))
    with np.errstate(over="ignore", invalid="ignore"):
        step, half = np.ldexp([step, np.sqrt(3) * floor * spread], exponent).tolist()
        return _with_atoms(replace(learned, margin=half), recorded, mass, step)


def _without_noise(recorded: Floats, grid: Grid) -> Floats:
    """Move values to the grid where they lie beside it by noise alone."""
    nearest = grid.nearest(recorded)
    return np.where(np.abs(nearest - recorded) <= SINGLE * np.abs(recorded), nearest, recorded)


def _constant(value: float, exponent: int, kind: str) -> Column:
    """Return a column of one value, whose own magnitude (or 1) stands in for a scale."""
    center, spread = value, abs(value) or 1.0
    recorded = float(np.ldexp(value, exponent))
    if kind == "count":
        center, spread = recorded, 1.0
    column = Column(kind, exponent, center, spread, constant=True)
    return replace(column, low=recorded, high=recorded)


def _counts(recorded: Floats, grid: Grid, spread: float) -> bool:
    """Whether values are whole numbers, and their distance of one tells beside the spread."""
    whole = grid.decimals == 0 and np.abs(recorded).max() < MAX_COUNT
    return bool(whole and whole_numbers(recorded).all() and spread * MIN_STEP <= 1.0)


def _as_count(learned: Column, recorded: Floats, mass: Floats) -> Column:
    """Return a count with its lowest number, and its codes if it has any."""
    codes = (
        len(recorded) <= MAX_CODES
        and mass[mass < 1.5].sum() <= MAX_ALONE * mass.sum()
        and mass.sum() >= MIN_MEAN_ROWS * len(recorded)
    )
    learned = replace(learned, low=0.0) if recorded[0] >= 0 else learned
    return replace(learned, codes=tuple(np.rint(recorded).tolist())) if codes else learned


def _with_atoms(learned: Column, recorded: Floats, mass: Floats, step: float) -> Column:
    """Return a column with its atoms; one that begins or ends with an atom ends there."""
    total = mass.sum()
    enough = mass >= max(MIN_ATOM_SHARE * total, MIN_ATOM_ROWS)
    expected, clear = _expected(recorded, mass, step)
    # Beside the grid nothing is expected: what recurs there was recorded as it is.
    beside = (learned.grid.decimals >= 0) & (learned.grid.nearest(recorded) != recorded)
    expected, clear = np.where(beside, 0.0, expected), (clear | beside) & enough
    if learned.codes or len(recorded) <= 2 * N_NEIGHBOURS + 1:
        atoms = enough
    else:
        stands_out = clear & (mass > MIN_EXCESS * expected)
        most = np.argsort(np.where(stands_out, expected - mass, 0), kind="stable")
        atoms = np.isin(np.arange(len(recorded)), most[:MAX_ATOMS]) & stands_out
    ends = np.array([learned.low, learned.high])
    if not learned.codes:
        is_end = (clear & (mass > END_EXCESS * expected))[[0, -1]]
        ends = np.where(is_end, recorded[[0, -1]], ends)
    low, high = ends.tolist()
    return replace(learned, atoms=tuple(recorded[atoms].tolist()), low=low, high=high)


def _by_rungs(
    learned: Column, values: Floats, weight: Floats, recorded: Floats, mass: Floats
) -> Column:
    """Return a count that was recorded in steps with center and spread of its rungs."""
    ladder = learned.ladder
    if ladder is None:
        return learned
    off = mass[ladder.nearest(recorded) != recorded].sum() / mass.sum()
    center, spread = location_and_spread(ladder.index(ladder.nearest(values)), weight)
    floor = max(COUNT_SCALE / spread, MIN_COUNT_SCALE)
    return replace(learned, center=center, spread=spread, floor=floor, beside=off)


def _expected(recorded: Floats, mass: Floats, step: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the mass that the values around each let expect, and which have clearly more.

    What the middle one of them has, in one step, counts: others may be atoms as well.
    """
    n_around = min(2 * N_NEIGHBOURS, len(recorded) - 1)
    positions = np.arange(len(recorded))
    first = np.clip(positions - N_NEIGHBOURS, 0, len(recorded) - n_around - 1)
    others = first[:, None] + np.arange(n_around)
    others += others >= positions[:, None]
    width = np.maximum(recorded[first + n_around] - recorded[first], n_around * step)
    expected = np.median(mass[others], axis=1) * n_around * step / width
    # The chance of as many rows by coincidence (Poisson).
    chance = pdtrc(mass - 1, np.maximum(expected, 1e-12 * mass.sum()))
    return expected, chance < MAX_CHANCE


def location_and_spread(values: Floats, weight: Floats) -> tuple[float, float]:
    """Mean and standard deviation of a column, held against a few far outliers.

    The mean is of values clipped to the central 90 %, and the spread no larger than that of
    a Gaussian with the same central 90 %, unless these are one value.
    """
    share = weight / weight.sum()
    low, high = np.quantile(values, CENTRAL, weights=weight, method="inverted_cdf")
    mean = float(share @ values)
    deviation = float(np.sqrt(share @ (values - mean) ** 2))
    inner = float(high - low) / GAUSSIAN_CENTRAL_RANGE
    if 0 < inner < deviation:
        return float(share @ np.clip(values, low, high)), inner
    return mean, deviation
